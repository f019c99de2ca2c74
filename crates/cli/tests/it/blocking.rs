//! Blocking queries: every read that can wait, the changes that wake it, and the index of its reply.

use crate::common::{ALLOC, NODES, Server, node_payload, volume_payload};
use serde_json::{Value, json};

const HOST_VOLUME: &str = "1c1d6e5a-2b8f-4a57-9d53-0f9a9d6f0f11";

/// Every read that can wait.
const READS: [&str; 12] = [
    "/v1/volumes?type=csi",
    "/v1/volumes?type=host",
    "/v1/volumes/claims",
    "/v1/volume/csi/v",
    "/v1/volume/csi/none",
    "/v1/volume/host/1c1d6e5a-2b8f-4a57-9d53-0f9a9d6f0f12",
    "/v1/plugins?type=csi",
    "/v1/plugin/csi/plugin-id1",
    "/v1/plugin/csi/none",
    "/v1/nodes",
    "/v1/namespaces",
    "/statehold/v1/volume/csi/v/claims",
];

fn start(dir: &std::path::Path) -> Server {
    let server = Server::start(dir);
    server.feed_plugin();
    server.register(&volume_payload("v")).ok();
    server.feed_allocation(ALLOC, NODES[1], "running");
    server
}

fn join(path: &str, query: &str) -> String {
    format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' })
}

#[test]
fn every_read_has_an_index_found_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let empty = Server::start(&dir.path().join("empty"));
    let filled = start(&dir.path().join("filled"));
    for server in [&empty, &filled] {
        for path in READS {
            let reply = server.get(path);
            assert!(matches!(reply.status, 200 | 404), "{path}: {reply:?}");
            assert!(reply.index.unwrap() >= 1, "{path}");
            assert_eq!(reply.known_leader.as_deref(), Some("true"), "{path}");
            assert_eq!(reply.last_contact.as_deref(), Some("0"), "{path}");
        }
    }
}

#[test]
fn an_unchanged_read_returns_the_same_reply_after_its_wait() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    for path in READS {
        let before = server.get(path);
        let index = before.index.unwrap();
        let after = server.get(&join(path, &format!("index={index}&wait=1ms")));
        assert_eq!(
            (after.status, after.index, after.body),
            (before.status, before.index, before.body)
        );
        // An index of the past, or 0, returns at once.
        for index in [0, index - 1] {
            let reply = server.get(&join(path, &format!("index={index}&wait=10m")));
            assert_eq!(reply.index, before.index, "{path}");
        }
    }
}

/// Waits on `path` while `change` runs, and returns the status and body of the reply.
fn woken(server: &Server, path: &str, change: impl FnOnce()) -> (u16, Value) {
    let index = server.get(path).index.unwrap();
    let waiting = join(path, &format!("index={index}&wait=10m"));
    std::thread::scope(|threads| {
        let reader = threads.spawn(|| server.get(&waiting));
        server.wait_until_parked(1);
        change();
        let reply = reader.join().unwrap();
        assert!(reply.index.unwrap() > index, "{path}");
        (reply.status, serde_json::from_str(&reply.body).unwrap_or(Value::Null))
    })
}

#[test]
fn a_change_of_any_part_of_a_reply_wakes_its_readers() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let node = |index: usize| format!("/statehold/v1/nodes/{}", NODES[index]);
    let unhealthy = |index: usize| {
        let mut payload = node_payload(NODES[index], false);
        payload["CSINodePlugins"]["plugin-id1"]["Healthy"] = json!(false);
        server.put(&node(index), &payload).ok();
    };
    // A volume shows the health of its plugin, and the allocations that claim it.
    let (_, list) = woken(&server, "/v1/volumes?type=csi", || unhealthy(1));
    assert_eq!(list[0]["NodesHealthy"], 2);
    let (_, volume) = woken(&server, "/v1/volume/csi/v", || unhealthy(2));
    assert_eq!(volume["NodesHealthy"], 1);
    let claim = || drop(server.claim("v", ALLOC, NODES[1], "write").ok());
    let (_, list) = woken(&server, "/v1/volumes?type=csi", claim);
    assert_eq!(list[0]["CurrentWriters"], 1);
    let (_, volume) = woken(&server, "/v1/volume/csi/v", || {
        server.feed_allocation(ALLOC, NODES[1], "pending");
    });
    assert_eq!(volume["Allocations"][0]["ClientStatus"], "pending");
    // A claim shows its allocation and its node.
    let claims = "/statehold/v1/volume/csi/v/claims";
    let (_, claims) = woken(&server, claims, || {
        let mut payload = node_payload(NODES[1], false);
        payload["Name"] = json!("renamed");
        server.put(&node(1), &payload).ok();
    });
    assert_eq!(claims[0]["NodeName"], "renamed");
    // Plugins show what nodes report.
    let (_, plugins) = woken(&server, "/v1/plugins?type=csi", || {
        server.delete(&node(2)).ok();
    });
    assert_eq!(plugins[0]["NodesHealthy"], 2);
    let (_, plugin) = woken(&server, "/v1/plugin/csi/plugin-id1", || unhealthy(1));
    assert_eq!(plugin["NodesHealthy"], 1);
    // Host volumes show whether their node has them.
    let place = json!({ "Volume": { "Name": "far", "NodeID": NODES[1], "HostPath": "/srv" } });
    let reply = server.put("/v1/volume/host/register", &place).ok().json();
    let id = reply["Volume"]["ID"].as_str().unwrap().to_owned();
    let (_, list) = woken(&server, "/v1/volumes?type=host", || {
        let mut payload = node_payload(NODES[1], false);
        payload["HostVolumes"] =
            json!({ "far": { "Name": "far", "Path": "/srv", "ID": HOST_VOLUME } });
        server.put(&node(1), &payload).ok();
    });
    assert_eq!(list[0]["State"], "ready");
    let (status, _) = woken(&server, &format!("/v1/volume/host/{id}"), || {
        server.delete(&format!("/v1/volume/host/{id}")).ok();
    });
    assert_eq!(status, 404);
}

#[test]
fn readers_wake_when_an_object_appears_or_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let (status, volume) = woken(&server, "/v1/volume/csi/new", || {
        server.register(&volume_payload("new")).ok();
    });
    assert_eq!((status, &volume["ID"]), (200, &json!("new")));
    let (status, _) = woken(&server, "/v1/volume/csi/new", || {
        server.delete("/v1/volume/csi/new").ok();
    });
    assert_eq!(status, 404);
    let (status, _) = woken(&server, "/v1/namespace/prod", || {
        server.put("/v1/namespace", &json!({ "Name": "prod" })).ok();
    });
    assert_eq!(status, 200);
}
