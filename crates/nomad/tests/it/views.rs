//! The JSON views, field by field, and the values that MUST never be in them.

use crate::common::*;
use serde_json::{Value, json};
use statehold_nomad::*;
use statehold_store::{Order, ReadView};

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}

fn claimed() -> Cluster {
    let cluster = Cluster::with_plugin();
    let rack = Topology { segments: [("rack".into(), "R1".into())].into() };
    let options = MountOptions { fs_type: "ext4".into(), mount_flags: vec!["password=pw".into()] };
    let spec = VolumeSpec {
        secrets: [("password", "xyzzy")].into_iter().collect(),
        mount_options: Some(options),
        topologies: vec![rack],
        parameters: [("type".into(), "gp2".into())].into(),
        ..spec("v")
    };
    cluster.register(spec).unwrap();
    cluster.allocation(running(10, 2));
    cluster.claim("v", taken(10, ClaimMode::Read)).unwrap();
    cluster
}

#[test]
fn a_volume_view_has_every_field_and_no_secret() {
    let cluster = claimed();
    let volume = cluster.json("v");
    let expected = [
        "ID",
        "Name",
        "ExternalID",
        "Namespace",
        "RequestedTopologies",
        "Topologies",
        "AccessMode",
        "AttachmentMode",
        "MountOptions",
        "Secrets",
        "Parameters",
        "Context",
        "Capacity",
        "RequestedCapacityMin",
        "RequestedCapacityMax",
        "RequestedCapabilities",
        "CloneID",
        "SnapshotID",
        "ReadAllocs",
        "WriteAllocs",
        "Schedulable",
        "PluginID",
        "Provider",
        "ProviderVersion",
        "ControllerRequired",
        "ControllersHealthy",
        "ControllersExpected",
        "NodesHealthy",
        "NodesExpected",
        "ResourceExhausted",
        "CreateIndex",
        "ModifyIndex",
        "CreateTime",
        "ModifyTime",
        "Allocations",
    ];
    assert_eq!(sorted(names(&volume)), sorted(expected.to_vec()));
    assert_eq!(volume["Secrets"], Value::Null);
    assert_eq!(volume["MountOptions"], json!({"FSType": "ext4", "MountFlags": ["[REDACTED]"]}));
    assert_eq!(volume["Topologies"], json!([{"Segments": {"rack": "R1"}}]));
    assert_eq!(volume["RequestedTopologies"], Value::Null);
    assert_eq!(volume["Parameters"], json!({"type": "gp2"}));
    assert_eq!(volume["Context"], json!({}));
    assert_eq!(volume["ReadAllocs"], json!({"00000000-0000-0000-0000-00000000000a": null}));
    assert_eq!(volume["WriteAllocs"], json!({}));
    assert_eq!(volume["ResourceExhausted"], Value::Null);
    assert_eq!(
        volume["RequestedCapabilities"][1],
        json!({"AccessMode": "multi-node-reader-only", "AttachmentMode": "file-system"})
    );
    assert_eq!((&volume["ControllersHealthy"], &volume["NodesHealthy"]), (&json!(1), &json!(2)));
    assert_eq!((&volume["Schedulable"], &volume["ProviderVersion"]), (&json!(true), &json!("0.1")));
    assert_eq!((&volume["CreateTime"], &volume["ModifyTime"]), (&json!(NOW), &json!(NOW + 1)));
    assert_eq!(volume["Allocations"][0]["ID"], "00000000-0000-0000-0000-00000000000a");
    let text = volume.to_string();
    assert!(!text.contains("xyzzy") && !text.contains("password"), "{text}");
}

#[test]
fn a_volume_stub_has_counts_of_readers_and_writers() {
    let cluster = claimed();
    let view = cluster.view();
    let entry = view.get::<CsiVolumes>(("default", "v")).unwrap();
    let health = HealthReader::new(&view).of(entry);
    let stub = serde_json::to_value(VolumeStub::new(entry, health)).unwrap();
    let expected = [
        "ID",
        "Namespace",
        "Name",
        "ExternalID",
        "Topologies",
        "AccessMode",
        "AttachmentMode",
        "CurrentReaders",
        "CurrentWriters",
        "Schedulable",
        "PluginID",
        "Provider",
        "ControllerRequired",
        "ControllersHealthy",
        "ControllersExpected",
        "NodesHealthy",
        "NodesExpected",
        "ResourceExhausted",
        "CreateIndex",
        "ModifyIndex",
        "CreateTime",
        "ModifyTime",
    ];
    assert_eq!(sorted(names(&stub)), sorted(expected.to_vec()));
    assert_eq!((&stub["CurrentReaders"], &stub["CurrentWriters"]), (&json!(1), &json!(0)));
    assert_eq!(stub["ModifyIndex"], json!(entry.modify_index()));
}

#[test]
fn a_volume_without_options_has_empty_ones() {
    let cluster = Cluster::with_plugin();
    cluster.register(spec("v")).unwrap();
    let volume = cluster.json("v");
    assert_eq!(volume["MountOptions"], json!({"FSType": "", "MountFlags": null}));
    assert_eq!((&volume["Allocations"], &volume["Topologies"]), (&json!([]), &json!([])));
}

