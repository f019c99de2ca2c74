//! Callers that ask for too much: their refusals, and the effect on other callers.

use crate::common;
use std::io::{BufRead as _, Read as _, Write as _};
use std::net::Shutdown;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::common::raw::{connect, half_closed, read_all, status};
use crate::common::{Server, command, encode, eventually, volume_payload, volumes};
use serde_json::json;

/// A filter that no index serves and that matches none of the volumes.
const NONE_MATCHES: &str = r#"Name matches "^nothing-[0-9]+$""#;

fn list(filter: &str) -> String {
    format!("/v1/volumes?type=csi&filter={}", encode(filter))
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn digest(token: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(token).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Starts a server whose callers have the tokens `greedy` and `honest`.
fn start_with_tokens(dir: &Path) -> Server {
    start_with_tokens_and(dir, &[])
}

fn start_with_tokens_and(dir: &Path, flags: &[&str]) -> Server {
    let token = |name| {
        let digest = digest(name);
        format!("[[token]]\nname = \"{name}\"\nsha256 = \"{digest}\"\nmanagement = true\n")
    };
    let file = dir.join("acl.toml");
    std::fs::write(&file, token("greedy") + &token("honest")).unwrap();
    let mut command = command(&dir.join("data"));
    command.arg("--acl").arg(file).args(["--log-level", "debug", "--log-format", "json"]);
    command.args(flags);
    Server::spawn_with_stderr(&mut command, Stdio::piped())
}

#[test]
fn an_honest_client_waits_for_few_turns_of_64_greedy_ones() {
    const LISTS: usize = 12;
    let dir = tempfile::tempdir().unwrap();
    let mut server = start_with_tokens(dir.path());
    // At the level debug, the line of a request counts the turns of other callers that it waited for.
    let log = server.stderr();
    let waits = std::thread::spawn(move || {
        let lines = log.lines().map_while(Result::ok);
        let waits = lines.filter_map(|line| {
            let of_honest = line.contains("\"id\":\"honest\"");
            let (_, rest) = line.split_once("\"turns_waited\":").filter(|_| of_honest)?;
            let digits = rest.split(|next: char| !next.is_ascii_digit()).next()?;
            digits.parse::<usize>().ok()
        });
        waits.collect::<Vec<_>>()
    });
    let put = |path: &str, body: &serde_json::Value| {
        let token = [("X-Nomad-Token", "honest")];
        let reply = server.send_with("PUT", path, &token, Some(body.to_string().as_bytes()));
        assert_eq!(reply.status().as_u16(), 200);
    };
    let node = common::NODES[0];
    put(&format!("/statehold/v1/nodes/{node}"), &common::node_payload(node, true));
    for first in [0, 1_000, 2_000] {
        put("/v1/volumes", &json!({ "Volumes": volumes(first..first + 1_000) }));
    }
    let path = list(&vec![NONE_MATCHES; 20].join(" or "));
    let ask = |name| {
        let headers = [("X-Nomad-Token", name), ("X-Request-Id", name)];
        let mut reply = server.send_with("GET", &path, &headers, None);
        assert_eq!(reply.status().as_u16(), 200);
        assert_eq!(reply.body_mut().read_to_string().unwrap(), "[]");
    };
    let (done, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    ask("greedy");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // By then every greedy client is listing.
        eventually(|| done.load(Ordering::Relaxed) >= 64);
        (0..LISTS).for_each(|_| ask("honest"));
        over.store(true, Ordering::Relaxed);
    });
    server.stop();
    let waits = waits.join().unwrap();
    assert!(waits.len() >= LISTS, "{waits:?}");
    // Greedy clients have as many turns at a time as there are cores, and the honest one has another. So it
    // waits for no turn, or for the few between two slices of its list. One queue for all callers would delay
    // it by 64.
    let cores = std::thread::available_parallelism().unwrap().get();
    let most = waits.iter().max().unwrap();
    assert!(*most <= cores + 1, "an honest list waited for {most} turns of others: {waits:?}");
}

#[test]
fn a_small_write_goes_before_large_ones_that_wait() {
    const LARGE: usize = 8;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    let done = AtomicUsize::new(0);
    let (before, after) = std::thread::scope(|scope| {
        for at in 0..LARGE {
            let (server, done) = (&server, &done);
            scope.spawn(move || {
                let batch = volumes(at * 1_500..(at + 1) * 1_500);
                server.put("/v1/volumes", &json!({ "Volumes": batch })).ok();
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        eventually(|| server.metric("statehold_http_queued") >= 3);
        let before = done.load(Ordering::Relaxed);
        server.register(&volume_payload("small")).ok();
        (before, done.load(Ordering::Relaxed))
    });
    // The large write that was in its transaction may finish, and be answered, first.
    assert!(
        after <= before + 2,
        "{before} large writes were done before the small one, {after} with it"
    );
}

#[test]
fn one_caller_never_has_all_writes_in_progress() {
    let dir = tempfile::tempdir().unwrap();
    let server = start_with_tokens_and(dir.path(), &["--writes-max", "2"]);
    let put = |name, path: &str, body: &serde_json::Value| {
        let body = body.to_string();
        server.send_with("PUT", path, &[("X-Nomad-Token", name)], Some(body.as_bytes())).status()
    };
    let node = common::NODES[0];
    let report = common::node_payload(node, true);
    assert_eq!(put("honest", &format!("/statehold/v1/nodes/{node}"), &report).as_u16(), 200);
    let large = json!({ "Volumes": volumes(0..5_000) });
    let (refused, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let status = put("greedy", "/v1/volumes", &large).as_u16();
                    refused.fetch_add(usize::from(status == 429), Ordering::Relaxed);
                }
            });
        }
        eventually(|| refused.load(Ordering::Relaxed) > 8);
        let volume = volume_payload("honest");
        let body = json!({ "Volumes": [volume] });
        let statuses: Vec<_> =
            (0..8).map(|_| put("honest", "/v1/volume/csi/honest", &body).as_u16()).collect();
        over.store(true, Ordering::Relaxed);
        assert_eq!(statuses, [200; 8]);
    });
}

