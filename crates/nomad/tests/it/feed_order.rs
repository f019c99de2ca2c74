//! Volumes stay in use in whichever order a client writes and deletes jobs and their allocations.
//! Method: the same rows in each order, in a store in memory.

use crate::common::*;
use statehold_nomad::*;
use statehold_store::ReadView;
use uuid::Uuid;

const DISK: Uuid = Uuid::from_u128(0xd15c);

fn volume_request(source: &str, kind: RequestKind) -> VolumeRequest {
    VolumeRequest { source: source.into(), kind, sticky: true, ..Default::default() }
}

fn group(name: &str, source: &str) -> TaskGroup {
    TaskGroup {
        name: name.into(),
        count: 1,
        volumes: vec![
            volume_request(source, RequestKind::Host),
            volume_request("v", RequestKind::Csi),
        ],
        plugins: vec![TaskPlugin { id: "other".into(), kind: PluginKind::Node }],
    }
}

fn job(groups: Vec<TaskGroup>) -> Job {
    Job { id: "job".into(), kind: "service".into(), groups, ..Default::default() }
}

/// Creates node 2 with the host volume `disk`, and the CSI volume `v`.
fn cluster() -> Cluster {
    let cluster = Cluster::with_plugin();
    cluster.register(spec("v")).unwrap();
    let mut node = Node::clone(cluster.view().get::<Nodes>(id(2)).unwrap());
    node.attributes.insert("plugins.host_volume.mkdir.version".into(), "0.0.1".into());
    cluster.write(|txn| upsert_node(txn, NOW, node)).unwrap();
    let spec = HostVolumeSpec {
        name: "disk".into(),
        node_id: id(2).to_string().into(),
        ..Default::default()
    };
    let plan = plan_host_create(&cluster.view(), NOW, "default", spec, DISK).unwrap();
    let made = CreatedHostVolume { host_path: "/x".into(), capacity: 1 };
    cluster.write(|txn| record_host_volume(txn, plan, Ok(made))).unwrap();
    let reported = NodeHostVolume { name: "disk".into(), id: Some(DISK), ..Default::default() };
    cluster.write(|txn| report_host_volume(txn, NOW, id(2), reported)).unwrap();
    cluster
}

fn feed_job(cluster: &Cluster, groups: Vec<TaskGroup>) {
    cluster.write(|txn| upsert_job(txn, NOW, job(groups), &mut fresh())).unwrap();
}

fn delete_job_of(cluster: &Cluster) {
    cluster.write(|txn| delete_job(txn, NOW, "default", "job")).unwrap();
}

/// Returns the number of allocations that use the host volume, as its view shows them. Deleting it
/// MUST fail if there are any.
fn users(cluster: &Cluster) -> usize {
    let view = cluster.view();
    let entry = view.get::<HostVolumes>(("default", DISK)).unwrap();
    let json = serde_json::to_value(HostVolumeView::new(&view, entry)).unwrap();
    let shown = json["Allocations"].as_array().unwrap().len();
    let planned = plan_host_delete(&view, "default", &DISK.to_string(), true);
    assert_eq!(planned.is_err(), shown > 0, "{planned:?}");
    shown
}

fn allocation(cluster: &Cluster, number: u128) -> Option<Allocation> {
    cluster.view().get::<Allocations>(id(number)).map(|row| Allocation::clone(row))
}

fn sticky(cluster: &Cluster) -> Vec<Uuid> {
    let view = cluster.view();
    let query = TaskGroupClaimQuery::default();
    list_task_group_claims(&view, &query).map(|claim| claim.alloc_id).collect()
}

#[test]
fn jobs_and_allocations_may_be_written_in_either_order() {
    let results = [false, true].map(|job_first| {
        let cluster = cluster();
        if job_first {
            feed_job(&cluster, vec![group("group", "disk")]);
        }
        cluster.allocation(running(10, 2));
        if !job_first {
            feed_job(&cluster, vec![group("group", "disk")]);
        }
        assert_eq!(users(&cluster), 1);
        let prefix = statehold_store::HexPrefix::parse(&id(2).to_string()).unwrap();
        let listed = cluster.listed(&VolumeQuery { node: Some(&prefix), ..all_of("*") });
        assert_eq!(listed, ["default/v"], "CSI volumes of the node");
        (allocation(&cluster, 10).unwrap(), sticky(&cluster))
    });
    assert_eq!(results[0], results[1]);
    assert_eq!((&*results[0].0.job_type, &results[0].1), ("service", &vec![id(10)]));
}

