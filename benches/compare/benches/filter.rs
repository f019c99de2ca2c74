//! Filters beside CEL (the `cel` crate) and hand-written closures, over the same rows.
//!
//! Names are `eval/<case>/{filter,cel,closure}` and `compile/<case>/{filter,cel}`; an evaluation
//! covers all `ROWS` rows once. All must select the same number of rows before they are measured.
//! For CEL the rows are converted to its values beforehand; `eval/text_equal/cel_converting`
//! includes that conversion for each row.

#[path = "../../rows/mod.rs"]
mod rows;

use std::hint::black_box;

use cel::{Context, Program, Value};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use regex::Regex;
use statehold_filter::Filter;

use self::rows::{Volume, volumes};

const ROWS: usize = 1_000;
const OR_CLAUSES: usize = 20;

/// An expression in two languages, and an equivalent closure.
struct Case {
    name: &'static str,
    filter: String,
    cel: String,
    closure: Box<dyn Fn(&Volume) -> bool>,
}

fn case(
    name: &'static str,
    filter: &str,
    cel: &str,
    closure: impl Fn(&Volume) -> bool + 'static,
) -> Case {
    Case { name, filter: filter.to_owned(), cel: cel.to_owned(), closure: Box::new(closure) }
}

fn cases() -> Vec<Case> {
    let regex = Regex::new("^web-[0-9]+$").unwrap();
    let ids: Vec<String> = (0..OR_CLAUSES).map(|n| format!("volume-{:08}", n * 40)).collect();
    let clauses = |prefix: &str, or: &str| -> String {
        let clauses: Vec<String> = ids.iter().map(|id| format!("{prefix}ID == \"{id}\"")).collect();
        clauses.join(or)
    };
    let (or_filter, or_cel) = (clauses("", " or "), clauses("row.", " || "));
    vec![
        case("text_equal", r#"PluginID == "p1""#, r#"row.PluginID == "p1""#, |row| {
            row.plugin_id == "p1"
        }),
        case(
            "three_clauses",
            r#"PluginID == "p1" and Schedulable == true and Namespace != "default""#,
            r#"row.PluginID == "p1" && row.Schedulable == true && row.Namespace != "default""#,
            |row| row.plugin_id == "p1" && row.schedulable && row.namespace != "default",
        ),
        case(
            "matches",
            r#"Name matches "^web-[0-9]+$""#,
            r#"row.Name.matches("^web-[0-9]+$")"#,
            move |row| regex.is_match(&row.name),
        ),
        case("or_of_20", &or_filter, &or_cel, move |row| ids.contains(&row.id)),
        case("in_list", r#""foo" in Tags"#, r#""foo" in row.Tags"#, |row| {
            row.tags.iter().any(|tag| tag == "foo")
        }),
        case(
            "any_struct",
            r#"any Topologies as t { t.Zone == "us-1b" }"#,
            r#"row.Topologies.exists(t, t.Zone == "us-1b")"#,
            |row| row.topologies.iter().any(|topology| topology.zone == "us-1b"),
        ),
        case("map_key", r#"Meta.env == "prod""#, r#"row.Meta.env == "prod""#, |row| {
            row.meta.get("env").is_some_and(|value| value == "prod")
        }),
        case(
            "map_key_missing",
            r#"Meta.none == "prod""#,
            r#"has(row.Meta.none) && row.Meta.none == "prod""#,
            |row| row.meta.get("none").is_some_and(|value| value == "prod"),
        ),
    ]
}

fn holds(program: &Program, context: &Context<'_, '_>) -> bool {
    matches!(program.execute(context), Ok(Value::Bool(true)))
}

fn eval(criterion: &mut Criterion) {
    let rows = volumes(ROWS);
    let base = Context::default();
    let contexts: Vec<Context<'_, '_>> = rows
        .iter()
        .map(|row| {
            let mut context = base.new_inner_scope();
            context.add_variable("row", row).unwrap();
            context
        })
        .collect();
    for Case { name, filter, cel, closure } in cases() {
        let filter = Filter::<Volume>::compile(&filter).unwrap();
        let program = Program::compile(&cel).unwrap();
        let by_filter = || rows.iter().filter(|row| filter.matches(row)).count();
        let by_cel = || contexts.iter().filter(|context| holds(&program, context)).count();
        let by_closure = || rows.iter().filter(|row| closure(row)).count();
        assert_eq!(by_filter(), by_closure(), "{name}");
        assert_eq!(by_cel(), by_closure(), "{name}");
        let mut group = criterion.benchmark_group(format!("eval/{name}"));
        group.throughput(Throughput::Elements(ROWS as u64));
        group.bench_function("filter", |bencher| bencher.iter(|| black_box(by_filter())));
        group.bench_function("cel", |bencher| bencher.iter(|| black_box(by_cel())));
        group.bench_function("closure", |bencher| bencher.iter(|| black_box(by_closure())));
        if name == "text_equal" {
            let by_row = || {
                let asked = rows.iter().filter(|row| {
                    let mut context = base.new_inner_scope();
                    context.add_variable("row", row).unwrap();
                    holds(&program, &context)
                });
                asked.count()
            };
            assert_eq!(by_row(), by_closure(), "{name}");
            group.bench_function("cel_converting", |bencher| bencher.iter(|| black_box(by_row())));
        }
        group.finish();
    }
}

fn compile(criterion: &mut Criterion) {
    for Case { name, filter, cel, .. } in cases() {
        let mut group = criterion.benchmark_group(format!("compile/{name}"));
        group.bench_function("filter", |bencher| {
            bencher.iter(|| Filter::<Volume>::compile(black_box(&filter)).unwrap());
        });
        group.bench_function("cel", |bencher| {
            bencher.iter(|| Program::compile(black_box(&cel)).unwrap());
        });
        group.finish();
    }
}

criterion_group!(benches, eval, compile);
criterion_main!(benches);
