//! Random sequences of operations, checked after each step against the granted claims.
//!
//! The model has no state machine: it records which claims were granted and which were released,
//! and the last reports of nodes and jobs. Everything else that the crate returns MUST follow from
//! that.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicI64, Ordering},
};

use crate::common::{
    provider::{Disks, everything},
    *,
};
use proptest::prelude::*;
use statehold_nomad::{provider::ProviderErrorKind, *};
use statehold_store::{HexPrefix, ReadView};

const VOLUMES: [&str; 2] = ["v1", "v2"];
const ACCESS: [&str; 5] = [
    access_mode::SINGLE_NODE_READER,
    access_mode::SINGLE_NODE_WRITER,
    access_mode::MULTI_NODE_READER,
    access_mode::MULTI_NODE_SINGLE_WRITER,
    access_mode::MULTI_NODE_MULTI_WRITER,
];
const DESIRED: [&str; 2] = ["run", "stop"];
const CLIENT: [&str; 4] = ["pending", "running", "complete", "lost"];

#[derive(Clone, Copy, Debug)]
enum Op {
    Allocate { allocation: u128, node: u128, desired: usize, client: usize, asks: bool },
    Forget { allocation: u128 },
    Claim { volume: usize, allocation: u128, mode: ClaimMode, access: usize, state: ClaimState },
    Unpublish { volume: usize, allocation: u128, state: ClaimState },
    Register { volume: usize },
    Deregister { volume: usize, force: bool },
    Report { node: u128, controller: Option<bool>, plugin: Option<bool> },
    Leave { node: u128 },
    Job { system: bool, count: u64, over: bool },
    Purge,
    Create { volume: usize, grow: i64 },
    Delete { volume: usize, fails: bool },
    Detach { volume: usize, node: u128 },
    Watch { fails: bool },
    Begin,
    Finish,
}

fn mode() -> impl Strategy<Value = ClaimMode> {
    prop_oneof![4 => Just(ClaimMode::Read), 4 => Just(ClaimMode::Write), 1 => Just(ClaimMode::Gc)]
}

