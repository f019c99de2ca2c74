//! Registering, claiming, releasing and deregistering volumes: the sequences and messages that
//! clients rely on. Method: a store in memory, one transaction for each request.

use crate::common::*;
use statehold_nomad::*;
use statehold_store::{HexPrefix, ReadView};

#[test]
fn a_volumes_life_from_registration_to_deregistration() {
    let cluster = Cluster::with_plugin();
    cluster.register(spec("v1")).unwrap();
    cluster.register(spec("v2")).unwrap();
    cluster.register(spec("v1")).unwrap();
    assert_eq!(cluster.listed(&all_of("default")), ["default/v1", "default/v2"]);
    let by_plugin = VolumeQuery { plugin_prefix: PLUGIN, ..Default::default() };
    assert_eq!(cluster.listed(&by_plugin).len(), 2);

    cluster.allocation(running(10, 2));
    cluster.allocation(running(11, 3));
    cluster.claim("v1", taken(10, ClaimMode::Read)).unwrap();
    let second = cluster.claim("v1", taken(11, ClaimMode::Write));
    second.unwrap();
    let volume = cluster.volume("v1").unwrap();
    assert_eq!((volume.read_claims.len(), volume.write_claims.len()), (1, 1));
    assert_eq!(volume.read_claims[&id(10)].node_id, Some(id(2)), "from the allocation");

    // The garbage collector of the orchestrator requests the writer's release.
    cluster.claim("v1", released(11, ClaimState::Unpublishing)).unwrap();
    let volume = cluster.volume("v1").unwrap();
    assert_eq!((volume.write_claims.len(), volume.past_claims.len()), (1, 1));

    // The reader ends: its release starts with the next claim.
    cluster.allocation(Allocation { client_status: "complete".into(), ..running(10, 2) });
    cluster.claim("v1", released(11, ClaimState::NodeDetached)).unwrap();
    assert_eq!(cluster.volume("v1").unwrap().past_claims.len(), 2);

    for force in [false, true] {
        let refused = cluster.deregister("v1", force).unwrap_err();
        assert_eq!(refused.to_string(), "volume in use: v1");
        assert_eq!(refused.class(), ErrorClass::Conflict);
    }
    let prefix = cluster.deregister("v", false).unwrap_err();
    assert_eq!(prefix.to_string(), "volume not found: v");

    cluster.claim("v1", released(10, ClaimState::ReadyToFree)).unwrap();
    cluster.claim("v1", released(11, ClaimState::ReadyToFree)).unwrap();
    let volume = cluster.volume("v1").unwrap();
    assert!(volume.past_claims.is_empty() && !volume.is_in_use());
    assert_eq!(&*volume.access_mode, "");
    cluster.deregister("v1", false).unwrap();
    assert_eq!(cluster.listed(&all_of("default")), ["default/v2"]);
}

#[test]
fn force_deletes_claims_of_ended_or_deleted_allocations() {
    let cluster = Cluster::with_plugin();
    cluster.register(spec("v")).unwrap();
    cluster.allocation(running(10, 2));
    cluster.claim("v", taken(10, ClaimMode::Write)).unwrap();
    cluster.allocation(Allocation { desired_status: "stop".into(), ..running(10, 2) });
    assert!(cluster.deregister("v", false).is_err());
    cluster.deregister("v", true).unwrap();

    cluster.register(spec("v")).unwrap();
    cluster.allocation(running(11, 2));
    cluster.claim("v", taken(11, ClaimMode::Write)).unwrap();
    assert!(cluster.deregister("v", true).is_err());
    cluster.write(|txn| delete_allocation(txn, NOW, id(11))).unwrap();
    assert!(cluster.deregister("v", false).is_err());
    cluster.deregister("v", true).unwrap();
}

#[test]
fn deregistering_several_is_all_or_nothing() {
    let cluster = Cluster::with_plugin();
    cluster.register(spec("v1")).unwrap();
    let both = cluster.write(|txn| deregister(txn, "default", &["v1", "v2"], false));
    assert_eq!(both.unwrap_err().to_string(), "volume not found: v2");
    assert!(cluster.volume("v1").is_some());
    let none = cluster.write(|txn| deregister(txn, "default", &[], false));
    assert_eq!(none.unwrap_err().to_string(), "missing volume IDs");
}

