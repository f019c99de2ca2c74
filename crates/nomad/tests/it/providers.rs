//! Operations that require a storage provider: creating, expanding, validating and deleting
//! volumes, snapshots, and listing a provider's volumes. Method: a provider in memory that fails on
//! request.

use crate::common::{
    provider::{Disks, everything},
    *,
};
use statehold_nomad::{
    provider::{CsiProvider, ProviderErrorKind, ProviderPage, Providers},
    *,
};

/// Creates the plugin `foo`, whose controller has every capability.
fn cluster() -> Cluster {
    let cluster = Cluster::with_plugin();
    let info = PluginInfo { controller: Some(everything()), ..controller(PLUGIN, true) };
    let node = Node {
        id: id(1),
        controller_plugins: [(PLUGIN.into(), info)].into(),
        ..Default::default()
    };
    cluster.write(|txn| upsert_node(txn, NOW, node)).unwrap();
    cluster
}

/// Adds another plugin, on a node of its own.
fn also(cluster: &Cluster, node: u128, plugin: &str, required: bool) {
    let node = Node {
        id: id(node),
        controller_plugins: [(plugin.into(), controller(plugin, required))].into(),
        node_plugins: [(plugin.into(), node_plugin(plugin, required, "i"))].into(),
        ..Default::default()
    };
    cluster.write(|txn| upsert_node(txn, NOW, node)).unwrap();
}

fn new_spec(volume: &str) -> VolumeSpec {
    VolumeSpec {
        name: volume.into(),
        external_id: Box::default(),
        requested_capacity_min: 100,
        context: [("by".into(), "user".into())].into(),
        secrets: [("password", "xyzzy")].into_iter().collect(),
        ..spec(volume)
    }
}

fn create(
    cluster: &Cluster,
    providers: &Providers,
    specs: Vec<VolumeSpec>,
) -> Result<Result<(), String>, RegisterError> {
    let provided = create_with_provider(&cluster.view(), providers, "default", specs)?;
    cluster.write(|txn| record_volumes(txn, NOW, &provided))?;
    Ok(provided.failures().map_err(|failures| failures.to_string()))
}

fn register(
    cluster: &Cluster,
    providers: &Providers,
    spec: VolumeSpec,
) -> Result<Vec<VolumeKey>, RegisterError> {
    let provided = register_with_provider(&cluster.view(), providers, "default", vec![spec])?;
    cluster.write(|txn| record_volumes(txn, NOW, &provided))
}

#[test]
fn the_result_of_the_provider_is_recorded() {
    let (cluster, disks) = (cluster(), Disks::default());
    let providers = disks.providers(PLUGIN);
    assert_eq!(create(&cluster, &providers, vec![new_spec("v")]).unwrap(), Ok(()));
    let volume = cluster.volume("v").unwrap();
    assert_eq!((&*volume.external_id, volume.capacity), ("disk-v", 100));
    assert_eq!(volume.context, [("made-by".into(), "disks".into())].into(), "not the user's");
    assert_eq!(volume.topologies[0].segments["rack"], "r1".into());
    assert_eq!(disks.state().secrets, ["password=xyzzy"]);

    // Making it again makes nothing, and larger wishes enlarge it.
    let larger = VolumeSpec { requested_capacity_min: 300, ..new_spec("v") };
    assert_eq!(create(&cluster, &providers, vec![larger]).unwrap(), Ok(()));
    assert_eq!(
        (cluster.volume("v").unwrap().capacity, disks.calls()),
        (300, vec!["create", "validate", "expand"])
    );
}

#[test]
fn a_claimed_volume_is_attached_to_the_node_of_the_claim() {
    let (cluster, disks) = (cluster(), Disks::default());
    let providers = disks.providers(PLUGIN);
    create(&cluster, &providers, vec![new_spec("v")]).unwrap().unwrap();
    cluster.allocation(running(10, 2));
    let attach = |providers: &Providers| {
        attach_with_provider(&cluster.view(), providers, "default", "v", id(10))
            .map_err(|error| error.to_string())
    };
    let unclaimed = format!("controller publish: Unknown allocation: {}", id(10));
    assert_eq!(attach(&providers), Err(unclaimed));
    cluster.claim("v", taken(10, ClaimMode::Write)).unwrap();
    assert_eq!(attach(&Providers::default()), Ok(Labels::new()), "no provider to call");
    attach(&providers).unwrap();
    let attached = || disks.state().volumes["disk-v"].attached.clone();
    assert_eq!(attached(), ["i-2".to_owned()].into());
    disks.fail(Some(ProviderErrorKind::FailedPrecondition));
    assert_eq!(
        attach(&providers).unwrap_err(),
        "controller publish: CSI client error (retryable): controller attach volume: the disks are \
         on fire"
    );
    disks.fail(None);
    cluster.allocation(Allocation { client_status: "failed".into(), ..running(10, 2) });
    let view = cluster.view();
    let answer = detach_with_provider(&view, &providers, &overdue_releases(&view)[0]);
    assert_eq!((answer, attached().len()), (Ok(()), 0));
}