#[test]
fn a_page_goes_before_lists_that_a_commit_woke() {
    const LISTS: u64 = 128;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    server.register_many(3_000);
    let clauses = [NONE_MATCHES; 4].join(" or ");
    let path = list(&clauses);
    let index = server.get(&path).ok().index.unwrap();
    let blocked = get(&format!("{path}&index={index}&wait=10m"));
    let waiting: Vec<_> = (0..LISTS).map(|_| connect(server.address(), &blocked)).collect();
    server.wait_until_parked(LISTS);
    server.register(&volume_payload("one-more")).ok();
    server.get(&format!("{path}&per_page=100")).ok();
    let before = server.metric("statehold_blocking_runs_again_total{useful=\"true\"}");
    assert!(before < LISTS / 2, "{before} of {LISTS} lists ran before a page");
    drop(waiting);
}

#[test]
fn a_costly_filter_is_refused_and_counted_also_while_it_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--filter-steps-max", "500"]));
    server.feed_plugin();
    server.register_many(1_000);
    let path = list(&[NONE_MATCHES; 4].join(" or "));
    for blocking in ["", "&index=1000000&wait=10m"] {
        let refused = server.get(&format!("{path}{blocking}"));
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(refused.body.contains("--filter-steps-max"), "{}", refused.body);
    }
    assert_eq!(server.metric("statehold_http_refused_total{reason=\"filter_steps\"}"), 2);
}

#[test]
fn a_list_beyond_its_computing_time_is_refused_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--read-time-max", "1ms"]));
    server.feed_plugin();
    server.register_many(3_000);
    // Long enough that the clock is checked twice in any build.
    let clauses = vec![NONE_MATCHES; 400].join(" or ");
    let refused = server.get(&list(&clauses));
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.body.contains("--read-time-max"), "{}", refused.body);
    assert_eq!(server.metric("statehold_http_refused_total{reason=\"read_time\"}"), 1);
}

#[test]
fn runs_of_a_blocking_query_share_one_budget() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--filter-steps-max", "300"]));
    server.feed_plugin();
    server.register_many(20);
    let path = list(&[NONE_MATCHES; 4].join(" or "));
    let waiting = connect(server.address(), get(&format!("{path}&index=1000000&wait=10m")));
    server.wait_until_parked(1);
    // Each write wakes the query, but the requested index is too far ahead for an answer.
    let mut writes = 0;
    eventually(|| {
        writes += 1;
        server.register(&volume_payload(&format!("more-{writes}"))).ok();
        server.get("/statehold/v1/status").ok().json()["Parked"] == 0
    });
    waiting.shutdown(Shutdown::Write).unwrap();
    let reply = read_all(waiting);
    assert!(status(&reply) == 200 && reply.ends_with("[]"), "{reply}");
}

#[test]
fn a_list_ends_when_its_client_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--read-time-max", "10m"]));
    server.feed_plugin();
    server.register_many(3_000);
    let clauses = vec![NONE_MATCHES; 400].join(" or ");
    let path = list(&clauses);
    // A connection's reset may overtake its request, which the server then never reads.
    eventually(|| {
        // Closing a connection with unread data resets it.
        let mut client = connect(server.address(), get("/v1/volumes"));
        let mut first = [0];
        client.read_exact(&mut first).unwrap();
        client.write_all(get(&path).as_bytes()).unwrap();
        server.get("/v1/volumes").ok();
        drop(client);
        server.metric("statehold_http_cancelled_total") > 0
    });
}

