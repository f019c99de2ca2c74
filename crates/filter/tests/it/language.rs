//! Goal: the page that documents the language agrees with the crate.
//!
//! Method: each cell of the page's tables is compiled and evaluated.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

use statehold_filter::{CompileError, Dialect, Filter, Filterable, Json, Limits, Options};
use uuid::Uuid;

const PAGE: &str = include_str!("../../src/language.md");

#[derive(Clone, Copy, Filterable)]
enum Mode {
    A,
}

#[derive(Filterable)]
struct Inner {
    name: String,
}

#[derive(Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Row {
    bool: bool,
    int: i64,
    uint: u16,
    float: f64,
    float32: f32,
    text: String,
    mode: Mode,
    char: char,
    uuid: Uuid,
    address: IpAddr,
    #[filterable(unit = "bytes")]
    size: u64,
    #[filterable(unit = "ns")]
    nanos: i64,
    #[filterable(unit = "unix_ns")]
    unix: i64,
    duration: Duration,
    time: SystemTime,
    list: Vec<String>,
    map: BTreeMap<String, String>,
    record: Inner,
    records: Vec<Inner>,
    json: serde_json::Value,
    note: Option<String>,
    absent: Option<Inner>,
}

fn row() -> Row {
    Row {
        bool: true,
        int: 1,
        uint: 1,
        float: 1.0,
        float32: 1.0,
        text: String::new(),
        mode: Mode::A,
        char: 'a',
        uuid: Uuid::nil(),
        address: Ipv4Addr::LOCALHOST.into(),
        size: 1,
        nanos: 1,
        unix: 1,
        duration: Duration::ZERO,
        time: SystemTime::UNIX_EPOCH,
        list: Vec::new(),
        map: BTreeMap::new(),
        record: Inner { name: String::new() },
        records: Vec::new(),
        json: serde_json::json!({}),
        note: None,
        absent: None,
    }
}

fn compile(text: &str, dialect: Dialect) -> Result<Filter<Row>, CompileError> {
    Filter::compile_with(text, &Options::new().dialect(dialect))
}

/// Returns the rows of the first table below a heading, without its header; each cell trimmed.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let section = PAGE.split("\n# ").find(|section| section.starts_with(heading));
    let section = section.unwrap_or_else(|| panic!("no section `{heading}`"));
    let lines = section.lines().skip_while(|line| !line.starts_with('|'));
    let rows: Vec<Vec<&str>> = lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 2, "{heading}");
    rows
}

#[test]
fn numbers_compare_as_the_page_documents() {
    let section = PAGE.split("\n# Numbers").nth(1).and_then(|rest| rest.split("\n# ").next());
    let lines = section.unwrap_or_default().lines().filter(|line| line.starts_with("| `"));
    let options = Options::new().dialect(Dialect::Extended);
    let mut compared = 0;
    for line in lines {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, clause, value, json] = cells[..] else { panic!("{line}") };
        let row = format!(r#"{{"n": {}}}"#, number.trim_matches('`'));
        let clause = clause.trim_matches('`');
        let filter = Filter::<serde_json::Value>::compile_with(clause, &options);
        let parsed: serde_json::Value =
            serde_json::from_str(&row).unwrap_or_else(|error| panic!("{row}: {error}"));
        let answer = filter.unwrap_or_else(|error| panic!("{error}")).matches(&parsed);
        assert_eq!(answer.to_string(), value, "{line}");
        let filter = Filter::<Json>::compile_with(clause, &options);
        let parsed: Json = row.parse().unwrap_or_else(|error| panic!("{row}: {error}"));
        let answer = filter.unwrap_or_else(|error| panic!("{error}")).matches(&parsed);
        assert_eq!(answer.to_string(), json, "{line}");
        compared += 1;
    }
    assert!(compared >= 10, "{compared}");
}

/// Returns the fields of a column, each with a comparable value.
fn fields(column: &str) -> &'static [(&'static str, &'static str)] {
    match column {
        "bool" => &[("Bool", "true")],
        "number" => &[("Int", "1"), ("Uint", "1"), ("Float", "1"), ("Float32", "1")],
        "text" => &[
            ("Text", "a"),
            ("Mode", "A"),
            ("Char", "a"),
            ("Uuid", "a"),
            ("Address", "\"::1\""),
            ("Note", "a"),
        ],
        "quantity" => &[
            ("Size", "\"1B\""),
            ("Nanos", "\"1ns\""),
            ("Unix", "\"2026-01-02T03:04:05Z\""),
            ("Duration", "\"1s\""),
            ("Time", "\"2026-01-02T03:04:05Z\""),
        ],
        "list" => &[("List", "a")],
        "list of structs" => &[("Records", "a")],
        "map" => &[("Map", "a")],
        "struct" => &[("Record", "a")],
        "JSON" => &[("Json", "a"), ("Json.a.b", "1")],
        other => panic!("no column `{other}`"),
    }
}

