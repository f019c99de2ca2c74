//! Random sequences of operations on host volumes and sticky claims, checked after each step.
//!
//! The model records the last report of each node, the volumes that were ever reported, and the
//! allocation that was placed last on each sticky volume. The rows MUST follow from that.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::*;
use proptest::prelude::*;
use statehold_nomad::*;
use statehold_store::{KeyRange, Order, ReadView, Table as _};
use uuid::Uuid;

const NAMES: [&str; 2] = ["disk", "disk[0]"];
const JOBS: [&str; 2] = ["a", "b"];
const POOLS: [&str; 2] = ["default", "prod"];
const STATUSES: [&str; 4] =
    [node_status::READY, node_status::DOWN, node_status::DISCONNECTED, node_status::INITIALIZING];
const CLIENT: [&str; 3] = ["running", "complete", "lost"];

#[derive(Clone, Copy, Debug)]
enum Op {
    Report { node: u128, names: usize, pool: usize, status: usize, takes_along: bool },
    Leave { node: u128 },
    Create { name: usize, node: Option<u128>, answers: bool },
    CreateAgain { volume: usize, max: i64 },
    Delete { volume: usize, force: bool, reachable: bool },
    Place { allocation: u128, node: u128, job: usize, client: usize, per_alloc: bool, sticky: bool },
    Forget { allocation: u128 },
    Purge { job: usize },
    DeleteClaim { claim: usize },
}

fn op() -> impl Strategy<Value = Op> {
    let (node, allocation) = (1..4_u128, 10..14_u128);
    let status = prop_oneof![5 => Just(0_usize), 1 => 1..4_usize];
    prop_oneof![
        6 => (node.clone(), 0..4_usize, 0..2_usize, status, prop::bool::weighted(0.3)).prop_map(
            |(node, names, pool, status, takes_along)| Op::Report {
                node, names, pool, status, takes_along
            }
        ),
        2 => node.clone().prop_map(|node| Op::Leave { node }),
        6 => (0..2_usize, prop::option::of(node.clone()), prop::bool::weighted(0.9)).prop_map(
            |(name, node, answers)| Op::Create { name, node, answers }
        ),
        1 => (0..4_usize, 0..300_i64).prop_map(|(volume, max)| Op::CreateAgain { volume, max }),
        3 => (0..4_usize, any::<bool>(), prop::bool::weighted(0.7)).prop_map(
            |(volume, force, reachable)| Op::Delete { volume, force, reachable }
        ),
        6 => (allocation.clone(), node, 0..2_usize, 0..3_usize, any::<bool>(), any::<bool>()).prop_map(
            |(allocation, node, job, client, per_alloc, sticky)| Op::Place {
                allocation, node, job, client, per_alloc, sticky
            }
        ),
        2 => allocation.prop_map(|allocation| Op::Forget { allocation }),
        1 => (0..2_usize).prop_map(|job| Op::Purge { job }),
        1 => (0..4_usize).prop_map(|claim| Op::DeleteClaim { claim }),
    ]
}

#[derive(Debug, Default)]
struct Model {
    /// Volumes that were ready at least once.
    seen: BTreeSet<Uuid>,
    /// The allocation that was placed last, by job and volume.
    last: BTreeMap<(String, Uuid), Uuid>,
}

/// Returns the ID of the volume that a node reports under a name, the same each time.
fn reported_id(node: u128, name: &str) -> Uuid {
    id(0x1000 + node * 16 + name.len() as u128)
}

fn volumes(cluster: &Cluster) -> Vec<HostVolume> {
    let view = cluster.view();
    let all = KeyRange::<(String, Uuid)>::all();
    view.scan::<HostVolumes>(&all, Order::Ascending).map(|row| HostVolume::clone(row)).collect()
}

fn claims(cluster: &Cluster) -> Vec<TaskGroupClaim> {
    let view = cluster.view();
    let all = list_task_group_claims(&view, &TaskGroupClaimQuery::default());
    all.map(|row| TaskGroupClaim::clone(row)).collect()
}

/// Returns the allocations that use the volume, computed from all allocations.
fn users(cluster: &Cluster, volume: &HostVolume) -> Vec<Uuid> {
    let view = cluster.view();
    let rows = (10..14).filter_map(|number| view.get::<Allocations>(id(number)));
    let uses = |row: &Allocation| {
        let suffix = if row.volumes[0].per_alloc { "[0]" } else { "" };
        &*row.client_status == "running"
            && row.node_id == Some(volume.node_id)
            && format!("{}{suffix}", row.volumes[0].source) == *volume.name
    };
    rows.filter(|row| uses(row)).map(|row| row.id).collect()
}

