//! The real binary on a real socket, and the payloads that the tests send it.

pub(crate) mod raw;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub(crate) const NODES: [&str; 3] = [
    "fb2170a8-257d-3c64-b14d-bc06cc94e34c",
    "fb3a1e52-0f8e-4b7e-9a69-4c1d1d0a7f11",
    "0c9de5b0-6e0d-4c2f-8d3b-2b7a3f5e9d22",
];
pub(crate) const ALLOC: &str = "a8198d79-cfdb-6593-a999-1e9adabcba2e";
pub(crate) const OTHER_ALLOC: &str = "516d2753-0513-cfc7-57ac-2d6fac18b9dc";

/// Maximum wait of a test; longer than any of them needs on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running `statehold serve`. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    url: String,
    agent: ureq::Agent,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) index: Option<u64>,
    pub(crate) next_token: Option<String>,
    pub(crate) known_leader: Option<String>,
    pub(crate) last_contact: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) content_length: Option<String>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns the member `name` of every element.
    pub(crate) fn column(&self, name: &str) -> Vec<String> {
        let json = self.json();
        json.as_array().unwrap().iter().map(|v| v[name].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{self:?}");
        self
    }
}

/// Waits until a condition is true.
#[track_caller]
pub(crate) fn eventually(mut is_so: impl FnMut() -> bool) {
    let patient_until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < patient_until, "it never came true");
    }
}

pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statehold"));
    command.args(["serve", "--bind", "127.0.0.1:0", "--data-dir"]).arg(dir);
    command
}

impl Server {
    pub(crate) fn start(dir: &Path) -> Self {
        Self::spawn(&mut command(dir))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self::spawn_with_stderr(command, Stdio::null())
    }

