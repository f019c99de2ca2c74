//! Details of Nomad that its stock programs depend on: the command line, Terraform's provider and the client
//! libraries.

use crate::common;
use std::path::Path;

use crate::common::{ALLOC, NODES, Server, command, encode, node_payload, volume_payload};
use serde_json::{Value, json};

/// Starts a server whose built-in storage provider has the ID `disks`.
fn start_with_disks(dir: &Path) -> Server {
    Server::spawn(command(dir).args(["--csi-dir-plugin", "disks"]))
}

fn disk(id: &str) -> Value {
    json!({
        "ID": id, "Name": id, "PluginID": "disks", "RequestedCapacityMin": 1 << 20,
        "RequestedCapabilities": [
            { "AccessMode": "single-node-writer", "AttachmentMode": "file-system" },
        ],
    })
}

fn create_disk(server: &Server, id: &str) -> Value {
    let body = json!({ "Volumes": [disk(id)] });
    server.put("/v1/volume/csi/any/create", &body).ok().json()["Volumes"][0].clone()
}

fn take_snapshot(server: &Server, volume: &str, name: &str) -> Value {
    let body = json!({ "Snapshots": [{ "SourceVolumeID": volume, "Name": name }] });
    server.put("/v1/volumes/snapshot", &body).ok().json()["Snapshots"][0].clone()
}

fn snapshots(server: &Server) -> Vec<Value> {
    let reply = server.get("/v1/volumes/snapshot?plugin_id=disks").ok().json();
    reply["Snapshots"].as_array().unwrap().clone()
}

#[track_caller]
fn refused(reply: &common::Reply, text: &str) {
    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(reply.body.contains(text), "{text:?} is not in {reply:?}");
}

/// Terraform's `nomad_plugin` waits until the healthy controllers are as many as the expected ones.
#[test]
fn expected_instances_are_never_below_the_healthy_ones() {
    let dir = tempfile::tempdir().unwrap();
    let server = start_with_disks(dir.path());
    server.feed_plugin();
    create_disk(&server, "v");
    server.register(&volume_payload("fed")).ok();
    let counts = |of: &Value| {
        ["ControllersHealthy", "ControllersExpected", "NodesHealthy", "NodesExpected"]
            .map(|name| of[name].as_u64().unwrap())
    };
    for (plugin, volume, expected) in
        [("disks", "v", [1, 1, 1, 1]), ("plugin-id1", "fed", [1, 1, 3, 3])]
    {
        let read = server.get(&format!("/v1/plugin/csi/{plugin}")).ok().json();
        assert_eq!(counts(&read), expected, "{plugin}");
        let listed = server.get(&format!("/v1/plugins?type=csi&prefix={plugin}")).ok().json();
        assert_eq!(counts(&listed[0]), expected, "{plugin}");
        let of_volume = server.get(&format!("/v1/volume/csi/{volume}")).ok().json();
        assert_eq!(counts(&of_volume), expected, "{volume}");
    }
    // An instance without a job counts as expected, although it is unhealthy.
    let mut ill = node_payload(NODES[0], true);
    ill["CSIControllerPlugins"]["plugin-id1"]["Healthy"] = json!(false);
    ill["CSINodePlugins"]["plugin-id1"]["Healthy"] = json!(false);
    server.put(&format!("/statehold/v1/nodes/{}", NODES[0]), &ill).ok();
    let read = server.get("/v1/plugin/csi/plugin-id1").ok().json();
    assert_eq!(counts(&read), [0, 1, 2, 3]);
    // A job of the plugin sets the number, as in Nomad.
    let job = json!({ "Type": "service", "TaskGroups": [{ "Name": "g", "Count": 4, "Tasks": [
        { "CSIPluginConfig": { "ID": "plugin-id1", "Type": "controller" } },
    ] }] });
    server.put("/statehold/v1/jobs/default/ctl", &job).ok();
    let read = server.get("/v1/plugin/csi/plugin-id1").ok().json();
    assert_eq!(counts(&read), [0, 4, 2, 3]);
}

#[test]
fn a_snapshot_deletion_needs_both_ids() {
    let dir = tempfile::tempdir().unwrap();
    let server = start_with_disks(dir.path());
    create_disk(&server, "v");
    let snapshot = take_snapshot(&server, "v", "s");
    let id = snapshot["ID"].as_str().unwrap();
    for (query, missing) in [
        ("", "missing plugin_id"),
        ("?plugin_id=disks", "missing snapshot_id"),
        ("?plugin_id=disks&snapshot_id=", "missing snapshot_id"),
        (&*format!("?snapshot_id={id}"), "missing plugin_id"),
        (&*format!("?snapshot_id={id}&plugin_id="), "missing plugin_id"),
    ] {
        refused(&server.delete(&format!("/v1/volumes/snapshot{query}")), missing);
    }
    assert_eq!(snapshots(&server).len(), 1);
    server.delete(&format!("/v1/volumes/snapshot?plugin_id=disks&snapshot_id={id}")).ok();
    assert!(snapshots(&server).is_empty());
}

