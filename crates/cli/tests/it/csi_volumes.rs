//! CSI volumes are registered, registered again and deregistered: refusals with their texts, and members
//! that are never shown.

use crate::common;
use crate::common::{ALLOC, NODES, Server, encode, volume_payload};
use serde_json::{Value, json};

fn start(dir: &std::path::Path) -> Server {
    let server = Server::start(dir);
    server.feed_plugin();
    server
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut volume = volume_payload("v");
    for (name, value) in changes {
        volume[name] = value.clone();
    }
    volume
}

#[test]
fn an_invalid_volume_is_refused_with_all_its_errors() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let no_capability = json!([]);
    let no_segments = json!({ "Required": [{ "Segments": {} }], "Preferred": [{}, null] });
    let cases = [
        (json!({ "Volumes": [] }), "missing volume definition"),
        (json!({}), "missing volume definition"),
        (
            json!({ "Volumes": [{}] }),
            "validation: missing volume id, missing plugin id, must include at least one capability \
             block",
        ),
        (
            json!({ "Volumes": [with(&[
                ("CloneID", json!("a")), ("SnapshotID", json!("b")),
                ("RequestedCapabilities", no_capability), ("RequestedTopologies", no_segments),
            ])] }),
            "validation: only one of snapshot_id and clone_id is allowed, must include at least one \
             capability block, required topology is missing segments field, preferred topology is \
             missing segments field",
        ),
        (
            json!({ "Volumes": [with(&[("PluginID", json!("none"))])] }),
            "no CSI plugin named: none could be found",
        ),
        (
            json!({ "Volumes": [with(&[("Namespace", json!("none"))])] }),
            "volume v is in nonexistent namespace none",
        ),
    ];
    for (body, text) in cases {
        let reply = server.put("/v1/volumes", &body);
        assert_eq!((reply.status, &*reply.body), (400, text), "{body}");
    }
    let mixed =
        json!({ "Volumes": [volume_payload("good"), with(&[("PluginID", json!("none"))])] });
    assert_eq!(server.put("/v1/volumes", &mixed).status, 400);
    assert_eq!(server.get("/v1/volumes?type=csi").ok().json(), json!([]));
}

#[test]
fn a_volume_without_a_healthy_controller_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let info = json!({ "PluginID": "plugin-id1", "Healthy": true, "RequiresControllerPlugin": true,
        "ControllerInfo": {} });
    let path = format!("/statehold/v1/nodes/{}", NODES[0]);
    let node = |healthy: bool| {
        let mut info = info.clone();
        info["Healthy"] = json!(healthy);
        json!({ "Name": "n", "Status": "ready", "CSIControllerPlugins": { "plugin-id1": info } })
    };
    server.put(&path, &node(true)).ok();
    server.put(&path, &node(false)).ok();
    let reply = server.register(&volume_payload("v"));
    assert_eq!(
        (reply.status, &*reply.body),
        (409, "no healthy controllers for CSI plugin: plugin-id1")
    );
    server.put(&path, &node(true)).ok();
    server.register(&volume_payload("v")).ok();
}

#[test]
fn a_repeated_registration_keeps_the_identity_of_a_volume() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    server.put("/statehold/v1/nodes/fb2170a8-257d-3c64-b14d-bc06cc94e300", &json!({
        "Name": "n", "Status": "ready", "CSINodePlugins": { "other": { "Healthy": true, "NodeInfo": {} } },
    })).ok();
    let first = with(&[("CloneID", json!("clone")), ("Parameters", json!({ "a": "b" }))]);
    let created = server.register(&first).ok().json()["Volumes"][0].clone();
    let cases = [
        (vec![("Name", json!("x"))], "volume name cannot be updated"),
        (vec![("ExternalID", json!("x"))], "volume external ID cannot be updated"),
        (vec![("PluginID", json!("other"))], "volume plugin ID cannot be updated"),
        (vec![("CloneID", json!("x"))], "volume clone ID cannot be updated"),
        (
            vec![("SnapshotID", json!("x")), ("CloneID", json!(""))],
            "volume snapshot ID cannot be updated",
        ),
        (vec![("Parameters", json!({ "a": "c" }))], "volume parameters cannot be updated"),
    ];
    for (changes, text) in cases {
        let reply = server.register(&with(&changes));
        let text = format!("unable to update volume: 1 error occurred:\n\t* {text}\n\n");
        assert_eq!((reply.status, reply.body), (400, text), "{changes:?}");
    }
    let two = server.register(&with(&[("Name", json!("x")), ("ExternalID", json!("y"))]));
    assert_eq!(
        two.body,
        "unable to update volume: 2 errors occurred:\n\t* volume name cannot be updated\n\t* volume \
         external ID cannot be updated\n\n"
    );
    assert_eq!(server.get("/v1/volume/csi/v").ok().json(), created);
    // An omitted member keeps its value.
    let again =
        with(&[("Name", json!("")), ("ExternalID", json!("")), ("Context", json!({ "c": "d" }))]);
    let again = server.register(&again).ok().json()["Volumes"][0].clone();
    for name in ["Name", "ExternalID", "CloneID", "Parameters", "CreateIndex", "CreateTime"] {
        assert_eq!(again[name], created[name], "{name}");
    }
    assert_eq!(again["Context"], json!({ "c": "d" }));
    assert!(again["ModifyIndex"].as_u64() > created["ModifyIndex"].as_u64());
}