#[test]
fn debug_of_results_prints_no_secret() {
    let (cluster, disks) = (cluster(), Disks::default());
    let secret =
        VolumeSpec { parameters: [("token".into(), "xyzzy".into())].into(), ..new_spec("v") };
    let provided =
        create_with_provider(&cluster.view(), &disks.providers(PLUGIN), "default", vec![secret])
            .unwrap();
    let shown = format!("{provided:?}");
    assert!(!shown.contains("xyzzy") && !shown.contains("made-by"), "{shown}");
}

#[test]
fn a_failed_creation_keeps_the_successful_ones() {
    let (cluster, disks) = (cluster(), Disks::default());
    let providers = disks.providers(PLUGIN);
    let nameless = VolumeSpec { name: Box::default(), ..new_spec("bad") };
    let failures = create(&cluster, &providers, vec![new_spec("v"), nameless]).unwrap();
    assert_eq!(failures.unwrap_err(), "1 error occurred:\n\t* missing Name\n\n");
    assert!(cluster.volume("v").is_some() && cluster.volume("bad").is_none());

    disks.fail(Some(ProviderErrorKind::Internal));
    let view = cluster.view();
    let provided = create_with_provider(&view, &providers, "default", vec![new_spec("w")]).unwrap();
    let failures = provided.failures().unwrap_err();
    assert_eq!(
        failures.to_string(),
        "1 error occurred:\n\t* controller create volume: the disks are on fire\n\n"
    );
    assert_eq!(failures.class(), ErrorClass::Provider);
    let unreachable = create(&cluster, &Providers::default(), vec![new_spec("w")]).unwrap();
    assert!(unreachable.unwrap_err().contains("controller create volume: No path to node"));
}

#[test]
fn invalid_requests_found_by_a_provider_are_client_errors() {
    use ProviderErrorKind as Kind;

    let (cluster, disks) = (cluster(), Disks::default());
    let providers = disks.providers(PLUGIN);
    for (kind, fault) in [
        (Kind::InvalidArgument, ErrorClass::Request),
        (Kind::OutOfRange, ErrorClass::Request),
        (Kind::Unimplemented, ErrorClass::Request),
        (Kind::NotFound, ErrorClass::NotFound),
        (Kind::AlreadyExists, ErrorClass::Conflict),
        (Kind::FailedPrecondition, ErrorClass::Conflict),
        (Kind::ResourceExhausted, ErrorClass::Exhausted),
        (Kind::Unavailable, ErrorClass::Provider),
        (Kind::Internal, ErrorClass::Provider),
    ] {
        disks.fail(Some(kind));
        let provided =
            create_with_provider(&cluster.view(), &providers, "default", vec![new_spec("w")])
                .unwrap();
        assert_eq!(provided.failures().unwrap_err().class(), fault, "{kind:?}");
    }
}

#[test]
fn two_volumes_never_share_created_data() {
    let (cluster, disks) = (cluster(), Disks::default());
    let providers = disks.providers(PLUGIN);
    let space = Namespace { name: "other".into(), ..Default::default() };
    cluster.write(|txn| upsert_namespace(txn, space)).unwrap();
    create(&cluster, &providers, vec![new_spec("v")]).unwrap().unwrap();
    let taken = "1 error occurred:\n\t* volume name \"v\" is taken: its provider created a volume of \
                 that name, which is registered with another ID or in another namespace\n\n";
    let named = |id: &str, namespace: &str| VolumeSpec {
        id: id.into(),
        namespace: namespace.into(),
        ..new_spec("v")
    };
    for other in [named("v", "other"), named("w", "default")] {
        let view = cluster.view();
        let provided = create_with_provider(&view, &providers, "default", vec![other]).unwrap();
        let failures = provided.failures().unwrap_err();
        assert_eq!(
            (failures.to_string().as_str(), failures.class()),
            (taken, ErrorClass::Conflict)
        );
    }
    let twins = vec![VolumeSpec { id: "a".into(), ..new_spec("c") }, new_spec("c"), new_spec("c")];
    let failures = create(&cluster, &providers, twins).unwrap().unwrap_err();
    assert!(failures.starts_with("2 errors occurred"), "{failures}");
    assert!(cluster.volume("a").is_some() && cluster.volume("c").is_none());
    assert_eq!(create(&cluster, &providers, vec![new_spec("v")]).unwrap(), Ok(()), "its own");
}

