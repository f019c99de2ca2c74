//! Host volumes: placing, creating, updating and deleting them, and how their states follow the
//! reports of nodes. Method: a store in memory; the test plays the node.

use crate::common::*;
use statehold_nomad::*;
use statehold_store::{Entry, HexPrefix, Order, ReadView, Table as _};
use uuid::Uuid;

const POOL: &str = "prod";

/// Creates a node of the pool in rack `r1` that has the default plugin and these volumes.
fn node(number: u128, volumes: &[&str]) -> NodeReport {
    let reported = |name: &&str| {
        let volume = NodeHostVolume { name: (*name).into(), ..Default::default() };
        (volume.name.clone(), volume)
    };
    let node = Node {
        id: id(number),
        name: format!("n{number}").into(),
        node_pool: POOL.into(),
        attributes: [("plugins.host_volume.mkdir.version".into(), "0.0.1".into())].into(),
        meta: [("rack".into(), "r1".into())].into(),
        ..Default::default()
    };
    NodeReport { node, host_volumes: volumes.iter().map(reported).collect() }
}

fn with(mut report: NodeReport, change: impl FnOnce(&mut Node)) -> NodeReport {
    change(&mut report.node);
    report
}

fn report(cluster: &Cluster, node: NodeReport) {
    cluster.write(|txn| report_node(txn, NOW, node)).unwrap();
}

fn in_rack(rack: &str) -> Constraint {
    Constraint { left: "${meta.rack}".into(), right: rack.into(), operator: "=".into() }
}

fn requested(name: &str) -> HostVolumeSpec {
    HostVolumeSpec {
        name: name.into(),
        node_pool: POOL.into(),
        constraints: vec![in_rack("r1")],
        requested_capacity_min: 100_000,
        requested_capacity_max: 200_000,
        ..Default::default()
    }
}

fn created() -> CreatedHostVolume {
    CreatedHostVolume { host_path: "/volumes/x".into(), capacity: 150_000 }
}

fn create(cluster: &Cluster, spec: HostVolumeSpec) -> Result<Uuid, HostVolumeError> {
    let plan = plan_host_create(&cluster.view(), NOW, "default", spec, fresh()())?;
    let id = plan.volume().id;
    cluster.write(|txn| record_host_volume(txn, plan, Ok(created())))?;
    Ok(id)
}

fn register(cluster: &Cluster, spec: HostVolumeSpec) -> Result<Uuid, HostVolumeError> {
    let plan = plan_host_register(&cluster.view(), NOW, "default", spec, fresh()())?;
    let id = plan.volume().id;
    cluster.write(|txn| record_host_volume(txn, plan, Ok(created())))?;
    Ok(id)
}

fn delete(
    cluster: &Cluster,
    volume: &str,
    force: bool,
    answer: Result<(), HostProviderError>,
) -> Result<bool, HostVolumeError> {
    let plan = plan_host_delete(&cluster.view(), "default", volume, force)?;
    cluster.write(|txn| record_host_delete(txn, &plan, answer))
}

fn row(cluster: &Cluster, volume: Uuid) -> Entry<HostVolume> {
    cluster.view().get::<HostVolumes>(("default", volume)).unwrap().clone()
}

fn state(cluster: &Cluster, volume: Uuid) -> &'static str {
    row(cluster, volume).state.as_str()
}

/// Writes a running allocation of a group that requests the host volume.
fn using(cluster: &Cluster, allocation: u128, node: u128, source: &str, per_alloc: bool) {
    let request = VolumeRequest { source: source.into(), per_alloc, ..Default::default() };
    let group = TaskGroup { volumes: vec![request], ..Default::default() };
    let row = running(allocation, node);
    cluster.write(|txn| upsert_allocation(txn, NOW, row, Some(group), &mut fresh())).unwrap();
}

