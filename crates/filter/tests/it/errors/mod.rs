//! Goal: an error has a reason, a source range and a suggested fix.
//!
//! Method: snapshots of the rendered text.

#![expect(clippy::needless_raw_string_hashes, reason = "written by the snapshot update")]

mod fields;
mod limits;
mod rendering;
mod syntax;

use expect_test::Expect;
use statehold_filter::{Filter, Filterable};

#[derive(Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Volume {
    name: String,
    #[filterable(rename = "PluginID")]
    plugin_id: String,
    size: i64,
    schedulable: bool,
    tags: Vec<String>,
    meta: std::collections::BTreeMap<String, String>,
    topologies: Vec<Topology>,
    mounted: Option<Topology>,
}

#[derive(Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Topology {
    zone: String,
}

#[track_caller]
fn check(text: &str, expected: &Expect) {
    let error = Filter::<Volume>::compile(text).expect_err("it compiles");
    expected.assert_eq(&error.to_string());
}
