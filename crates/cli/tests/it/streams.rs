//! Long lists, streamed in parts: the memory of the server, and the snapshot that they show.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::common::{Server, command, encode, volume_payload};
use serde_json::{Value, json};

/// Volumes of the list: much more JSON than the kernel buffers for a slow reader.
const VOLUMES: usize = 20_000;

/// Volumes in one register request.
const BATCH: usize = 4_000;

/// Returns the resident memory of the server in bytes.
fn memory(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn register(server: &Server) {
    let volumes: Vec<Value> = (0..VOLUMES)
        .map(|at| {
            let mut volume = volume_payload(&format!("vol-{at:06}"));
            volume["ExternalID"] = json!(format!("ext-{at}"));
            volume
        })
        .collect();
    for batch in volumes.chunks(BATCH) {
        server.put("/v1/volumes", &json!({ "Volumes": batch })).ok();
    }
}

#[test]
fn slow_readers_of_a_long_list_share_one_snapshot_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--body-max", "8000000"]));
    server.feed_plugin();
    register(&server);
    let whole = server.get("/v1/volumes?type=csi").ok();

    let before = memory(&server);
    let mut readers: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut socket = TcpStream::connect(server.address()).unwrap();
            let request = "GET /v1/volumes?type=csi HTTP/1.0\r\n\r\n";
            socket.write_all(request.as_bytes()).unwrap();
            // The head is sent, so the snapshot is taken.
            let mut first = [0; 1];
            socket.read_exact(&mut first).unwrap();
            socket
        })
        .collect();
    let grown = memory(&server).saturating_sub(before);
    let texts = (readers.len() * whole.body.len()) as u64;
    assert!(grown < texts / 3, "{grown} bytes for readers of {texts}");

    // Later changes MUST NOT be in the lists that are still being read.
    server.delete("/v1/volume/csi/vol-019999").ok();
    let mut reply = String::new();
    readers.swap_remove(0).read_to_string(&mut reply).unwrap();
    let (_, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(body == whole.body, "{} bytes instead of {}", body.len(), whole.body.len());
}

#[test]
fn a_long_list_is_complete_in_any_order_filter_or_page() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--body-max", "8000000"]));
    server.feed_plugin();
    register(&server);
    let ids = |numbers: &mut dyn Iterator<Item = usize>| -> Vec<String> {
        numbers.map(|at| format!("vol-{at:06}")).collect()
    };
    let all = "/v1/volumes?type=csi";
    // An index serves the first filter, and none the second.
    let planned = format!("{all}&filter={}", encode("PluginID == \"plugin-id1\""));
    let scanned = format!("{all}&filter={}", encode("ID matches \"[02468]$\""));
    let page = format!("{all}&per_page=15000");
    for (path, last, step) in
        [(all, VOLUMES, 1), (&planned, VOLUMES, 1), (&scanned, VOLUMES, 2), (&page, 15_000, 1)]
    {
        let reply = server.get(path).ok();
        assert!(reply.content_length.is_none(), "{path} is sent in parts");
        assert_eq!(reply.column("ID"), ids(&mut (0..last).step_by(step)), "{path}");
        assert_eq!(reply.next_token.is_some(), last < VOLUMES, "{path}");
    }
    let backwards = server.get(&format!("{scanned}&reverse=true&pretty")).ok();
    assert_eq!(backwards.column("ID"), ids(&mut (0..VOLUMES).step_by(2).rev()));
}