#[test]
fn states_follow_what_nodes_report() {
    let cluster = Cluster::empty();
    report(&cluster, node(1, &["dhv-zero"]));
    report(&cluster, node(2, &[]));
    let on = |number: u128, name: &str| {
        create(
            &cluster,
            HostVolumeSpec { node_id: id(number).to_string().into(), ..requested(name) },
        )
        .unwrap()
    };
    let zero = on(1, "dhv-zero");
    let one = on(1, "dhv-one");
    let elsewhere = on(2, "dhv-one");
    let unmatched = on(2, "dhv-two");
    let states = || [zero, one, elsewhere, unmatched].map(|volume| state(&cluster, volume));
    assert_eq!(
        states(),
        ["ready", "pending", "pending", "pending"],
        "reported before it is created"
    );

    let untouched = row(&cluster, elsewhere).modify_index();
    report(&cluster, node(1, &["dhv-zero", "dhv-one"]));
    assert_eq!(states(), ["ready", "ready", "pending", "pending"]);
    assert_eq!(row(&cluster, one).modify_index(), cluster.view().index());
    assert_eq!(row(&cluster, elsewhere).modify_index(), untouched);

    report(&cluster, with(node(2, &["dhv-one"]), |node| node.node_pool = "dev".into()));
    assert_eq!(states(), ["ready", "ready", "ready", "pending"]);
    assert_eq!(&*row(&cluster, elsewhere).node_pool, "dev");
    assert_eq!(&*row(&cluster, unmatched).node_pool, "dev");

    report(&cluster, node(1, &["static"]));
    assert_eq!(states(), ["unavailable", "unavailable", "ready", "pending"]);
    report(&cluster, node(1, &["dhv-zero", "dhv-one"]));
    assert_eq!(states(), ["ready", "ready", "ready", "pending"]);
    report(&cluster, node(1, &[]));
    assert_eq!(states(), ["unavailable", "unavailable", "ready", "pending"], "none at all");

    let before = row(&cluster, zero).modify_index();
    let down =
        with(node(1, &["dhv-zero", "dhv-one"]), |node| node.status = node_status::DOWN.into());
    report(&cluster, down.clone());
    report(&cluster, down);
    assert_eq!(row(&cluster, zero).modify_index(), before, "nothing changed");
    report(&cluster, node(1, &["dhv-zero", "dhv-one"]));
    let shaky = with(node(1, &["dhv-zero"]), |node| node.status = node_status::DISCONNECTED.into());
    report(&cluster, shaky);
    assert_eq!(states(), ["ready", "unavailable", "ready", "pending"]);
    report(&cluster, with(node(1, &["dhv-zero"]), |node| node.status = node_status::DOWN.into()));
    assert_eq!(state(&cluster, zero), "unavailable", "down");
}

#[test]
fn a_report_of_one_volume_keeps_the_others() {
    let cluster = Cluster::empty();
    report(&cluster, node(1, &["static"]));
    let volume = create(&cluster, requested("disk")).unwrap();
    let reported = NodeHostVolume {
        name: "disk".into(),
        path: "/volumes/x".into(),
        read_only: false,
        id: Some(volume),
    };
    cluster.write(|txn| report_host_volume(txn, NOW, id(1), reported.clone())).unwrap();
    assert_eq!(state(&cluster, volume), "ready");
    assert_eq!(reported_host_volumes(&cluster.view(), id(1)).count(), 2);
    cluster.write(|txn| withdraw_host_volume(txn, NOW, id(1), "disk")).unwrap();
    assert_eq!(state(&cluster, volume), "unavailable");
    assert!(cluster.write(|txn| report_host_volume(txn, NOW, id(9), reported)).is_err());
}

#[test]
fn a_node_deletes_its_volumes_only_if_its_row_requests_it() {
    let cluster = Cluster::empty();
    report(&cluster, node(1, &["kept"]));
    let kept = create(&cluster, requested("kept")).unwrap();
    cluster.write(|txn| delete_node(txn, NOW, id(1))).unwrap();
    assert_eq!(state(&cluster, kept), "unavailable");

    report(&cluster, with(node(1, &["kept"]), |node| node.gc_volumes_on_node_gc = true));
    assert_eq!(state(&cluster, kept), "ready", "the node is back");
    using(&cluster, 10, 1, "kept", false);
    let refused = cluster.write(|txn| delete_node(txn, NOW, id(1))).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("could not delete volume {kept} in use by alloc {}", id(10))
    );
    assert_eq!(refused.class(), ErrorClass::Conflict);
    assert!(cluster.view().get::<Nodes>(id(1)).is_some());
    cluster.allocation(Allocation { client_status: "complete".into(), ..running(10, 1) });
    cluster.write(|txn| delete_node(txn, NOW, id(1))).unwrap();
    assert!(cluster.view().get::<HostVolumes>(("default", kept)).is_none());
}