#[test]
fn no_provider_is_called_before_all_volumes_are_valid() {
    let (cluster, disks) = (cluster(), Disks::default());
    let providers = disks.providers(PLUGIN);
    let text = |specs| create(&cluster, &providers, specs).unwrap_err().to_string();
    assert_eq!(text(Vec::new()), "missing volume definition");
    let other = |plugin: &str| VolumeSpec { plugin_id: plugin.into(), ..new_spec("w") };
    assert_eq!(
        text(vec![new_spec("v"), other("none")]),
        "no CSI plugin named: none could be found"
    );
    let negative = VolumeSpec { requested_capacity_min: -1, ..new_spec("w") };
    assert_eq!(text(vec![new_spec("v"), negative]), "validation: capacity must not be negative");
    let nowhere = VolumeSpec { namespace: "none".into(), ..new_spec("w") };
    assert_eq!(text(vec![new_spec("v"), nowhere]), "volume w is in nonexistent namespace none");
    also(&cluster, 5, "nodes", false);
    also(&cluster, 6, "weak", true);
    assert_eq!(text(vec![other("nodes")]), "plugin has no controller");
    assert_eq!(text(vec![other("weak")]), "plugin does not support creating volumes");
    assert_eq!(disks.calls(), [""; 0]);
    let odd = VolumeSpec { requested_capabilities: vec![capability("odd")], ..new_spec("v") };
    assert_eq!(text(vec![odd]), "validation: invalid access mode: \"odd\"");
}

#[test]
fn registering_validates_and_expands_the_volume() {
    let (cluster, disks) = (cluster(), Disks::default());
    let providers = disks.providers(PLUGIN);
    let known =
        VolumeSpec { external_id: "disk-v".into(), requested_capacity_min: 0, ..new_spec("v") };
    let refused = register(&cluster, &providers, known.clone()).unwrap_err();
    assert_eq!(refused.to_string(), "controller validate volume: no disk disk-v");
    assert_eq!(refused.class(), ErrorClass::NotFound);
    assert!(
        register(&cluster, &Providers::default(), known.clone()).is_ok(),
        "no provider to call"
    );

    create(&cluster, &providers, vec![new_spec("other")]).unwrap().unwrap();
    let mut made = disks.state().volumes["disk-other"].clone();
    made.name = "v".into();
    disks.state().volumes.insert("disk-v".into(), made);
    disks.calls();
    let larger = VolumeSpec { requested_capacity_min: 500, ..known };
    let alone = register(&cluster, &Providers::default(), larger.clone()).unwrap_err();
    assert_eq!(
        alone.to_string(),
        "unable to update volume: unable to expand volume: controller expand volume: No path to node"
    );
    register(&cluster, &providers, larger.clone()).unwrap();
    assert_eq!(disks.calls(), ["expand", "validate"]);
    let volume = cluster.volume("v").unwrap();
    assert_eq!((volume.capacity, volume.requested_capacity_min), (500, 500));
    disks.fail(Some(ProviderErrorKind::OutOfRange));
    let more = VolumeSpec { requested_capacity_min: 900, ..larger };
    assert_eq!(
        register(&cluster, &providers, more).unwrap_err().to_string(),
        "unable to update volume: unable to expand volume: controller expand volume: the disks are on fire"
    );
    assert_eq!(cluster.volume("v").unwrap().capacity, 500);
}

#[test]
fn a_volume_in_use_is_not_deleted_at_its_provider() {
    let (cluster, disks) = (cluster(), Disks::default());
    let providers = disks.providers(PLUGIN);
    create(&cluster, &providers, vec![new_spec("v")]).unwrap().unwrap();
    disks.calls();
    let header = input::secrets_header("password=other,token=t");
    let ask =
        |ids: &[&str]| delete_with_provider(&cluster.view(), &providers, "default", ids, &header);
    let text = |ids: &[&str]| ask(ids).unwrap_err().to_string();
    assert_eq!(text(&[]), "missing volume IDs");
    assert_eq!(text(&["v", "none"]), "volume not found: none");
    cluster.allocation(running(10, 2));
    cluster.claim("v", taken(10, ClaimMode::Read)).unwrap();
    assert_eq!(text(&["v"]), "volume in use: v");
    assert_eq!(disks.calls(), [""; 0]);

    cluster.claim("v", released(10, ClaimState::ReadyToFree)).unwrap();
    disks.fail(Some(ProviderErrorKind::FailedPrecondition));
    assert_eq!(text(&["v"]), "controller delete volume: the disks are on fire");
    assert!(cluster.volume("v").is_some());
    disks.fail(None);
    ask(&["v"]).unwrap();
    assert_eq!(disks.state().secrets, ["password=other", "token=t"]);
    cluster.deregister("v", false).unwrap();
    assert!(disks.state().volumes.is_empty());

    also(&cluster, 5, "nodes", false);
    cluster.register(VolumeSpec { plugin_id: "nodes".into(), ..spec("n") }).unwrap();
    assert_eq!(text(&["n"]), "plugin \"nodes\" for volume \"n\" not found");
}

