//! The life of a volume as in Nomad's documentation, over a real socket.

use crate::common::{ALLOC, NODES, OTHER_ALLOC, Server, encode, volume_payload};
use serde_json::{Value, json};

const FILTER: &str = r#"Schedulable == true and Provider == "ebs" and NodesHealthy != 0"#;

#[test]
fn a_volume_is_registered_claimed_watched_and_deregistered() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());

    // An empty server.
    let empty = server.get("/v1/volumes?type=csi").ok();
    assert_eq!(empty.body, "[]");
    assert!(empty.index.unwrap() >= 1);
    assert_eq!(empty.known_leader.as_deref(), Some("true"));
    assert_eq!(empty.last_contact.as_deref(), Some("0"));
    assert_eq!(empty.content_type.as_deref(), Some("application/json"));

    // Three nodes bring the plugin.
    server.feed_plugin();
    let plugins = server.get("/v1/plugins?type=csi").ok();
    let plugin = &plugins.json()[0];
    assert_eq!(plugin["ID"], "plugin-id1");
    assert_eq!(plugin["Provider"], "ebs");
    assert_eq!(plugin["ControllerRequired"], true);
    assert_eq!((&plugin["ControllersHealthy"], &plugin["NodesHealthy"]), (&json!(1), &json!(3)));
    let plugin = server.get("/v1/plugin/csi/plugin-id1").ok().json();
    assert_eq!(plugin["Version"], "1.0.1");
    assert_eq!(plugin["Nodes"].as_object().unwrap().len(), 3);
    assert_eq!(plugin["Nodes"][NODES[1]]["NodeInfo"]["MaxVolumes"], 51);
    assert_eq!(plugin["Controllers"].as_object().unwrap().len(), 1);

    // Register.
    let registered = server.register(&volume_payload("volume-id1")).ok();
    let reply = registered.json();
    assert_eq!(reply["Volumes"][0]["ID"], "volume-id1");
    assert_eq!(reply["Volumes"][0]["CreateIndex"], json!(registered.index.unwrap()));
    assert_eq!(reply["Volumes"][0]["Secrets"], Value::Null);
    let read = server.get("/v1/volume/csi/volume-id1").ok();
    assert!(!read.body.contains("xyzzy") && !read.body.contains("noatime"), "{}", read.body);
    let volume = read.json();
    assert_eq!(volume["ExternalID"], "vol-abcdef");
    assert_eq!(volume["MountOptions"], json!({ "FSType": "ext4", "MountFlags": ["[REDACTED]"] }));
    assert_eq!(volume["RequestedCapabilities"].as_array().unwrap().len(), 2);
    assert_eq!(volume["Topologies"], json!([{ "Segments": { "zone": "us-1b" } }]));
    assert_eq!((&volume["Schedulable"], &volume["NodesHealthy"]), (&json!(true), &json!(3)));
    assert_eq!((&volume["ReadAllocs"], &volume["Allocations"]), (&json!({}), &json!([])));

    // A blocking query hangs until a claim changes the volume.
    server.feed_allocation(ALLOC, NODES[1], "running");
    let since = server.get("/v1/volume/csi/volume-id1").ok().index.unwrap();
    let claimed = std::thread::scope(|scope| {
        let blocked = scope.spawn(|| {
            server.get(&format!("/v1/volume/csi/volume-id1?index={since}&wait=60s")).ok()
        });
        server.wait_until_parked(1);
        let claimed = server.claim("volume-id1", ALLOC, NODES[1], "write").ok();
        let answer = blocked.join().unwrap();
        assert!(answer.index.unwrap() > since);
        assert_eq!(answer.json()["WriteAllocs"], json!({ ALLOC: null }));
        server.wait_until_parked(0);
        claimed
    });
    assert_eq!(claimed.json()["Volume"]["AccessMode"], "single-node-writer");

    // The list shows it, filtered by what is derived from the plugin.
    let listed = server.get(&format!("/v1/volumes?type=csi&filter={}", encode(FILTER))).ok();
    assert_eq!(listed.column("ID"), ["volume-id1"]);
    let stub = &listed.json()[0];
    assert_eq!((&stub["CurrentWriters"], &stub["CurrentReaders"]), (&json!(1), &json!(0)));
    assert!(listed.index.unwrap() >= stub["ModifyIndex"].as_u64().unwrap());
    let none =
        server.get(&format!("/v1/volumes?type=csi&filter={}", encode("Schedulable != true")));
    assert_eq!(none.ok().body, "[]");
    let allocations = server.get("/v1/volume/csi/volume-id1").ok().json()["Allocations"].clone();
    assert_eq!(allocations[0]["ID"], ALLOC);
    assert_eq!(allocations[0]["NodeID"], NODES[1]);

    // A second writer must wait. A repeated claim succeeds without a change.
    server.feed_allocation(OTHER_ALLOC, NODES[2], "running");
    let refused = server.claim("volume-id1", OTHER_ALLOC, NODES[2], "write");
    assert_eq!(refused.status, 409);
    assert_eq!(
        refused.body,
        format!(
            "alloc \"{OTHER_ALLOC}\" failed to claim volume \"volume-id1\": volume max claims reached"
        )
    );
    let before = server.get("/v1/volume/csi/volume-id1").ok().json();
    server.claim("volume-id1", ALLOC, NODES[1], "write").ok();
    assert_eq!(server.get("/v1/volume/csi/volume-id1").ok().json(), before);

    // In use: force MUST NOT deregister it either, while the allocation lives.
    for query in ["", "?force=true"] {
        let refused = server.delete(&format!("/v1/volume/csi/volume-id1{query}"));
        assert_eq!((refused.status, &*refused.body), (409, "volume in use: volume-id1"));
    }

    // After the release, its modes are free again and it can be deregistered.
    server.release("volume-id1", ALLOC).ok();
    let free = server.get("/v1/volume/csi/volume-id1").ok().json();
    assert_eq!((&free["AccessMode"], &free["WriteAllocs"]), (&json!(""), &json!({})));
    let gone = server.delete("/v1/volume/csi/volume-id1").ok();
    assert_eq!(gone.body, "");
    let missing = server.get("/v1/volume/csi/volume-id1");
    assert_eq!((missing.status, &*missing.body), (404, "volume not found"));
    assert!(missing.index.unwrap() >= gone.index.unwrap());
    assert_eq!(server.get("/v1/volumes?type=csi").ok().body, "[]");
}