#[test]
fn volumes_are_placed_on_the_first_feasible_node() {
    let cluster = Cluster::empty();
    let text = |spec| create(&cluster, spec).unwrap_err().to_string();
    report(&cluster, with(node(1, &[]), |node| node.meta = Labels::new()));
    report(&cluster, with(node(2, &[]), |node| node.node_pool = "dev".into()));
    report(&cluster, node(3, &[]));
    report(&cluster, with(node(4, &[]), |node| node.attributes = Labels::new()));
    let placed = create(&cluster, requested("a")).unwrap();
    assert_eq!(row(&cluster, placed).node_id, id(3));
    assert_eq!(
        text(requested("a")),
        "could not place volume \"a\": no node meets constraints: 1 nodes had existing volume, 0 \
         nodes filtered by node pool governance, 2 nodes were infeasible"
    );
    // No node names the pool `all`.
    assert_eq!(
        text(HostVolumeSpec { node_pool: "all".into(), ..requested("a") }),
        "could not place volume \"a\": no node meets constraints: 0 nodes had existing volume, 0 \
         nodes filtered by node pool governance, 0 nodes were infeasible"
    );
    let dev = HostVolumeSpec { node_pool: "dev".into(), ..requested("a") };
    let placed = create(&cluster, dev).unwrap();
    let row = row(&cluster, placed);
    assert_eq!((row.node_id, &*row.node_pool), (id(2), "dev"), "the first one that is left");

    let on =
        |number: u128| HostVolumeSpec { node_id: id(number).to_string().into(), ..requested("b") };
    assert_eq!(
        text(on(1)),
        "could not place volume \"b\": node 00000000-0000-0000-0000-000000000001 is not feasible \
         for volume"
    );
    assert_eq!(
        text(on(9)),
        "validating volume \"b\" against state failed: node \
         \"00000000-0000-0000-0000-000000000009\" does not exist"
    );
    assert_eq!(
        text(on(2)),
        "validating volume \"b\" against state failed: node ID \
         \"00000000-0000-0000-0000-000000000002\" is not in pool \"prod\""
    );
    assert_eq!(
        text(HostVolumeSpec { node_pool: "nowhere".into(), ..requested("b") }),
        "validating volume \"b\" against state failed: node pool \"nowhere\" does not exist"
    );
    let elsewhere = HostVolumeSpec { plugin_id: "zfs".into(), ..on(3) };
    assert!(text(elsewhere).ends_with("is not feasible for volume"), "the plugin is missing there");
}

#[test]
fn created_volumes_have_defaults_and_the_nodes_result() {
    let cluster = Cluster::empty();
    report(&cluster, node(1, &[]));
    let volume = create(&cluster, requested("disk")).unwrap();
    let row = row(&cluster, volume);
    assert_eq!((&*row.plugin_id, &*row.node_pool), ("mkdir", POOL));
    assert_eq!((&*row.host_path, row.capacity), ("/volumes/x", 150_000));
    assert_eq!((row.create_time, row.modify_time), (NOW, NOW));
    assert_eq!(row.requested_capabilities, [capability(access_mode::SINGLE_NODE_WRITER)]);
    let json = serde_json::to_value(HostVolumeView::new(&cluster.view(), &row)).unwrap();
    assert_eq!(json["Allocations"], serde_json::json!([]));
    assert_eq!(json["State"], "pending");
    assert_eq!(json["Constraints"][0]["LTarget"], "${meta.rack}");
    assert_eq!(json.get("Parameters"), None);
    assert_eq!(json["RequestedCapacityMinBytes"], 100_000);
    assert_eq!(json["RequestedCapabilities"][0]["AccessMode"], "single-node-writer");
}

