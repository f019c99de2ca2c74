//! Search by the prefix of an ID, and lists of nodes.

use crate::common::*;
use statehold_nomad::*;
use statehold_store::{HexPrefix, Order};
use uuid::Uuid;

fn cluster() -> Cluster {
    let cluster = Cluster::with_plugin();
    for name in ["dev", "prod"] {
        let namespace = Namespace { name: name.into(), ..Default::default() };
        cluster.write(|txn| upsert_namespace(txn, namespace)).unwrap();
    }
    cluster.register(spec("vol-1")).unwrap();
    cluster.register(VolumeSpec { namespace: "prod".into(), ..spec("vol-2") }).unwrap();
    cluster
        .write(|txn| upsert_job(txn, NOW, Job { id: "web".into(), ..Job::default() }, &mut fresh()))
        .unwrap();
    for number in [0xabc1_u128, 0xabd2] {
        let id = Uuid::from_u128(number << 112);
        cluster.allocation(Allocation { id, ..running(0, 2) });
        let volume = HostVolume { id, namespace: "prod".into(), ..HostVolume::default() };
        cluster.write(|txn| txn.upsert::<HostVolumes>(volume)).unwrap();
    }
    cluster
}

#[test]
fn each_context_is_searched_by_an_id_prefix() {
    let cluster = cluster();
    let found = |namespace: &str, context: &str, prefix: &str| {
        search(&cluster.view(), namespace, context.parse().unwrap(), prefix).ids
    };
    assert_eq!(found("default", "volumes", "vol"), ["vol-1"]);
    assert_eq!(found("*", "volumes", "vol"), ["vol-1", "vol-2"]);
    assert_eq!(found("*", "volumes", "2"), [""; 0]);
    assert_eq!(found("default", "jobs", "w"), ["web"]);
    assert_eq!(found("prod", "jobs", "w"), [""; 0]);
    assert_eq!(found("prod", "plugins", "fo"), [PLUGIN]);
    assert_eq!(found("prod", "namespaces", "d"), ["default", "dev"]);
    assert_eq!(found("prod", "nodes", "0000").len(), 3);
    let whole = "abc10000-0000-0000-0000-000000000000";
    for prefix in ["a", "AB", "abc", "abc1", "abc10000-0", whole] {
        assert_eq!(found("default", "allocs", prefix)[0], whole, "{prefix}");
    }
    assert_eq!(found("default", "allocs", "ab").len(), 2);
    assert_eq!(found("default", "allocs", "abc").len(), 1, "an odd number of digits matches");
    assert_eq!(found("prod", "allocs", "abc"), [""; 0]);
    assert_eq!(found("prod", "host_volumes", "abc"), [whole]);
    assert_eq!(found("default", "host_volumes", "abc"), [""; 0]);
    assert_eq!(found("*", "nodes", "web"), [""; 0], "not the prefix of an ID");
}

#[test]
fn a_search_returns_at_most_twenty_ids() {
    let cluster = cluster();
    let add = |number: u32| cluster.register(spec(&format!("many-{number:02}"))).unwrap();
    (0..20).for_each(|number| drop(add(number)));
    let found = || search(&cluster.view(), "default", SearchContext::Volumes, "many");
    assert_eq!((found().ids.len(), found().truncated), (20, false));
    add(20);
    assert_eq!((found().ids.len(), found().truncated), (20, true));
    assert_eq!(found().ids[19], "many-19");
}

#[test]
fn errors_for_unknown_contexts_list_the_known_ones() {
    let error = "x".parse::<SearchContext>().unwrap_err().to_string();
    assert_eq!(
        error,
        "context must be one of [allocs deployment evals host_volumes jobs namespaces node_pools nodes \
         plugins scaling_policy vars volumes] or 'all' for all contexts; got \"x\""
    );
}

#[test]
fn nodes_are_listed_by_an_id_prefix() {
    let cluster = cluster();
    let view = cluster.view();
    let prefix = |text: &str| HexPrefix::parse(text).unwrap();
    let names = |prefix: &HexPrefix, order, from| -> Vec<String> {
        list_nodes(&view, prefix, order, from).map(|node| node.name.to_string()).collect()
    };
    assert_eq!(names(&prefix(""), Order::Ascending, None), ["n1", "n2", "n3"]);
    assert_eq!(names(&prefix(""), Order::Descending, Some(id(2))), ["n2", "n1"]);
    assert_eq!(names(&prefix(&id(3).to_string()), Order::Ascending, None), ["n3"]);
    let node = list_nodes(&view, &prefix(""), Order::Ascending, None).next().unwrap();
    let item = NodeItem::new(&view, node);
    let json = serde_json::to_value(item.stub()).unwrap();
    assert_eq!((&json["Name"], &json["NodePool"]), (&"n1".into(), &"default".into()));
    assert_eq!(
        (&json["Status"], &json["SchedulingEligibility"]),
        (&"ready".into(), &"eligible".into())
    );
    let filter = statehold_filter::Filter::<NodeItem>::compile(
        r#"NodePool == "default" and CSIControllerPlugins.foo.Healthy == true and HostVolumes is empty"#,
    );
    assert!(filter.unwrap().matches(&item));
}

fn host_volume(cluster: &Cluster, number: u128, name: &str) {
    host_volume_in(cluster, "default", number, name);
}