#[test]
fn a_volume_in_use_keeps_its_mount_options_and_capability() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    server.register(&volume_payload("v")).ok();
    server.feed_allocation(ALLOC, NODES[1], "running");
    server.claim("v", ALLOC, NODES[1], "write").ok();
    let block = json!([{ "AccessMode": "single-node-writer", "AttachmentMode": "block-device" }]);
    for (change, text) in [
        (
            ("MountOptions", json!({ "FsType": "xfs" })),
            "can not update mount options while volume is in use",
        ),
        (
            ("RequestedCapabilities", block),
            "volume requested capabilities update was not compatible with existing capability in use",
        ),
    ] {
        let reply = server.register(&with(&[change]));
        assert!(reply.status == 400 && reply.body.contains(text), "{reply:?}");
    }
    let reply = server.delete("/v1/volume/csi/v");
    assert_eq!((reply.status, &*reply.body), (409, "volume in use: v"));
    let reply = server.delete("/v1/volume/csi/v?force=true");
    assert_eq!((reply.status, &*reply.body), (409, "volume in use: v"));
    assert_eq!(server.delete("/v1/volume/csi/none").body, "volume not found: none");
    assert_eq!(server.delete("/v1/volume/csi/v?namespace=other").status, 404);
    assert_eq!(server.delete("/v1/volume/csi/v?force=maybe").body, "invalid force value");
}

#[test]
fn secrets_and_mount_flags_are_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let mut replies = vec![server.register(&volume_payload("v")).ok().body];
    server.feed_allocation(ALLOC, NODES[1], "running");
    replies.push(server.claim("v", ALLOC, NODES[1], "write").ok().body);
    let filters =
        ["", "&filter=Secrets.password%20matches%20%22x%22", "&filter=Secrets%20is%20not%20empty"];
    replies.extend(filters.map(|filter| server.get(&format!("/v1/volumes?type=csi{filter}")).body));
    for path in [
        "/v1/volume/csi/v",
        "/statehold/v1/volume/csi/v/claims",
        "/v1/plugin/csi/plugin-id1",
        "/statehold/v1/status",
        "/metrics",
    ] {
        replies.push(server.get(path).ok().body);
    }
    for reply in &replies {
        assert!(!reply.contains("xyzzy") && !reply.contains("noatime"), "{reply}");
    }
    let volume = server.get("/v1/volume/csi/v").ok().json();
    assert_eq!(volume["Secrets"], Value::Null);
    assert_eq!(volume["MountOptions"], json!({ "FSType": "ext4", "MountFlags": ["[REDACTED]"] }));
    for filter in ["Secrets.password == \"xyzzy\"", "MountOptions.MountFlags is not empty"] {
        let reply = server.get(&format!("/v1/volumes?type=csi&filter={}", encode(filter)));
        assert_eq!(reply.status, 400, "{reply:?}");
    }
}

#[test]
fn the_type_selects_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    server.register(&volume_payload("v")).ok();
    for (path, status, body) in [
        ("/v1/volumes", 200, "[]"),
        ("/v1/volumes?type=host", 200, "[]"),
        ("/v1/volumes?type=other", 404, "resource not found"),
        ("/v1/volumes?type=", 404, "resource not found"),
        ("/v1/plugins", 200, "[]"),
        ("/v1/plugins?type=other", 200, "[]"),
        ("/v1/plugins?type=", 200, "[]"),
    ] {
        let reply = server.get(path);
        assert_eq!((reply.status, &*reply.body), (status, body), "{path}");
        assert!(status != 200 || reply.index.unwrap() >= 1, "{path}");
    }
    assert_eq!(server.get("/v1/volumes?type=csi&type=host").ok().column("ID"), ["v"]);
    assert_eq!(server.get("/v1/plugins?type=csi").ok().column("ID"), ["plugin-id1"]);
}

#[test]
fn claims_of_a_removed_node_are_released_without_being_asked() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = common::command(dir.path());
    let server = Server::spawn(command.args(["--lost-node-grace", "1ms"]));
    server.feed_plugin();
    server.register(&volume_payload("v")).ok();
    server.feed_allocation(ALLOC, NODES[1], "running");
    server.claim("v", ALLOC, NODES[1], "write").ok();
    server.delete(&format!("/statehold/v1/nodes/{}", NODES[1])).ok();
    common::eventually(|| {
        let claims = server.get("/statehold/v1/volume/csi/v/claims").ok().json();
        claims.as_array().is_some_and(Vec::is_empty)
    });
    server.delete("/v1/volume/csi/v").ok();
}

#[test]
fn the_answer_to_a_claim_is_flat_in_those_on_its_volume() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    let mut shared = volume_payload("v");
    shared["RequestedCapabilities"] =
        json!([{ "AccessMode": "multi-node-multi-writer", "AttachmentMode": "file-system" }]);
    server.register(&shared).ok();
    let claim = |number: usize| {
        let allocation = format!("a8198d79-cfdb-6593-a999-{number:012x}");
        server.feed_allocation(&allocation, NODES[1], "running");
        let body = json!({
            "AllocationID": allocation, "NodeID": NODES[1], "Mode": "read",
            "AccessMode": "multi-node-multi-writer", "AttachmentMode": "file-system",
        });
        server.put("/statehold/v1/volume/csi/v/claim", &body).ok()
    };
    let answers: Vec<_> = (10..60).map(claim).collect();
    let (few, many) = (&answers[0].body, &answers[49]);
    let volume = &many.json()["Volume"];
    assert_eq!((&volume["CurrentReaders"], &volume["CurrentWriters"]), (&50.into(), &0.into()));
    assert_eq!(volume["ExternalID"], "vol-abcdef");
    assert!(volume.get("Allocations").is_none() && volume.get("ReadAllocs").is_none(), "{volume}");
    // Only the numbers have more digits.
    assert!(many.body.len() <= few.len() + 16, "{few}, then {}", many.body);
    let alone = server.get("/v1/volume/csi/v").ok().json();
    assert_eq!(alone["Allocations"].as_array().unwrap().len(), 50);
}