#[test]
fn rejected_claims_have_the_documented_messages() {
    let cluster = Cluster::with_plugin();
    let text = |volume: &str, request| cluster.claim(volume, request).unwrap_err().to_string();
    assert_eq!(text("", taken(10, ClaimMode::Read)), "missing volume ID");
    assert_eq!(
        text("v", taken(10, ClaimMode::Read)),
        "Unknown allocation: 00000000-0000-0000-0000-00000000000a"
    );
    let placed = ClaimRequest { node_id: Some(id(2)), ..taken(10, ClaimMode::Read) };
    assert_eq!(text("v", placed.clone()), "volume not found: v");

    cluster.register(spec("v")).unwrap();
    assert_eq!(
        text("v", placed.clone()),
        "alloc \"00000000-0000-0000-0000-00000000000a\" failed to claim volume \"v\": \
         allocation missing: 00000000-0000-0000-0000-00000000000a"
    );
    assert_eq!(text("v", ClaimRequest { allocation_id: None, ..placed }), "Unknown allocation");

    for allocation in [10, 11] {
        cluster.allocation(running(allocation, 2));
    }
    cluster.claim("v", taken(10, ClaimMode::Write)).unwrap();
    assert_eq!(
        text("v", taken(11, ClaimMode::Write)),
        "alloc \"00000000-0000-0000-0000-00000000000b\" failed to claim volume \"v\": \
         volume max claims reached"
    );
    for node in [2, 3] {
        cluster.write(|txn| delete_node(txn, NOW, id(node))).unwrap();
    }
    assert_eq!(
        text("v", taken(11, ClaimMode::Read)),
        "alloc \"00000000-0000-0000-0000-00000000000b\" failed to claim volume \"v\": \
         volume is currently unschedulable"
    );
}

#[test]
fn repeating_a_claim_writes_nothing() {
    let cluster = Cluster::with_plugin();
    cluster.register(spec("v")).unwrap();
    cluster.allocation(running(10, 2));
    cluster.claim("v", taken(10, ClaimMode::Read)).unwrap();
    let before = cluster.volume("v").unwrap();
    cluster.claim("v", taken(10, ClaimMode::Read)).unwrap();
    let after = cluster.volume("v").unwrap();
    assert_eq!(before.modify_index(), after.modify_index());
    assert_eq!(before, after);
}

#[test]
fn a_request_without_allocation_starts_the_overdue_releases() {
    let cluster = Cluster::with_plugin();
    cluster.register(spec("v")).unwrap();
    cluster.allocation(running(10, 2));
    cluster.claim("v", taken(10, ClaimMode::Read)).unwrap();
    cluster.write(|txn| delete_allocation(txn, NOW, id(10))).unwrap();
    let ping =
        ClaimRequest { mode: ClaimMode::Gc, state: ClaimState::Unpublishing, ..Default::default() };
    cluster.claim("v", ping.clone()).unwrap();
    let volume = cluster.volume("v").unwrap();
    assert_eq!(volume.past_claims[&id(10)].state, ClaimState::Unpublishing);
    cluster.claim("v", ping).unwrap();
    assert_eq!(cluster.volume("v").unwrap().modify_index(), volume.modify_index());
}

mod unpublish {
    use super::*;

    fn claimed(plugin: &str, required: bool) -> Cluster {
        let cluster = Cluster::empty();
        cluster.add_plugin(plugin, required);
        cluster.register(VolumeSpec { plugin_id: plugin.into(), ..spec("v") }).unwrap();
        for (allocation, node) in [(10, 2), (11, 3)] {
            cluster.allocation(running(allocation, node));
            cluster.claim("v", taken(allocation, ClaimMode::Read)).unwrap();
        }
        cluster
    }

    fn release(cluster: &Cluster, state: ClaimState) -> UnpublishOutcome {
        let request = released(10, state);
        cluster.write(|txn| statehold_nomad::unpublish(txn, NOW, "default", "v", request)).unwrap()
    }

    #[test]
    fn plugins_without_a_controller_release_at_once() {
        let cluster = claimed("node-only", false);
        assert_eq!(release(&cluster, ClaimState::Taken), UnpublishOutcome::Released);
        let volume = cluster.volume("v").unwrap();
        assert_eq!(volume.read_claims.keys().copied().collect::<Vec<_>>(), [id(11)]);
        assert!(volume.past_claims.is_empty());
    }