fn report(cluster: &Cluster, model: &mut Model, op: Op) {
    match op {
        Op::Report { node, names, pool, status, takes_along } => {
            let named = NAMES.iter().enumerate().filter(|(at, _)| names & (1 << at) != 0);
            let has = |name: &str| NodeHostVolume {
                name: name.into(),
                id: Some(reported_id(node, name)),
                ..Default::default()
            };
            let row = Node {
                id: id(node),
                node_pool: POOLS[pool].into(),
                status: STATUSES[status].into(),
                gc_volumes_on_node_gc: takes_along,
                attributes: [("plugins.host_volume.mkdir.version".into(), "1".into())].into(),
                ..Default::default()
            };
            let host_volumes = named.map(|(_, name)| ((*name).into(), has(name))).collect();
            let report = NodeReport { node: row, host_volumes };
            cluster.write(|txn| report_node(txn, NOW, report)).unwrap();
        }
        Op::Leave { node } => {
            let row = cluster.view().get::<Nodes>(id(node)).cloned();
            let on_node: Vec<HostVolume> =
                volumes(cluster).into_iter().filter(|volume| volume.node_id == id(node)).collect();
            let used = on_node.iter().any(|volume| !users(cluster, volume).is_empty());
            let left = cluster.write(|txn| delete_node(txn, NOW, id(node)));
            let Some(row) = row else { return assert!(left.is_err()) };
            let stays = row.gc_volumes_on_node_gc && used;
            assert_eq!(
                left.is_err(),
                stays,
                "a node with a used volume cannot be deleted with its volumes"
            );
            let left_over = volumes(cluster).iter().filter(|row| row.node_id == id(node)).count();
            let gone = row.gc_volumes_on_node_gc && !used;
            assert_eq!(left_over, if gone { 0 } else { on_node.len() });
        }
        Op::Place { allocation, node, job, client, per_alloc, sticky } => {
            let request =
                VolumeRequest { source: "disk".into(), per_alloc, sticky, ..Default::default() };
            let group = TaskGroup { volumes: vec![request], ..Default::default() };
            let row = Allocation {
                job_id: JOBS[job].into(),
                client_status: CLIENT[client].into(),
                ..running(allocation, node)
            };
            let view = cluster.view();
            let is_new = view.get::<Allocations>(id(allocation)).is_none();
            let there = view.get::<ReportedHostVolumes>((id(node), "disk")).map(|row| &row.volume);
            if let Some(volume) = there.filter(|_| is_new && sticky) {
                model.last.insert((JOBS[job].into(), volume.id.unwrap()), id(allocation));
            }
            cluster
                .write(|txn| upsert_allocation(txn, NOW, row, Some(group), &mut fresh()))
                .unwrap();
        }
        Op::Forget { allocation } => {
            cluster.write(|txn| delete_allocation(txn, NOW, id(allocation))).unwrap();
        }
        Op::Purge { job } => {
            let row = Job { id: JOBS[job].into(), ..Default::default() };
            cluster.write(|txn| upsert_job(txn, NOW, row, &mut fresh())).unwrap();
            cluster.write(|txn| delete_job(txn, NOW, "default", JOBS[job])).unwrap();
            model.last.retain(|(owner, _), _| owner != JOBS[job]);
        }
        _ => {}
    }
}

