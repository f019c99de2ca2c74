//! The life of a plugin: created by fingerprints and jobs, counted on read, deleted with its last
//! instance. Method: a store in memory, one transaction for each report.

use crate::common::*;
use statehold_nomad::*;
use statehold_store::ReadView;

fn job(id: &str, kind: &str, count: u64, plugin: PluginKind) -> Job {
    let task = TaskPlugin { id: PLUGIN.into(), kind: plugin };
    let group =
        TaskGroup { name: "group".into(), count, plugins: vec![task], ..Default::default() };
    Job {
        id: id.into(),
        kind: kind.into(),
        status: "running".into(),
        groups: vec![group],
        ..Default::default()
    }
}

fn instance(job: &str, allocation: u128, node: u128) -> Allocation {
    Allocation { job_id: job.into(), ..running(allocation, node) }
}

fn upsert(cluster: &Cluster, job: Job) {
    cluster.write(|txn| upsert_job(txn, NOW, job, &mut fresh())).unwrap();
}

#[test]
fn lifecycle_from_jobs_to_fingerprints_and_back() {
    let cluster = Cluster::empty();
    assert_eq!(cluster.counts(PLUGIN), None);

    upsert(&cluster, job("controllers", "service", 2, PluginKind::Controller));
    upsert(&cluster, job("nodes", "system", 0, PluginKind::Node));
    assert_eq!(cluster.counts(PLUGIN), Some((0, 2, 0, 0)));

    for (allocation, node) in [(10, 1), (11, 2), (12, 3)] {
        cluster.allocation(instance("nodes", allocation, node));
    }
    for (allocation, node) in [(20, 1), (21, 2)] {
        cluster.allocation(instance("controllers", allocation, node));
    }
    assert_eq!(cluster.counts(PLUGIN), Some((0, 2, 0, 3)));

    for (number, has_controller) in [(1, true), (2, true), (3, false)] {
        let mut node = Node { id: id(number), ..Default::default() };
        node.node_plugins.insert(PLUGIN.into(), node_plugin(PLUGIN, true, "i-1"));
        if has_controller {
            node.controller_plugins.insert(PLUGIN.into(), controller(PLUGIN, true));
        }
        cluster.write(|txn| upsert_node(txn, NOW, node)).unwrap();
    }
    assert_eq!(cluster.counts(PLUGIN), Some((2, 2, 3, 3)));
    cluster.register(spec("v")).unwrap();
    assert_eq!(cluster.json("v")["Schedulable"], true);

    // A drain stops allocations. Fingerprints contain no allocation status, so the counts stay.
    let stopped = Allocation { desired_status: "stop".into(), ..instance("nodes", 12, 3) };
    cluster.allocation(stopped.clone());
    assert_eq!(cluster.counts(PLUGIN), Some((2, 2, 3, 3)));
    // Then the allocation ends and the node reports without the plugin.
    cluster.allocation(Allocation { client_status: "complete".into(), ..stopped });
    cluster.write(|txn| upsert_node(txn, NOW, Node { id: id(3), ..Default::default() })).unwrap();
    assert_eq!(cluster.counts(PLUGIN), Some((2, 2, 2, 2)));

    for job in ["controllers", "nodes"] {
        cluster.write(|txn| delete_job(txn, NOW, "default", job)).unwrap();
    }
    assert_eq!(
        cluster.counts(PLUGIN),
        Some((2, 2, 2, 2)),
        "without a job each reporting instance is expected"
    );
    cluster.write(|txn| delete_node(txn, NOW, id(1))).unwrap();
    assert_eq!(cluster.counts(PLUGIN), Some((1, 1, 1, 1)));
    cluster.write(|txn| upsert_node(txn, NOW, Node { id: id(2), ..Default::default() })).unwrap();
    assert_eq!(cluster.counts(PLUGIN), None);

    let volume = cluster.json("v");
    assert_eq!(volume["Schedulable"], false);
    assert_eq!(volume["Provider"], "com.hashicorp:mock");
    assert_eq!(volume["NodesHealthy"], 0);
}

#[test]
fn a_job_keeps_its_plugin_until_it_is_over() {
    let cluster = Cluster::empty();
    upsert(&cluster, job("nodes", "system", 0, PluginKind::Monolith));
    assert_eq!(cluster.counts(PLUGIN), Some((0, 0, 0, 0)));
    let stopped = Job { stop: true, ..job("nodes", "system", 0, PluginKind::Monolith) };
    upsert(&cluster, stopped);
    assert_eq!(cluster.counts(PLUGIN), None);
    upsert(&cluster, job("nodes", "service", 3, PluginKind::Monolith));
    assert_eq!(cluster.counts(PLUGIN), Some((0, 3, 0, 3)));
    let other = Job { groups: Vec::new(), ..job("nodes", "service", 3, PluginKind::Node) };
    upsert(&cluster, other);
    assert_eq!(cluster.counts(PLUGIN), None, "the new version runs no plugin");
    let missing = cluster.write(|txn| delete_job(txn, NOW, "default", "nothing")).unwrap_err();
    assert_eq!(missing.to_string(), "job not found");
}