fn state() -> impl Strategy<Value = ClaimState> {
    prop_oneof![
        8 => Just(ClaimState::Taken),
        1 => Just(ClaimState::Unpublishing),
        1 => Just(ClaimState::NodeDetached),
        1 => Just(ClaimState::ControllerDetached),
        2 => Just(ClaimState::ReadyToFree),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let allocation = 10..14_u128;
    let node = 1..4_u128;
    let fingerprint = prop_oneof![1 => Just(None), 1 => Just(Some(false)), 3 => Just(Some(true))];
    prop_oneof![
        6 => (allocation.clone(), node.clone(), 0..2_usize, 0..4_usize, any::<bool>()).prop_map(
            |(allocation, node, desired, client, asks)| Op::Allocate {
                allocation, node, desired, client, asks
            }
        ),
        1 => allocation.clone().prop_map(|allocation| Op::Forget { allocation }),
        14 => (0..2_usize, allocation.clone(), mode(), 0..5_usize, state()).prop_map(
            |(volume, allocation, mode, access, state)| Op::Claim {
                volume, allocation, mode, access, state
            }
        ),
        3 => (0..2_usize, allocation, state()).prop_map(
            |(volume, allocation, state)| Op::Unpublish { volume, allocation, state }
        ),
        3 => (0..2_usize).prop_map(|volume| Op::Register { volume }),
        2 => (0..2_usize, any::<bool>()).prop_map(|(volume, force)| Op::Deregister { volume, force }),
        3 => (node.clone(), fingerprint.clone(), fingerprint).prop_map(
            |(node, controller, plugin)| Op::Report { node, controller, plugin }
        ),
        1 => node.prop_map(|node| Op::Leave { node }),
        1 => (any::<bool>(), 0..3_u64, prop::bool::weighted(0.2)).prop_map(
            |(system, count, over)| Op::Job { system, count, over }
        ),
        1 => Just(Op::Purge),
        2 => (0..2_usize, 0..3_i64).prop_map(|(volume, grow)| Op::Create { volume, grow }),
        2 => (0..2_usize, prop::bool::weighted(0.3)).prop_map(
            |(volume, fails)| Op::Delete { volume, fails }
        ),
        2 => (0..2_usize, 1..4_u128).prop_map(|(volume, node)| Op::Detach { volume, node }),
        3 => prop::bool::weighted(0.3).prop_map(|fails| Op::Watch { fails }),
        2 => Just(Op::Begin),
        2 => Just(Op::Finish),
    ]
}

/// The claims that were granted and not released, by volume and allocation: true for a writer.
type GrantedClaims = BTreeMap<&'static str, BTreeMap<u128, bool>>;

fn volume_spec(volume: &str) -> VolumeSpec {
    VolumeSpec {
        name: volume.into(),
        requested_capabilities: ACCESS.map(capability).to_vec(),
        ..spec(volume)
    }
}

/// Returns the report of a node that runs the given roles of the plugin.
fn fingerprints(node: u128, control: Option<bool>, plugin: Option<bool>) -> Node {
    let mut row = Node { id: id(node), ..Default::default() };
    if let Some(healthy) = control {
        let known = controller(PLUGIN, true);
        let info = PluginInfo { healthy, controller: Some(everything()), ..known };
        row.controller_plugins.insert(PLUGIN.into(), info);
    }
    if let Some(healthy) = plugin {
        let info = PluginInfo { healthy, ..node_plugin(PLUGIN, true, &format!("i-{node}")) };
        row.node_plugins.insert(PLUGIN.into(), info);
    }
    row
}

fn claim_request(
    allocation: u128,
    mode: ClaimMode,
    access: &str,
    state: ClaimState,
) -> ClaimRequest {
    ClaimRequest { access_mode: access.into(), state, ..taken(allocation, mode) }
}

/// Claims at a distinct time.
fn claim_now(cluster: &Cluster, volume: &str, request: ClaimRequest) -> Result<(), ClaimError> {
    static CLOCK: AtomicI64 = AtomicI64::new(NOW);
    let now = CLOCK.fetch_add(1, Ordering::Relaxed);
    cluster.write(|txn| claim(txn, now, "default", volume, request))
}

fn is_live(cluster: &Cluster, allocation: u128) -> bool {
    let view = cluster.view();
    view.get::<Allocations>(id(allocation)).is_some_and(|row| !row.is_terminal())
}

/// Applies a report of the orchestrator.
fn report(cluster: &Cluster, op: Op) {
    match op {
        Op::Allocate { allocation, node, desired, client, asks } => {
            let request = VolumeRequest {
                kind: RequestKind::Csi,
                source: VOLUMES[0].into(),
                ..Default::default()
            };
            let task = TaskPlugin { id: PLUGIN.into(), kind: PluginKind::Node };
            let group = TaskGroup {
                volumes: if asks { vec![request] } else { Vec::new() },
                plugins: vec![task],
                ..Default::default()
            };
            let row = Allocation {
                desired_status: DESIRED[desired].into(),
                client_status: CLIENT[client].into(),
                ..running(allocation, node)
            };
            cluster
                .write(|txn| upsert_allocation(txn, NOW, row, Some(group), &mut fresh()))
                .unwrap();
        }
        Op::Forget { allocation } => {
            cluster.write(|txn| delete_allocation(txn, NOW, id(allocation))).unwrap();
        }
        Op::Report { node, controller: control, plugin } => {
            let row = fingerprints(node, control, plugin);
            cluster.write(|txn| upsert_node(txn, NOW, row)).unwrap();
        }
        Op::Leave { node } => {
            let _ = cluster.write(|txn| delete_node(txn, NOW, id(node)));
        }
        Op::Job { system, count, over } => {
            let task = TaskPlugin { id: PLUGIN.into(), kind: PluginKind::Node };
            let group = TaskGroup {
                name: "group".into(),
                count,
                plugins: vec![task],
                ..Default::default()
            };
            let job = Job {
                id: "job".into(),
                kind: if system { "system" } else { "service" }.into(),
                status: if over { "dead" } else { "running" }.into(),
                groups: vec![group],
                ..Default::default()
            };
            cluster.write(|txn| upsert_job(txn, NOW, job, &mut fresh())).unwrap();
        }
        Op::Purge => {
            let _ = cluster.write(|txn| delete_job(txn, NOW, "default", "job"));
        }
        _ => {}
    }
}

/// Applies a request about a volume.
fn request(cluster: &Cluster, held: &mut GrantedClaims, op: Op) {
    match op {
        Op::Claim { volume, allocation, mode, access, state } => {
            let name = VOLUMES[volume];
            let before = cluster.volume(name);
            let request = claim_request(allocation, mode, ACCESS[access], state);
            let granted = claim_now(cluster, name, request.clone()).is_ok();
            let Some(holders) = held.get_mut(name) else {
                assert!(!granted, "a claim on a volume that does not exist");
                return;
            };
            let writes = mode == ClaimMode::Write;
            let is_new = state == ClaimState::Taken && mode != ClaimMode::Gc;
            if granted && is_new && holders.get(&allocation) == Some(&writes) {
                let (before, after) = (before.unwrap(), cluster.volume(name).unwrap());
                assert_eq!(before.read_claims.len(), after.read_claims.len());
                assert_eq!(before.access_mode, after.access_mode);
            }
            if granted && is_new {
                holders.insert(allocation, writes);
                // The first repetition may record the end of the allocation; then nothing changes.
                let over = |row: &Allocation| row.is_client_terminal();
                let view = cluster.view();
                if !view.get::<Allocations>(id(allocation)).is_none_or(|row| over(row)) {
                    let past =
                        cluster.volume(name).unwrap().past_claims.contains_key(&id(allocation));
                    assert!(!past, "a granted claim is not being released");
                }
                let granted = cluster.volume(name).unwrap();
                claim_now(cluster, name, request.clone()).expect("the same claim again");
                let again = cluster.volume(name).unwrap();
                assert_eq!(granted.read_claims, again.read_claims);
                assert_eq!(granted.write_claims, again.write_claims);
                claim_now(cluster, name, request).expect("the same claim once more");
                let index = cluster.volume(name).unwrap().modify_index();
                assert_eq!(index, again.modify_index(), "a repeated claim");
            } else if granted && state == ClaimState::ReadyToFree {
                holders.remove(&allocation);
            }
        }
        Op::Unpublish { volume, allocation, state } => {
            let name = VOLUMES[volume];
            let request = released(allocation, state);
            let done = cluster.write(|txn| unpublish(txn, NOW, "default", name, request));
            assert_eq!(done.is_ok(), held.contains_key(name));
            if done == Ok(UnpublishOutcome::Released) {
                held.entry(name).or_default().remove(&allocation);
            }
        }
        Op::Register { volume } => {
            let registered = cluster.register(volume_spec(VOLUMES[volume])).is_ok();
            if registered {
                held.entry(VOLUMES[volume]).or_default();
            }
        }
        Op::Deregister { volume, force } => {
            let name = VOLUMES[volume];
            let holders = held.get(name).cloned();
            let done = cluster.deregister(name, force).is_ok();
            let free = holders.is_some_and(|holders| {
                if force {
                    !holders.keys().any(|allocation| is_live(cluster, *allocation))
                } else {
                    holders.is_empty()
                }
            });
            assert_eq!(done, free, "deregistration of {name}");
            if done {
                held.remove(name);
            }
        }
        _ => {}
    }
}

/// Runs releases as far as possible; a released claim is no longer held.
fn release(
    cluster: &Cluster,
    held: &mut GrantedClaims,
    disks: &Disks,
    releases: &[PendingRelease],
) -> bool {
    let providers = disks.providers(PLUGIN);
    let mut all = true;
    for release in releases {
        let answer = detach_with_provider(&cluster.view(), &providers, release);
        let done = cluster.write(|txn| record_release(txn, NOW + 2, release, &answer)).unwrap();
        assert_eq!(done == ReleaseOutcome::Released, answer.is_ok(), "{done:?}");
        all &= answer.is_ok();
        if answer.is_ok() {
            let allocation = release.claim().allocation_id.as_u128();
            held.get_mut(&*release.volume().id).unwrap().remove(&allocation);
        }
    }
    all
}

/// Planned releases whose results have not been recorded yet.
type PendingResults = Vec<(PendingRelease, Result<(), ReleaseBlocker>)>;

/// Plans releases and records them later: a claim that was taken anew meanwhile stays.
fn delay(
    cluster: &Cluster,
    held: &mut GrantedClaims,
    disks: &Disks,
    late: &mut PendingResults,
    op: Op,
) {
    match op {
        Op::Begin => {
            let (view, providers) = (cluster.view(), disks.providers(PLUGIN));
            for release in overdue_releases(&view) {
                let answer = detach_with_provider(&view, &providers, &release);
                late.push((release, answer));
            }
        }
        Op::Finish => {
            for (release, answer) in late.drain(..) {
                let (name, old) = (&*release.volume().id, release.claim());
                let before = cluster.volume(name);
                let done =
                    cluster.write(|txn| record_release(txn, NOW, &release, &answer)).unwrap();
                let now = before.as_ref().and_then(|row| {
                    row.active_claims().find(|claim| claim.allocation_id == old.allocation_id)
                });
                match now {
                    Some(claim) if claim.since == old.since => {
                        assert_eq!(done == ReleaseOutcome::Released, answer.is_ok());
                    }
                    _ => {
                        assert_eq!(done, ReleaseOutcome::Superseded, "a different claim, or none");
                        assert_eq!(cluster.volume(name), before);
                    }
                }
                if done == ReleaseOutcome::Released {
                    held.get_mut(name).unwrap().remove(&old.allocation_id.as_u128());
                }
            }
        }
        _ => {}
    }
}

/// Applies an operation that calls the provider.
fn provide(cluster: &Cluster, held: &mut GrantedClaims, disks: &Disks, op: Op) {
    let failure = |fails: bool| fails.then_some(ProviderErrorKind::Unavailable);
    match op {
        Op::Create { volume, grow } => {
            let name = VOLUMES[volume];
            let spec = VolumeSpec {
                external_id: Box::default(),
                requested_capacity_min: grow * 100,
                ..volume_spec(name)
            };
            let provided = create_with_provider(
                &cluster.view(),
                &disks.providers(PLUGIN),
                "default",
                vec![spec],
            );
            let Ok(provided) = provided else { return };
            cluster.write(|txn| record_volumes(txn, NOW, &provided)).unwrap();
            if provided.failures().is_ok() {
                held.entry(name).or_default();
            }
        }
        Op::Delete { volume, fails } => {
            let name = VOLUMES[volume];
            disks.fail(failure(fails));
            let (view, none) = (cluster.view(), Secrets::default());
            let external = cluster.volume(name).map(|row| row.external_id.to_string());
            let provided =
                delete_with_provider(&view, &disks.providers(PLUGIN), "default", &[name], &none);
            disks.fail(None);
            if provided.is_ok() {
                assert_eq!(held.get(name).map(BTreeMap::len), Some(0), "in use");
                assert!(!fails && !disks.state().volumes.contains_key(&external.unwrap()));
                cluster.deregister(name, false).unwrap();
                held.remove(name);
            }
        }
        Op::Detach { volume, node } => {
            let name = VOLUMES[volume];
            let row = cluster.volume(name);
            let planned = plan_detach(&cluster.view(), "default", name, id(node));
            let Some(row) = row else { return assert_eq!(planned, Err(DetachError::NoVolume)) };
            let here = |claim: &&Claim| claim.node_id == Some(id(node));
            let mut active = row.active_claims().filter(here);
            let live = active.any(|claim| is_live(cluster, claim.allocation_id.as_u128()));
            assert_eq!(planned.is_err(), live, "a live allocation keeps the volume");
            let Ok(releases) = planned else { return };
            if release(cluster, held, disks, &releases) {
                let row = cluster.volume(name).unwrap();
                assert_eq!(row.active_claims().chain(row.past_claims.values()).find(here), None);
            }
        }
        Op::Watch { fails } => {
            // The plugin is healthy everywhere, because the release would wait for it otherwise.
            for node in 1..4 {
                let row = fingerprints(node, Some(true), Some(true));
                cluster.write(|txn| upsert_node(txn, NOW, row)).unwrap();
            }
            disks.fail(failure(fails));
            let releases = overdue_releases(&cluster.view());
            release(cluster, held, disks, &releases);
            disks.fail(None);
            if fails {
                return;
            }
            let view = cluster.view();
            for row in VOLUMES.into_iter().filter_map(|name| cluster.volume(name)) {
                for claim in row.active_claims().chain(row.past_claims.values()) {
                    let allocation = view.get::<Allocations>(claim.allocation_id);
                    let over = allocation.is_none_or(|allocation| allocation.is_client_terminal());
                    assert!(!over, "a claim survived its owner: {claim:?}");
                }
            }
        }
        _ => {}
    }
}

/// Checks that every volume created at the provider exists there as long as its row does.
fn check_provider(cluster: &Cluster, disks: &Disks) {
    for row in VOLUMES.into_iter().filter_map(|name| cluster.volume(name)) {
        if row.external_id.starts_with("disk-") {
            let state = disks.state();
            let disk = state.volumes.get(&*row.external_id).expect("created and not deleted");
            assert_eq!(disk.capacity, row.capacity);
        }
        let view = cluster.view();
        let entry = view.get::<CsiVolumes>(("default", &row.id)).unwrap();
        let claims = volume_claims(&view, entry);
        let mut owners: Vec<_> = row.active_claims().map(|claim| claim.allocation_id).collect();
        owners.sort_unstable();
        assert_eq!(claims.len(), owners.len(), "each claim is listed once");
        assert!(claims.iter().all(|claim| !claim.status().to_string().is_empty()));
    }
}

fn check_volumes(cluster: &Cluster, held: &GrantedClaims) {
    for name in VOLUMES {
        let Some(volume) = cluster.volume(name) else {
            assert!(!held.contains_key(name), "{name} does not exist");
            continue;
        };
        let granted = |writes: bool| -> Vec<_> {
            let of = held[name].iter().filter(|(_, granted)| **granted == writes);
            of.map(|(allocation, _)| id(*allocation)).collect()
        };
        let readers: Vec<_> = volume.read_claims.keys().copied().collect();
        let writers: Vec<_> = volume.write_claims.keys().copied().collect();
        assert_eq!((&readers, &writers), (&granted(false), &granted(true)), "claims of {name}");
        for (key, claim) in
            volume.read_claims.iter().chain(&volume.write_claims).chain(&volume.past_claims)
        {
            assert_eq!(*key, claim.allocation_id);
        }
        let counts = ClaimCounts {
            readers: readers.len() as u64,
            writers: writers.len() as u64,
            releasing: volume.past_claims.len() as u64,
        };
        assert_eq!(volume.claims, counts, "the counts of the row of {name}");
        let view = cluster.view();
        for row in claims_on(&view, &volume) {
            let allocation = view.get::<Allocations>(row.allocation_id);
            let over = allocation.is_none_or(|allocation| allocation.is_client_terminal());
            assert_eq!(row.allocation_over, over, "{row:?}");
        }
        if volume.past_claims.is_empty() && !volume.is_in_use() {
            assert_eq!((&*volume.access_mode, &*volume.attachment_mode), ("", ""), "{name}");
        }
        match &*volume.access_mode {
            access_mode::SINGLE_NODE_READER => assert!(readers.len() <= 1),
            access_mode::SINGLE_NODE_WRITER => {
                assert!(readers.len() <= 1 && writers.len() <= 1);
            }
            access_mode::MULTI_NODE_SINGLE_WRITER => assert!(writers.len() <= 1),
            _ => {}
        }
        let json = cluster.json(name);
        assert_eq!(json["ReadAllocs"].as_object().unwrap().len(), readers.len());
        assert_eq!(json["WriteAllocs"].as_object().unwrap().len(), writers.len());
    }
}

fn check_plugin(cluster: &Cluster) {
    let view = cluster.view();
    let nodes: Vec<_> = (1..4).filter_map(|node| view.get::<Nodes>(id(node))).collect();
    let healthy = |infos: fn(&Node) -> &BTreeMap<Box<str>, PluginInfo>| {
        nodes.iter().filter(|node| infos(node).values().any(|info| info.healthy)).count() as u64
    };
    let controllers = healthy(|node| &node.controller_plugins);
    let served = healthy(|node| &node.node_plugins);
    let job = view.get::<Jobs>(("default", "job")).filter(|job| &*job.status != "dead");
    // Without a job, each reporting instance is expected; with one, never fewer than are healthy.
    let plugin = view.get::<CsiPlugins>(PLUGIN);
    let reporting = plugin.map_or(0, |plugin| plugin.nodes.reporting);
    let wanted = job.map_or(reporting, |job| {
        let allocations = (10..14).filter_map(|number| view.get::<Allocations>(id(number)));
        let live = allocations.filter(|row| matches!(&*row.client_status, "pending" | "running"));
        if &*job.kind == "system" { live.count() as u64 } else { job.groups[0].count }
    });
    for role in PluginRole::ALL {
        let mut counts = InstanceCounts::default();
        for row in plugin_instances(&view, PLUGIN, role) {
            counts.reporting += 1;
            counts.healthy += u64::from(row.info.healthy);
        }
        let kept = plugin.map(|plugin| plugin.instances(role)).unwrap_or_default();
        assert_eq!(kept, counts, "the counts of the plugin's row");
    }
    match cluster.counts(PLUGIN) {
        Some(counts) => {
            let controlling = plugin.map_or(0, |plugin| plugin.controllers.reporting);
            let expected = (controllers, controlling, served, wanted.max(served));
            assert_eq!(counts, expected);
        }
        None => assert_eq!((controllers, served, job.is_some()), (0, 0, false), "no plugin row"),
    }
    let mentioned = nodes
        .iter()
        .any(|node| !node.controller_plugins.is_empty() || !node.node_plugins.is_empty());
    if !mentioned && job.is_none() {
        assert_eq!(cluster.counts(PLUGIN), None, "no instance runs it");
    }
    for name in VOLUMES {
        if cluster.volume(name).is_some() {
            let json = cluster.json(name);
            let required = json["ControllerRequired"] == true;
            let schedulable = served > 0 && (!required || controllers > 0);
            assert_eq!(json["Schedulable"], schedulable, "{name}");
        }
    }
}

fn check_lists(cluster: &Cluster) {
    let view = cluster.view();
    for node in 1..4 {
        let mut naive = BTreeSet::new();
        for name in VOLUMES {
            let Some(volume) = cluster.volume(name) else { continue };
            if volume.active_claims().any(|claim| claim.node_id == Some(id(node))) {
                naive.insert(format!("default/{name}"));
            }
        }
        for allocation in (10..14).filter_map(|number| view.get::<Allocations>(id(number))) {
            let uses =
                &*allocation.desired_status == "run" || &*allocation.client_status == "running";
            let asks = !allocation.volumes.is_empty() && cluster.volume(VOLUMES[0]).is_some();
            if uses && asks && allocation.node_id == Some(id(node)) {
                naive.insert(format!("default/{}", VOLUMES[0]));
            }
        }
        let prefix = HexPrefix::parse(&id(node).to_string()).unwrap();
        let listed = cluster.listed(&VolumeQuery { node: Some(&prefix), ..all_of("*") });
        assert_eq!(listed, naive.into_iter().collect::<Vec<_>>(), "volumes on node {node}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn results_follow_from_the_granted_claims(ops in prop::collection::vec(op(), 1..60)) {
        let cluster = Cluster::with_plugin();
        let (mut held, mut late, disks) = (GrantedClaims::new(), PendingResults::new(), Disks::default());
        for volume in VOLUMES {
            cluster.register(volume_spec(volume)).unwrap();
            held.insert(volume, BTreeMap::new());
        }
        for allocation in 10..13 {
            cluster.allocation(running(allocation, allocation - 9));
        }
        for op in ops {
            report(&cluster, op);
            request(&cluster, &mut held, op);
            provide(&cluster, &mut held, &disks, op);
            delay(&cluster, &mut held, &disks, &mut late, op);
            check_provider(&cluster, &disks);
            check_volumes(&cluster, &held);
            check_plugin(&cluster);
            check_lists(&cluster);
        }
    }
}