#[test]
fn snapshots_are_created_listed_and_deleted() {
    let (cluster, disks) = (cluster(), Disks::default());
    let providers = disks.providers(PLUGIN);
    create(&cluster, &providers, vec![new_spec("v")]).unwrap().unwrap();
    let body = br#"{"Snapshots": [
        {"SourceVolumeID": "v", "Name": "a", "Secrets": {"token": "t"}},
        {"SourceVolumeID": "v", "Name": "b"}
    ]}"#;
    let specs = input::snapshots_body(body).unwrap().snapshots;
    let view = cluster.view();
    let taken = create_snapshots_with_provider(&view, &providers, "default", &specs[..1]).unwrap();
    let json = serde_json::to_value(SnapshotView::created(&taken[0])).unwrap();
    assert_eq!(
        (&json["ID"], &json["ExternalSourceVolumeID"]),
        (&"snap-a".into(), &"disk-v".into())
    );
    assert_eq!(json["Secrets"], serde_json::Value::Null);
    assert_eq!(disks.state().secrets, ["password=xyzzy", "token=t"]);
    create_snapshots_with_provider(&view, &providers, "default", &specs[1..]).unwrap();

    let none = Secrets::default();
    let page = ProviderPage { entries_max: 1, token: "" };
    let first = list_external_snapshots(&view, &providers, "fo", &page, &none).unwrap();
    assert_eq!((first.snapshots.len(), &*first.next_token), (1, "snap-b"));
    delete_snapshot_with_provider(&view, &providers, PLUGIN, "snap-a", &none).unwrap();
    assert_eq!(disks.state().snapshots.len(), 1);

    let wrong = [
        SnapshotSpec { volume_id: "none".into(), ..Default::default() },
        SnapshotSpec { volume_id: "v".into(), plugin_id: "other".into(), ..Default::default() },
    ];
    assert_eq!(
        create_snapshots_with_provider(&view, &providers, "default", &wrong)
            .unwrap_err()
            .to_string(),
        "2 errors occurred:\n\t* no such volume \"none\"\n\t* no such plugin \"other\"\n\n"
    );
    let missing = delete_snapshot_with_provider(&view, &providers, "x", "s", &none).unwrap_err();
    assert_eq!(missing.to_string(), "1 error occurred:\n\t* no such plugin\n\n");
    assert_eq!(missing.class(), ErrorClass::NotFound);
    disks.fail(Some(ProviderErrorKind::Internal));
    assert_eq!(
        delete_snapshot_with_provider(&view, &providers, PLUGIN, "s", &none)
            .unwrap_err()
            .to_string(),
        "1 error occurred:\n\t* could not delete \"s\": controller delete snapshot: the disks are \
         on fire\n\n"
    );
}

#[test]
fn external_volumes_are_listed_by_a_plugin_prefix() {
    let (cluster, disks) = (cluster(), Disks::default());
    let providers = disks.providers(PLUGIN);
    create(&cluster, &providers, vec![new_spec("v"), new_spec("w")]).unwrap().unwrap();
    also(&cluster, 5, "foo-bar", true);
    also(&cluster, 6, "fox", true);
    let view = cluster.view();
    let page = ProviderPage::default();
    let list = |plugin: &str| list_external_volumes(&view, &providers, plugin, &page);
    let found = list("foo").unwrap();
    let json = serde_json::to_value(ExternalVolumeView::new(&found.volumes[1])).unwrap();
    assert_eq!((&json["ExternalID"], &json["CapacityBytes"]), (&"disk-w".into(), &100.into()));
    assert_eq!(list("foo-").unwrap_err().to_string(), "controller list volumes: No path to node");
    let several = list("fo").unwrap_err();
    assert_eq!(
        (several.to_string().as_str(), several.class()),
        ("plugin ID \"fo\" is the start of several: foo, foo-bar, fox", ErrorClass::Request)
    );
    let none = list("bar").unwrap_err();
    assert_eq!((none.to_string().as_str(), none.class()), ("no such plugin", ErrorClass::NotFound));
    let page = ProviderPage { entries_max: 1, token: "disk-w" };
    disks.state().greedy = true;
    let one = ProviderPage { entries_max: 1, token: "" };
    let cut = list_external_volumes(&view, &providers, "foo", &one).unwrap();
    assert_eq!(cut.volumes.len(), 1, "no more than requested");
    disks.state().greedy = false;
    let rest = list_external_volumes(&view, &providers, "foo", &page).unwrap();
    assert_eq!((rest.volumes.len(), &*rest.next_token), (1, ""));
    assert!(disks.probe().is_ok());
}