#[test]
fn existing_volumes_are_updated_within_the_rules() {
    let cluster = Cluster::empty();
    report(&cluster, node(1, &["disk"]));
    let volume = create(&cluster, requested("disk")).unwrap();
    let again = |change: fn(HostVolumeSpec) -> HostVolumeSpec| {
        let known = HostVolumeSpec { id: volume.to_string().into(), ..requested("disk") };
        create(&cluster, change(known)).map_err(|error| error.to_string())
    };
    let bigger = again(|known| HostVolumeSpec {
        requested_capacity_max: 300_000,
        node_pool: Box::default(),
        id: known.id.to_uppercase().into(),
        ..known
    });
    assert_eq!(bigger, Ok(volume));
    let row = row(&cluster, volume);
    assert_eq!((row.requested_capacity_max, &*row.plugin_id), (300_000, "mkdir"));
    assert_eq!((row.state, &*row.node_pool), (HostVolumeState::Ready, POOL));
    assert_eq!(row.constraints, [in_rack("r1")]);
    assert_eq!(
        again(|known| HostVolumeSpec { node_pool: "dev".into(), ..known }).unwrap_err(),
        format!(
            "validating volume \"{volume}\" update failed: 1 error occurred:\n\t* node pool cannot \
             be updated\n\n"
        )
    );
    assert_eq!(
        again(|known| HostVolumeSpec { id: id(5).to_string().into(), ..known }).unwrap_err(),
        format!("cannot update volume \"{}\": volume does not exist", id(5))
    );
    cluster.write(|txn| delete_node(txn, NOW, id(1))).unwrap();
    assert_eq!(
        again(|known| known).unwrap_err(),
        format!(
            "validating volume \"disk\" against state failed: node \"{}\" does not exist",
            id(1)
        )
    );
    report(&cluster, node(1, &["disk"]));
    using(&cluster, 10, 1, "disk", false);
    assert_eq!(
        again(|known| known).unwrap_err(),
        format!(
            "validating volume \"{volume}\" update failed: 1 error occurred:\n\t* cannot update a \
             volume in use: claimed by allocs ({})\n\n",
            id(10)
        )
    );
}

#[test]
fn registering_requires_a_node_and_a_path() {
    let cluster = Cluster::empty();
    report(&cluster, node(1, &[]));
    let at = |node: &str, path: &str| HostVolumeSpec {
        node_id: node.into(),
        host_path: path.into(),
        capacity: 7,
        ..requested("disk")
    };
    let text = |spec| register(&cluster, spec).unwrap_err().to_string();
    assert_eq!(text(at("", "/srv")), "cannot register volume: node ID is required");
    assert_eq!(text(at("x", "")), "cannot register volume: host path is required");
    let unnamed = HostVolumeSpec { name: Box::default(), ..at("x", "/srv") };
    assert_eq!(text(unnamed), "volume validation failed: missing name");
    let elsewhere = HostVolumeSpec { namespace: "none".into(), ..at("x", "/srv") };
    assert_eq!(text(elsewhere), "volume validation failed: no such namespace \"none\"");
    let there = at(&id(1).to_string(), "/srv");
    let volume = register(&cluster, there.clone()).unwrap();
    let row = row(&cluster, volume);
    assert_eq!((&*row.host_path, row.capacity, &*row.plugin_id), ("/srv", 7, ""));
    assert_eq!(text(there), "volume name already exists on this node");
}

#[test]
fn recording_repeats_the_checks_of_the_plan() {
    let cluster = Cluster::empty();
    report(&cluster, node(1, &[]));
    cluster
        .write(|txn| upsert_namespace(txn, Namespace { name: "dev".into(), ..Default::default() }))
        .unwrap();
    let plan = |name: &str| {
        let spec = HostVolumeSpec { namespace: "dev".into(), ..requested(name) };
        plan_host_create(&cluster.view(), NOW, "default", spec, fresh()()).unwrap()
    };
    let (first, second, third, fourth) = (plan("a"), plan("a"), plan("b"), plan("c"));
    let record = |plan, answer| {
        cluster
            .write(|txn| record_host_volume(txn, plan, answer))
            .map_err(|error| error.to_string())
    };
    let failed = record(fourth, Err(HostProviderError::Failed("disk full".into())));
    assert_eq!(failed.unwrap_err(), "HostVolume.Create error: disk full");
    let known = first.volume().id;
    record(first, Ok(created())).unwrap();
    assert_eq!(
        record(second, Ok(created())).unwrap_err(),
        "volume name already exists on this node"
    );
    let gone = third.volume().id;
    cluster.write(|txn| delete_node(txn, NOW, id(1))).unwrap();
    assert_eq!(
        record(third.clone(), Ok(created())).unwrap_err(),
        format!("host volume {gone} has nonexistent node ID {}", id(1))
    );
    report(&cluster, node(1, &[]));
    let refused = cluster.write(|txn| delete_namespace(txn, "dev")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "namespace \"dev\" contains at least one host volume \"{known}\". All host volumes in \
             namespace must be deleted before it can be deleted"
        )
    );
    let forget = plan_host_delete(&cluster.view(), "dev", &known.to_string(), false).unwrap();
    cluster.write(|txn| record_host_delete(txn, &forget, Ok(()))).unwrap();
    cluster.write(|txn| delete_namespace(txn, "dev")).unwrap();
    assert_eq!(
        record(third, Ok(created())).unwrap_err(),
        format!("host volume {gone} is in nonexistent namespace dev")
    );
}