#[test]
fn plugins_that_were_never_healthy_get_no_row() {
    let cluster = Cluster::empty();
    let sick = PluginInfo { healthy: false, ..controller(PLUGIN, true) };
    let mut node = Node { id: id(1), ..Default::default() };
    node.controller_plugins.insert(PLUGIN.into(), sick.clone());
    cluster.write(|txn| upsert_node(txn, NOW, node.clone())).unwrap();
    assert_eq!(cluster.counts(PLUGIN), None);

    let well = PluginInfo { healthy: true, ..sick.clone() };
    node.controller_plugins.insert(PLUGIN.into(), well);
    cluster.write(|txn| upsert_node(txn, NOW, node.clone())).unwrap();
    assert_eq!(cluster.counts(PLUGIN), Some((1, 1, 0, 0)));

    // Stored from now on, also when it turns unhealthy; an unknown unhealthy one gets no row.
    node.controller_plugins.insert(PLUGIN.into(), sick.clone());
    cluster.write(|txn| upsert_node(txn, NOW, node.clone())).unwrap();
    let other = Node { id: id(2), ..node.clone() };
    cluster.write(|txn| upsert_node(txn, NOW, other)).unwrap();
    assert_eq!(cluster.counts(PLUGIN), Some((0, 1, 0, 0)));
    assert_eq!(cluster.view().get::<CsiPlugins>(PLUGIN).unwrap().controllers.reporting, 1);
}

#[test]
fn repeating_a_report_writes_nothing() {
    let cluster = Cluster::with_plugin();
    let index = || cluster.view().get::<CsiPlugins>(PLUGIN).unwrap().modify_index();
    let before = index();
    cluster.add_plugin(PLUGIN, true);
    assert_eq!(index(), before);
}

#[test]
fn a_stopped_allocation_deletes_its_own_instance() {
    let cluster = Cluster::with_plugin();
    upsert(&cluster, job("controllers", "service", 1, PluginKind::Controller));
    let info = PluginInfo { alloc_id: id(20).to_string().into(), ..controller(PLUGIN, true) };
    let mut node = Node { id: id(1), ..Default::default() };
    node.controller_plugins.insert(PLUGIN.into(), info);
    cluster.write(|txn| upsert_node(txn, NOW, node)).unwrap();
    cluster.allocation(instance("controllers", 20, 1));
    assert_eq!(cluster.counts(PLUGIN), Some((1, 1, 2, 2)));
    let stop = Allocation { desired_status: "stop".into(), ..instance("controllers", 20, 1) };
    cluster.allocation(stop);
    assert_eq!(cluster.counts(PLUGIN), Some((0, 1, 2, 2)));
}

#[test]
fn deleting_an_unknown_node_fails() {
    let cluster = Cluster::empty();
    let error = cluster.write(|txn| delete_node(txn, NOW, id(9))).unwrap_err();
    assert_eq!(error.to_string(), "node not found: 00000000-0000-0000-0000-000000000009");
    let odd = Node { id: id(9), status: "tired".into(), ..Default::default() };
    let error = cluster.write(|txn| upsert_node(txn, NOW, odd)).unwrap_err();
    assert_eq!(error.to_string(), "invalid status \"tired\" for node");
    assert!(cluster.view().get::<Nodes>(id(9)).is_none());
}

#[test]
fn times_are_set_from_the_callers_clock() {
    let cluster = Cluster::empty();
    let node = || Node { id: id(1), ..Default::default() };
    cluster.write(|txn| upsert_node(txn, NOW, node())).unwrap();
    cluster.write(|txn| upsert_node(txn, NOW + 9, node())).unwrap();
    let view = cluster.view();
    let row = view.get::<Nodes>(id(1)).unwrap();
    assert_eq!((row.create_time, row.modify_time), (NOW, NOW + 9));
    assert_eq!(&*row.status, "ready");
}

/// Creates a node that runs `plugin` as a node plugin.
fn served(node: u128, plugin: &str, healthy: bool) -> Node {
    let info = PluginInfo { healthy, ..node_plugin(plugin, false, "i") };
    Node { id: id(node), node_plugins: [(plugin.into(), info)].into(), ..Default::default() }
}

#[test]
fn a_read_of_one_plugin_is_woken_only_by_its_instances() {
    let cluster = Cluster::with_plugin();
    cluster.write(|txn| upsert_node(txn, NOW, served(7, "bar", true))).unwrap();
    let alone = |view: &statehold_store::Tracked| {
        let plugin = view.get::<CsiPlugins>(PLUGIN).unwrap();
        serde_json::to_string(&PluginView::new(view, plugin, "*")).unwrap()
    };
    let report =
        |node: Node| move |it: &Cluster| it.write(|txn| upsert_node(txn, NOW, node)).unwrap();
    assert!(!is_woken(&cluster, alone, report(served(7, "bar", false))), "another plugin's");
    assert!(!is_woken(&cluster, alone, report(served(8, "bar", true))), "another plugin's new one");
    assert!(is_woken(&cluster, alone, report(served(9, PLUGIN, true))), "a new instance");
    assert!(is_woken(&cluster, alone, report(served(9, PLUGIN, false))), "an instance's health");
    let leave = |it: &Cluster| it.write(|txn| delete_node(txn, NOW, id(9))).unwrap();
    assert!(is_woken(&cluster, alone, leave), "an instance that left");
}

#[test]
fn a_change_of_an_instance_changes_the_plugins_index() {
    let cluster = Cluster::with_plugin();
    let index = || cluster.view().get::<CsiPlugins>(PLUGIN).unwrap().modify_index();
    let before = index();
    let info = PluginInfo {
        update_time: "2026-01-01T00:00:00Z".into(),
        ..node_plugin(PLUGIN, true, "i-2")
    };
    let node =
        Node { id: id(2), node_plugins: [(PLUGIN.into(), info)].into(), ..Default::default() };
    cluster.write(|txn| upsert_node(txn, NOW + 7, node)).unwrap();
    assert!(index() > before, "clients that wait on the plugin must notice its instances");
    assert_eq!(cluster.view().get::<CsiPlugins>(PLUGIN).unwrap().modify_time, NOW + 7);
}
