//! Goal: asking a compiled filter about a row does not allocate.
//!
//! Method: an allocator that counts, around the asking alone.

use std::collections::{BTreeMap, HashMap};

use allocation_counter::measure;
use serde_json::{Value, json};
use statehold_filter::{Filter, Filterable};

#[derive(Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Topology {
    zone: String,
}

#[derive(Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Volume {
    #[filterable(rename = "ID")]
    id: String,
    namespace: String,
    name: String,
    schedulable: bool,
    #[filterable(rename = "PluginID")]
    plugin_id: String,
    topologies: Vec<Topology>,
    tags: Vec<String>,
    meta: BTreeMap<String, String>,
    labels: HashMap<String, String>,
}

fn volume(name: &str, plugin: &str) -> Volume {
    let pairs =
        || [("env", "prod"), ("team", "storage")].map(|(key, value)| (key.into(), value.into()));
    Volume {
        id: format!("volume-{name}"),
        namespace: "prod".to_owned(),
        name: name.to_owned(),
        schedulable: true,
        plugin_id: plugin.to_owned(),
        topologies: ["us-1a", "us-1b"].map(|zone| Topology { zone: zone.to_owned() }).into(),
        tags: ["bar", "foo"].map(str::to_owned).into(),
        meta: pairs().into(),
        labels: pairs().into(),
    }
}

/// The cases that the benches measure.
fn cases() -> Vec<String> {
    let or: Vec<String> = (0..20).map(|n| format!("ID == \"volume-{n}\"")).collect();
    [
        r#"PluginID == "p1""#,
        r#"PluginID == "p1" and Schedulable == true and Namespace != "default""#,
        r#"Name matches "^web-[0-9]+$""#,
        &or.join(" or "),
        r#""foo" in Tags"#,
        r#"any Topologies as t { t.Zone == "us-1b" }"#,
        r#"Meta.env == "prod""#,
        r#"Meta.none == "prod""#,
        r#"Labels.env == "prod" and "team" in Labels and not any Meta as k, v { v == k }"#,
    ]
    .map(str::to_owned)
    .into()
}

/// How many allocations asking about each row takes, once everything lazy is there.
fn allocations<T: Filterable>(text: &str, rows: &[T]) -> u64 {
    let filter = Filter::<T>::compile(text).unwrap_or_else(|error| panic!("{error}"));
    // A regular expression makes room for a search by each thread once.
    let matched = rows.iter().filter(|row| filter.matches(row)).count();
    let mut again = 0;
    let info = measure(|| again = rows.iter().filter(|row| filter.matches(row)).count());
    assert_eq!(again, matched);
    info.count_total
}

#[test]
fn asking_about_a_struct_does_not_allocate() {
    let rows = [volume("web-1", "p1"), volume("db-1", "p1"), volume("7", "p2")];
    for text in cases() {
        assert_eq!(allocations(&text, &rows), 0, "{text}");
    }
}

#[test]
fn asking_about_json_does_not_allocate() {
    let rows: Vec<Value> = ["web-1", "db-1", "7"]
        .iter()
        .map(|name| {
            json!({
                "ID": format!("volume-{name}"), "Namespace": "prod", "Name": name, "PluginID": "p1",
                "Schedulable": true, "Topologies": [{ "Zone": "us-1a" }, { "Zone": "us-1b" }],
                "Tags": ["bar", "foo"], "Meta": { "env": "prod" }, "Labels": { "env": "prod", "team": "x" },
            })
        })
        .collect();
    for text in cases() {
        assert_eq!(allocations(&text, &rows), 0, "{text}");
    }
}

#[test]
fn a_clone_of_a_filter_does_not_allocate() {
    let filter = Filter::<Volume>::compile(r#"Name matches "^web""#).expect("it compiles");
    assert_eq!(measure(|| drop(filter.clone())).count_total, 0);
}