#[test]
fn a_terminal_allocation_lets_force_deregister() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    server.register(&volume_payload("volume-id1")).ok();
    server.feed_allocation(ALLOC, NODES[0], "running");
    server.claim("volume-id1", ALLOC, NODES[0], "read").ok();
    server.feed_allocation(ALLOC, NODES[0], "complete");
    assert_eq!(server.delete("/v1/volume/csi/volume-id1").status, 409);
    server.delete("/v1/volume/csi/volume-id1?force=true").ok();
    assert_eq!(server.get("/v1/volume/csi/volume-id1").status, 404);
}

#[test]
fn a_plugin_without_fingerprints_leaves_volumes_unschedulable() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    server.register(&volume_payload("volume-id1")).ok();
    let since = server.get("/v1/plugins?type=csi").ok().index.unwrap();
    for node in NODES {
        server.delete(&format!("/statehold/v1/nodes/{node}")).ok();
    }
    let list = server.get(&format!("/v1/plugins?type=csi&index={since}")).ok();
    assert_eq!(list.body, "[]", "the index of the list moved with the deletes");
    assert_eq!(server.get("/v1/plugin/csi/plugin-id1").status, 404);
    let volume = server.get("/v1/volume/csi/volume-id1").ok().json();
    assert_eq!((&volume["Schedulable"], &volume["NodesHealthy"]), (&json!(false), &json!(0)));
    assert_eq!(volume["Provider"], "ebs");
}