/// Returns a code span with its words `x` and `v` replaced.
fn filled(code: &str, x: &str, v: &str) -> String {
    let code = code.trim_matches('`');
    let mut text = String::new();
    let mut word = String::new();
    for char in code.chars().chain(std::iter::once('\n')) {
        if char.is_alphanumeric() {
            word.push(char);
            continue;
        }
        text += match word.as_str() {
            "x" => x,
            "v" => v,
            other => other,
        };
        word.clear();
        text.push(char);
    }
    text.trim_end().to_owned()
}

/// Returns the code spans of a cell.
fn spans(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn operator_table_matches_the_checker() {
    let rows = table("Operators by kind");
    let mut cells = 0;
    for row in &rows[2..] {
        for (column, cell) in rows[0].iter().zip(row).skip(1) {
            for (field, value) in fields(column) {
                let text = filled(row[0], field, value);
                let answers = [Dialect::Bexpr, Dialect::Extended]
                    .map(|dialect| compile(&text, dialect).map(drop));
                let said = match answers.each_ref().map(Result::is_ok) {
                    [true, true] => "B",
                    [false, true] => "E",
                    [false, false] => "-",
                    [true, false] => "only the default dialect",
                };
                assert_eq!(said, *cell, "{text}: {answers:?}");
                cells += 1;
            }
        }
    }
    assert!(cells > 400, "{cells}");
}

#[test]
fn missing_value_table_matches_evaluation() {
    let row = row();
    for line in &table("Missing values")[2..] {
        for missing in ["Note", "Absent.name", "Map.none", "Json.none", "Json.none.deeper"] {
            let text = filled(line[0], missing, "a");
            let filter =
                compile(&text, Dialect::Extended).unwrap_or_else(|error| panic!("{error}"));
            let answer = filter.try_matches(&row).map(|answer| answer.to_string());
            assert_eq!(answer.as_deref(), Ok(line[1]), "{text}");
            let not = compile(&format!("not ({text})"), Dialect::Extended).expect("it compiles");
            assert_ne!(not.matches(&row).to_string(), line[1], "{text}");
        }
    }
    for (text, answer) in [
        ("any Absent.name as x { x is nil }", None),
        ("any Json.none as x { x is nil }", Some(false)),
        ("all Json.none as x { x is not nil }", Some(true)),
        ("count(Json.none) == 0", Some(false)),
        ("count(Json.none) != 0", Some(true)),
    ] {
        let answered = compile(text, Dialect::Extended).ok().map(|filter| filter.matches(&row));
        assert_eq!(answered, answer, "{text}");
    }
}

#[test]
fn coercion_table_matches_the_checker() {
    for line in &table("Coercions")[2..] {
        let fields: &[&str] = match line[0] {
            "bool" => &["Bool"],
            "integer" => &["Int"],
            "unsigned" => &["Uint"],
            "float" => &["Float", "Float32"],
            "text" => &["Text"],
            "size" => &["Size"],
            "duration" => &["Nanos", "Duration"],
            "time" => &["Unix", "Time"],
            other => panic!("no kind `{other}`"),
        };
        for field in fields {
            for dialect in [Dialect::Bexpr, Dialect::Extended] {
                for (cell, taken) in [(line[1], true), (line[2], false)] {
                    for value in spans(cell) {
                        let text = format!("{field} == {value}");
                        let compiled = compile(&text, dialect);
                        assert_eq!(compiled.is_ok(), taken, "{text}: {compiled:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn limit_table_matches_the_defaults() {
    let defaults = Limits::default();
    let Limits { text, nesting, quantifiers, nodes, list, pattern, row_steps, call_steps } =
        defaults;
    let own = [
        ("text", text as u64),
        ("nesting", nesting as u64),
        ("quantifiers", quantifiers as u64),
        ("nodes", nodes as u64),
        ("list", list as u64),
        ("pattern", pattern as u64),
        ("row_steps", row_steps),
        ("call_steps", call_steps),
    ];
    let lines = table("Limits");
    assert_eq!(lines.len(), own.len() + 2);
    for ((name, value), line) in own.iter().zip(&lines[2..]) {
        assert_eq!(line[0].trim_matches('`'), *name);
        assert_eq!(line[1], value.to_string());
    }
}

#[test]
fn examples_at_the_top_compile() {
    let section = PAGE.split("```text").nth(1).and_then(|rest| rest.split("```").next());
    for line in section.expect("there are examples").lines().filter(|line| !line.is_empty()) {
        let options = Options::new().dialect(Dialect::Extended);
        let read = statehold_filter::parse_with(line, &options);
        assert!(read.is_ok(), "{line}: {read:?}");
    }
}
