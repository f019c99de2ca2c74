//! Releasing claims: by the loop over overdue claims, by detaching, and the status of claims
//! meanwhile. Method: a store in memory and a provider in memory.

use crate::common::{provider::Disks, *};
use serde_json::Value;
use statehold_nomad::{
    provider::{ProviderErrorKind, Providers},
    *,
};
use statehold_store::ReadView;

/// Creates a volume `v` that allocation 10 on node 2 reads.
fn claimed() -> Cluster {
    let cluster = Cluster::with_plugin();
    cluster.register(spec("v")).unwrap();
    cluster.allocation(running(10, 2));
    cluster.claim("v", taken(10, ClaimMode::Read)).unwrap();
    cluster
}

fn end(cluster: &Cluster, allocation: u128, node: u128) {
    cluster
        .allocation(Allocation { client_status: "complete".into(), ..running(allocation, node) });
}

/// Runs the loop once.
fn run(cluster: &Cluster, providers: &Providers) -> Vec<ReleaseOutcome> {
    let view = cluster.view();
    let releases = overdue_releases(&view);
    let step = |release: &PendingRelease| {
        let answer = detach_with_provider(&view, providers, release);
        cluster.write(|txn| record_release(txn, NOW + 9, release, &answer)).unwrap()
    };
    releases.iter().map(step).collect()
}

fn claims_json(cluster: &Cluster) -> Value {
    let view = cluster.view();
    let volume = view.get::<CsiVolumes>(("default", "v")).unwrap();
    serde_json::to_value(volume_claims(&view, volume)).unwrap()
}

#[test]
fn a_claim_is_released_after_end_and_controller_detach() {
    let cluster = claimed();
    let disks = Disks::default();
    let providers = disks.providers(PLUGIN);
    assert_eq!(run(&cluster, &providers), [], "nothing is overdue");
    end(&cluster, 10, 2);
    disks.fail(Some(ProviderErrorKind::Unavailable));
    assert_eq!(run(&cluster, &providers), [ReleaseOutcome::Held]);
    let volume = cluster.volume("v").unwrap();
    assert_eq!(volume.past_claims[&id(10)].state, ClaimState::NodeDetached);
    assert!(volume.is_in_use(), "it still occupies a slot");
    let view = cluster.view();
    let release = &overdue_releases(&view)[0];
    let answer = detach_with_provider(&view, &providers, release);
    assert!(is_recorded(&view, release, &answer) && !is_recorded(&view, release, &Ok(())));
    assert_eq!(run(&cluster, &providers), [ReleaseOutcome::Held]);
    assert_eq!(
        cluster.volume("v").unwrap().modify_index(),
        volume.modify_index(),
        "nothing was written"
    );

    disks.fail(None);
    assert_eq!(run(&cluster, &providers), [ReleaseOutcome::Released]);
    let volume = cluster.volume("v").unwrap();
    assert!(!volume.is_in_use() && volume.past_claims.is_empty());
    assert_eq!((&*volume.access_mode, &*volume.attachment_mode), ("", ""));
    assert_eq!(run(&cluster, &providers), []);
    assert_eq!(disks.calls(), ["detach"; 4]);
}

#[test]
fn a_claim_without_provider_waits_for_a_reported_detach() {
    let cluster = claimed();
    end(&cluster, 10, 2);
    let unreachable = Providers::default();
    assert_eq!(run(&cluster, &unreachable), [ReleaseOutcome::Held]);
    cluster.claim("v", released(10, ClaimState::ControllerDetached)).unwrap();
    assert_eq!(run(&cluster, &unreachable), [ReleaseOutcome::Released]);
}

#[test]
fn a_plugin_without_controller_blocks_no_release() {
    let cluster = Cluster::empty();
    cluster.add_plugin(PLUGIN, false);
    cluster.register(spec("v")).unwrap();
    cluster.allocation(running(10, 2));
    cluster.claim("v", taken(10, ClaimMode::Write)).unwrap();
    cluster.write(|txn| delete_allocation(txn, NOW, id(10))).unwrap();
    assert_eq!(run(&cluster, &Providers::default()), [ReleaseOutcome::Released]);
}