    pub(crate) fn spawn_with_stderr(command: &mut Command, stderr: Stdio) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line
            .trim()
            .strip_prefix("statehold: listening on ")
            .unwrap_or_else(|| panic!("the server said {line:?}"))
            .to_owned();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Self { child, url, agent }
    }

    /// Stops the server in order: unlike a killed one, it writes all lines of its log first.
    pub(crate) fn stop(self) {
        let signal = Command::new("kill").arg(self.id().to_string()).status();
        assert!(signal.unwrap().success() && self.wait().success());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the address that the server listens on.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Waits until the process exits by itself.
    pub(crate) fn wait(mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }

    /// Sends a request whose transport may fail, because the server is killed meanwhile.
    pub(crate) fn try_send(
        &self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<Reply, ureq::Error> {
        let request = ureq::http::Request::builder().method(method).uri(self.url.clone() + path);
        let mut response = self.agent.run(request.body(body.unwrap_or_default()).unwrap())?;
        let header = |name: &str| {
            response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        Ok(Reply {
            status: response.status().as_u16(),
            index: header("X-Nomad-Index").map(|index| index.parse().unwrap()),
            next_token: header("X-Nomad-NextToken"),
            known_leader: header("X-Nomad-KnownLeader"),
            last_contact: header("X-Nomad-LastContact"),
            content_type: header("Content-Type"),
            content_length: header("Content-Length"),
            body: response.body_mut().read_to_string()?,
        })
    }

    /// Sends a request with these headers.
    pub(crate) fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> ureq::http::Response<ureq::Body> {
        let request = ureq::http::Request::builder().method(method).uri(self.url.clone() + path);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.agent.run(request.body(body.unwrap_or_default()).unwrap()).unwrap()
    }

    /// Returns the standard error of the process, which must have been started with a pipe for it.
    pub(crate) fn stderr(&mut self) -> impl BufRead + use<> {
        BufReader::new(self.child.stderr.take().unwrap())
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: Option<&[u8]>) -> Reply {
        self.try_send(method, path, body).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Reply {
        self.send("PUT", path, Some(body.to_string().as_bytes()))
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, None)
    }

    /// Returns the value of a sample of `/metrics`, or 0 when it is absent.
    pub(crate) fn metric(&self, sample: &str) -> u64 {
        let text = self.get("/metrics").ok().body;
        let found = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        found.map_or(0, |value| value.parse().unwrap())
    }

    /// Registers `count` volumes of the plugin that [`Server::feed_plugin`] feeds.
    pub(crate) fn register_many(&self, count: usize) {
        for first in (0..count).step_by(1_000) {
            let batch = volumes(first..count.min(first + 1_000));
            self.put("/v1/volumes", &json!({ "Volumes": batch })).ok();
        }
    }

    /// Waits until this number of requests is parked in blocking queries.
    pub(crate) fn wait_until_parked(&self, requests: u64) {
        eventually(|| self.get("/statehold/v1/status").ok().json()["Parked"] == requests);
    }

    /// Waits until the start has restored every host volume.
    pub(crate) fn wait_until_restored(&self) {
        eventually(|| self.get("/statehold/v1/status").ok().json()["HostVolumesRestoring"] == 0);
    }

    /// Feeds `plugin-id1` of the provider `ebs`: the first node runs a controller, all run nodes.
    pub(crate) fn feed_plugin(&self) {
        for (at, node) in NODES.iter().enumerate() {
            self.put(&format!("/statehold/v1/nodes/{node}"), &node_payload(node, at == 0)).ok();
        }
    }

    pub(crate) fn feed_allocation(&self, id: &str, node: &str, client_status: &str) {
        let body = json!({
            "ID": id, "Namespace": "default", "Name": "example.cache[0]", "NodeID": node,
            "JobID": "example", "TaskGroup": "cache", "DesiredStatus": "run",
            "ClientStatus": client_status,
        });
        self.put(&format!("/statehold/v1/allocations/{id}"), &body).ok();
    }

    pub(crate) fn register(&self, volume: &Value) -> Reply {
        let id = volume["ID"].as_str().unwrap();
        self.put(&format!("/v1/volume/csi/{id}"), &json!({ "Volumes": [volume] }))
    }

    pub(crate) fn claim(&self, volume: &str, alloc: &str, node: &str, mode: &str) -> Reply {
        let body = json!({
            "AllocationID": alloc, "NodeID": node, "Mode": mode,
            "AccessMode": "single-node-writer", "AttachmentMode": "file-system",
        });
        self.put(&format!("/statehold/v1/volume/csi/{volume}/claim"), &body)
    }

    pub(crate) fn release(&self, volume: &str, alloc: &str) -> Reply {
        let body = json!({ "AllocationID": alloc, "Mode": "gc", "State": "ready-to-free" });
        self.put(&format!("/statehold/v1/volume/csi/{volume}/claim"), &body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a ready node with the fingerprints of its CSI plugins.
pub(crate) fn node_payload(id: &str, controller: bool) -> Value {
    let info = json!({
        "PluginID": "plugin-id1", "Provider": "ebs", "ProviderVersion": "1.0.1", "Healthy": true,
        "HealthDescription": "healthy", "UpdateTime": "2020-01-31T00:00:00.000Z",
        "RequiresControllerPlugin": true, "RequiresTopologies": true,
    });
    let mut node_info = info.clone();
    node_info["NodeInfo"] = json!({
        "ID": format!("i-{id}"), "MaxVolumes": 51, "RequiresNodeStageVolume": true,
        "AccessibleTopology": { "Segments": { "zone": "us-1b" } },
    });
    let mut node = json!({
        "ID": id, "Name": format!("node-{}", &id[..4]), "Datacenter": "dc1",
        "NodePool": "default", "Status": "ready",
        "CSINodePlugins": { "plugin-id1": node_info },
    });
    if controller {
        let mut controller_info = info;
        controller_info["ControllerInfo"] =
            json!({ "SupportsReadOnlyAttach": true, "SupportsListVolumes": true });
        node["CSIControllerPlugins"] = json!({ "plugin-id1": controller_info });
    }
    node
}

/// Returns the volume of the documented register payload.
pub(crate) fn volume_payload(id: &str) -> Value {
    json!({
        "ExternalID": "vol-abcdef",
        "ID": id,
        "Name": "volume one",
        "Namespace": "default",
        "PluginID": "plugin-id1",
        "RequestedCapabilities": [
            { "AccessMode": "single-node-writer", "AttachmentMode": "file-system" },
            { "AccessMode": "single-node-writer", "AttachmentMode": "block-device" },
        ],
        "Topologies": [{ "Segments": { "zone": "us-1b" } }],
        "MountOptions": { "FsType": "ext4", "MountFlags": ["ro", "noatime"] },
        "Secrets": { "password": "xyzzy" },
    })
}

/// Returns the volumes `vol-000000` and so on, each with an external ID of its own.
pub(crate) fn volumes(numbers: std::ops::Range<usize>) -> Vec<Value> {
    let volume = |number| {
        let mut volume = volume_payload(&format!("vol-{number:06}"));
        volume["ExternalID"] = json!(format!("ext-{number}"));
        volume
    };
    numbers.map(volume).collect()
}

/// Percent-encodes every character except letters and digits.
pub(crate) fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