    #[test]
    fn a_required_controller_detach_keeps_the_claim() {
        for state in [ClaimState::Taken, ClaimState::Unpublishing, ClaimState::NodeDetached] {
            let cluster = claimed(PLUGIN, true);
            let UnpublishOutcome::Held(blocker) = release(&cluster, state) else {
                panic!("{state}")
            };
            assert_eq!(
                blocker.to_string(),
                "could not detach from controller: controller detach volume: No path to node"
            );
            assert_eq!(
                blocker,
                ReleaseBlocker::Controller {
                    plugin: PLUGIN.into(),
                    external_node_id: "i-2".into()
                }
            );
            let volume = cluster.volume("v").unwrap();
            assert_eq!(volume.past_claims[&id(10)].state, ClaimState::NodeDetached);
            assert_eq!(volume.read_claims.len(), 2);
        }
    }

    #[test]
    fn releasing_again_succeeds_without_a_change() {
        let cluster = claimed(PLUGIN, true);
        assert_eq!(release(&cluster, ClaimState::ControllerDetached), UnpublishOutcome::Released);
        let index = cluster.volume("v").unwrap().modify_index();
        assert_eq!(release(&cluster, ClaimState::NodeDetached), UnpublishOutcome::Released);
        assert_eq!(cluster.volume("v").unwrap().modify_index(), index);
    }

    #[test]
    fn a_controller_detached_claim_is_released() {
        for state in [ClaimState::ControllerDetached, ClaimState::ReadyToFree] {
            let cluster = claimed(PLUGIN, true);
            assert_eq!(release(&cluster, state), UnpublishOutcome::Released);
            assert_eq!(cluster.volume("v").unwrap().read_claims.len(), 1);
        }
    }

    #[test]
    fn another_user_on_the_node_skips_the_controller() {
        let cluster = claimed(PLUGIN, true);
        cluster.allocation(running(12, 2));
        cluster.claim("v", taken(12, ClaimMode::Read)).unwrap();
        assert_eq!(release(&cluster, ClaimState::NodeDetached), UnpublishOutcome::Released);
    }

    #[test]
    fn a_deleted_node_skips_the_controller() {
        let cluster = claimed(PLUGIN, true);
        cluster.write(|txn| delete_node(txn, NOW, id(2))).unwrap();
        assert_eq!(release(&cluster, ClaimState::NodeDetached), UnpublishOutcome::Released);
    }

    #[test]
    fn errors_name_the_missing_resource() {
        let cluster = claimed(PLUGIN, true);
        cluster
            .write(|txn| upsert_node(txn, NOW, Node { id: id(2), ..Default::default() }))
            .unwrap();
        let UnpublishOutcome::Held(blocker) = release(&cluster, ClaimState::Taken) else {
            panic!()
        };
        assert_eq!(
            blocker.to_string(),
            "missing external node ID: failed to find storage provider info for client \
             \"00000000-0000-0000-0000-000000000002\", node plugin \"foo\" is not running or \
             has not fingerprinted on this client"
        );
        for node in [1, 2, 3] {
            cluster.write(|txn| delete_node(txn, NOW, id(node))).unwrap();
        }
        let UnpublishOutcome::Held(blocker) = release(&cluster, ClaimState::Taken) else {
            panic!()
        };
        assert_eq!(blocker.to_string(), "no such plugin: \"foo\"");

        let text = |volume: &str, request| {
            let done = cluster
                .write(|txn| statehold_nomad::unpublish(txn, NOW, "default", volume, request));
            done.unwrap_err().to_string()
        };
        assert_eq!(text("", released(10, ClaimState::Taken)), "missing volume ID");
        assert_eq!(text("v", ClaimRequest::default()), "missing volume claim");
        assert_eq!(text("w", released(10, ClaimState::Taken)), "no such volume");
    }
}

mod registration {
    use super::*;

    fn text(cluster: &Cluster, spec: VolumeSpec) -> String {
        cluster.register(spec).unwrap_err().to_string()
    }

    #[test]
    fn rejections_have_the_documented_messages() {
        let cluster = Cluster::with_plugin();
        let none = cluster.write(|txn| register(txn, NOW, "default", Vec::new()));
        assert_eq!(none.unwrap_err().to_string(), "missing volume definition");
        let unknown = VolumeSpec { plugin_id: "adam".into(), ..spec("v") };
        assert_eq!(text(&cluster, unknown), "no CSI plugin named: adam could be found");
        let nowhere = VolumeSpec { namespace: "prod".into(), ..spec("v") };
        assert_eq!(text(&cluster, nowhere), "volume v is in nonexistent namespace prod");
        let bare = VolumeSpec { requested_capabilities: Vec::new(), ..spec("v") };
        assert_eq!(text(&cluster, bare), "validation: must include at least one capability block");
        cluster.write(|txn| delete_node(txn, NOW, id(1))).unwrap();
        assert_eq!(text(&cluster, spec("v")), "no healthy controllers for CSI plugin: foo");
    }

