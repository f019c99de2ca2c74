//! The limits on clients, and the resources that are released when they disconnect.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::common::{Server, command, eventually, volume_payload};
use serde_json::json;

/// Sends bytes on a new connection.
fn connect(server: &Server, request: &str) -> TcpStream {
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    socket
}

fn read_all(mut socket: TcpStream) -> String {
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply
}

const BLOCKED: &str = "GET /v1/volumes?type=csi&index=1000000 HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn a_client_that_goes_away_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let clients: Vec<_> = (0..20).map(|_| connect(&server, BLOCKED)).collect();
    server.wait_until_parked(20);
    drop(clients);
    server.wait_until_parked(0);
    // Only the connection of this request is left.
    eventually(|| server.get("/statehold/v1/status").ok().json()["Connections"] == 1);
}

#[test]
fn waiting_requests_of_a_client_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--parked-per-client-max", "2"]));
    let clients = [connect(&server, BLOCKED), connect(&server, BLOCKED)];
    server.wait_until_parked(2);
    let refused = server.send_with("GET", "/v1/volumes?type=csi&index=1000000", &[], None);
    assert_eq!(refused.status().as_u16(), 429);
    assert_eq!(refused.headers()["Retry-After"], "1");
    // A request that doesn't block is answered.
    server.get("/v1/volumes?type=csi").ok();
    drop(clients);
    server.wait_until_parked(0);
    let after = "/v1/volumes?type=csi&index=1000000&wait=1ms";
    eventually(|| server.get(after).status == 200);
}

#[test]
fn a_connection_beyond_the_limit_of_its_address_gets_429() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--connections-per-client-max", "2"]));
    let held = [connect(&server, BLOCKED), connect(&server, BLOCKED)];
    let refused = read_all(connect(&server, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert!(refused.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{refused}");
    assert!(
        refused.ends_with(
            "\r\n\r\nYour IP is issuing too many concurrent connections, please rate limit your \
             calls\n"
        ),
        "{refused}"
    );
    drop(held);
    let again = "GET /v1/volumes HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    eventually(|| read_all(connect(&server, again)).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_late_body_is_408_and_a_large_head_431() {
    let dir = tempfile::tempdir().unwrap();
    let server =
        Server::spawn(command(dir.path()).args(["--body-wait-max", "10ms", "--head-max", "8192"]));
    let slow = "PUT /v1/volumes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\n{";
    let refused = read_all(connect(&server, slow));
    assert!(refused.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{refused}");
    assert!(refused.contains("--body-wait-max"), "{refused}");
    let asks = "PUT /v1/volumes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\
        Connection: close\r\nExpect: 100-continue\r\n\r\n";
    let refused = read_all(connect(&server, asks));
    assert!(refused.starts_with("HTTP/1.1 413 "), "it is not asked for the body: {refused}");
    let long =
        format!("GET /v1/volumes HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(9000));
    let refused = read_all(connect(&server, &long));
    assert!(refused.starts_with("HTTP/1.1 431 "), "{refused}");
}

#[test]
fn a_body_beyond_the_limit_gets_413_after_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--body-max", "1000000"]));
    for _ in 0..5 {
        let body = "x".repeat(9_000_000);
        let refused = server.send("PUT", "/v1/volumes", Some(body.as_bytes()));
        assert_eq!(refused.status, 413);
    }
}

#[test]
fn writes_over_the_limit_are_429_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--writes-max", "0"]));
    let refused = server.put("/v1/volumes", &json!({ "Volumes": [volume_payload("a")] }));
    assert_eq!(refused.status, 429);
    assert!(refused.body.contains("--writes-max"), "{}", refused.body);
    assert_eq!(server.get("/v1/volumes?type=csi").ok().body, "[]");
}