#[test]
fn a_requested_release_waits_for_a_node_that_is_up() {
    let cluster = claimed();
    cluster.claim("v", released(10, ClaimState::Unpublishing)).unwrap();
    let providers = Disks::default().providers(PLUGIN);
    let index = cluster.view().index();
    assert_eq!(run(&cluster, &providers), [ReleaseOutcome::Held]);
    assert_eq!(cluster.volume("v").unwrap().modify_index(), index);
    assert_eq!(claims_json(&cluster)[0]["ReleasedBy"]["Kind"], "node-detach");

    let [_, node, _] = plugin_nodes(PLUGIN, true);
    let down = Node { status: node_status::DOWN.into(), ..node };
    cluster.write(|txn| upsert_node(txn, NOW, down)).unwrap();
    assert_eq!(run(&cluster, &providers), [ReleaseOutcome::Released]);
}

#[test]
fn a_late_release_keeps_a_newer_claim_of_the_allocation() {
    let cluster = claimed();
    let detached = released(10, ClaimState::NodeDetached);
    cluster.write(|txn| claim(txn, NOW + 3, "default", "v", detached)).unwrap();
    let volume = cluster.volume("v").unwrap();
    let first = volume.read_claims[&id(10)].since;
    assert_eq!(
        (first, volume.past_claims[&id(10)].since),
        (NOW + 1, NOW + 1),
        "it is the same claim"
    );
    let view = cluster.view();
    let releases = overdue_releases(&view);
    let [release] = &releases[..] else { panic!("one release") };
    assert_eq!((&*release.volume().id, release.claim().since), ("v", first));

    // During the detachment, the allocation claims the volume again.
    let request = taken(10, ClaimMode::Read);
    cluster.write(|txn| claim(txn, NOW + 5, "default", "v", request)).unwrap();
    let volume = cluster.volume("v").unwrap();
    assert_eq!((volume.read_claims[&id(10)].since, volume.past_claims.len()), (NOW + 5, 0));
    let late = cluster.write(|txn| record_release(txn, NOW + 6, release, &Ok(()))).unwrap();
    assert_eq!(late, ReleaseOutcome::Superseded);

    // A late report that names the time of its claim does not touch it either.
    let old = ClaimRequest { since: Some(first), ..released(10, ClaimState::ReadyToFree) };
    cluster.claim("v", old.clone()).unwrap();
    let done = cluster.write(|txn| unpublish(txn, NOW + 7, "default", "v", old)).unwrap();
    assert_eq!(done, UnpublishOutcome::Released, "the named claim no longer exists");
    assert_eq!(cluster.volume("v").unwrap(), volume);
    let new = ClaimRequest { since: Some(NOW + 5), ..released(10, ClaimState::ReadyToFree) };
    cluster.claim("v", new).unwrap();
    assert!(!cluster.volume("v").unwrap().is_in_use());
}

#[test]
fn a_volume_stays_attached_while_another_allocation_uses_it() {
    let cluster = claimed();
    cluster.allocation(running(11, 2));
    cluster.claim("v", taken(11, ClaimMode::Read)).unwrap();
    end(&cluster, 10, 2);
    let disks = Disks::default();
    assert_eq!(run(&cluster, &disks.providers(PLUGIN)), [ReleaseOutcome::Released]);
    assert_eq!(disks.calls(), [""; 0]);
    assert_eq!(cluster.volume("v").unwrap().read_claims.len(), 1);
}