    #[test]
    fn several_volumes_are_registered_together_or_not_at_all() {
        let cluster = Cluster::with_plugin();
        let bad = VolumeSpec { plugin_id: "adam".into(), ..spec("v2") };
        let both = cluster.write(|txn| register(txn, NOW, "default", vec![spec("v1"), bad]));
        assert!(both.is_err());
        assert!(cluster.volume("v1").is_none());
        let twice = VolumeSpec { context: [("a".into(), "b".into())].into(), ..spec("v1") };
        let keys = cluster.write(|txn| register(txn, NOW, "", vec![spec("v1"), twice])).unwrap();
        assert_eq!(keys.len(), 2);
        assert_eq!(cluster.volume("v1").unwrap().context.len(), 1);
    }

    #[test]
    fn a_volumes_own_namespace_overrides_the_requests() {
        let cluster = Cluster::with_plugin();
        let prod = Namespace { name: "prod".into(), ..Default::default() };
        cluster.write(|txn| upsert_namespace(txn, prod)).unwrap();
        cluster.register(VolumeSpec { namespace: "prod".into(), ..spec("v") }).unwrap();
        assert_eq!(cluster.listed(&all_of("*")), ["prod/v"]);
    }

    #[test]
    fn registering_again_updates_the_mutable_fields() {
        let cluster = Cluster::with_plugin();
        cluster.register(spec("v")).unwrap();
        let first = cluster.volume("v").unwrap();
        let secrets: Secrets = [("password", "xyzzy")].into_iter().collect();
        let later = VolumeSpec { secrets: secrets.clone(), ..spec("v") };
        cluster.write(|txn| register(txn, NOW + 5, "default", vec![later])).unwrap();
        let second = cluster.volume("v").unwrap();
        assert_eq!(second.secrets, secrets);
        assert_eq!((second.create_time, second.modify_time), (NOW, NOW + 5));
        assert_eq!(first.create_index(), second.create_index());
        assert!(second.modify_index() > first.modify_index());

        let renamed = VolumeSpec { name: "other".into(), ..spec("v") };
        assert_eq!(
            text(&cluster, renamed),
            "unable to update volume: 1 error occurred:\n\t* volume name cannot be updated\n\n"
        );
        let larger = VolumeSpec { requested_capacity_min: 5, ..spec("v") };
        assert_eq!(
            text(&cluster, larger),
            "unable to update volume: expand is not implemented by this controller plugin"
        );
    }

    #[test]
    fn a_plugin_of_another_provider_changes_the_identity() {
        let cluster = Cluster::with_plugin();
        cluster.register(spec("v")).unwrap();
        let mut nodes = plugin_nodes(PLUGIN, true);
        for node in &mut nodes {
            for info in node.controller_plugins.values_mut().chain(node.node_plugins.values_mut()) {
                info.provider = "org.other".into();
            }
            cluster.write(|txn| upsert_node(txn, NOW, node.clone())).unwrap();
        }
        assert_eq!(text(&cluster, spec("v")), "volume identity cannot be updated: v");
    }

    #[test]
    fn required_topologies_apply_until_the_provider_returns_some() {
        let cluster = Cluster::with_plugin();
        let rack = Topology { segments: [("rack".into(), "R1".into())].into() };
        let request = TopologyRequest { required: Some(vec![rack.clone()]), preferred: None };
        let placed = VolumeSpec { requested_topologies: Some(request), ..spec("v") };
        cluster.register(placed).unwrap();
        assert_eq!(cluster.volume("v").unwrap().topologies, [rack]);
    }

    #[test]
    fn ids_that_are_too_long_are_client_errors() {
        let cluster = Cluster::with_plugin();
        let error = cluster.register(spec(&"v".repeat(10_000))).unwrap_err();
        assert!(matches!(error, RegisterError::Store(_)), "{error}");
        assert_eq!(error.class(), ErrorClass::Request);
    }
}

mod lists {
    use super::*;
    use statehold_store::Order;

