//! `host_volumes_on_one_node`: the cost of one write of a host volume beside 10, 1,000 and 100,000
//! others of its node, in CPU and journal bytes for each write, and the server's memory afterwards.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::fixture::Fixture;

/// Host volumes on the node before the writes that are measured.
const NEIGHBOURS: [usize; 3] = [10, 1000, 100_000];
/// Writes that are measured.
const WRITES: usize = 500;
/// Clients that fill the store.
const CLIENTS: usize = 32;

/// Prints a line for each number of neighbours.
pub(crate) fn print(trial: bool) {
    println!("\nhost_volumes_on_one_node: each write creates or changes one volume");
    println!("neighbours  write                CPU      time   journal B   memory MiB");
    let neighbours = if trial { &[2][..] } else { &NEIGHBOURS };
    let writes = if trial { 2 } else { WRITES };
    for &count in neighbours {
        let dir = tempfile::tempdir().unwrap();
        let fixture = Fixture::empty();
        let mut client = fixture.client();
        let node = own_node(&mut client);
        fill(&fixture, &node, dir.path(), count);
        let path = dir.path().to_str().unwrap();
        let create = |at: usize| json!({ "Name": format!("new-{at}"), "PluginID": "mkdir" });
        measure(&fixture, &mut client, count, "create", "create", writes, create);
        let again = |at: usize| volume(&node, path, &format!("again-{at}"));
        measure(&fixture, &mut client, count, "register", "register", writes, again);
    }
}

/// Sends `writes` writes one after the other, and prints the cost of each.
fn measure(
    fixture: &Fixture,
    client: &mut Client,
    neighbours: usize,
    name: &str,
    operation: &str,
    writes: usize,
    body: impl Fn(usize) -> Value,
) {
    let before = (fixture.cpu(), journal_bytes(client), Instant::now());
    for at in 0..writes {
        let body = json!({ "Volume": body(at) }).to_string();
        client.put(&format!("/v1/volume/host/{operation}"), body.as_bytes());
    }
    let each = u32::try_from(writes).unwrap();
    let time = before.2.elapsed() / each;
    let cpu: Duration = fixture.cpu().saturating_sub(before.0) / each;
    let bytes = (journal_bytes(client) - before.1) / u64::from(each);
    let memory = fixture.memory() >> 20;
    println!("{neighbours:>10}  {name:<12} {cpu:>11.1?} {time:>9.1?} {bytes:>11} {memory:>12}");
}

/// Registers `count` volumes, by several clients at once.
fn fill(fixture: &Fixture, node: &str, dir: &std::path::Path, count: usize) {
    let path = dir.to_str().unwrap();
    std::thread::scope(|threads| {
        for client in 0..CLIENTS {
            threads.spawn(move || {
                let mut socket = fixture.client();
                for at in (client..count).step_by(CLIENTS) {
                    let body = json!({ "Volume": volume(node, path, &format!("v{at:06}")) });
                    socket.put("/v1/volume/host/register", body.to_string().as_bytes());
                }
            });
        }
    });
}

fn volume(node: &str, path: &str, name: &str) -> Value {
    json!({ "Name": name, "NodeID": node, "HostPath": path })
}

/// The node that the server's machine is.
fn own_node(client: &mut Client) -> String {
    let nodes: Value = serde_json::from_slice(&client.get("/v1/nodes").body).unwrap();
    nodes[0]["ID"].as_str().unwrap().to_owned()
}

/// Bytes that the server has written to its journal.
fn journal_bytes(client: &mut Client) -> u64 {
    let metrics = String::from_utf8(client.get("/metrics").body).unwrap();
    let line = metrics.lines().find(|line| line.contains("store_journal_written_bytes_total "));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}
