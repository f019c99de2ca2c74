//! Committed rows survive a reopen of the store, secrets and claims included.

use crate::common::*;
use statehold_nomad::*;
use statehold_store::{ReadView, Schema, Store};

fn everything() -> VolumeSpec {
    let rack = Topology { segments: [("rack".into(), "R1".into())].into() };
    VolumeSpec {
        requested_topologies: Some(TopologyRequest {
            required: Some(vec![rack.clone()]),
            preferred: None,
        }),
        topologies: vec![rack],
        mount_options: Some(MountOptions {
            fs_type: "ext4".into(),
            mount_flags: vec!["noatime".into()],
        }),
        secrets: [("password", "xyzzy")].into_iter().collect(),
        parameters: [("type".into(), "gp2".into())].into(),
        context: [("path".into(), "/".into())].into(),
        capacity: i64::MAX,
        snapshot_id: "snap".into(),
        ..spec("v")
    }
}

#[test]
fn rows_survive_a_reopen_with_their_indexes() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster { store: Store::open(dir.path(), &schema()).unwrap() };
    cluster.write(bootstrap).unwrap();
    cluster.add_plugin(PLUGIN, true);
    cluster.register(everything()).unwrap();
    let request =
        VolumeRequest { kind: RequestKind::Csi, source: "v".into(), ..Default::default() };
    let task = TaskPlugin { id: PLUGIN.into(), kind: PluginKind::Monolith };
    let group =
        TaskGroup { name: "group".into(), count: 3, volumes: vec![request], plugins: vec![task] };
    let job = Job { id: "job".into(), groups: vec![group.clone()], ..Default::default() };
    cluster.write(|txn| upsert_job(txn, NOW, job, &mut fresh())).unwrap();
    cluster
        .write(|txn| upsert_allocation(txn, NOW, running(10, 2), Some(group), &mut fresh()))
        .unwrap();
    cluster.claim("v", taken(10, ClaimMode::Write)).unwrap();
    cluster.claim("v", released(10, ClaimState::NodeDetached)).unwrap();

    let (volume, counts, json) =
        (cluster.volume("v").unwrap(), cluster.counts(PLUGIN), cluster.json("v"));
    drop(cluster);
    let reopened = Cluster { store: Store::open(dir.path(), &schema()).unwrap() };
    let again = reopened.volume("v").unwrap();
    assert_eq!(again, volume);
    assert_eq!(again.modify_index(), volume.modify_index());
    assert_eq!(again.secrets.reveal().collect::<Vec<_>>(), [("password", "xyzzy")]);
    assert_eq!(reopened.counts(PLUGIN), counts);
    assert_eq!(reopened.json("v"), json);
    assert!(!reopened.write(bootstrap).unwrap(), "the default namespace is still there");
    let view = reopened.view();
    let key = (id(2), "default", "v");
    assert_eq!(view.find(&CsiClaims::BY_NODE, key).map(|row| row.allocation_id), Some(id(10)));
    assert_eq!(view.find(&Jobs::BY_PLUGIN, PLUGIN).map(|row| &*row.id), Some("job"));
}

#[test]
fn rows_of_the_first_version_are_read_completely() {
    let old = include_bytes!("data/rows-1.backup");
    let cluster = Cluster { store: Store::in_memory(&schema()) };
    cluster.store.restore(&old[..]).unwrap();
    cluster.write(bootstrap).unwrap();
    let view = cluster.view();

    let node = view.get::<Nodes>(id(2)).unwrap();
    assert_eq!((&*node.node_pool, &*node.datacenter, &*node.status), ("prod", "dc1", "ready"));
    assert!(node.node_plugins.contains_key(PLUGIN) && node.unmoved_host_volumes.is_empty());
    assert!(!node.gc_volumes_on_node_gc && node.create_time == NOW);
    assert!(view.get::<Nodes>(id(1)).unwrap().controller_plugins.contains_key(PLUGIN));

    let job = view.get::<Jobs>(("default", "job")).unwrap();
    let [csi, host] = &job.groups[0].volumes[..] else { panic!("two requests") };
    assert_eq!((&*csi.source, csi.kind, csi.read_only), ("v", RequestKind::Csi, true));
    assert!(host.per_alloc && !host.sticky);
    let allocation = view.get::<Allocations>(id(10)).unwrap();
    assert_eq!((allocation.job_version, &*allocation.client_status), (4, "running"));
    assert_eq!(
        (&allocation.volumes, &allocation.plugins),
        (&job.groups[0].volumes, &job.groups[0].plugins)
    );

    let volume = cluster.volume("v").unwrap();
    assert_eq!(volume.capacity, i64::MAX);
    assert_eq!(volume.secrets.reveal().collect::<Vec<_>>(), [("password", "xyzzy")]);
    assert_eq!(volume.write_claims[&id(10)].since, 0, "not recorded by that version");
    assert_eq!(volume.past_claims[&id(10)].state, ClaimState::NodeDetached);
    assert_eq!(volume.read_claims[&id(11)].mode, ClaimMode::Read);
}