/// Returns the path of a list that computes for seconds in any build, over enough volumes of the server.
fn long_list(server: &Server) -> String {
    server.feed_plugin();
    server.register_many(10_000);
    list(&vec![NONE_MATCHES; 400].join(" or "))
}

#[test]
fn a_half_closed_client_is_answered_however_long_it_takes() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--read-time-max", "10m"]));
    let path = long_list(&server);
    let reply = half_closed(server.address(), get(&path));
    let reply = reply.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&reply);
    assert!(status(reply) == 200 && reply.ends_with("\r\n\r\n[]"), "{reply}");
    assert_eq!(server.metric("statehold_http_cancelled_total"), 0);
}

#[test]
fn a_list_ends_when_its_client_closes_the_connection() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--read-time-max", "10m"]));
    let path = long_list(&server);
    // No data is unread, so the client's kernel sends FIN and no reset.
    drop(connect(server.address(), get(&path)));
    eventually(|| server.metric("statehold_http_cancelled_total") == 1);
}

#[test]
fn bodies_in_memory_are_bounded_and_shared() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--bodies-max", "1000000"]));
    let head = "PUT /v1/namespace HTTP/1.1\r\nHost: localhost\r\nContent-Length: 700000\r\n\r\n";
    let slow = connect(server.address(), format!("{head}{}", " ".repeat(600_000)));
    eventually(|| server.metric("statehold_http_bodies_bytes") == 600_000);
    let body = format!("{{\"Name\":\"a\"{}}}", " ".repeat(100_000));
    let refused = server.send("PUT", "/v1/namespace", Some(body.as_bytes()));
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.body.contains("--bodies-max"), "{}", refused.body);
    assert_eq!(server.metric("statehold_http_refused_total{reason=\"bodies\"}"), 1);
    drop(slow);
    eventually(|| server.metric("statehold_http_bodies_bytes") == 0);
    server.send("PUT", "/v1/namespace", Some(body.as_bytes())).ok();
    assert_eq!(server.metric("statehold_http_bodies_bytes"), 0);
}

#[test]
fn unsent_replies_are_bounded_and_shared() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--unsent-max", "400000"]));
    server.feed_plugin();
    // Much more than the kernel buffers for a slow reader.
    server.register_many(20_000);
    let path = "/v1/volumes?type=csi";
    let first = connect(server.address(), get(path));
    eventually(|| server.metric("statehold_http_unsent_bytes") > 0);
    let refused = server.get(path);
    assert_eq!(refused.status, 429, "{}", refused.status);
    assert!(refused.body.contains("--unsent-max"), "{}", refused.body);
    // A small reply is within the limit.
    server.get("/v1/volume/csi/vol-000001").ok();
    drop(first);
    eventually(|| server.metric("statehold_http_unsent_bytes") == 0);
    server.get(path).ok();
}

#[test]
fn filters_that_wait_are_bounded_and_shared() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--parked-bytes-max", "1000000"]));
    let clauses: Vec<String> = (0..1_000).map(|at| format!("ID == \"volume-{at}\"")).collect();
    let path = list(&clauses.join(" or "));
    let blocked = format!("{path}&index=1000000&wait=10m");
    let mut waiting = vec![connect(server.address(), get(&blocked))];
    server.wait_until_parked(1);
    let each = server.metric("statehold_blocking_parked_bytes");
    assert!(each > 50_000, "{each} bytes for a filter of {} bytes", path.len());
    let more = 500_000 / each;
    for at in 1..more {
        waiting.push(connect(server.address(), get(&blocked)));
        server.wait_until_parked(at + 1);
    }
    let refused = server.get(&blocked);
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.body.contains("--parked-bytes-max"), "{}", refused.body);
    drop(waiting);
    eventually(|| server.metric("statehold_blocking_parked_bytes") == 0);
}

#[test]
fn a_client_that_does_not_read_is_disconnected() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--send-wait-max", "1s"]));
    server.feed_plugin();
    server.register_many(20_000);
    let client = connect(server.address(), get("/v1/volumes?type=csi"));
    eventually(|| server.metric("statehold_http_stalled_total") == 1);
    eventually(|| server.get("/statehold/v1/status").ok().json()["Connections"] == 1);
    drop(client);
    // A client that reads is served.
    let whole = half_closed(server.address(), get("/v1/volumes?type=csi"));
    assert!(whole.ends_with("0\r\n\r\n"));
}
