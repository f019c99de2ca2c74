//! Details of HTTP/1.1, by RFC 9112: half-closed clients, hosts, codings, sizes.

use std::io::Read as _;

use crate::common::raw::{connect, half_closed, read_all, status};
use crate::common::{Server, command, volume_payload};
use serde_json::json;

#[test]
fn a_half_closed_client_is_answered_and_its_write_done() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    let body = json!({ "Volumes": [volume_payload("a")] }).to_string();
    let length = body.len();
    let write = format!(
        "PUT /v1/volumes HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let reply = half_closed(server.address(), write);
    assert_eq!(status(&reply), 200, "{reply}");
    let read = "GET /v1/volumes?type=csi HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let reply = half_closed(server.address(), read);
    assert!(status(&reply) == 200 && reply.contains("\"ID\":\"a\""), "{reply}");
}

#[test]
fn a_blocking_query_of_a_half_closed_client_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let blocked =
        "GET /v1/volumes?type=csi&index=1000000&wait=10m HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let reply = half_closed(server.address(), blocked);
    assert!(status(&reply) == 200 && reply.ends_with("\r\n\r\n[]"), "{reply}");
}

#[test]
fn a_request_has_exactly_one_host() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    for (head, expected) in [
        ("GET /v1/volumes HTTP/1.1\r\n", 400),
        ("GET /v1/volumes HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n", 400),
        ("GET /v1/volumes HTTP/1.1\r\nHost:\r\n", 400),
        ("GET /v1/volumes HTTP/1.1\r\nHost: localhost\r\n", 200),
        ("GET /v1/volumes HTTP/1.0\r\n", 200),
    ] {
        let reply = half_closed(server.address(), format!("{head}\r\n"));
        assert_eq!(status(&reply), expected, "{head}: {reply}");
    }
}

#[test]
fn codings_other_than_chunked_are_not_implemented() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let put = |coding: &str| {
        let request = format!(
            "PUT /v1/namespace HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: {coding}\r\n\
             Connection: close\r\n\r\nc\r\n{{\"Name\":\"a\"}}\r\n0\r\n\r\n"
        );
        status(&read_all(connect(server.address(), request)))
    };
    assert_eq!(put("gzip, chunked"), 501);
    assert_eq!(put("chunked"), 200);
}

#[test]
fn a_length_above_the_limit_is_413_before_the_body_comes() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--body-max", "1000"]));
    for length in ["16001", "99999999999", "18446744073709551613"] {
        let request = format!(
            "PUT /v1/volumes HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{{"
        );
        let reply = read_all(connect(server.address(), request));
        assert!(status(&reply) == 413 && reply.contains("--body-max"), "{length}: {reply}");
    }
}

#[test]
fn a_head_of_the_limit_passes_and_one_byte_more_is_431() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--head-max", "9000"]));
    let head = |bytes: usize| {
        let start = "GET /v1/volumes HTTP/1.1\r\nHost: localhost\r\nX: ";
        format!("{start}{}\r\n\r\n", "x".repeat(bytes - start.len() - 4))
    };
    assert_eq!(head(9000).len(), 9000);
    assert_eq!(status(&half_closed(server.address(), head(9000))), 200);
    assert_eq!(status(&read_all(connect(server.address(), head(9001)))), 431);
    assert_eq!(status(&read_all(connect(server.address(), head(10_000)))), 431);
}

#[test]
fn a_target_that_is_too_long_is_414() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--head-max", "200000"]));
    let target = "x".repeat(65_535);
    let request = format!("GET /{target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(status(&read_all(connect(server.address(), request))), 414);
}

#[test]
fn a_request_that_cannot_be_read_is_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--head-max", "100000"]));
    let head = "HTTP/1.1\r\nHost: localhost\r\n";
    for (request, expected, reason) in [
        (format!("GET /{} {head}\r\n", "a".repeat(70_000)), 414, "65534 bytes"),
        (format!("GET / {head}A: {}\r\n\r\n", "a".repeat(120_000)), 431, "--head-max"),
        (format!("GET / {head}{}\r\n", "A: b\r\n".repeat(120)), 431, "100 fields"),
        (format!("PUT / {head}Content-Length: {}\r\n\r\n", u64::MAX - 1), 431, "body"),
        (format!("GET / {head}A b\r\n\r\n"), 400, "not valid"),
    ] {
        // Reads the reply before the rest is sent, because the server closes the connection.
        let mut reply = String::new();
        let _ = connect(server.address(), &request).read_to_string(&mut reply);
        assert_eq!(status(&reply), expected, "{reply}");
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        assert!(body.contains(reason), "{reply}");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{reply}");
    }
    // The empty reply of a handler stays empty.
    let reply = half_closed(server.address(), format!("GET /nothing {head}\r\n"));
    assert!(status(&reply) == 404 && reply.ends_with("\r\n\r\n"), "{reply}");
}
