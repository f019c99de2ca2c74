//! Replays the requests of the stock `nomad` command line, byte for byte.
//!
//! `testdata/nomad-cli` holds sessions of version 1.11.0 with this server: each request with its headers and
//! body, and the reply that the program accepted. A name in braces is a value that differs between
//! sessions, such as the ID of a new volume.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use crate::common::{NODES, Server, command};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Transcript {
    about: String,
    requests: Vec<Request>,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    reply: Value,
    /// Names for values of the reply, by their path in it.
    #[serde(default)]
    capture: BTreeMap<String, String>,
}

/// The values of the names in braces in this session.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.0 {
            text = text.replace(&format!("{{{name}}}"), value);
            let short = value.get(..8).unwrap_or(value);
            text = text.replace(&format!("{{{name}:8}}"), short);
        }
        text
    }
}

/// Replays a session, and compares each reply.
fn replay(server: &Server, file: &str, names: &mut Names) {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/nomad-cli");
    let text = std::fs::read_to_string(Path::new(dir).join(file)).unwrap();
    let transcript: Transcript = serde_json::from_str(&text).unwrap();
    for request in &transcript.requests {
        let about = format!("{}: {} {}", transcript.about, request.method, request.path);
        let headers: Vec<_> =
            request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let body = request.body.as_deref().map(|body| names.fill(body));
        let path = names.fill(&request.path);
        let mut reply =
            server.send_with(&request.method, &path, &headers, body.as_ref().map(String::as_bytes));
        assert_eq!(reply.status(), 200, "{about}");
        let is_gzip = reply.headers().get("Content-Encoding").is_some();
        let mut bytes = reply.body_mut().read_to_vec().unwrap();
        if is_gzip {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut plain).unwrap();
            bytes = plain;
        }
        if request.reply.is_null() {
            assert!(bytes.is_empty(), "{about}");
            continue;
        }
        let got: Value = serde_json::from_slice(&bytes).unwrap();
        for (name, at) in &request.capture {
            let value = got.pointer(at).and_then(Value::as_str);
            names.0.insert(name.clone(), value.expect(&about).to_owned());
        }
        let wanted: Value = serde_json::from_str(&names.fill(&request.reply.to_string())).unwrap();
        same(&got, &wanted, "", &about);
    }
}

/// Members that differ between sessions: only their kind is compared.
const VARIES: [&str; 6] =
    ["CreateIndex", "ModifyIndex", "Index", "CreateTime", "ModifyTime", "LastContact"];

fn same(got: &Value, wanted: &Value, name: &str, about: &str) {
    match (got, wanted) {
        (Value::Object(got), Value::Object(wanted)) => {
            let members = |object: &serde_json::Map<String, Value>| -> Vec<String> {
                object.keys().cloned().collect()
            };
            assert_eq!(members(got), members(wanted), "{about}: members of {name}");
            for (name, wanted) in wanted {
                same(&got[name], wanted, name, about);
            }
        }
        (Value::Array(got), Value::Array(wanted)) => {
            assert_eq!(got.len(), wanted.len(), "{about}: {name}");
            got.iter().zip(wanted).for_each(|(got, wanted)| same(got, wanted, name, about));
        }
        (Value::Number(_), Value::Number(_)) | (Value::String(_), Value::String(_))
            if VARIES.contains(&name) => {}
        _ => assert_eq!(got, wanted, "{about}: {name}"),
    }
}

fn start(dir: &Path) -> Server {
    Server::spawn(command(dir).args(["--csi-dir-plugin", "dir"]))
}

fn node(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("node-id")).unwrap().trim().to_owned()
}

/// Feeds a node with a plugin of its own.
fn feed_plugin(server: &Server) {
    let info = json!({
        "PluginID": "fed", "Provider": "ebs", "Healthy": true, "NodeInfo": { "ID": "i-1" },
    });
    let fed = json!({ "Name": "n", "Status": "ready", "CSINodePlugins": { "fed": info } });
    server.put(&format!("/statehold/v1/nodes/{}", NODES[0]), &fed).ok();
}

#[test]
fn host_volumes_are_created_shown_registered_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut names = Names::default();
    names.0.insert("node".to_owned(), node(dir.path()));
    names.0.insert("data".to_owned(), text(dir.path()));
    names.0.insert("place".to_owned(), text(dir.path()));
    replay(&server, "host.json", &mut names);
}

#[test]
fn csi_volumes_are_registered_shown_detached_and_deregistered() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    feed_plugin(&server);
    replay(&server, "csi.json", &mut Names::default());
}

#[test]
fn a_provider_creates_and_deletes_volumes_and_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    feed_plugin(&server);
    let mut names = Names::default();
    names.0.insert("node".to_owned(), node(dir.path()));
    replay(&server, "snapshot.json", &mut names);
}

#[test]
fn claims_of_task_groups_are_listed_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let fed = json!({ "Name": "n", "Status": "ready", "HostVolumes": { "data": {
        "Name": "data", "Path": "/srv", "ID": "1c1d6e5a-2b8f-4a57-9d53-0f9a9d6f0f11",
    } } });
    server.put(&format!("/statehold/v1/nodes/{}", NODES[0]), &fed).ok();
    let job = json!({ "TaskGroups": [{ "Name": "g", "Count": 1, "Volumes": {
        "v": { "Name": "v", "Type": "host", "Source": "data", "Sticky": true },
    } }] });
    server.put("/statehold/v1/jobs/default/web", &job).ok();
    let allocation = "a8198d79-cfdb-6593-a999-1e9adabcba2e";
    let body = json!({
        "NodeID": NODES[0], "Name": "web.g[0]", "JobID": "web", "TaskGroup": "g",
        "DesiredStatus": "run", "ClientStatus": "running",
    });
    server.put(&format!("/statehold/v1/allocations/{allocation}"), &body).ok();
    replay(&server, "claim.json", &mut Names::default());
}
