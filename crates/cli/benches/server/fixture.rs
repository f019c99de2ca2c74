//! A server in its own directory, filled with volumes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;

/// Volumes in the store.
pub(crate) const VOLUMES: usize = 10_000;
/// Those of them that either filter selects.
pub(crate) const SELECTED: usize = VOLUMES / 100;
/// Allocations that claim.
pub(crate) const ALLOCATIONS: usize = 64;

/// Volumes of one request while the store is filled.
const BATCH: usize = 1000;
/// Linux counts CPU time in hundredths of a second.
const MILLISECONDS_PER_TICK: u64 = 10;
const NODE: &str = "fb2170a8-257d-3c64-b14d-bc06cc94e34c";

/// A running server, killed when dropped.
pub(crate) struct Fixture {
    server: Child,
    address: String,
    /// The header lines of the requests that fill the store.
    headers: &'static str,
    _dir: tempfile::TempDir,
}

pub(crate) fn volume_id(at: usize) -> String {
    format!("volume-{at:06}")
}

/// Returns the ID of an allocation.
pub(crate) fn allocation(at: usize) -> String {
    format!("a8198d79-cfdb-6593-a999-{at:012x}")
}

/// Returns a volume; its external ID ends with its number.
pub(crate) fn volume(at: usize) -> Value {
    let plugin = if at % 100 == 7 { "p2" } else { "p1" };
    named_volume(&volume_id(at), &format!("vol-{at:06}"), plugin)
}

pub(crate) fn named_volume(id: &str, external: &str, plugin: &str) -> Value {
    json!({
        "ID": id, "Name": id, "ExternalID": external, "PluginID": plugin,
        "RequestedCapabilities": [
            { "AccessMode": "multi-node-multi-writer", "AttachmentMode": "file-system" },
        ],
    })
}

/// Returns the node with its two plugins.
pub(crate) fn node() -> Value {
    let info = json!({ "Provider": "ebs", "Healthy": true, "NodeInfo": { "ID": "i" } });
    json!({ "Name": "n", "Status": "ready", "CSINodePlugins": { "p1": info, "p2": info } })
}

impl Fixture {
    pub(crate) fn start() -> Self {
        let fixture = Self::empty();
        fixture.fill(VOLUMES);
        fixture
    }

    /// Starts a server without volumes.
    pub(crate) fn empty() -> Self {
        Self::with("", |_, _| ())
    }

    /// Starts a server without volumes; `change` completes its command line for its directory, and
    /// its clients send `headers`.
    pub(crate) fn with(headers: &'static str, change: impl FnOnce(&mut Command, &Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_statehold"));
        command.args(["serve", "--bind", "127.0.0.1:0", "--data-dir"]).arg(dir.path().join("data"));
        change(&mut command, dir.path());
        let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit('/').next().unwrap().to_owned();
        Self { server, address, headers, _dir: dir }
    }

    /// Returns the CPU time that the server has used.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_of(self.server.id())
    }

    /// Returns the memory that the server holds, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    }

    /// Registers `volumes` volumes, and the node and the allocations that use them.
    pub(crate) fn fill(&self, volumes: usize) {
        let mut client = self.client();
        client.put(&format!("/statehold/v1/nodes/{NODE}"), node().to_string().as_bytes());
        for at in 0..ALLOCATIONS {
            let id = allocation(at);
            let body = json!({ "ID": id, "NodeID": NODE, "ClientStatus": "running" });
            client.put(&format!("/statehold/v1/allocations/{id}"), body.to_string().as_bytes());
        }
        let numbers: Vec<usize> = (0..volumes).collect();
        for batch in numbers.chunks(BATCH) {
            let volumes: Vec<Value> = batch.iter().map(|&at| volume(at)).collect();
            let body = json!({ "Volumes": volumes });
            client.put("/v1/volumes", body.to_string().as_bytes());
        }
    }

    pub(crate) fn client(&self) -> Client {
        self.client_as(self.headers)
    }

    /// Creates a client whose requests have these header lines.
    pub(crate) fn client_as(&self, headers: &'static str) -> Client {
        Client::connect(&self.address, headers)
    }

    /// Waits until `requests` blocking queries are parked.
    pub(crate) fn wait_until_parked(client: &mut Client, requests: u64) {
        loop {
            let status: Value =
                serde_json::from_slice(&client.get("/statehold/v1/status").body).unwrap();
            if status["Parked"] == requests {
                return;
            }
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Client {
    /// Registers a volume, or registers it again.
    pub(crate) fn register(&mut self, volume: &Value) {
        self.put("/v1/volumes", json!({ "Volumes": [volume] }).to_string().as_bytes());
    }

    /// Claims a volume for writing and releases it: two commits.
    pub(crate) fn claim_and_release(&mut self, volume: &str, allocation: &str) {
        let path = format!("/statehold/v1/volume/csi/{volume}/claim");
        let claim = json!({
            "AllocationID": allocation, "NodeID": NODE, "Mode": "write",
            "AccessMode": "multi-node-multi-writer", "AttachmentMode": "file-system",
        });
        self.put(&path, claim.to_string().as_bytes());
        let release = json!({ "AllocationID": allocation, "Mode": "gc", "State": "ready-to-free" });
        self.put(&path, release.to_string().as_bytes());
    }
}

/// Returns the CPU time that a process has used.
pub(crate) fn cpu_of(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // After the name, which ends with the last parenthesis, field 12 is user and 13 system time.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * MILLISECONDS_PER_TICK)
}