    fn cluster() -> Cluster {
        let cluster = Cluster::with_plugin();
        cluster.add_plugin("foo-bar", true);
        let prod = Namespace { name: "prod".into(), ..Default::default() };
        cluster.write(|txn| upsert_namespace(txn, prod)).unwrap();
        for (namespace, volume, plugin) in [
            ("default", "vol-1", "foo"),
            ("default", "vol-2", "foo-bar"),
            ("default", "data", "foo"),
            ("prod", "vol-1", "foo-bar"),
            ("prod", "data[0]", "foo"),
        ] {
            let spec = VolumeSpec {
                namespace: namespace.into(),
                plugin_id: plugin.into(),
                ..spec(volume)
            };
            // The plugin of the nodes is the one that was added last; both rows must be healthy.
            cluster.add_plugin(plugin, true);
            cluster.register(spec).unwrap();
        }
        cluster
    }

    #[test]
    fn all_parameters_must_match() {
        let cluster = cluster();
        let listed = |query: VolumeQuery<'_>| cluster.listed(&query);
        assert_eq!(
            listed(all_of("*")),
            ["default/data", "default/vol-1", "default/vol-2", "prod/data[0]", "prod/vol-1"]
        );
        assert_eq!(
            listed(VolumeQuery { prefix: "vol-", ..all_of("*") }),
            ["default/vol-1", "default/vol-2", "prod/vol-1"]
        );
        assert_eq!(
            listed(VolumeQuery { plugin_prefix: "foo", ..all_of("default") }),
            ["default/data", "default/vol-1", "default/vol-2"]
        );
        assert_eq!(
            listed(VolumeQuery { plugin_prefix: "foo-", prefix: "vol", ..all_of("*") }),
            ["default/vol-2", "prod/vol-1"]
        );
        assert!(listed(VolumeQuery { plugin_prefix: "oo", ..all_of("*") }).is_empty());
        assert!(listed(all_of("nowhere")).is_empty());
    }

    #[test]
    fn pages_start_at_a_key_in_both_directions() {
        let cluster = cluster();
        for plugin_prefix in ["", "foo"] {
            let from = Some(("default", "vol-15"));
            let query = VolumeQuery { plugin_prefix, from, ..all_of("*") };
            assert_eq!(
                cluster.listed(&query),
                ["default/vol-2", "prod/data[0]", "prod/vol-1"],
                "a volume that is gone: on with the next"
            );
            let back = VolumeQuery { order: Order::Descending, ..query };
            assert_eq!(cluster.listed(&back), ["default/vol-1", "default/data"]);
            let exact = VolumeQuery { from: Some(("default", "vol-1")), ..back };
            assert_eq!(cluster.listed(&exact), ["default/vol-1", "default/data"]);
        }
    }

    #[test]
    fn a_volume_is_listed_for_nodes_that_request_or_claim_it() {
        let cluster = cluster();
        let node = "0000000000000000000000000000000";
        let on = |suffix: &str| {
            let prefix = HexPrefix::parse(&format!("{node}{suffix}")).unwrap();
            cluster.listed(&VolumeQuery { node: Some(&prefix), ..all_of("*") })
        };
        let asks = |source: &str, per_alloc| VolumeRequest {
            kind: RequestKind::Csi,
            source: source.into(),
            per_alloc,
            ..Default::default()
        };
        let requests = Allocation {
            namespace: "prod".into(),
            volumes: vec![asks("data", true), asks("nothing", false), asks("vol-1", false)],
            ..running(20, 2)
        };
        let group = TaskGroup { volumes: requests.volumes.clone(), ..Default::default() };
        cluster
            .write(|txn| {
                upsert_allocation(txn, NOW, requests.clone(), Some(group.clone()), &mut fresh())
            })
            .unwrap();
        assert_eq!(on("2"), ["prod/data[0]", "prod/vol-1"]);
        assert!(on("3").is_empty());

        cluster.allocation(running(21, 3));
        cluster.claim("vol-1", taken(21, ClaimMode::Write)).unwrap();
        assert_eq!(on("3"), ["default/vol-1"]);
        assert_eq!(on(""), ["default/vol-1", "prod/data[0]", "prod/vol-1"]);

        // A running allocation counts, an ended one does not; a claim counts until it is released.
        let stopping = Allocation { desired_status: "stop".into(), ..requests.clone() };
        cluster.allocation(stopping.clone());
        assert_eq!(on("2"), ["prod/data[0]", "prod/vol-1"]);
        cluster.allocation(Allocation { client_status: "complete".into(), ..stopping });
        assert!(on("2").is_empty());
        cluster.write(|txn| delete_allocation(txn, NOW, id(21))).unwrap();
        assert_eq!(on("3"), ["default/vol-1"]);
    }