#[test]
fn a_group_that_arrives_later_completes_its_own_allocations() {
    let cluster = cluster();
    feed_job(&cluster, vec![TaskGroup { name: "group".into(), ..Default::default() }]);
    cluster.allocation(running(10, 2));
    let other = Allocation { task_group: "other".into(), ..running(11, 2) };
    cluster.allocation(Allocation { job_id: "else".into(), ..other.clone() });
    cluster.allocation(Allocation { id: id(12), ..other });
    feed_job(&cluster, vec![group("group", "disk"), group("other", "disk")]);
    assert_eq!(users(&cluster), 1, "allocation 10's version requested nothing");
    assert!(allocation(&cluster, 11).unwrap().volumes.is_empty(), "of another job");
    let before = cluster.view().index();
    feed_job(&cluster, vec![group("group", "disk"), group("other", "elsewhere")]);
    assert_eq!(users(&cluster), 1, "a running allocation keeps the volumes that it has");
    let view = cluster.view();
    let touched = (10..13)
        .filter(|number| view.get::<Allocations>(id(*number)).unwrap().modify_index() > before);
    assert_eq!(touched.count(), 0, "no allocation is written for known groups");
}

#[test]
fn a_job_that_completes_allocations_wakes_volume_readers() {
    let cluster = cluster();
    cluster.allocation(running(10, 2));
    let read = |view: &statehold_store::Tracked| {
        let entry = view.get::<HostVolumes>(("default", DISK)).unwrap();
        serde_json::to_value(HostVolumeView::new(view, entry)).unwrap()
    };
    assert!(is_woken(&cluster, read, |it| feed_job(it, vec![group("group", "disk")])));
    let other = Allocation { job_id: "else".into(), ..running(11, 3) };
    cluster.allocation(other);
    assert!(!is_woken(&cluster, read, |it| {
        let groups = vec![group("group", "disk")];
        let job = Job { id: "else".into(), ..job(groups) };
        it.write(|txn| upsert_job(txn, NOW, job, &mut fresh())).unwrap();
    }));
}

#[test]
fn completed_allocations_that_ended_claim_nothing() {
    let cluster = cluster();
    cluster.allocation(running(10, 2));
    cluster.allocation(Allocation { client_status: "complete".into(), ..running(11, 2) });
    feed_job(&cluster, vec![group("group", "disk")]);
    assert_eq!((users(&cluster), sticky(&cluster)), (1, vec![id(10)]));
}

#[test]
fn volumes_stay_in_use_after_the_job_is_deleted() {
    let cluster = cluster();
    feed_job(&cluster, vec![group("group", "disk")]);
    cluster.allocation(running(10, 2));
    cluster.allocation(Allocation { client_status: "complete".into(), ..running(11, 2) });
    cluster.claim("v", taken(10, ClaimMode::Write)).unwrap();
    delete_job_of(&cluster);
    assert_eq!(users(&cluster), 1);
    assert_eq!(allocation(&cluster, 11), None, "an allocation that ended goes with its job");
    assert_eq!(overdue_releases(&cluster.view()), [], "the claim is not released under its holder");
    for force in [false, true] {
        assert!(cluster.deregister("v", force).is_err(), "force: {force}");
    }
    // A client still writes the allocation under its job's name, and the job may be registered
    // again.
    cluster.allocation(running(10, 2));
    assert_eq!(users(&cluster), 1);
    feed_job(&cluster, vec![group("group", "elsewhere")]);
    assert_eq!(users(&cluster), 1);
    delete_job_of(&cluster);
    cluster.allocation(Allocation { client_status: "complete".into(), ..running(10, 2) });
    assert_eq!((users(&cluster), overdue_releases(&cluster.view()).len()), (0, 1));
}