#[test]
fn a_volume_stays_attached_while_a_stopping_allocation_runs() {
    let cluster = claimed();
    cluster.allocation(Allocation { desired_status: "stop".into(), ..running(11, 2) });
    cluster.claim("v", taken(11, ClaimMode::Read)).unwrap();
    end(&cluster, 10, 2);
    let disks = Disks::default();
    let providers = disks.providers(PLUGIN);
    assert_eq!(run(&cluster, &providers), [ReleaseOutcome::Released]);
    assert_eq!(disks.calls(), [""; 0], "it may still write");
    end(&cluster, 11, 2);
    assert_eq!(run(&cluster, &providers), [ReleaseOutcome::Released]);
    assert_eq!(disks.calls(), ["detach"]);
}

#[test]
fn detaching_releases_ended_claims_and_rejects_running_ones() {
    let cluster = claimed();
    cluster.allocation(running(11, 3));
    cluster.claim("v", taken(11, ClaimMode::Write)).unwrap();
    let plan = |node: u128| plan_detach(&cluster.view(), "default", "v", id(node));
    let missing = plan_detach(&cluster.view(), "default", "none", id(2)).unwrap_err();
    assert_eq!(
        (missing.to_string().as_str(), missing.class()),
        ("no such volume", ErrorClass::NotFound)
    );
    assert_eq!(plan(1), Ok(Vec::new()), "nothing to release");
    let refused = plan(2).unwrap_err();
    assert_eq!(refused.class(), ErrorClass::Conflict);
    assert_eq!(
        refused.to_string(),
        format!("volume in use: v: allocation {} on node {} has not ended", id(10), id(2))
    );

    cluster.allocation(Allocation { desired_status: "stop".into(), ..running(10, 2) });
    let [release] = &plan(2).unwrap()[..] else { panic!("one release") };
    let providers = Disks::default().providers(PLUGIN);
    let answer = detach_with_provider(&cluster.view(), &providers, release);
    let done = cluster.write(|txn| record_release(txn, NOW, release, &answer)).unwrap();
    assert_eq!(done, ReleaseOutcome::Released);
    let volume = cluster.volume("v").unwrap();
    assert_eq!((volume.read_claims.len(), volume.write_claims.len()), (0, 1));
    assert_eq!(plan(2), Ok(Vec::new()));
}

#[test]
fn claims_show_their_holder_and_status() {
    let cluster = claimed();
    let status = |cluster: &Cluster| {
        let claims = claims_json(cluster);
        assert_eq!(claims.as_array().unwrap().len(), 1);
        claims[0]["ReleasedBy"]["Kind"].as_str().unwrap().to_owned()
    };
    let claim = claims_json(&cluster)[0].clone();
    assert_eq!(claim["AllocationID"], id(10).to_string());
    assert_eq!((&claim["JobID"], &claim["NodeName"]), (&"job".into(), &"n2".into()));
    assert_eq!((&claim["Mode"], &claim["State"]), (&"read".into(), &"taken".into()));
    assert_eq!(claim["Since"], NOW + 1);
    assert_eq!(claim["ReleasedBy"]["Kind"], "allocation-running");
    let text = claim["ReleasedBy"]["Text"].as_str().unwrap();
    assert!(text.contains("stop it"), "{text}");

    cluster.allocation(Allocation { desired_status: "stop".into(), ..running(10, 2) });
    assert_eq!(status(&cluster), "allocation-stopping");
    end(&cluster, 10, 2);
    assert_eq!(status(&cluster), "controller-detach");
    run(&cluster, &Providers::default());
    assert_eq!(
        (status(&cluster), &claims_json(&cluster)[0]["State"]),
        ("controller-detach".into(), &"node-detached".into())
    );
    cluster.write(|txn| upsert_node(txn, NOW, Node { id: id(2), ..Default::default() })).unwrap();
    assert_eq!(status(&cluster), "node-unknown-to-provider");
    cluster.write(|txn| delete_node(txn, NOW, id(2))).unwrap();
    assert_eq!(status(&cluster), "due", "a deleted node has nothing attached");
    for node in [1, 3] {
        cluster.write(|txn| delete_node(txn, NOW, id(node))).unwrap();
    }
    assert_eq!(status(&cluster), "plugin-missing");
    let claim = claims_json(&cluster)[0].clone();
    assert_eq!((&claim["NodeName"], &claim["NodeStatus"]), (&Value::Null, &Value::Null));
}

