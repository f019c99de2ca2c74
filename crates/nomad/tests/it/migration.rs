//! Rows of version 2 of volumes and of version 1 of plugins, written by the last build that used
//! them, and the responses of that build.

use crate::common::*;
use serde_json::{Value, json};
use statehold_filter::Filter;
use statehold_nomad::*;
use statehold_store::{Order, Store};

/// Returns the responses about each plugin and volume, and the matches of filters on their
/// instances and claims.
fn answers(cluster: &Cluster) -> Value {
    let view = cluster.view();
    let value = |view: &dyn erased::Show| view.json();
    let plugins: Vec<Value> = list_plugins(&view, "", Order::Ascending, None)
        .map(|plugin| {
            let item = PluginItem::new(&view, plugin);
            json!([value(&item.stub()), value(&PluginView::new(&view, plugin, "*"))])
        })
        .collect();
    let mut health = HealthReader::new(&view);
    let volumes: Vec<Value> = list_volumes(&view, &all_of("*"))
        .map(|volume| {
            let (alone, claims) = (VolumeView::new(&view, volume), volume_claims(&view, volume));
            json!([
                value(&VolumeItem::new(&mut health, volume).stub()),
                value(&alone),
                value(&claims)
            ])
        })
        .collect();
    let mut matching = serde_json::Map::new();
    for text in VOLUME_FILTERS {
        let filter = Filter::<VolumeItem>::compile(text).unwrap();
        let items =
            list_volumes(&view, &all_of("*")).map(|volume| VolumeItem::new(&mut health, volume));
        let found = items.filter(|item| filter.matches(item));
        matching.insert((*text).into(), found.map(|item| json!(item.volume().id)).collect());
    }
    for text in PLUGIN_FILTERS {
        let filter = Filter::<PluginItem>::compile(text).unwrap();
        let items = list_plugins(&view, "", Order::Ascending, None);
        let items = items.map(|plugin| PluginItem::new(&view, plugin));
        let found = items.filter(|item| filter.matches(item));
        matching.insert((*text).into(), found.map(|item| json!(item.plugin().id)).collect());
    }
    let nodes: Vec<Value> = (1..5_u128)
        .map(|node| {
            let prefix = statehold_store::HexPrefix::parse(&id(node).to_string()).unwrap();
            json!(cluster.listed(&VolumeQuery { node: Some(&prefix), ..all_of("*") }))
        })
        .collect();
    let overdue: Vec<String> = (overdue_releases(&view).iter())
        .map(|release| format!("{} {:?}", release.volume().id, release.claim()))
        .collect();
    json!({
        "plugins": plugins, "volumes": volumes, "matching": matching, "on nodes": nodes,
        "overdue": overdue,
    })
}

mod erased {
    pub(super) trait Show {
        fn json(&self) -> serde_json::Value;
    }

    impl<T: serde::Serialize> Show for T {
        fn json(&self) -> serde_json::Value {
            serde_json::to_value(self).unwrap()
        }
    }
}

const VOLUME_FILTERS: &[&str] = &[
    r#""00000000-0000-0000-0000-00000000000a" in WriteAllocs"#,
    r#""00000000-0000-0000-0000-00000000000b" in ReadAllocs"#,
    "ReadAllocs is empty",
    r#"any ReadClaims as allocation, claim { claim.State == "taken" and claim.Mode == "read" }"#,
    r#"all WriteClaims as _, claim { claim.ExternalNodeID == "i-2" }"#,
    r#"any PastClaims as _, claim { claim.State == "node-detached" }"#,
    "CurrentReaders == 2",
    "CurrentWriters != 0",
];

const PLUGIN_FILTERS: &[&str] = &[
    r#""00000000-0000-0000-0000-000000000001" in Controllers"#,
    "any Nodes as _, info { info.Healthy == false }",
    "Controllers is empty",
    "NodesHealthy == 1",
];

/// Opens the rows of the last build with version 2 of volumes, and moves them like a server does.
fn moved() -> Cluster {
    let cluster = Cluster { store: Store::in_memory(&schema()) };
    cluster.store.restore(&include_bytes!("data/rows-2.backup")[..]).unwrap();
    cluster.write(bootstrap).unwrap();
    cluster
}

/// Compares the recorded responses with the current ones, without the indexes of the last change,
/// because moving a row writes it.
fn compare(cluster: &Cluster) {
    let without = |mut answers: Value| {
        drop_modify_indexes(&mut answers);
        answers
    };
    let recorded: Value = serde_json::from_str(include_str!("data/rows-2.json")).unwrap();
    let (recorded, found) = (without(recorded), without(answers(cluster)));
    for (part, recorded) in recorded.as_object().unwrap() {
        assert_eq!(&found[part], recorded, "{part}");
    }
}

fn drop_modify_indexes(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("ModifyIndex");
            fields.values_mut().for_each(drop_modify_indexes);
        }
        Value::Array(values) => values.iter_mut().for_each(drop_modify_indexes),
        _ => {}
    }
}

#[test]
fn rows_of_the_previous_build_yield_its_responses() {
    compare(&moved());
}

#[test]
fn a_write_of_an_old_plugin_moves_its_instances() {
    let writes: [fn(&Cluster); 3] = [
        |it| {
            let bare = Node { id: id(2), ..Default::default() };
            it.write(|txn| upsert_node(txn, NOW, bare)).unwrap();
        },
        |it| {
            let stopped = Allocation { desired_status: "stop".into(), ..running(14, 4) };
            it.allocation(stopped);
        },
        |it| it.write(|txn| delete_job(txn, NOW, "default", "job")).unwrap(),
    ];
    assert_moves(&writes);
}

#[test]
fn a_write_of_an_old_volume_moves_its_claims() {
    assert_moves(&[
        |it| it.claim("v", taken(12, ClaimMode::Read)).unwrap(),
        |it| it.claim("v", released(10, ClaimState::ReadyToFree)).unwrap(),
        |it| it.claim("w", ClaimRequest { mode: ClaimMode::Gc, ..Default::default() }).unwrap(),
        |it| {
            let request = released(11, ClaimState::ControllerDetached);
            it.write(|txn| unpublish(txn, NOW, "default", "v", request)).unwrap();
        },
        |it| drop(it.register(VolumeSpec { external_id: "vol-0".into(), ..spec("v") }).unwrap()),
        |it| it.deregister("w", true).unwrap(),
        |it| {
            let ended = Allocation { client_status: "failed".into(), ..running(11, 2) };
            it.allocation(ended);
        },
    ]);
}

/// Asserts that each write has the same result before and after the rows were moved.
fn assert_moves(writes: &[fn(&Cluster)]) {
    for write in writes {
        let results = [false, true].map(|moved_before| {
            let cluster = Cluster { store: Store::in_memory(&schema()) };
            cluster.store.restore(&include_bytes!("data/rows-2.backup")[..]).unwrap();
            if moved_before {
                cluster.write(bootstrap).unwrap();
            }
            write(&cluster);
            if !moved_before {
                cluster.write(bootstrap).unwrap();
            }
            let mut found = answers(&cluster);
            drop_modify_indexes(&mut found);
            found
        });
        assert_eq!(results[0], results[1]);
    }
}