#[test]
fn a_volume_in_use_is_not_deleted() {
    let cluster = Cluster::empty();
    report(&cluster, node(1, &["disk", "disk[0]"]));
    let volume = create(&cluster, requested("disk")).unwrap();
    let numbered = create(&cluster, requested("disk[0]")).unwrap();
    let text = |volume: &str, force, answer| {
        delete(&cluster, volume, force, answer).unwrap_err().to_string()
    };
    assert_eq!(text("", false, Ok(())), "missing volume ID to delete");
    assert_eq!(text("x", false, Ok(())), "no such volume: x");
    let planned = plan_host_delete(&cluster.view(), "default", &volume.to_string(), true).unwrap();
    using(&cluster, 10, 1, "disk", false);
    using(&cluster, 11, 1, "disk", true);
    assert_eq!(
        text(&volume.to_string(), true, Ok(())),
        format!("volume {volume} in use by allocations: [{}]", id(10))
    );
    assert_eq!(
        text(&numbered.to_string(), true, Ok(())),
        format!("volume {numbered} in use by allocations: [{}]", id(11))
    );
    let late = cluster.write(|txn| record_host_delete(txn, &planned, Ok(()))).unwrap_err();
    assert_eq!(
        late.to_string(),
        format!("could not delete volume {volume} in use by alloc {}", id(10))
    );
    // A desired status of `stop` does not mean that it has ended.
    cluster.allocation(Allocation { desired_status: "stop".into(), ..running(10, 1) });
    assert!(delete(&cluster, &volume.to_string(), false, Ok(())).is_err());
    cluster.allocation(Allocation { client_status: "failed".into(), ..running(10, 1) });
    assert_eq!(delete(&cluster, &volume.to_string().to_uppercase(), false, Ok(())), Ok(true));
    assert_eq!(cluster.write(|txn| record_host_delete(txn, &planned, Ok(()))), Ok(false), "gone");
}

#[test]
fn a_volume_of_a_lost_node_is_only_deleted_by_force() {
    let cluster = Cluster::empty();
    report(&cluster, node(1, &[]));
    let volume = create(&cluster, requested("disk")).unwrap().to_string();
    for lost in [HostProviderError::UnknownNode, HostProviderError::Unreachable] {
        let refused = delete(&cluster, &volume, false, Err(lost)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "volume cannot be removed from unknown node without force=true"
        );
        assert_eq!(refused.class(), ErrorClass::Conflict);
    }
    let failed = HostProviderError::Failed("busy".into());
    let refused = delete(&cluster, &volume, true, Err(failed)).unwrap_err();
    assert_eq!(refused.to_string(), "HostVolume.Delete error: busy");
    assert_eq!(refused.class(), ErrorClass::Provider);
    assert_eq!(delete(&cluster, &volume, true, Err(HostProviderError::Unreachable)), Ok(true));
}