/// The rows of nodes as version 2 stored them, with all host volumes of a node in its row.
mod version_2 {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};
    use statehold_nomad::{Labels, NodeHostVolume, PluginInfo};
    use uuid::Uuid;

    #[allow(clippy::struct_field_names, reason = "the names that version 2 had")]
    #[derive(Default, Serialize, Deserialize)]
    pub(super) struct Node {
        pub(super) id: Uuid,
        pub(super) name: Box<str>,
        pub(super) datacenter: Box<str>,
        pub(super) node_pool: Box<str>,
        pub(super) node_class: Box<str>,
        pub(super) status: Box<str>,
        pub(super) scheduling_eligibility: Box<str>,
        pub(super) attributes: Labels,
        pub(super) meta: Labels,
        pub(super) controller_plugins: BTreeMap<Box<str>, PluginInfo>,
        pub(super) node_plugins: BTreeMap<Box<str>, PluginInfo>,
        pub(super) host_volumes: BTreeMap<Box<str>, NodeHostVolume>,
        pub(super) gc_volumes_on_node_gc: bool,
        pub(super) create_time: i64,
        pub(super) modify_time: i64,
    }

    pub(super) struct Nodes;

    impl statehold_store::Table for Nodes {
        const NAME: &'static str = "nodes";
        const VERSION: u16 = 2;
        type Key = Uuid;
        type Row = Node;

        fn key(row: &Node) -> Uuid {
            row.id
        }
    }
}

/// Creates a directory with nodes of version 2 that report host volumes of these names.
fn directory_of_version_2(nodes: &[(u128, &[&str])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &Schema::new().table::<version_2::Nodes>()).unwrap();
    let mut txn = store.begin_write().unwrap();
    for (node, names) in nodes {
        let has = |name: &&str| {
            let path = format!("/{name}").into();
            (Box::from(*name), NodeHostVolume { path, ..Default::default() })
        };
        let mut row = version_2::Node { id: id(*node), ..Default::default() };
        row.status = "ready".into();
        row.host_volumes = names.iter().map(has).collect();
        txn.upsert::<version_2::Nodes>(row).unwrap();
    }
    txn.commit().unwrap();
    dir
}

/// Returns the names and paths of the host volumes that a node reports.
fn reported(cluster: &Cluster, node: u128) -> Vec<String> {
    let view = cluster.view();
    let rows = reported_host_volumes(&view, id(node));
    rows.map(|row| format!("{} {}", row.volume.name, row.volume.path)).collect()
}

#[test]
fn host_volumes_in_rows_of_nodes_move_to_their_own() {
    let dir = directory_of_version_2(&[(1, &["a", "b"]), (2, &[]), (3, &["a"])]);
    for moved in [false, true] {
        let cluster = Cluster { store: Store::open(dir.path(), &schema()).unwrap() };
        let is_moved = |cluster: &Cluster| {
            cluster.view().get::<Nodes>(id(1)).unwrap().unmoved_host_volumes.is_empty()
        };
        assert_eq!(is_moved(&cluster), moved);
        cluster.write(bootstrap).unwrap();
        assert!(is_moved(&cluster));
        assert_eq!(reported(&cluster, 1), ["a /a", "b /b"]);
        assert_eq!(reported(&cluster, 2), [""; 0]);
        assert_eq!(reported(&cluster, 3), ["a /a"]);
    }
}

#[test]
fn a_write_of_an_old_node_moves_its_host_volumes() {
    let dir = directory_of_version_2(&[(1, &["a", "b"]), (2, &["a"]), (3, &["a"])]);
    let cluster = Cluster { store: Store::open(dir.path(), &schema()).unwrap() };
    cluster.write(|txn| withdraw_host_volume(txn, NOW, id(1), "b")).unwrap();
    let node = |number| Node { id: id(number), ..Default::default() };
    cluster.write(|txn| upsert_node(txn, NOW, node(2))).unwrap();
    let empty = NodeReport { node: node(3), ..Default::default() };
    cluster.write(|txn| report_node(txn, NOW, empty)).unwrap();
    assert_eq!(reported(&cluster, 1), ["a /a"]);
    assert_eq!(reported(&cluster, 2), ["a /a"]);
    assert_eq!(reported(&cluster, 3), [""; 0]);
}