fn host_volume_in(cluster: &Cluster, namespace: &str, number: u128, name: &str) {
    let row = HostVolume {
        id: id(number),
        namespace: namespace.into(),
        name: name.into(),
        ..Default::default()
    };
    cluster.write(|txn| txn.upsert::<HostVolumes>(row)).unwrap();
}

#[test]
fn a_list_by_prefix_is_woken_by_no_other_volume() {
    let cluster = cluster();
    for (at, name) in (0_u128..).zip(["zz-1", "disk-1", "disk-2", "disk-3"]) {
        host_volume(&cluster, 0xabc0 + at, name);
    }
    let list = |prefix: &'static str| {
        move |view: &statehold_store::Tracked| {
            let query = HostVolumeQuery { prefix, ..Default::default() };
            list_host_volumes(view, &query).count()
        }
    };
    for prefix in ["zz", "ffffffff", "nothing", "DISK"] {
        assert!(!is_woken(&cluster, list(prefix), |it| host_volume(it, 7, "other")), "{prefix}");
    }
    assert!(is_woken(&cluster, list("zz"), |it| host_volume(it, 8, "zz-9")));
    let by_id = list("00000000-0000-0000-0000-00000000ab");
    assert!(is_woken(&cluster, by_id, |it| host_volume(it, 0xabff, "other")));

    let csi = |prefix: &'static str| {
        move |view: &statehold_store::Tracked| {
            let query = VolumeQuery { prefix, ..Default::default() };
            list_volumes(view, &query).count()
        }
    };
    for name in ["aa-1", "bb-1", "bb-2"] {
        cluster.register(spec(name)).unwrap();
    }
    let other = |it: &Cluster| drop(it.register(spec("bb-3")).unwrap());
    assert!(!is_woken(&cluster, csi("aa"), other));
    let named = |it: &Cluster| drop(it.register(spec("aa-2")).unwrap());
    assert!(is_woken(&cluster, csi("aa"), named));
}

#[test]
fn a_filter_on_a_name_is_woken_by_no_other_volume() {
    let cluster = cluster();
    for name in ["aa", "bb", "cc"] {
        cluster.register(VolumeSpec { name: name.into(), ..spec(name) }).unwrap();
    }
    for text in [r#"Name == "aa""#, r#"ID == "aa""#] {
        let filter = statehold_filter::Filter::<VolumeItem>::compile(text).unwrap();
        let conjuncts = filter.conjuncts();
        let list = |view: &statehold_store::Tracked| {
            let query = VolumeQuery { conjuncts: &conjuncts, ..Default::default() };
            list_volumes(view, &query).count()
        };
        let again = |name: &'static str| {
            move |it: &Cluster| {
                it.register(VolumeSpec { name: name.into(), capacity: 1, ..spec(name) }).unwrap();
            }
        };
        assert!(!is_woken(&cluster, list, again("bb")), "{text}");
        assert!(is_woken(&cluster, list, again("aa")), "{text}");
    }
}

#[test]
fn a_prefix_in_a_namespace_is_woken_by_no_other_namespace() {
    let cluster = cluster();
    host_volume(&cluster, 0xab00, "disk-1");
    let list = |prefix: &'static str| {
        move |view: &statehold_store::Tracked| {
            let query = HostVolumeQuery { namespace: "default", prefix, ..Default::default() };
            list_host_volumes(view, &query).count()
        }
    };
    let by_id = "00000000-0000-0000-0000-00000000AB";
    for prefix in ["disk", "DISK", by_id] {
        let other = |it: &Cluster| host_volume_in(it, "prod", 0xab01, "disk-2");
        assert!(!is_woken(&cluster, list(prefix), other), "{prefix}");
    }
    assert!(is_woken(&cluster, list("disk"), |it| host_volume(it, 3, "disk-3")));
    assert!(is_woken(&cluster, list(by_id), |it| host_volume(it, 0xab04, "other")));
    let found = |view: &statehold_store::Tracked| {
        search(view, "default", SearchContext::HostVolumes, "00000000-0000-0000-0000-00000000ab")
    };
    assert!(!is_woken(&cluster, found, |it| host_volume_in(it, "prod", 0xab05, "disk-5")));
    assert!(is_woken(&cluster, found, |it| host_volume(it, 0xab06, "disk-6")));
}

#[test]
fn an_upper_case_prefix_is_woken_by_no_other_volume() {
    let cluster = cluster();
    host_volume(&cluster, 0xab00, "AB-1");
    for namespace in ["*", "default"] {
        let list = |view: &statehold_store::Tracked| {
            let query = HostVolumeQuery { namespace, prefix: "ABBA", ..Default::default() };
            list_host_volumes(view, &query).count()
        };
        assert!(!is_woken(&cluster, list, |it| host_volume(it, 1, "other")), "{namespace}");
        assert!(
            !is_woken(&cluster, list, |it| host_volume(it, 2, "abba")),
            "names are case-sensitive"
        );
        assert!(is_woken(&cluster, list, |it| host_volume(it, 3, "ABBA-1")), "{namespace}");
        let by_id = |it: &Cluster| host_volume(it, 0xabba << 112, "by ID");
        assert!(is_woken(&cluster, list, by_id), "{namespace}");
    }
}