#[test]
fn snapshots_name_their_plugin() {
    let dir = tempfile::tempdir().unwrap();
    let server = start_with_disks(dir.path());
    create_disk(&server, "v");
    assert_eq!(take_snapshot(&server, "v", "s")["PluginID"], "disks");
    assert_eq!(snapshots(&server)[0]["PluginID"], "disks");
}

#[test]
fn a_page_token_of_no_provider_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let server = start_with_disks(dir.path());
    for id in ["a", "b", "c"] {
        create_disk(&server, id);
        take_snapshot(&server, id, id);
    }
    for (list, rows) in [("external", "Volumes"), ("snapshot", "Snapshots")] {
        let path = format!("/v1/volumes/{list}?plugin_id=disks&per_page=1");
        for token in ["junk", "%00", "00000000-0000-0000-0000-000000000000x"] {
            refused(&server.get(&format!("{path}&next_token={token}")), "next_token");
        }
        let mut seen = 0;
        let mut token = String::new();
        loop {
            let page = server.get(&format!("{path}&next_token={}", encode(&token))).ok().json();
            seen += page[rows].as_array().unwrap().len();
            page["NextToken"].as_str().unwrap().clone_into(&mut token);
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, 3, "{list}");
    }
}

#[test]
fn csi_modes_that_do_not_exist_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let info = json!({ "Healthy": true, "NodeInfo": { "ID": "i-1" } });
    let fed = json!({ "CSINodePlugins": { "plugin-id1": info } });
    server.put(&format!("/statehold/v1/nodes/{}", NODES[0]), &fed).ok();
    for (access, attachment, text) in [
        ("ReadWriteOnce", "file-system", "invalid access mode: \"ReadWriteOnce\""),
        ("single-node-writer", "filesystem", "invalid attachment mode: \"filesystem\""),
        ("single-node-multi-writer", "file-system", "invalid access mode"),
    ] {
        let mut volume = volume_payload("v");
        volume["RequestedCapabilities"] =
            json!([{ "AccessMode": access, "AttachmentMode": attachment }]);
        refused(&server.register(&volume), text);
    }
    assert_eq!(server.get("/v1/volume/csi/v").status, 404);
}

#[test]
fn claim_modes_that_do_not_exist_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    server.register(&volume_payload("v")).ok();
    server.feed_allocation(ALLOC, NODES[0], "running");
    for (name, value) in [("AccessMode", "ReadWriteOnce"), ("AttachmentMode", "filesystem")] {
        let mut claim = json!({ "AllocationID": ALLOC, "Mode": "write" });
        claim[name] = json!(value);
        refused(&server.put("/statehold/v1/volume/csi/v/claim", &claim), value);
    }
}

/// A status outside of the enumeration would never be terminal, so its claims would never be released.
#[test]
fn fed_enumerations_have_known_values_only() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let job = "/statehold/v1/jobs/default/web".to_owned();
    let node = format!("/statehold/v1/nodes/{}", NODES[0]);
    let allocation = format!("/statehold/v1/allocations/{ALLOC}");
    for (path, name, bad, good) in [
        (&allocation, "ClientStatus", "Complete", ["complete", "unknown", ""]),
        (&allocation, "DesiredStatus", "stopped", ["stop", "evict", ""]),
        (&job, "Type", "cron", ["service", "sysbatch", ""]),
        (&job, "Status", "finished", ["dead", "pending", ""]),
        (&node, "SchedulingEligibility", "no", ["eligible", "ineligible", ""]),
        (&node, "Status", "up", ["ready", "down", ""]),
    ] {
        let reply = server.put(path, &json!({ (name): bad }));
        refused(&reply, bad);
        for value in good {
            server.put(path, &json!({ (name): value })).ok();
        }
    }
}