    /// Returns the index of the list with its health, which a blocking query compares.
    fn index(cluster: &Cluster, query: &VolumeQuery<'_>) -> u64 {
        let view = cluster.store.tracked();
        let mut health = HealthReader::new(&view);
        for volume in list_volumes(&view, query) {
            health.of(volume);
        }
        view.index()
    }

    #[test]
    fn a_watch_on_a_list_covers_every_row_it_is_derived_from() {
        let cluster = cluster();
        let node = HexPrefix::parse("00000000-0000-0000-0000-000000000002").unwrap();
        let by_plugin = VolumeQuery { plugin_prefix: "foo-", ..all_of("*") };
        let by_node = VolumeQuery { node: Some(&node), ..all_of("*") };

        let before = index(&cluster, &by_plugin);
        cluster.add_plugin("foo-bar", true);
        let after = index(&cluster, &by_plugin);
        assert!(after > before, "the plugin's health");
        let task = TaskPlugin { id: "foo-bar".into(), kind: PluginKind::Node };
        let group = TaskGroup { count: 2, plugins: vec![task], ..Default::default() };
        let job = Job { id: "plugin".into(), groups: vec![group], ..Default::default() };
        cluster.write(|txn| upsert_job(txn, NOW, job, &mut fresh())).unwrap();
        assert!(index(&cluster, &by_plugin) > after, "the expected counts");

        let before = index(&cluster, &by_node);
        let request =
            VolumeRequest { kind: RequestKind::Csi, source: "later".into(), ..Default::default() };
        let group = TaskGroup { volumes: vec![request], ..Default::default() };
        cluster
            .write(|txn| upsert_allocation(txn, NOW, running(30, 2), Some(group), &mut fresh()))
            .unwrap();
        let requested = index(&cluster, &by_node);
        assert!(requested > before, "an allocation requests the volume");
        cluster.add_plugin(PLUGIN, true);
        cluster.register(spec("later")).unwrap();
        assert!(index(&cluster, &by_node) > requested, "the requested volume is registered");
        assert_eq!(cluster.listed(&by_node), ["default/later"]);
    }
}

#[test]
fn only_empty_namespaces_can_be_deleted() {
    let cluster = Cluster::with_plugin();
    let delete = |name: &str| {
        let done = cluster.write(|txn| delete_namespace(txn, name));
        done.map_err(|error| error.to_string())
    };
    assert_eq!(delete("prod").unwrap_err(), "namespace not found");
    assert_eq!(delete("default").unwrap_err(), "default namespace can not be deleted");
    let prod = Namespace { name: "prod".into(), ..Default::default() };
    cluster.write(|txn| upsert_namespace(txn, prod)).unwrap();
    cluster.register(VolumeSpec { namespace: "prod".into(), ..spec("v") }).unwrap();
    assert_eq!(
        delete("prod").unwrap_err(),
        "namespace \"prod\" contains at least one CSI volume \"v\". All CSI volumes in namespace \
         must be deleted before it can be deleted"
    );
    let job = Job { namespace: "prod".into(), id: "web".into(), ..Default::default() };
    cluster.write(|txn| upsert_job(txn, NOW, job.clone(), &mut fresh())).unwrap();
    assert_eq!(
        delete("prod").unwrap_err(),
        "namespace \"prod\" contains at least one non-terminal job \"web\". All jobs must be \
         terminal in namespace before it can be deleted"
    );
    let dead = Job { status: "dead".into(), ..job };
    cluster.write(|txn| upsert_job(txn, NOW, dead, &mut fresh())).unwrap();
    cluster.write(|txn| deregister(txn, "prod", &["v"], false)).unwrap();
    delete("prod").unwrap();
    assert!(cluster.view().get::<Namespaces>("prod").is_none());

    let bad = Namespace { name: "pr od".into(), ..Default::default() };
    let error = cluster.write(|txn| upsert_namespace(txn, bad)).unwrap_err();
    assert_eq!(error.to_string(), "invalid name \"pr od\". Must match regex ^[a-zA-Z0-9-]{1,128}$");
}