#[test]
fn an_allocation_view_has_null_for_absent_fields() {
    let cluster = claimed();
    cluster.allocation(Allocation {
        task_states_json: r#"{"redis":{"State":"running"}}"#.into(),
        ..running(10, 2)
    });
    let volume = cluster.json("v");
    let stub = &volume["Allocations"][0];
    let expected = [
        "ID",
        "EvalID",
        "Name",
        "Namespace",
        "NodeID",
        "NodeName",
        "JobID",
        "JobType",
        "JobVersion",
        "TaskGroup",
        "DesiredStatus",
        "DesiredDescription",
        "ClientStatus",
        "ClientDescription",
        "DesiredTransition",
        "TaskStates",
        "DeploymentStatus",
        "FollowupEvalID",
        "NextAllocation",
        "RescheduleTracker",
        "PreemptedAllocations",
        "PreemptedByAllocation",
        "CreateIndex",
        "ModifyIndex",
        "CreateTime",
        "ModifyTime",
    ];
    assert_eq!(sorted(names(stub)), sorted(expected.to_vec()));
    assert_eq!(stub["TaskStates"]["redis"]["State"], "running");
    assert_eq!(stub["DeploymentStatus"], Value::Null);
    assert!(stub["DesiredTransition"].is_object());
    assert_eq!(stub["NodeID"], "00000000-0000-0000-0000-000000000002");
}

#[test]
fn a_plugin_view_has_instances_and_job_expectations() {
    let cluster = Cluster::with_plugin();
    let task = TaskPlugin { id: PLUGIN.into(), kind: PluginKind::Controller };
    let group = TaskGroup { count: 2, plugins: vec![task], ..Default::default() };
    let job = Job { id: "ctl".into(), groups: vec![group], ..Default::default() };
    cluster.write(|txn| upsert_job(txn, NOW, job, &mut fresh())).unwrap();
    let info = PluginInfo { alloc_id: id(20).to_string().into(), ..controller(PLUGIN, true) };
    let mut node = Node { id: id(1), ..Default::default() };
    node.controller_plugins.insert(PLUGIN.into(), info);
    cluster.write(|txn| upsert_node(txn, NOW, node)).unwrap();
    cluster.allocation(running(20, 1));

    let view = cluster.view();
    let entry = view.get::<CsiPlugins>(PLUGIN).unwrap();
    let stub = PluginStub::new(entry, PluginHealth::of(&view, entry));
    let stub = serde_json::to_value(stub).unwrap();
    assert_eq!(
        stub,
        json!({
            "ID": "foo", "Provider": "com.hashicorp:mock", "ControllerRequired": true,
            "ControllersHealthy": 1, "ControllersExpected": 2,
            "NodesHealthy": 2, "NodesExpected": 2,
            "CreateIndex": entry.create_index(), "ModifyIndex": entry.modify_index(),
        })
    );

    let plugin = serde_json::to_value(PluginView::new(&view, entry, "*")).unwrap();
    let expected = [
        "ID",
        "Provider",
        "Version",
        "ControllerRequired",
        "Controllers",
        "Nodes",
        "Allocations",
        "ControllerJobs",
        "NodeJobs",
        "ControllersHealthy",
        "ControllersExpected",
        "NodesHealthy",
        "NodesExpected",
        "CreateIndex",
        "ModifyIndex",
        "CreateTime",
        "ModifyTime",
    ];
    assert_eq!(sorted(names(&plugin)), sorted(expected.to_vec()));
    assert_eq!(
        plugin["ControllerJobs"],
        json!({"default": {"ctl": {"Namespace": "default", "ID": "ctl", "Expected": 2}}})
    );
    assert_eq!(plugin["NodeJobs"], json!({}));
    let controller = &plugin["Controllers"]["00000000-0000-0000-0000-000000000001"];
    assert_eq!(controller["ControllerInfo"]["SupportsAttachDetach"], true);
    assert_eq!(controller.get("NodeInfo"), None);
    assert_eq!(controller["UpdateTime"], Value::Null);
    let served = &plugin["Nodes"]["00000000-0000-0000-0000-000000000002"];
    assert_eq!(served["NodeInfo"]["ID"], "i-2");
    assert_eq!(served["NodeInfo"]["AccessibleTopology"], Value::Null);
    assert_eq!(plugin["Allocations"][0]["ID"], "00000000-0000-0000-0000-000000000014");
    let elsewhere = serde_json::to_value(PluginView::new(&view, entry, "prod")).unwrap();
    assert_eq!(elsewhere["Allocations"], Value::Null);
}

#[test]
fn plugins_are_listed_from_any_id() {
    let cluster = Cluster::empty();
    for (node, plugin) in [(1, "aws-ebs"), (2, "aws-efs"), (3, "gce")] {
        let mut row = Node { id: id(node), ..Default::default() };
        row.node_plugins.insert(plugin.into(), node_plugin(plugin, false, "i"));
        cluster.write(|txn| upsert_node(txn, NOW, row)).unwrap();
    }
    let view = cluster.view();
    let listed = |prefix, order, from| -> Vec<String> {
        list_plugins(&view, prefix, order, from).map(|plugin| plugin.id.to_string()).collect()
    };
    assert_eq!(listed("", Order::Ascending, None), ["aws-ebs", "aws-efs", "gce"]);
    assert_eq!(listed("aws", Order::Descending, None), ["aws-efs", "aws-ebs"]);
    assert_eq!(listed("", Order::Ascending, Some("aws-ec2")), ["aws-efs", "gce"]);
    assert_eq!(listed("aws", Order::Descending, Some("aws-ec2")), ["aws-ebs"]);
}
