//! Filters over rows shaped like a volume in a list: compiling, and asking next to a closure written by hand.
//!
//! Names are `compile/<case>` and `eval/<case>/{filter,closure}`; an evaluation asks all `ROWS` rows once. Each pair is
//! asserted to give the same number of matches before it is measured.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use regex::Regex;
use statehold_filter::{Filter, Filterable, Limits, parse};

const ROWS: usize = 10_000;
const OR_CLAUSES: usize = 20;

#[derive(Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Topology {
    zone: String,
}

/// 24 fields, about 600 bytes with what they point to.
#[derive(Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Volume {
    #[filterable(rename = "ID")]
    id: String,
    namespace: String,
    name: String,
    #[filterable(rename = "ExternalID")]
    external_id: String,
    topologies: Vec<Topology>,
    access_mode: String,
    attachment_mode: String,
    current_readers: i64,
    current_writers: i64,
    schedulable: bool,
    #[filterable(rename = "PluginID")]
    plugin_id: String,
    provider: String,
    controller_required: bool,
    controllers_healthy: i64,
    controllers_expected: i64,
    nodes_healthy: i64,
    nodes_expected: i64,
    resource_exhausted: Option<i64>,
    create_index: u64,
    modify_index: u64,
    create_time: i64,
    modify_time: i64,
    tags: Vec<String>,
    meta: BTreeMap<String, String>,
}

fn rows() -> Vec<Volume> {
    let number = |n: usize| i64::try_from(n).unwrap_or_default();
    let index = |n: usize| u64::try_from(n).unwrap_or_default();
    (0..ROWS)
        .map(|n| Volume {
            id: format!("volume-{n:08}"),
            namespace: if n.is_multiple_of(2) { "default" } else { "prod" }.to_owned(),
            name: format!("{}-{n}", ["web", "db", "cache"][n % 3]),
            external_id: format!("vol-{n:017x}"),
            topologies: ["us-1a", "us-1b", "us-1c"][..n % 4]
                .iter()
                .map(|zone| Topology { zone: (*zone).to_owned() })
                .collect(),
            access_mode: "single-node-writer".to_owned(),
            attachment_mode: "file-system".to_owned(),
            current_readers: number(n % 5),
            current_writers: number(n % 2),
            schedulable: !n.is_multiple_of(7),
            plugin_id: format!("p{}", n % 4),
            provider: "ebs.csi.aws.com".to_owned(),
            controller_required: n.is_multiple_of(2),
            controllers_healthy: 1,
            controllers_expected: 2,
            nodes_healthy: number(n % 9),
            nodes_expected: 8,
            resource_exhausted: None,
            create_index: index(n),
            modify_index: index(n + 5),
            create_time: 1_700_000_000_000_000_000,
            modify_time: 1_700_000_000_000_000_000 + number(n),
            tags: ["bar", "baz", "foo"][..=n % 3].iter().map(|tag| (*tag).to_owned()).collect(),
            meta: [("env", ["prod", "dev"][n % 2]), ("team", "storage"), ("tier", "1")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        })
        .collect()
}

/// Measures a filter and the closure that means the same.
fn pair(
    criterion: &mut Criterion,
    rows: &[Volume],
    case: &str,
    text: &str,
    closure: impl Fn(&Volume) -> bool,
) {
    let filter = Filter::<Volume>::compile(text).unwrap_or_else(|error| panic!("{error}"));
    let by_filter = || rows.iter().filter(|row| filter.matches(row)).count();
    let by_closure = || rows.iter().filter(|row| closure(row)).count();
    assert_eq!(by_filter(), by_closure(), "{text}");
    let mut group = criterion.benchmark_group(format!("eval/{case}"));
    group.throughput(Throughput::Elements(rows.len() as u64));
    group.bench_function("filter", |bencher| bencher.iter(|| black_box(by_filter())));
    group.bench_function("closure", |bencher| bencher.iter(|| black_box(by_closure())));
    group.finish();
}

fn eval(criterion: &mut Criterion) {
    let rows = rows();
    // Values that a program does not know when it is compiled, as in a filter.
    let given = |text: &str| black_box(text.to_owned());
    let (p1, default, us_1b) = (given("p1"), given("default"), given("us-1b"));
    let (tag, env, prod) = (given("foo"), given("env"), given("prod"));

    pair(criterion, &rows, "text_equal", r#"PluginID == "p1""#, |row| row.plugin_id == p1);
    pair(
        criterion,
        &rows,
        "three_clauses",
        r#"PluginID == "p1" and Schedulable == true and Namespace != "default""#,
        |row| row.plugin_id == p1 && row.schedulable && row.namespace != default,
    );
    let regex = Regex::new("^web-[0-9]+$").unwrap_or_else(|error| panic!("{error}"));
    let text = r#"Name matches "^web-[0-9]+$""#;
    pair(criterion, &rows, "matches", text, |row| regex.is_match(&row.name));

    let ids: Vec<String> = (0..OR_CLAUSES).map(|n| format!("volume-{:08}", n * 400)).collect();
    let clauses: Vec<String> = ids.iter().map(|id| format!("ID == \"{id}\"")).collect();
    pair(criterion, &rows, "or_of_20", &clauses.join(" or "), |row| ids.contains(&row.id));
    pair(criterion, &rows, "in_list", r#""foo" in Tags"#, |row| row.tags.contains(&tag));
    let text = r#"any Topologies as t { t.Zone == "us-1b" }"#;
    pair(criterion, &rows, "any_struct", text, |row| {
        row.topologies.iter().any(|topology| topology.zone == us_1b)
    });
    pair(criterion, &rows, "map_key", r#"Meta.env == "prod""#, |row| {
        row.meta.get(&env).is_some_and(|value| *value == prod)
    });
    let none = given("none");
    pair(criterion, &rows, "map_key_missing", r#"Meta.none == "prod""#, |row| {
        row.meta.get(&none).is_some_and(|value| *value == prod)
    });
}

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    let or: Vec<String> = (0..OR_CLAUSES).map(|n| format!("ID == \"volume-{n}\"")).collect();
    for (case, text) in [
        ("one_clause", r#"PluginID == "p1""#),
        ("three_clauses", r#"PluginID == "p1" and Schedulable == true and Namespace != "default""#),
        ("or_of_20", &or.join(" or ")),
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

/// Time per byte stays the same, however deep or long.
fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    let limits =
        Limits { text: 1 << 20, nesting: Limits::NESTING_MAX, nodes: 1 << 20, ..Limits::default() };
    for levels in [4, 16, 64] {
        let text = format!("{}Size == 1{}", "not (".repeat(levels), ")".repeat(levels));
        assert!(parse(&text, &limits).is_ok());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("nested_{levels}"), |bencher| {
            bencher.iter(|| parse(black_box(&text), &limits));
        });
    }
    for clauses in [10, 1_000] {
        let text = vec!["Size == 1"; clauses].join(" and ");
        assert!(parse(&text, &limits).is_ok());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("clauses_{clauses}"), |bencher| {
            bencher.iter(|| parse(black_box(&text), &limits));
        });
    }
    group.finish();
}

criterion_group!(benches, eval, compile, parsing);
criterion_main!(benches);