#[test]
fn lists_select_by_namespace_prefix_node_and_pool() {
    let cluster = Cluster::empty();
    report(&cluster, node(1, &[]));
    report(&cluster, with(node(2, &[]), |node| node.node_pool = "dev".into()));
    cluster
        .write(|txn| upsert_namespace(txn, Namespace { name: "prod".into(), ..Default::default() }))
        .unwrap();
    let add = |number: u128, namespace: &str, name: &str, node: u128| {
        let spec = HostVolumeSpec {
            namespace: namespace.into(),
            node_id: id(node).to_string().into(),
            node_pool: Box::default(),
            ..requested(name)
        };
        let fresh = Uuid::from_u128(number << 64);
        let plan = plan_host_create(&cluster.view(), NOW, "default", spec, fresh).unwrap();
        cluster.write(|txn| record_host_volume(txn, plan, Ok(created()))).unwrap();
    };
    add(0xa1, "default", "example", 1);
    add(0xa2, "default", "example[0]", 1);
    add(0xb1, "default", "other", 2);
    add(0xa3, "prod", "example", 2);
    let listed = |query: HostVolumeQuery<'_>| -> String {
        let view = cluster.view();
        let names: Vec<String> = list_host_volumes(&view, &query)
            .map(|volume| format!("{:x}", volume.id.as_u128() >> 64))
            .collect();
        names.join(" ")
    };
    let all = HostVolumeQuery::default();
    let default = HostVolumeQuery { namespace: "default", ..all };
    assert_eq!(listed(all), "a1 a2 b1 a3");
    assert_eq!(listed(HostVolumeQuery { order: Order::Descending, ..all }), "a3 b1 a2 a1");
    assert_eq!(listed(default), "a1 a2 b1");
    assert_eq!(listed(HostVolumeQuery { prefix: "exam", ..default }), "a1 a2");
    assert_eq!(listed(HostVolumeQuery { prefix: "00000000-0000-00B", ..all }), "b1");
    let (first, second) = (
        HexPrefix::parse(&id(1).to_string()).unwrap(),
        HexPrefix::parse(&id(2).to_string()).unwrap(),
    );
    assert_eq!(listed(HostVolumeQuery { node: Some(&first), ..all }), "a1 a2");
    assert_eq!(listed(HostVolumeQuery { node: Some(&second), namespace: "prod", ..all }), "a3");
    assert_eq!(listed(HostVolumeQuery { node_pool: "dev", ..all }), "b1 a3");
    assert_eq!(listed(HostVolumeQuery { node: Some(&first), node_pool: "dev", ..all }), "");
    let from = Some(("default", Uuid::from_u128(0xa2 << 64)));
    assert_eq!(listed(HostVolumeQuery { from, ..all }), "a2 b1 a3");
    assert_eq!(listed(HostVolumeQuery { from, order: Order::Descending, ..all }), "a2 a1");
    assert_eq!(listed(HostVolumeQuery { from, node_pool: POOL, ..all }), "a2");

    let filter = statehold_filter::Filter::<HostVolumeItem>::compile(
        r#"NodePool == "dev" and State == "pending" and CapacityBytes == 150000 and ModifyIndex != 0"#,
    );
    let filter = filter.unwrap();
    let conjuncts = filter.conjuncts();
    let view = cluster.view();
    let items = list_host_volumes(&view, &HostVolumeQuery { conjuncts: &conjuncts, ..all });
    let found = items.map(HostVolumeItem::new).filter(|item| filter.matches(item));
    assert_eq!(
        found.map(|item| item.volume().name.to_string()).collect::<Vec<_>>(),
        ["other", "example"]
    );
}

/// Returns the tables that one more volume of a node writes to, and the size of the node's row in
/// bytes.
fn written_beside(neighbours: u128) -> (Vec<String>, usize) {
    let cluster = Cluster::empty();
    report(&cluster, node(1, &[]));
    for at in 0..=neighbours {
        let spec = HostVolumeSpec { name: format!("v{at:06}").into(), ..requested("") };
        let volume = create(&cluster, spec.clone()).unwrap();
        let reported = NodeHostVolume { name: spec.name, id: Some(volume), ..Default::default() };
        cluster.write(|txn| report_host_volume(txn, NOW, id(1), reported)).unwrap();
    }
    let before = cluster.store.snapshot().index() - 2;
    let feed = cluster.store.changes_since(before).unwrap();
    let changes: Vec<_> = feed.flat_map(|commit| commit.unwrap().changes).collect();
    let node = changes.iter().find_map(|change| change.row(&Nodes::BY_KEY).unwrap()).unwrap();
    let tables = changes.iter().map(|change| change.table().to_owned()).collect();
    (tables, serde_json::to_string(&*node).unwrap().len())
}

#[test]
fn the_size_of_a_write_is_independent_of_its_node() {
    let few = written_beside(2);
    assert_eq!(few.0.len(), 4, "the volume, its report, its state and the node");
    assert_eq!(few, written_beside(300));
}

#[test]
fn a_host_volume_of_a_lost_node_is_held_for_the_grace_period() {
    let cluster = Cluster::empty();
    report(&cluster, node(1, &["disk"]));
    let volume = create(&cluster, requested("disk")).unwrap().to_string();
    let request = VolumeRequest { source: "disk".into(), ..Default::default() };
    let group = TaskGroup { volumes: vec![request], ..Default::default() };
    cluster
        .write(|txn| upsert_allocation(txn, NOW, running(10, 1), Some(group), &mut fresh()))
        .unwrap();
    cluster.write(|txn| delete_node(txn, NOW, id(1))).unwrap();
    let refused = delete(&cluster, &volume, true, Ok(())).unwrap_err().to_string();
    assert!(
        refused.contains("in use by allocations") && refused.contains("lost after"),
        "{refused}"
    );
    cluster.write(|txn| mark_lost_allocations(txn, NOW, std::time::Duration::ZERO)).unwrap();
    let unknown = Err(HostProviderError::UnknownNode);
    assert_eq!(delete(&cluster, &volume, true, unknown), Ok(true));
}
