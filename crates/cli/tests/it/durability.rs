//! The state after `kill -9`, and exclusive access to the data directory.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::common::{ALLOC, NODES, Server, command, volume_payload};
use serde_json::json;

/// Writers whose requests the kill interrupts.
const WRITERS: usize = 4;
/// Acknowledged writes after which the server is killed, with others in flight.
const ENOUGH: usize = 60;

#[test]
fn every_acknowledged_write_and_the_index_survive_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    let killed = AtomicBool::new(false);
    let acknowledged = AtomicUsize::new(0);
    let written: Vec<(String, u64)> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (server, killed, acknowledged) = (&server, &killed, &acknowledged);
                scope.spawn(move || {
                    let mut written = Vec::new();
                    for at in 0.. {
                        let id = format!("vol-{writer}-{at}");
                        let mut volume = volume_payload(&id);
                        volume["ExternalID"] = json!(id);
                        let body = json!({ "Volumes": [volume] }).to_string();
                        let path = format!("/v1/volume/csi/{id}");
                        match server.try_send("PUT", &path, Some(body.as_bytes())) {
                            Ok(reply) => {
                                let reply = reply.ok();
                                written.push((id, reply.index.unwrap()));
                                acknowledged.fetch_add(1, Ordering::SeqCst);
                            }
                            Err(error) => {
                                assert!(killed.load(Ordering::SeqCst), "{error}");
                                break;
                            }
                        }
                    }
                    written
                })
            })
            .collect();
        while acknowledged.load(Ordering::SeqCst) < ENOUGH {
            std::thread::yield_now();
        }
        killed.store(true, Ordering::SeqCst);
        let status = std::process::Command::new("kill")
            .args(["-9", &server.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    server.wait();

    let server = Server::start(dir.path());
    let mut last = 0;
    for (id, index) in &written {
        let volume = server.get(&format!("/v1/volume/csi/{id}")).ok().json();
        assert_eq!(volume["CreateIndex"], json!(index), "{id}");
        last = last.max(*index);
    }
    let next = server.register(&volume_payload("after")).ok();
    assert!(next.index.unwrap() > last);
    let list = server.get("/v1/volumes?type=csi").ok();
    assert!(list.column("ID").len() > written.len());
    assert!(list.index.unwrap() >= next.index.unwrap());
}

#[test]
fn claims_and_indexes_are_the_same_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    server.register(&volume_payload("volume-id1")).ok();
    server.feed_allocation(ALLOC, NODES[1], "running");
    server.claim("volume-id1", ALLOC, NODES[1], "write").ok();
    let before = server.get("/v1/volume/csi/volume-id1").ok();
    server.kill();
    let server = Server::start(dir.path());
    let after = server.get("/v1/volume/csi/volume-id1").ok();
    assert_eq!(after.json(), before.json());
    assert!(after.index >= before.index, "an index never goes back");
    assert_eq!(server.delete("/v1/volume/csi/volume-id1").status, 409);
}

#[test]
fn a_second_server_on_the_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let second =
        command(dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("is in use by another process"), "{said}");
    server.get("/v1/volumes?type=csi").ok();
}

#[test]
fn a_stop_answers_waiting_queries_with_current_data() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    let since = server.get("/v1/plugins?type=csi").ok().index.unwrap();
    std::thread::scope(|scope| {
        let blocked = scope
            .spawn(|| server.get(&format!("/v1/plugins?type=csi&index={since}&wait=10m")).ok());
        server.wait_until_parked(1);
        let pid = server.id().to_string();
        let status = std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(status.success());
        assert_eq!(blocked.join().unwrap().index, Some(since));
    });
    assert!(server.wait().success());
}

#[test]
fn a_stop_does_not_wait_for_an_unfinished_request() {
    use std::io::Write as _;

    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let mut half = std::net::TcpStream::connect(server.address()).unwrap();
    half.write_all(b"PUT /v1/volumes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        .unwrap();
    server.get("/statehold/v1/status").ok();
    let stop = || {
        let pid = server.id().to_string();
        assert!(
            std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success()
        );
    };
    stop();
    // A second signal ends the server at once. The first one has taken effect once the port is closed.
    while std::net::TcpStream::connect(server.address()).is_ok() {}
    stop();
    assert!(server.wait().success());
    drop(half);
}