fn request(cluster: &Cluster, model: &mut Model, op: Op) {
    match op {
        Op::Create { name, node, answers } => {
            let spec = HostVolumeSpec {
                name: NAMES[name].into(),
                node_id: node.map(|node| id(node).to_string().into()).unwrap_or_default(),
                ..Default::default()
            };
            let plan = plan_host_create(&cluster.view(), NOW, "default", spec, fresh()());
            let Ok(plan) = plan else { return };
            let before = volumes(cluster).len();
            let made = || CreatedHostVolume { host_path: "/x".into(), capacity: 100 };
            let answer = answers.then(made).ok_or_else(|| HostProviderError::Failed("no".into()));
            let recorded = cluster.write(|txn| record_host_volume(txn, plan, answer)).is_ok();
            assert!(answers || !recorded, "a failed node creates nothing");
            assert_eq!(volumes(cluster).len(), before + usize::from(recorded));
        }
        Op::CreateAgain { volume, max } => {
            let Some(known) = volumes(cluster).into_iter().nth(volume) else { return };
            let spec = HostVolumeSpec {
                id: known.id.to_string().into(),
                name: known.name.clone(),
                requested_capacity_max: max,
                ..Default::default()
            };
            let plan = plan_host_create(&cluster.view(), NOW + 1, "default", spec, fresh()());
            let used = !users(cluster, &known).is_empty();
            let fits = max == 0 || max >= known.capacity;
            let here = cluster.view().get::<Nodes>(known.node_id).is_some();
            assert_eq!(plan.is_ok(), !used && fits && here, "{plan:?}");
            let Ok(plan) = plan else { return };
            let made = CreatedHostVolume { host_path: "/y".into(), capacity: 100 };
            cluster.write(|txn| record_host_volume(txn, plan, Ok(made))).unwrap();
            let view = cluster.view();
            let row = view.get::<HostVolumes>(("default", known.id)).unwrap();
            assert_eq!((row.create_time, row.node_id), (known.create_time, known.node_id));
            // It is to be created anew, so earlier reports do not count.
            if row.state != HostVolumeState::Ready {
                model.seen.remove(&known.id);
            }
        }
        Op::Delete { volume, force, reachable } => {
            let Some(known) = volumes(cluster).into_iter().nth(volume) else { return };
            let used = !users(cluster, &known).is_empty();
            let plan = plan_host_delete(&cluster.view(), "default", &known.id.to_string(), force);
            assert_eq!(plan.is_err(), used, "a volume in use is not deleted");
            let Ok(plan) = plan else { return };
            let answer = reachable.then_some(()).ok_or(HostProviderError::Unreachable);
            let done = cluster.write(|txn| record_host_delete(txn, &plan, answer)).is_ok();
            assert_eq!(done, reachable || force);
            assert_eq!(cluster.view().get::<HostVolumes>(("default", known.id)).is_none(), done);
        }
        Op::DeleteClaim { claim } => {
            let Some(claim) = claims(cluster).into_iter().nth(claim) else { return };
            cluster.write(|txn| delete_group_claim(txn, "default", claim.id)).unwrap();
            model.last.remove(&(claim.job_id.to_string(), claim.volume_id));
        }
        _ => {}
    }
}

fn check(cluster: &Cluster, model: &mut Model) {
    let view = cluster.view();
    let mut names = BTreeSet::new();
    for volume in volumes(cluster) {
        assert!(names.insert((volume.node_id, volume.name.clone())), "names are unique on a node");
        let node = view.get::<Nodes>(volume.node_id);
        let reported = ReportedHostVolumes::BY_KEY.contains(&view, (volume.node_id, &*volume.name));
        let status = node.map_or("", |node| &*node.status);
        match (reported, status) {
            (true, "ready") => {
                assert_eq!(volume.state, HostVolumeState::Ready);
                model.seen.insert(volume.id);
            }
            (true, "down") => {
                assert_eq!(volume.state, HostVolumeState::Unavailable);
                model.seen.insert(volume.id);
            }
            (true, _) => {}
            (false, _) => {
                let seen = model.seen.contains(&volume.id);
                let expected =
                    if seen { HostVolumeState::Unavailable } else { HostVolumeState::Pending };
                assert_eq!(volume.state, expected, "not reported");
            }
        }
        if let Some(node) = node {
            assert_eq!(volume.node_pool, node.node_pool);
        }
        let entry = view.get::<HostVolumes>(("default", volume.id)).unwrap();
        let json = serde_json::to_value(HostVolumeView::new(&view, entry)).unwrap();
        let shown = json["Allocations"].as_array().unwrap().len();
        assert_eq!(shown, users(cluster, &volume).len());
    }
    let claims = claims(cluster);
    let ids: BTreeSet<Uuid> = claims.iter().map(|claim| claim.id).collect();
    assert_eq!(ids.len(), claims.len(), "IDs are unique");
    let held: BTreeMap<(String, Uuid), Uuid> = claims
        .iter()
        .map(|claim| ((claim.job_id.to_string(), claim.volume_id), claim.alloc_id))
        .collect();
    assert_eq!(
        held, model.last,
        "one claim per job and volume, held by the last allocation placed"
    );
    assert_eq!(held.len(), claims.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn host_volumes_and_sticky_claims_match_the_model(
        ops in prop::collection::vec(op(), 1..60)
    ) {
        let cluster = Cluster::empty();
        let mut model = Model::default();
        for op in ops {
            report(&cluster, &mut model, op);
            request(&cluster, &mut model, op);
            check(&cluster, &mut model);
        }
    }
}
