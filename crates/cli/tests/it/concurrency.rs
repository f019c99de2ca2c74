//! Many clients at once: one volume that all claim, ten thousand parked queries, and a kill under load.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{NODES, Server, command, volume_payload};
use serde_json::{Value, json};

/// Clients that claim one volume.
const CLIENTS: usize = 64;
/// Successful claims of all clients together.
const TURNS: usize = 100;
/// Queries that are parked at the same time.
const PARKED: usize = 10_000;
/// Volumes in one register request.
const BATCH: usize = 1000;
/// Acknowledged changes after which the server is killed.
const ENOUGH: usize = 300;

fn allocation(at: usize) -> String {
    format!("a8198d79-cfdb-6593-a999-{at:012x}")
}

/// Starts a server with a plugin and one allocation for each client.
fn start(dir: &Path, args: &[&str]) -> Server {
    let server = Server::spawn(command(dir).args(args));
    server.feed_plugin();
    for at in 0..CLIENTS {
        server.feed_allocation(&allocation(at), NODES[at % NODES.len()], "running");
    }
    server
}

#[test]
fn sixty_four_clients_never_get_two_writers_of_one_volume() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), &[]);
    server.register(&volume_payload("wanted")).ok();
    let (holders, turns) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|threads| {
        for at in 0..CLIENTS {
            let (server, holders, turns) = (&server, &holders, &turns);
            threads.spawn(move || {
                let (id, node) = (allocation(at), NODES[at % NODES.len()]);
                while turns.load(Ordering::SeqCst) < TURNS {
                    let claimed = server.claim("wanted", &id, node, "write");
                    if claimed.status != 200 {
                        assert_eq!(claimed.status, 409, "{claimed:?}");
                        assert!(claimed.body.contains("volume max claims reached"), "{claimed:?}");
                        continue;
                    }
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two writers");
                    let volume = server.get("/v1/volume/csi/wanted").ok().json();
                    let writers: Vec<_> =
                        volume["WriteAllocs"].as_object().unwrap().keys().collect();
                    assert_eq!(writers, [&id]);
                    turns.fetch_add(1, Ordering::SeqCst);
                    assert_eq!(holders.fetch_sub(1, Ordering::SeqCst), 1, "two writers");
                    server.release("wanted", &id).ok();
                }
            });
        }
    });
    let volume = server.get("/v1/volume/csi/wanted").ok().json();
    assert_eq!(volume["WriteAllocs"], json!({}));
}

/// Registers `count` volumes; each ID ends in the volume's number.
fn register_many(server: &Server, count: usize) {
    let numbers: Vec<usize> = (0..count).collect();
    for batch in numbers.chunks(BATCH) {
        let volumes: Vec<Value> =
            batch.iter().map(|at| volume_payload(&format!("volume-{at}"))).collect();
        server.put("/v1/volumes", &json!({ "Volumes": volumes })).ok();
    }
}

