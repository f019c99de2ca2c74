//! What was committed is there after the store is opened again, secrets and claims included.

#![allow(clippy::unwrap_used, reason = "a test that can't go on may say so anywhere")]

mod common;

use common::*;
use statehold_store::{ReadView, Store};
use statehold_volumes::*;

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
    cluster.write(|txn| upsert_job(txn, NOW, job)).unwrap();
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
    assert_eq!(*again, *volume);
    assert_eq!(again.modify_index(), volume.modify_index());
    assert_eq!(again.secrets.reveal().collect::<Vec<_>>(), [("password", "xyzzy")]);
    assert_eq!(reopened.counts(PLUGIN), counts);
    assert_eq!(reopened.json("v"), json);
    assert!(!reopened.write(bootstrap).unwrap(), "the default namespace is still there");
    let view = reopened.view();
    assert_eq!(view.find(&CsiVolumes::BY_CLAIMING_NODE, id(2)).map(|row| &*row.id), Some("v"));
    assert_eq!(view.find(&Jobs::BY_PLUGIN, PLUGIN).map(|row| &*row.id), Some("job"));
}

#[test]
fn rows_of_the_first_version_are_read_and_lack_nothing() {
    let old = include_bytes!("data/rows-1.backup");
    let cluster = Cluster { store: Store::in_memory(&schema()) };
    cluster.store.restore(&old[..]).unwrap();
    let view = cluster.view();

    let node = view.get::<Nodes>(id(2)).unwrap();
    assert_eq!((&*node.node_pool, &*node.datacenter, &*node.status), ("prod", "dc1", "ready"));
    assert!(node.node_plugins.contains_key(PLUGIN) && node.host_volumes.is_empty());
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
    assert_eq!(volume.write_claims[&id(10)].since, 0, "nobody wrote it down");
    assert_eq!(volume.past_claims[&id(10)].state, ClaimState::NodeDetached);
    assert_eq!(volume.read_claims[&id(11)].mode, ClaimMode::Read);
}
