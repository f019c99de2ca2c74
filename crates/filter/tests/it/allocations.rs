//! Goal: evaluating a compiled filter does not allocate; compilation takes memory linear in the
//! text; a filter returns the bytes that it holds.
//!
//! Method: a counting allocator, around the evaluation or the compilation alone.

use std::collections::{BTreeMap, HashMap};

use allocation_counter::measure;
use serde_json::{Value, json};
use statehold_filter::{Dialect, Filter, Filterable, Options};

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

/// The cases of the benches.
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
        r#"Name matches "(web|db)-[0-9]{1,5}" or ID matches* "VOLUME.*[x-z]\\b""#,
        r#"Name in ["web-1", "x", "y"] and Name between a and z and Name starts with w and Name >= b"#,
        r#"Tags contains any ["foo", "x"] and Tags contains all ["foo"] and Meta contains any ["env"]"#,
        r#"Name ==* "WEB-1" or Name contains* "EB" or @Name != @PluginID or count(Tags) > 1"#,
    ]
    .map(str::to_owned)
    .into()
}

/// Returns the allocations of evaluating each row, on a thread that has not evaluated before.
fn allocations<T: Filterable + Sync>(text: &str, rows: &[T]) -> u64 {
    let options = Options::new().dialect(Dialect::Extended);
    let filter =
        Filter::<T>::compile_with(text, &options).unwrap_or_else(|error| panic!("{error}"));
    let ask = || {
        measure(|| assert!(rows.iter().filter(|row| filter.matches(row)).count() <= 3)).count_total
    };
    let first = ask();
    let other = std::thread::scope(|scope| scope.spawn(ask).join().expect("it does not panic"));
    first + other
}

#[test]
fn evaluating_a_struct_does_not_allocate() {
    let rows = [volume("web-1", "p1"), volume("db-1", "p1"), volume("7", "p2")];
    for text in cases() {
        assert_eq!(allocations(&text, &rows), 0, "{text}");
    }
}

#[test]
fn evaluating_json_does_not_allocate() {
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
fn cloning_a_filter_does_not_allocate() {
    let filter = Filter::<Volume>::compile(r#"Name matches "^web""#).expect("it compiles");
    assert_eq!(measure(|| drop(filter.clone())).count_total, 0);
}

#[test]
fn patterns_without_a_table_allocate_once_per_thread() {
    // A table would need a state for each set of positions among the last eleven that had an `a`.
    let filter = Filter::<Volume>::compile("Name matches `a.{11}b`").expect("it compiles");
    let row = volume(&"ab".repeat(40), "p1");
    let ask = || measure(|| assert!(!filter.matches(&row))).count_total;
    assert!(ask() > 0, "then it is no example");
    assert_eq!(ask(), 0, "the same text needs no more room");
}

/// Returns a list for `selector`, and clauses of all kinds.
fn long_texts(values: usize) -> Vec<(&'static str, String)> {
    let selector = "Meta.".to_owned() + &["key"; 60].join("_");
    let list = |first: &str| {
        let values: Vec<String> = (0..values).map(|n| format!("\"value-{n}\"")).collect();
        format!("{first} [{}]", values.join(", "))
    };
    let clauses = |join: &str| {
        let clauses: Vec<String> = (0..values).map(|n| format!("{selector} == \"v{n}\"")).collect();
        clauses.join(join)
    };
    vec![
        ("in", list(&format!("{selector} in"))),
        ("in, own field", list("Name in")),
        ("contains any", list("Tags contains any")),
        ("contains all", list("Tags contains all")),
        ("contains any, text", list(&format!("{selector} contains any"))),
        ("contains all, keys", list("Meta contains all")),
        ("and", clauses(" and ")),
        ("or", clauses(" or ")),
    ]
}

#[test]
fn compilation_memory_is_linear_in_the_text() {
    fn bytes<T: Filterable>(text: &str) -> u64 {
        let options = Options::new().dialect(Dialect::Extended);
        let compiled = || Filter::<T>::compile_with(text, &options).map(drop);
        measure(|| compiled().unwrap_or_else(|error| panic!("{error}"))).bytes_total
    }
    for ((name, short), (_, long)) in long_texts(100).iter().zip(&long_texts(200)) {
        for (short, long, text) in [
            (bytes::<Volume>(short), bytes::<Volume>(long), long.len()),
            (bytes::<Value>(short), bytes::<Value>(long), long.len()),
        ] {
            assert!(long * 10 <= short * 25, "{name}: {short} bytes, twice as long {long}");
            // The smallest values cost the most: each takes some hundreds of bytes.
            assert!(long <= 80 * text as u64, "{name}: {long} bytes for a text of {text}");
        }
    }
}

#[test]
fn bytes_estimated_matches_the_allocator() {
    fn check<T: Filterable>(text: &str) {
        let options = Options::new().dialect(Dialect::Extended);
        let mut filter = None;
        let info = measure(|| filter = Filter::<T>::compile_with(text, &options).ok());
        let held = u64::try_from(info.bytes_current).expect("nothing is freed");
        let estimated = filter.unwrap_or_else(|| panic!("{text}")).bytes_estimated() as u64;
        // Only the outer allocation with its reference counts is excluded.
        assert!((held - 64..=held).contains(&estimated), "{estimated} of {held}: {text}");
    }
    // Statics that all filters share are not counted.
    assert!(Filter::<Value>::compile("a == \"\u{e9}\"").is_ok());
    let many = |clause: &str, join: &str| vec![clause; 50].join(join);
    let numbers: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let rarer = [
        format!("Name ==* \"{}\"", "LONG".repeat(500)),
        format!("Name contains* \"{}\"", "LONG".repeat(500)),
        many("@Name != @PluginID", " and "),
        many("not (Name == a or ID == b)", " and "),
        many("Tags contains all [a, b]", " or "),
        format!("Meta.key in [{}]", numbers.join(", ")),
    ];
    let long = long_texts(50).into_iter().map(|(_, text)| text);
    for text in cases().into_iter().chain(long).chain(rarer) {
        check::<Volume>(&text);
        check::<Value>(&text);
    }
}