/// Sends a blocking query, and returns its connection.
fn park(server: &Server, volume: usize, index: u64) -> TcpStream {
    let mut socket = TcpStream::connect(server.address()).unwrap();
    let request = format!(
        "GET /v1/volume/csi/volume-{volume}?index={index}&wait=10m HTTP/1.1\r\nHost: localhost\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    socket
}

fn resident(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn one_write_wakes_one_of_ten_thousand_waiting_queries() {
    let dir = tempfile::tempdir().unwrap();
    let limit = (PARKED + 100).to_string();
    let args = [
        "--connections-max",
        &limit,
        "--connections-per-client-max",
        &limit,
        "--parked-max",
        &limit,
        "--parked-per-client-max",
        &limit,
    ];
    let server = start(dir.path(), &args);
    register_many(&server, PARKED);
    let index = server.get("/v1/volumes?type=csi&per_page=1").ok().index.unwrap();
    let before = resident(&server);
    let mut waiting: BTreeMap<usize, TcpStream> =
        (0..PARKED).map(|volume| (volume, park(&server, volume, index))).collect();
    server.wait_until_parked(PARKED as u64);
    let each = (resident(&server) - before) / PARKED as u64;
    println!("{each} bytes for each of {PARKED} connections with a query that waits");

    let chosen = PARKED / 2;
    server.register(&volume_payload(&format!("volume-{chosen}"))).ok();
    let mut woken = waiting.remove(&chosen).unwrap();
    let mut begin = [0; 15];
    woken.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
    // All other queries still wait, and none has received a byte.
    server.wait_until_parked(PARKED as u64 - 1);
    for socket in waiting.values() {
        socket.set_nonblocking(true).unwrap();
        let error = socket.peek(&mut begin).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    }
    drop(waiting);
    server.wait_until_parked(0);
}

/// The acknowledged changes of one client.
#[derive(Default)]
struct Acknowledged {
    /// By volume, whether the last acknowledged change is a claim; `None` while a claim or release is in flight.
    claimed: BTreeMap<String, Option<bool>>,
    /// By host volume, whether the last acknowledged change is its creation.
    created: BTreeMap<String, bool>,
    index: u64,
}

impl Acknowledged {
    /// Claims, releases, creates and deletes until the server is gone.
    fn run(server: &Server, who: usize, done: &AtomicUsize) -> Self {
        let mut own = Self::default();
        let _ = own.work(server, who, done);
        own
    }

    fn work(&mut self, server: &Server, who: usize, done: &AtomicUsize) -> Result<(), ureq::Error> {
        let (volume, alloc, node) =
            (format!("volume-{who}"), allocation(who), NODES[who % NODES.len()]);
        let claim = json!({
            "AllocationID": alloc, "NodeID": node, "Mode": "write",
            "AccessMode": "single-node-writer", "AttachmentMode": "file-system",
        });
        let release = json!({ "AllocationID": alloc, "Mode": "gc", "State": "ready-to-free" });
        for round in 0.. {
            for (body, taken) in [(&claim, true), (&release, false)] {
                self.claimed.insert(volume.clone(), None);
                let path = format!("/statehold/v1/volume/csi/{volume}/claim");
                self.send(server, "PUT", &path, body)?;
                self.claimed.insert(volume.clone(), Some(taken));
                done.fetch_add(1, Ordering::SeqCst);
            }
            let body = json!({ "Volume": { "Name": format!("host-{who}-{round}") } });
            let reply = self.send(server, "PUT", "/v1/volume/host/create", &body)?;
            let id = reply["Volume"]["ID"].as_str().unwrap().to_owned();
            self.created.insert(id.clone(), true);
            done.fetch_add(1, Ordering::SeqCst);
            if round % 2 == 0 {
                self.created.remove(&id);
                self.send(server, "DELETE", &format!("/v1/volume/host/{id}"), &json!({}))?;
                self.created.insert(id, false);
                done.fetch_add(1, Ordering::SeqCst);
            }
        }
        Ok(())
    }

    fn send(
        &mut self,
        server: &Server,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value, ureq::Error> {
        let reply = server.try_send(method, path, Some(body.to_string().as_bytes()))?.ok();
        self.index = self.index.max(reply.index.unwrap());
        Ok(reply.json())
    }
}

#[test]
fn a_kill_under_load_loses_no_claim_no_host_volume_and_no_index() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), &[]);
    register_many(&server, 16);
    let done = AtomicUsize::new(0);
    let acknowledged: Vec<Acknowledged> = std::thread::scope(|threads| {
        let (server, done) = (&server, &done);
        let clients: Vec<_> = (0..16)
            .map(|who| threads.spawn(move || Acknowledged::run(server, who, done)))
            .collect();
        while done.load(Ordering::SeqCst) < ENOUGH {
            std::thread::yield_now();
        }
        let kill = Command::new("kill").args(["-9", &server.id().to_string()]).status();
        assert!(kill.unwrap().success());
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    server.wait();

    let server = Server::start(dir.path());
    server.wait_until_restored();
    let after = server.get("/v1/volumes?type=csi").ok();
    let index = server.put("/v1/namespace", &json!({ "Name": "after" })).ok().index.unwrap();
    assert!(after.index.unwrap() >= 1);
    let listed = server.get("/v1/volumes?type=host").ok().column("ID");
    for acknowledged in &acknowledged {
        assert!(index > acknowledged.index);
        for (volume, claimed) in &acknowledged.claimed {
            let row = server.get(&format!("/v1/volume/csi/{volume}")).ok().json();
            let writers = row["WriteAllocs"].as_object().unwrap().len();
            if let Some(claimed) = claimed {
                assert_eq!(writers, usize::from(*claimed), "{volume}");
            }
        }
        for (id, created) in &acknowledged.created {
            assert_eq!(listed.contains(id), *created, "{id}");
        }
    }
    // Rows and directories agree, those of unacknowledged changes included.
    let mut directories: Vec<String> = fs::read_dir(dir.path().join("host_volumes"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    directories.sort();
    assert_eq!(directories, listed);
}
