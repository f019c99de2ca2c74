//! Filters over rows shaped like a volume in a list: compilation, and evaluation beside a
//! hand-written closure.
//!
//! Names are `compile/<case>`, `eval/<case>/{filter,closure}` over structs,
//! `eval_json/<case>/{filter,closure}` over `serde_json::Value`, `list_100k/..` and `parse/..`; an
//! evaluation covers all `ROWS` rows once. Both of a pair must select the same number of rows
//! before they are measured. `benches/compare` measures other languages beside them.

mod rows;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use regex::Regex;
use serde_json::Value;
use statehold_filter::{Filter, Filterable, Limits, parse};

use self::rows::{Volume, volumes};

const ROWS: usize = 10_000;
const JSON_ROWS: usize = 2_000;
const LISTED_ROWS: usize = 100_000;
const OR_CLAUSES: usize = 20;

/// Measures a filter and an equivalent closure.
fn pair<T: Filterable>(
    criterion: &mut Criterion,
    group: &str,
    rows: &[T],
    text: &str,
    closure: impl Fn(&T) -> bool,
) {
    let filter = Filter::<T>::compile(text).unwrap_or_else(|error| panic!("{error}"));
    let by_filter = || rows.iter().filter(|row| filter.matches(row)).count();
    let by_closure = || rows.iter().filter(|row| closure(row)).count();
    assert_eq!(by_filter(), by_closure(), "{text}");
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Elements(rows.len() as u64));
    group.bench_function("filter", |bencher| bencher.iter(|| black_box(by_filter())));
    group.bench_function("closure", |bencher| bencher.iter(|| black_box(by_closure())));
    group.finish();
}

/// `ID == "volume-.." or ..`
fn or_of_ids(ids: &[String]) -> String {
    let clauses: Vec<String> = ids.iter().map(|id| format!("ID == \"{id}\"")).collect();
    clauses.join(" or ")
}

fn eval(criterion: &mut Criterion) {
    let rows = volumes(ROWS);
    // Values that the compiler cannot see, as in a filter.
    let given = |text: &str| black_box(text.to_owned());
    let (p1, default, us_1b) = (given("p1"), given("default"), given("us-1b"));
    let (tag, env, prod) = (given("foo"), given("env"), given("prod"));

    pair(criterion, "eval/text_equal", &rows, r#"PluginID == "p1""#, |row| row.plugin_id == p1);
    pair(
        criterion,
        "eval/three_clauses",
        &rows,
        r#"PluginID == "p1" and Schedulable == true and Namespace != "default""#,
        |row| row.plugin_id == p1 && row.schedulable && row.namespace != default,
    );
    let regex = Regex::new("^web-[0-9]+$").unwrap_or_else(|error| panic!("{error}"));
    let text = r#"Name matches "^web-[0-9]+$""#;
    pair(criterion, "eval/matches", &rows, text, |row| regex.is_match(&row.name));

    let ids: Vec<String> = (0..OR_CLAUSES).map(|n| format!("volume-{:08}", n * 400)).collect();
    pair(criterion, "eval/or_of_20", &rows, &or_of_ids(&ids), |row| ids.contains(&row.id));
    pair(criterion, "eval/in_list", &rows, r#""foo" in Tags"#, |row| row.tags.contains(&tag));
    let text = r#"any Topologies as t { t.Zone == "us-1b" }"#;
    pair(criterion, "eval/any_struct", &rows, text, |row| {
        row.topologies.iter().any(|topology| topology.zone == us_1b)
    });
    pair(criterion, "eval/map_key", &rows, r#"Meta.env == "prod""#, |row| {
        row.meta.get(&env).is_some_and(|value| *value == prod)
    });
    let none = given("none");
    pair(criterion, "eval/map_key_missing", &rows, r#"Meta.none == "prod""#, |row| {
        row.meta.get(&none).is_some_and(|value| *value == prod)
    });
}

