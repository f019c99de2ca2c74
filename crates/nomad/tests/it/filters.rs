//! The fields of volumes and plugins that filters can select, and those that they cannot.

use crate::common::*;
use statehold_filter::Filter;
use statehold_nomad::*;
use statehold_store::{Order, ReadView};

/// Creates volume `used` with a reader, options and secrets, and volume `free` of a plugin that
/// does not exist.
fn cluster() -> Cluster {
    let cluster = Cluster::with_plugin();
    let rack = Topology { segments: [("rack".into(), "R1".into())].into() };
    let options = MountOptions { fs_type: "ext4".into(), mount_flags: vec!["noatime".into()] };
    let used = VolumeSpec {
        secrets: [("password", "xyzzy")].into_iter().collect(),
        mount_options: Some(options),
        topologies: vec![rack],
        parameters: [("type".into(), "gp2".into())].into(),
        capacity: 10,
        ..spec("used")
    };
    cluster.register(used).unwrap();
    cluster.allocation(running(10, 2));
    cluster.claim("used", taken(10, ClaimMode::Read)).unwrap();

    let mut node = Node { id: id(4), ..Default::default() };
    node.node_plugins.insert("gone".into(), node_plugin("gone", false, "i-4"));
    cluster.write(|txn| upsert_node(txn, NOW, node)).unwrap();
    cluster.register(VolumeSpec { plugin_id: "gone".into(), ..spec("free") }).unwrap();
    cluster.write(|txn| delete_node(txn, NOW, id(4))).unwrap();
    cluster
}

fn matching(cluster: &Cluster, expression: &str) -> Vec<String> {
    let filter =
        Filter::<VolumeItem>::compile(expression).unwrap_or_else(|error| panic!("{error}"));
    let view = cluster.view();
    let mut health = HealthReader::new(&view);
    let mut found = |query: &VolumeQuery<'_>| -> Vec<String> {
        let items = list_volumes(&view, query).map(|volume| VolumeItem::new(&mut health, volume));
        let matching = items.filter(|item| filter.matches(item));
        matching.map(|item| item.volume().id.to_string()).collect()
    };
    let all = found(&all_of("*"));
    let planned = found(&VolumeQuery { conjuncts: &filter.conjuncts(), ..all_of("*") });
    assert_eq!(planned, all, "a plan omits no match: {expression}");
    all
}

#[test]
fn filters_read_current_values() {
    let cluster = cluster();
    let matching = |expression| matching(&cluster, expression);
    assert_eq!(
        matching(
            r#"Schedulable == true and Provider == "com.hashicorp:mock" and NodesHealthy != 0"#
        ),
        ["used"]
    );
    assert_eq!(matching("Schedulable == false and NodesHealthy == 0"), ["free"]);
    assert_eq!(matching(r#"Provider == "com.hashicorp:mock""#), ["free", "used"]);
    assert_eq!(matching("ControllerRequired == true and ControllersHealthy == 1"), ["used"]);
    assert_eq!(matching("CurrentReaders == 1 and CurrentWriters == 0"), ["used"]);
}

#[test]
fn filters_select_fields_of_the_stub_and_of_the_row() {
    let cluster = cluster();
    let used = "00000000-0000-0000-0000-00000000000a";
    for expression in [
        r#"ID == "used" and Namespace == "default" and Name == "test-vol" and ExternalID == "vol-01""#.into(),
        r#"PluginID matches "^fo+$" and ProviderVersion == "0.1""#.into(),
        r#"AccessMode == "multi-node-single-writer" and AttachmentMode == "file-system""#.into(),
        r#"MountOptions.FSType == "ext4" and Parameters.type == "gp2" and Capacity == 10"#.into(),
        r#"any Topologies as t { t.Segments.rack == "R1" }"#.into(),
        r#"any RequestedCapabilities as c { c.AccessMode == "multi-node-reader-only" } and ID == "used""#.into(),
        format!(r#""{used}" in ReadAllocs and "{used}" not in WriteAllocs"#),
        format!(r#"ReadClaims["{used}"].Mode == "read" and ReadClaims["{used}"].State == "taken""#),
        "ReadAllocs is not empty and PastClaims is empty and Context is empty".into(),
        r#"CloneID == "" and SnapshotID == "" and RequestedCapacityMin == 0 and ID == "used""#.into(),
        r#"CreateIndex != 0 and ModifyTime != 0 and ID == "used""#.into(),
        r#"ResourceExhausted == "0001-01-01T00:00:00Z" and ID == "used""#.into(),
    ] {
        assert_eq!(matching(&cluster, &expression), ["used"], "{expression}");
    }
}

#[test]
fn secrets_and_mount_flags_are_not_selectable() {
    for expression in [
        r#"Secrets.password == "xyzzy""#,
        "Secrets is not empty",
        r#""noatime" in MountOptions.MountFlags"#,
    ] {
        assert!(Filter::<VolumeItem>::compile(expression).is_err(), "{expression}");
    }
}

#[test]
fn filters_select_fields_of_plugins_and_instances() {
    let cluster = cluster();
    let view = cluster.view();
    let matching = |expression: &str| -> usize {
        let filter =
            Filter::<PluginItem>::compile(expression).unwrap_or_else(|error| panic!("{error}"));
        let items =
            list_plugins(&view, "", Order::Ascending, None).map(|row| PluginItem::new(&view, row));
        items.filter(|item| filter.matches(item)).count()
    };
    assert_eq!(matching(r#"ID == "foo" and NodesHealthy == 2 and ControllersExpected == 1"#), 1);
    assert_eq!(matching(r#"Version == "0.1" and ControllerRequired == true"#), 1);
    let node = id(2);
    assert_eq!(matching(&format!(r#""{node}" in Nodes and Nodes["{node}"].Healthy == true"#)), 1);
    assert_eq!(matching(&format!(r#"Nodes["{node}"].NodeInfo.ID == "i-2""#)), 1);
    assert_eq!(matching("ModifyIndex == 0"), 0);
}

#[test]
fn items_serialise_like_their_entries() {
    let cluster = cluster();
    let view = cluster.view();
    let mut health = HealthReader::new(&view);
    for entry in list_volumes(&view, &all_of("*")) {
        let item = VolumeItem::new(&mut health, entry);
        let direct = VolumeStub::new(entry, health.of(entry));
        assert_eq!(
            serde_json::to_value(item.stub()).unwrap(),
            serde_json::to_value(direct).unwrap()
        );
    }
    let entry = view.get::<CsiPlugins>(PLUGIN).unwrap();
    assert_eq!(
        serde_json::to_value(PluginItem::new(&view, entry).stub()).unwrap(),
        serde_json::to_value(PluginStub::new(entry, PluginHealth::of(&view, entry))).unwrap()
    );
}
