//! Requests that the same-origin checks refuse to web pages, and the links behind proxies.

use crate::cloud::{Cloud, JSON, TOKEN};
use crate::common::{Server, command};
use serde_json::json;
use std::io::BufRead as _;
use std::process::{Command, Stdio};

fn send(server: &Server, method: &str, headers: &[(&str, &str)], body: &str) -> u16 {
    let path = "/v1/namespace/team";
    server.send_with(method, path, headers, Some(body.as_bytes())).status().as_u16()
}

#[test]
fn a_page_from_elsewhere_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let body = json!({ "Name": "team" }).to_string();
    let text = ("Content-Type", "text/plain");
    for headers in [
        [text, ("Origin", "http://evil.example")],
        [text, ("Origin", "null")],
        [text, ("Sec-Fetch-Site", "cross-site")],
    ] {
        assert_eq!(send(&server, "POST", &headers, &body), 403, "{headers:?}");
        assert_eq!(send(&server, "DELETE", &headers, ""), 403, "{headers:?}");
    }
    assert_eq!(server.get("/v1/namespace/team").status, 404);
    let own = format!("http://{}", server.address());
    assert_eq!(send(&server, "POST", &[("Origin", &own)], &body), 200);
    assert_eq!(server.metric("statehold_http_refused_total{reason=\"origin\"}"), 6);
}

#[test]
fn a_name_that_resolves_to_loopback_reads_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let rebound = [("Host", "evil.example:4646")];
    for (method, path) in [
        ("GET", "/v1/volumes?type=csi"),
        ("GET", "/metrics"),
        ("GET", "/nowhere"),
        ("POST", "/v1/namespace/team"),
    ] {
        let reply = server.send_with(method, path, &rebound, Some(b"{\"Name\":\"team\"}"));
        assert_eq!(reply.status().as_u16(), 421, "{method} {path}");
    }
    assert_eq!(server.get("/v1/namespace/team").status, 404);
    assert_eq!(server.metric("statehold_http_refused_total{reason=\"host\"}"), 4);
    drop(server);
    let known = ["--allowed-host", "evil.example"];
    let server = Server::spawn(command(dir.path()).args(known));
    let reply = server.send_with("GET", "/v1/volumes", &rebound, None);
    assert_eq!(reply.status().as_u16(), 200);
}

#[test]
fn block_storage_is_closed_to_pages_from_elsewhere_too() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let body = br#"{"volume":{"size":1}}"#;
    let post = |header| cloud.send("POST", "/v3/p1/volumes", body, &[JSON, TOKEN, header]).status;
    assert_eq!(post(("Origin", "http://evil.example")), 403);
    assert_eq!(post(("Host", "evil.example")), 421);
    assert_eq!(post(("Accept", "*/*")), 202);
}

#[test]
fn links_follow_proxies_only_if_they_are_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let mut cloud = Cloud::start(dir.path());
    let proxy = [("X-Forwarded-Host", "cloud.example"), ("X-Forwarded-Proto", "https")];
    let link = |cloud: &Cloud| {
        let body = cloud.send("GET", "/v3/", b"", &proxy).json();
        body["versions"][0]["links"]
            .as_array()
            .unwrap()
            .iter()
            .find(|link| link["rel"] == "self")
            .unwrap()["href"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(link(&cloud), format!("{}/v3/", cloud.url));
    cloud.restart(dir.path(), &["--trust-proxy-headers"]);
    assert_eq!(link(&cloud), "https://cloud.example/v3/");
    cloud.restart(dir.path(), &["--public-url", "https://public.example/volume"]);
    assert_eq!(link(&cloud), "https://public.example/volume/v3/");
}

#[test]
fn an_open_server_that_others_reach_needs_a_flag() {
    let dir = tempfile::tempdir().unwrap();
    let serve = |more: &[&str]| {
        let mut serve = Command::new(env!("CARGO_BIN_EXE_statehold"));
        serve.args(["serve", "--bind", "0.0.0.0:0", "--data-dir"]).arg(dir.path()).args(more);
        serve
    };
    let refused = serve(&[]).output().unwrap();
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success());
    assert!(text.contains("--acl") && text.contains("--insecure-bind"), "{text}");

    let mut server = Server::spawn_with_stderr(&mut serve(&["--insecure-bind"]), Stdio::piped());
    let warned = server.stderr().lines().map(Result::unwrap).find(|line| line.contains("WARN"));
    assert!(warned.unwrap().contains("--acl"));
}