fn eval_json(criterion: &mut Criterion) {
    let rows: Vec<Value> = volumes(JSON_ROWS)
        .iter()
        .map(|row| serde_json::to_value(row).unwrap_or_else(|error| panic!("{error}")))
        .collect();
    let text = r#"PluginID == "p1""#;
    pair(criterion, "eval_json/text_equal", &rows, text, |row| row["PluginID"] == "p1");
    let text = r#"PluginID == "p1" and Schedulable == true and Namespace != "default""#;
    pair(criterion, "eval_json/three_clauses", &rows, text, |row| {
        row["PluginID"] == "p1" && row["Schedulable"] == true && row["Namespace"] != "default"
    });
    let regex = Regex::new("^web-[0-9]+$").unwrap_or_else(|error| panic!("{error}"));
    let text = r#"Name matches "^web-[0-9]+$""#;
    pair(criterion, "eval_json/matches", &rows, text, |row| {
        row["Name"].as_str().is_some_and(|name| regex.is_match(name))
    });
    let ids: Vec<String> = (0..OR_CLAUSES).map(|n| format!("volume-{:08}", n * 80)).collect();
    pair(criterion, "eval_json/or_of_20", &rows, &or_of_ids(&ids), |row| {
        ids.iter().any(|id| row["ID"] == **id)
    });
    let has = |list: &Value, test: &dyn Fn(&Value) -> bool| {
        list.as_array().is_some_and(|list| list.iter().any(test))
    };
    pair(criterion, "eval_json/in_list", &rows, r#""foo" in Tags"#, |row| {
        has(&row["Tags"], &|tag| tag == "foo")
    });
    let text = r#"any Topologies as t { t.Zone == "us-1b" }"#;
    pair(criterion, "eval_json/any_struct", &rows, text, |row| {
        has(&row["Topologies"], &|topology| topology["Zone"] == "us-1b")
    });
    pair(criterion, "eval_json/map_key", &rows, r#"Meta.env == "prod""#, |row| {
        row["Meta"]["env"] == "prod"
    });
    pair(criterion, "eval_json/map_key_missing", &rows, r#"Meta.none == "prod""#, |row| {
        row["Meta"]["none"] == "prod"
    });
}

/// The work of a list endpoint: more rows than a cache holds.
fn list(criterion: &mut Criterion) {
    let rows = volumes(LISTED_ROWS);
    let p1 = black_box("p1".to_owned());
    let text = r#"PluginID == "p1""#;
    pair(criterion, "list_100k/text_equal", &rows, text, |row| row.plugin_id == p1);
}

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    let ids: Vec<String> = (0..OR_CLAUSES).map(|n| format!("volume-{n}")).collect();
    for (case, text) in [
        ("one_clause", r#"PluginID == "p1""#),
        ("three_clauses", r#"PluginID == "p1" and Schedulable == true and Namespace != "default""#),
        ("or_of_20", &or_of_ids(&ids)),
        ("quantifier", r#"any Topologies as t { t.Zone == "us-1b" }"#),
        ("matches", r#"Name matches "^web-[0-9]+$""#),
    ] {
        assert!(Filter::<Volume>::compile(text).is_ok());
        group.bench_function(case, |bencher| {
            bencher.iter(|| Filter::<Volume>::compile(black_box(text)));
        });
    }
    group.finish();
}

/// The time per byte must not grow with depth or length.
fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    let limits =
        Limits { text: 1 << 20, nesting: Limits::NESTING_MAX, nodes: 1 << 20, ..Limits::default() };
    for levels in [1, 15, 30, 45, 60] {
        let text = format!("{}Size == 1{}", "not (".repeat(levels), ")".repeat(levels));
        assert!(parse(&text, &limits).is_ok());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("nested_{levels}"), |bencher| {
            bencher.iter(|| parse(black_box(&text), &limits));
        });
    }
    for clauses in [10, 1_000, 10_000] {
        let text = vec!["Size == 1"; clauses].join(" and ");
        assert!(parse(&text, &limits).is_ok());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("clauses_{clauses}"), |bencher| {
            bencher.iter(|| parse(black_box(&text), &limits));
        });
    }
    group.finish();
}

criterion_group!(benches, eval, eval_json, list, compile, parsing);
criterion_main!(benches);
