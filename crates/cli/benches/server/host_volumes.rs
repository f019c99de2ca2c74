//! `host_volumes_on_one_node`: the cost of one write beside 10, 1,000 and 100,000 neighbours, in
//! CPU and journal bytes for each write, and the server's memory afterwards. The neighbours are the
//! host volumes of a node, the instances of a plugin, and the claims on a CSI volume.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::fixture::{Fixture, allocation, named_volume};

/// Neighbours before the measured writes.
const NEIGHBOURS: [usize; 3] = [10, 1000, 100_000];
/// Measured writes.
const WRITES: usize = 500;
/// Clients that fill the store.
const CLIENTS: usize = 32;

/// Prints lines for each number of neighbours.
pub(crate) fn print(trial: bool) {
    println!(
        "\nhost_volumes_on_one_node: each write creates or changes one row beside its neighbours"
    );
    println!("neighbours  write                CPU      time   journal B   memory MiB");
    let neighbours = if trial { &[2][..] } else { &NEIGHBOURS };
    let writes = if trial { 2 } else { WRITES };
    for &count in neighbours {
        host_volumes(count, writes);
        instances(count, writes);
        claims(count, writes);
    }
}

/// Creates and registers host volumes beside `count` others of their node.
fn host_volumes(count: usize, writes: usize) {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Fixture::empty();
    let node = own_node(&mut fixture.client());
    let path = dir.path().to_str().unwrap();
    let register = |at: &str| {
        let body = json!({ "Volume": { "Name": at, "NodeID": node, "HostPath": path } });
        ("/v1/volume/host/register".to_owned(), body)
    };
    fill(&fixture, count, |at| register(&format!("v{at:06}")));
    // The server closes idle connections, so the one from before is not usable.
    let mut client = fixture.client();
    let create = |at: usize| {
        let body = json!({ "Volume": { "Name": format!("new-{at}"), "PluginID": "mkdir" } });
        ("/v1/volume/host/create".to_owned(), body)
    };
    measure(&fixture, &mut client, count, "create", writes, create);
    let again = |at: usize| register(&format!("again-{at}"));
    measure(&fixture, &mut client, count, "register", writes, again);
}

/// Reports of nodes that run a plugin, which `count` others run.
fn instances(count: usize, writes: usize) {
    let fixture = Fixture::empty();
    let report = |node: String, update_time: String| {
        let info = json!({
            "Provider": "ebs", "Healthy": true, "NodeInfo": { "ID": "i" }, "UpdateTime": update_time,
        });
        let node_row = json!({ "Name": "n", "Status": "ready", "CSINodePlugins": { "p1": info } });
        (format!("/statehold/v1/nodes/{node}"), node_row)
    };
    let node = |at: usize| format!("fb2170a8-257d-3c64-b14d-{at:012x}");
    fill(&fixture, count, |at| report(node(at), String::new()));
    let again = |at: usize| report(node(0), format!("2026-01-01T00:00:00.{at:03}Z"));
    measure(&fixture, &mut fixture.client(), count, "fingerprint", writes, again);
}

/// Claims on a volume that `count` allocations read.
fn claims(count: usize, writes: usize) {
    let fixture = Fixture::empty();
    let mut client = fixture.client();
    let node = "fb2170a8-257d-3c64-b14d-bc06cc94e34c";
    let put = |client: &mut Client, path: &str, body: Value| {
        client.put(path, body.to_string().as_bytes());
    };
    put(&mut client, &format!("/statehold/v1/nodes/{node}"), crate::fixture::node());
    let volume = named_volume("v", "ext", "p1");
    put(&mut client, "/v1/volume/csi/v", json!({ "Volumes": [volume] }));
    fill(&fixture, count + writes, |at| {
        let id = allocation(at);
        let body = json!({
            "ID": id, "Namespace": "default", "Name": "job.group[0]", "NodeID": node, "JobID": "job",
            "TaskGroup": "group", "DesiredStatus": "run", "ClientStatus": "running",
        });
        (format!("/statehold/v1/allocations/{id}"), body)
    });
    let claim = |at: usize| {
        let body = json!({
            "AllocationID": allocation(at), "NodeID": node, "Mode": "read",
            "AccessMode": "multi-node-multi-writer", "AttachmentMode": "file-system",
        });
        ("/statehold/v1/volume/csi/v/claim".to_owned(), body)
    };
    fill(&fixture, count, claim);
    // The server closes idle connections, so the one from before is not usable.
    let mut client = fixture.client();
    measure(&fixture, &mut client, count, "claim", writes, |at| claim(count + at));
    let release = |at: usize| {
        let body = json!({ "AllocationID": allocation(count + at), "Mode": "gc" });
        ("/statehold/v1/volume/csi/v/unpublish".to_owned(), body)
    };
    measure(&fixture, &mut client, count, "release", writes, release);
}

/// Sends `writes` writes one after the other, and prints the cost of each.
fn measure(
    fixture: &Fixture,
    client: &mut Client,
    neighbours: usize,
    name: &str,
    writes: usize,
    request: impl Fn(usize) -> (String, Value),
) {
    let before = (fixture.cpu(), journal_bytes(client), Instant::now());
    for at in 0..writes {
        let (path, body) = request(at);
        client.put(&path, body.to_string().as_bytes());
    }
    let each = u32::try_from(writes).unwrap();
    let time = before.2.elapsed() / each;
    let cpu: Duration = fixture.cpu().saturating_sub(before.0) / each;
    let bytes = (journal_bytes(client) - before.1) / u64::from(each);
    let memory = fixture.memory() >> 20;
    println!("{neighbours:>10}  {name:<12} {cpu:>11.1?} {time:>9.1?} {bytes:>11} {memory:>12}");
}

/// Sends `count` writes, by several clients at once.
fn fill(fixture: &Fixture, count: usize, request: impl Fn(usize) -> (String, Value) + Sync) {
    let request = &request;
    std::thread::scope(|threads| {
        for client in 0..CLIENTS {
            threads.spawn(move || {
                let mut socket = fixture.client();
                for at in (client..count).step_by(CLIENTS) {
                    let (path, body) = request(at);
                    socket.put(&path, body.to_string().as_bytes());
                }
            });
        }
    });
}

/// Returns the node of the server's machine.
fn own_node(client: &mut Client) -> String {
    let nodes: Value = serde_json::from_slice(&client.get("/v1/nodes").body).unwrap();
    nodes[0]["ID"].as_str().unwrap().to_owned()
}

/// Returns the bytes that the server has written to its journal.
fn journal_bytes(client: &mut Client) -> u64 {
    let metrics = String::from_utf8(client.get("/metrics").body).unwrap();
    let line = metrics.lines().find(|line| line.contains("store_journal_written_bytes_total "));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}