#[test]
fn null_is_no_element_of_a_list_of_objects() {
    let dir = tempfile::tempdir().unwrap();
    let server = start_with_disks(dir.path());
    server.feed_plugin();
    let mut csi = volume_payload("v");
    csi["RequestedCapabilities"] = json!([null]);
    let host =
        |name: &str| json!({ "Volume": { "Name": "h", "PluginID": "mkdir", (name): [null] } });
    for (path, body, field) in [
        (
            "/v1/volume/host/create",
            host("RequestedCapabilities"),
            "Volume.RequestedCapabilities[0]",
        ),
        ("/v1/volume/host/create", host("Constraints"), "Volume.Constraints[0]"),
        ("/v1/volumes/snapshot", json!({ "Snapshots": [null] }), "Snapshots[0]"),
        ("/v1/volumes", json!({ "Volumes": [null] }), "Volumes[0]"),
        ("/v1/volumes", json!({ "Volumes": [csi] }), "Volumes.RequestedCapabilities[0]"),
        ("/statehold/v1/jobs/default/j", json!({ "TaskGroups": [null] }), "TaskGroups[0]"),
    ] {
        let reply = server.put(path, &body);
        refused(&reply, &format!("{field} must not be null"));
    }
}

#[test]
fn a_namespace_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let written = json!({
        "Name": "team", "Description": "A team", "Quota": "",
        "Capabilities": {
            "EnabledTaskDrivers": ["docker", "exec"], "DisabledTaskDrivers": ["raw_exec"],
            "EnabledNetworkModes": [], "DisabledNetworkModes": null,
        },
        "NodePoolConfiguration": { "Default": "prod", "Allowed": ["prod", "dev"], "Denied": null },
        "VaultConfiguration": { "Default": "default", "Allowed": null, "Denied": ["other"] },
        "ConsulConfiguration": { "Default": "", "Allowed": [], "Denied": [] },
        "Meta": { "owner": "storage" },
        "RequiredExtraClaims": { "a": "b" }, "OptionalExtraClaims": null,
    });
    server.put("/v1/namespace", &written).ok();
    for path in ["/v1/namespace/team", "/v1/namespaces?prefix=team"] {
        let found = server.get(path).ok().json();
        let found = found.get(0).unwrap_or(&found).clone();
        for (name, value) in written.as_object().unwrap() {
            assert_eq!(&found[name], value, "{path}: {name}");
        }
    }
    for filter in [r#"Meta.owner == "storage""#, r#""exec" in Capabilities.EnabledTaskDrivers"#] {
        let path = format!("/v1/namespaces?filter={}", encode(filter));
        assert_eq!(server.get(&path).ok().column("Name"), ["team"], "{filter}");
    }
    // A write that omits them removes them, like the description.
    server.put("/v1/namespace", &json!({ "Name": "team" })).ok();
    let found = server.get("/v1/namespace/team").ok().json();
    assert_eq!((&found["Meta"], &found["Capabilities"]), (&Value::Null, &Value::Null));
}

#[test]
fn an_unsupported_namespace_field_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let quota = json!({ "Name": "team", "Quota": "small" });
    refused(&server.put("/v1/namespace", &quota), "quota \"small\" doesn't exist");
    let both = json!({ "Allowed": ["a"], "Denied": ["b"] });
    let body = json!({ "Name": "team", "NodePoolConfiguration": both });
    refused(&server.put("/v1/namespace", &body), "NodePoolConfiguration: only one of");
    assert_eq!(server.get("/v1/namespace/team").status, 404);
}

#[test]
fn a_host_volume_cannot_be_in_the_pool_of_all_nodes() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let node = std::fs::read_to_string(dir.path().join("node-id")).unwrap();
    let create = |node: &str| {
        let volume = json!({ "Name": "v", "PluginID": "mkdir", "NodePool": "all", "NodeID": node });
        server.put("/v1/volume/host/create", &json!({ "Volume": volume }))
    };
    let anywhere = create("");
    assert_eq!(anywhere.status, 409, "{anywhere:?}");
    assert!(anywhere.body.contains("no node meets constraints"), "{anywhere:?}");
    refused(&create(node.trim()), "is not in pool \"all\"");
    let path = format!("/statehold/v1/nodes/{}", NODES[0]);
    refused(&server.put(&path, &json!({ "NodePool": "all" })), "node pool \"all\"");
}

/// Clients show these messages. Rust appends ` (os error N)`, which MUST be removed.
#[test]
fn errors_of_the_system_have_no_number() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let node = std::fs::read_to_string(dir.path().join("node-id")).unwrap();
    let volume = json!({ "Name": "v", "NodeID": node.trim(), "HostPath": "/not/there" });
    let reply = server.put("/v1/volume/host/register", &json!({ "Volume": volume }));
    assert_ne!(reply.status, 200);
    assert!(reply.body.ends_with("No such file or directory"), "{reply:?}");
}