#[test]
fn an_unused_plugin_is_deleted_after_an_hour() {
    let cluster = Cluster::with_plugin();
    let unused = CsiPlugin { id: "unused".into(), modify_time: NOW, ..Default::default() };
    cluster.write(|txn| txn.upsert::<CsiPlugins>(unused)).unwrap();
    let hour = 3_600_000_000_000;
    let collect = |now| cluster.write(|txn| collect_plugins(txn, now)).unwrap();
    assert_eq!(collect(NOW + hour), []);
    assert_eq!(collect(NOW + hour + 1), ["unused".into()]);
    assert!(cluster.view().get::<CsiPlugins>(PLUGIN).is_some(), "it runs");
}

/// Marks the allocations that are overdue `seconds` after the node was lost. Returns their number.
fn mark_lost(cluster: &Cluster, seconds: i64) -> usize {
    let now = NOW + seconds * 1_000_000_000;
    cluster.write(|txn| mark_lost_allocations(txn, now, LOST_AFTER_DEFAULT)).unwrap().len()
}

#[test]
fn claims_of_a_deleted_node_are_released_after_the_grace_period() {
    let cluster = claimed();
    let providers = Disks::default().providers(PLUGIN);
    cluster.write(|txn| delete_node(txn, NOW, id(2))).unwrap();
    let grace = i64::try_from(LOST_AFTER_DEFAULT.as_secs()).unwrap();
    assert_eq!(mark_lost(&cluster, grace - 1), 0);
    assert_eq!(run(&cluster, &providers), [], "it may still write");
    let shown = &claims_json(&cluster)[0]["ReleasedBy"];
    assert_eq!(shown["Kind"], "node-lost");
    assert!(shown["Text"].as_str().unwrap().contains("grace period"), "{shown}");
    assert_eq!(mark_lost(&cluster, grace), 1);
    assert_eq!(run(&cluster, &providers), [ReleaseOutcome::Released]);
    assert_eq!(mark_lost(&cluster, grace), 0, "once");
}

#[test]
fn a_node_that_comes_back_in_time_keeps_its_allocations() {
    let cluster = claimed();
    let [_, node, _] = plugin_nodes(PLUGIN, true);
    let down = Node { status: node_status::DOWN.into(), ..node.clone() };
    let grace = i64::try_from(LOST_AFTER_DEFAULT.as_secs()).unwrap();
    let report =
        |now, node: &Node| cluster.write(|txn| upsert_node(txn, now, node.clone())).unwrap();
    report(NOW, &down);
    report(NOW + 1, &node);
    assert_eq!(mark_lost(&cluster, grace), 0);
    // Another write of a node that is down restarts no grace period; neither does its deletion.
    report(NOW, &down);
    report(NOW + 100_000_000_000, &down);
    cluster.write(|txn| delete_node(txn, NOW + 200_000_000_000, id(2))).unwrap();
    assert_eq!(mark_lost(&cluster, grace), 1);
}

#[test]
fn nodes_that_were_down_before_an_upgrade_are_lost_now() {
    let cluster = claimed();
    let [_, node, _] = plugin_nodes(PLUGIN, true);
    let down = Node { status: node_status::DOWN.into(), ..node };
    cluster.write(|txn| txn.upsert::<Nodes>(down)).unwrap();
    cluster.write(|txn| record_lost_nodes(txn, NOW)).unwrap();
    let grace = i64::try_from(LOST_AFTER_DEFAULT.as_secs()).unwrap();
    assert_eq!((mark_lost(&cluster, grace - 1), mark_lost(&cluster, grace)), (0, 1));
}
