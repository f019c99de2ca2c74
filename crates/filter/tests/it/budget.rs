//! Goal: an evaluation ends once its budget is used up, in every operator.
//!
//! Method: for each operator that scans a list, a map or a string, a row that is far larger than
//! the budget. Evaluations that would take hours run with the default limits.

use std::collections::{BTreeMap, BTreeSet, HashMap, LinkedList};

use serde_json::{Value, json};
use statehold_filter::{
    Absent, Budget, CompileErrorKind, Dialect, EvalError, EvalErrorKind, Filter, Filterable,
    Limits, Options,
};

#[derive(Filterable)]
#[expect(clippy::linkedlist, reason = "a list that walks to an index")]
struct Row {
    list: Vec<String>,
    numbers: LinkedList<u64>,
    set: BTreeSet<u64>,
    map: BTreeMap<String, String>,
    hash: HashMap<String, String>,
    text: String,
    other: String,
}

fn row(size: usize) -> Row {
    let names = || (0..size).map(|n| format!("n{n:09}"));
    Row {
        list: names().collect(),
        numbers: (0..size as u64).collect(),
        set: (0..size as u64).collect(),
        map: names().map(|name| (name.clone(), name)).collect(),
        hash: names().map(|name| (name.clone(), name)).collect(),
        text: "a".repeat(size * 64),
        other: "a".repeat(size * 64),
    }
}

fn filter<T: Filterable>(text: &str, limits: Limits) -> Filter<T> {
    let options = Options::new().dialect(Dialect::Extended).limits(limits);
    Filter::compile_with(text, &options).unwrap_or_else(|error| panic!("{error}"))
}

fn is_too_costly(answer: &Result<bool, EvalError>) -> bool {
    answer.as_ref().is_err_and(|error| matches!(error.kind(), EvalErrorKind::TooCostly { .. }))
}

/// Each scans a whole collection or string.
const WALKS: &[&str] = &[
    "any list as x { x == none }",
    "all list as x { x != none }",
    "any map as k, v { v == none }",
    "all hash as k { k != none }",
    "list contains none",
    "none in list",
    "list contains any [none, nowhere]",
    "list contains all [none, nowhere]",
    "list contains* none",
    "numbers.99999 == 1",
    "set.99999 == 1",
    "text contains none",
    "text contains* none",
    "text contains any [none, nowhere]",
    "text contains all [aaa, nowhere]",
    "text matches `b$`",
    "text matches* `b$`",
    "@text < @other",
];

#[test]
fn each_scan_of_a_large_value_takes_steps() {
    let large = row(1_000);
    let small = row(3);
    for text in WALKS {
        let limits = Limits { row_steps: 100, ..Limits::default() };
        let filter = filter::<Row>(text, limits);
        assert!(is_too_costly(&filter.try_matches(&large)), "{text}");
        assert!(!filter.matches(&large), "{text}");
        assert!(filter.try_matches(&small).is_ok(), "{text}");
    }
}

#[test]
fn states_found_during_a_search_take_steps() {
    // Almost every byte needs a new state, each made of thousands of the pattern's states.
    let mut bits = 1_u64;
    let text: String = std::iter::repeat_with(|| {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        if bits & 1 == 0 { 'a' } else { 'b' }
    })
    .take(1_000_000)
    .collect();
    let row = json!({ "text": text });
    for pattern in ["a[ab]{500}c", "(a|ab|b){1000}c", "[^9]{1000}9"] {
        let filter = filter::<Value>(&format!("text matches `{pattern}`"), Limits::default());
        assert!(is_too_costly(&filter.try_matches(&row)), "{pattern}");
    }
    let usual = filter::<Value>(r"text matches `a.{12}c`", Limits::default());
    assert_eq!(usual.try_matches(&json!({ "text": text[..10_000] })), Ok(false));
}

#[test]
fn each_scan_of_large_json_takes_steps() {
    let names: Vec<String> = (0..1_000).map(|n| format!("n{n}")).collect();
    let map: BTreeMap<&String, &String> = names.iter().zip(&names).collect();
    let long = "a".repeat(64_000);
    let large = json!({ "list": &names, "map": map, "text": &long, "other": &long });
    for text in WALKS.iter().filter(|text| !text.contains("set") && !text.contains("numbers")) {
        let text = text.replace("hash", "map");
        let limits = Limits { row_steps: 100, ..Limits::default() };
        let filter = filter::<Value>(&text, limits);
        let answer = filter.try_matches(&large);
        assert!(is_too_costly(&answer), "{text}: {answer:?}");
    }
    let limits = Limits { row_steps: 100, ..Limits::default() };
    let path = filter::<Value>(&format!("a{}.a == 1", ".a".repeat(200)), limits);
    assert!(is_too_costly(&path.try_matches(&json!({}))));
}

/// Four levels of a thousand elements: a million times the default budget.
fn nested(inner: &str) -> String {
    let open: String = ["a", "b", "c", "d"].map(|name| format!("any list as {name} {{ ")).concat();
    format!("{open}{inner}{}", " }".repeat(4))
}

#[test]
fn four_nested_quantifiers_end_within_the_budget() {
    let names: Vec<String> = (0..1_000).map(|n| format!("n{n}")).collect();
    let typed = row(1_000);
    for text in [nested("d == none"), nested("d == none or a == none").replace("any", "all")] {
        let typed_filter = filter::<Row>(&text.replace("all", "any"), Limits::default());
        assert!(is_too_costly(&typed_filter.try_matches(&typed)), "{text}");
        for row in [json!({ "list": names }), json!({ "list": vec![Value::Null; 1_000] })] {
            let filter = filter::<Value>(&text.replace("all", "any"), Limits::default());
            assert!(is_too_costly(&filter.try_matches(&row)), "{text}");
        }
    }
}

#[test]
fn fallible_map_entries_end_at_the_budget() {
    // Every entry of such a map is evaluated, because the one with the smallest key decides. An
    // entry that fails for want of steps must end all levels at once; otherwise each level would
    // continue with its next entry.
    let entries: BTreeMap<String, u32> = (0..1_000).map(|n| (format!("n{n}"), n)).collect();
    let row = json!({ "list": entries });
    for inner in ["d == none", "d matches x and a == none", "not (d != none)"] {
        let text = nested(inner);
        assert!(is_too_costly(&filter::<Value>(&text, Limits::default()).try_matches(&row)));
        let strict = Options::new().absent(Absent::Error);
        let strict = Filter::<Value>::compile_with(&text, &strict).unwrap();
        assert!(is_too_costly(&strict.try_matches(&row)), "{text}");
    }
}

#[test]
fn strings_shorter_than_any_match_take_no_steps() {
    let row = json!({ "text": "abbabbabbabbabba" });
    let filter = filter::<Value>("text matches `a[ab]{500}c`", Limits::default());
    // One for each row: a pattern of five hundred states would take a thousand for each.
    let mut budget = Budget::new(100);
    for _ in 0..100 {
        assert_eq!(filter.matches_within(&row, &mut budget), Ok(false));
    }
    assert_eq!(budget.left(), 0);
}

#[test]
fn rows_share_a_budget() {
    let rows: Vec<Row> = (0..100).map(|_| row(10)).collect();
    for text in
        ["text == x", "text == x or other == y and not (map.a == b)", "all list as x { x != y }"]
    {
        let filter = filter::<Row>(text, Limits { call_steps: 50, ..Limits::default() });
        let mut budget = filter.budget();
        let mut answered = 0;
        let stopped = rows.iter().find_map(|row| {
            let answer = filter.matches_within(row, &mut budget);
            answered += usize::from(answer.is_ok());
            answer.err()
        });
        let error = stopped.unwrap_or_else(|| panic!("{text}"));
        assert_eq!(*error.kind(), EvalErrorKind::TooCostly { max: 50, shared: true }, "{text}");
        assert!((1..50).contains(&answered), "{text}: {answered}");
        assert!(is_too_costly(&filter.matches_within(&rows[0], &mut budget)), "{text}");
        assert!(error.to_string().contains("`call_steps`"), "{error}");
        let mut unlimited = Budget::unlimited();
        assert!(rows.iter().all(|row| filter.matches_within(row, &mut unlimited).is_ok()));
    }
}

#[test]
fn budgets_do_not_change_results() {
    let rows: Vec<Row> = (0..20).map(row).collect();
    for text in WALKS {
        let filter = filter::<Row>(text, Limits::default());
        let mut budget = filter.budget();
        for row in &rows {
            assert_eq!(filter.matches_within(row, &mut budget), filter.try_matches(row), "{text}");
        }
        assert!(budget.left() < budget.steps(), "{text}");
    }
}

#[derive(Filterable)]
struct Grid {
    cells: [[u8; 1_000]; 1_000],
    few: [u8; 4],
}

#[test]
fn known_array_lengths_multiply_at_compile_time() {
    let product = "any cells as a { any a as x { x == 1 } }";
    let error = Filter::<Grid>::compile(product).map(drop).unwrap_err();
    assert!(matches!(error.kind(), CompileErrorKind::TooCostly { max: 1_000_000, .. }), "{error}");
    assert!(Filter::<Grid>::compile("any cells as a { any few as x { x == 1 } }").is_ok());
    let limits = Limits { row_steps: 3_000_000, ..Limits::default() };
    assert!(Filter::<Grid>::compile_with(product, &Options::new().limits(limits)).is_ok());
}

#[test]
fn long_literals_take_steps_for_each_element() {
    let long = "a".repeat(60_000);
    let texts = vec![long.clone(); 100];
    let text = format!("any list as x {{ x == `b{long}` or x == `c{long}` }}");
    let options =
        Options::new().limits(Limits { text: 1 << 20, row_steps: 50_000, ..Limits::default() });
    let filter = Filter::<Value>::compile_with(&text, &options).unwrap();
    assert!(is_too_costly(&filter.try_matches(&json!({ "list": texts }))));
}

#[test]
fn long_literals_take_steps_for_each_list_element() {
    let long = "a".repeat(6_000);
    let texts: Vec<String> = (0..100).map(|n| format!("{long}{n:04}")).collect();
    let limits = Limits { row_steps: 5_000, ..Limits::default() };
    for text in [
        format!("list contains `{long}none`"),
        format!("list contains* `{long}none`"),
        format!("list contains any [`{long}none`, none]"),
        format!("list contains all [`{long}0000`, `{long}0001`]"),
    ] {
        let open = filter::<Value>(&text, limits.clone());
        let answer = open.try_matches(&json!({ "list": texts }));
        assert!(is_too_costly(&answer), "{}: {answer:?}", &text[..20]);
        let typed = filter::<Row>(&text, limits.clone());
        let row = Row { list: texts.clone(), ..row(0) };
        assert!(is_too_costly(&typed.try_matches(&row)), "{}", &text[..20]);
    }
}

#[test]
fn long_keys_take_steps_for_each_look_up() {
    // Keys with a long common prefix are compared in full, at each level of the map.
    let long = "a".repeat(6_000);
    let map: BTreeMap<String, String> =
        (0..100).map(|n| (format!("{long}{n:04}"), String::new())).collect();
    let list: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let limits = Limits { row_steps: 50_000, ..Limits::default() };
    for clause in [
        format!("map contains `{long}none`"),
        format!("map[`{long}none`] == x"),
        format!("map[`{long}none`] matches x"),
        format!("map contains any [`{long}none`, none]"),
    ] {
        let text = format!("any list as x {{ {clause} }}");
        let open = filter::<Value>(&text, limits.clone());
        let answer = open.try_matches(&json!({ "list": list, "map": map }));
        assert!(is_too_costly(&answer), "{}: {answer:?}", &text[..40]);
        let typed = filter::<Row>(&text, limits.clone());
        let row = Row { list: list.clone(), map: map.clone(), ..row(0) };
        assert!(is_too_costly(&typed.try_matches(&row)), "{}", &text[..40]);
    }
    let text = "all map as k { any map as x { x is nil } }";
    let open = filter::<Value>(text, Limits { row_steps: 500, ..Limits::default() });
    assert!(is_too_costly(&open.try_matches(&json!({ "map": map }))), "keys are put in order");
}

#[derive(Filterable)]
struct Shown {
    addresses: Vec<std::net::IpAddr>,
    ids: Vec<uuid::Uuid>,
}

#[test]
fn formatting_and_reading_values_takes_steps() {
    let shown = Shown {
        addresses: vec![std::net::Ipv6Addr::LOCALHOST.into(); 100],
        ids: vec![uuid::Uuid::nil(); 100],
    };
    let limits = Limits { row_steps: 300, ..Limits::default() };
    for list in ["addresses", "ids"] {
        for clause in ["contains zz", "matches zz", "starts with zz", "ends with zz", "==* zz"] {
            let text = format!("any {list} as x {{ x {clause} }}");
            let filter = filter::<Shown>(&text, limits.clone());
            assert!(is_too_costly(&filter.try_matches(&shown)), "{text}");
        }
    }
    let times = json!({ "list": vec!["2026-01-02T03:04:05Z"; 100] });
    for clause in [
        "any list as x { x < 2020-01-01T00:00:00Z }",
        "any list as x { x in [2020-01-01T00:00:00Z] }",
        "list contains any [2020-01-01T00:00:00Z]",
    ] {
        let filter = filter::<Value>(clause, limits.clone());
        assert!(is_too_costly(&filter.try_matches(&times)), "{clause}");
    }
    // A string is read once, however many quantities it is compared with.
    let many = vec!["2020-01-01T00:00:00Z"; 500].join(", ");
    let filter = filter::<Value>(&format!("time in [{many}]"), limits);
    assert_eq!(filter.try_matches(&json!({ "time": "2026-01-02T03:04:05Z" })), Ok(false));
}

#[test]
fn numbers_with_many_digits_take_steps() {
    let long = "9".repeat(60_000);
    let text =
        format!(r#"{{"list": [{}], "n": 0.{long}5}}"#, vec![format!("0.{long}5"); 10].join(","));
    let row: statehold_filter::Json = text.parse().unwrap_or_else(|error| panic!("{error}"));
    let limits = Limits { row_steps: 5_000, ..Limits::default() };
    for text in
        ["all list as x { @x == @n }".to_owned(), format!("all list as x {{ x != 0.{long} }}")]
    {
        let filter = filter::<statehold_filter::Json>(&text, limits.clone());
        assert!(is_too_costly(&filter.try_matches(&row)), "{}", &text[..24]);
    }
}

#[test]
fn nested_negations_take_no_steps() {
    let list: Vec<u32> = (0..1_000).collect();
    let limits = Limits { row_steps: 2_000, ..Limits::default() };
    for count in 0..60 {
        let inner = format!("{}x == 1000{}", "not (".repeat(count), ")".repeat(count));
        let text =
            format!("{} list as x {{ {inner} }}", if count % 2 == 0 { "any" } else { "all" });
        let filter = filter::<Value>(&text, limits.clone());
        assert_eq!(filter.try_matches(&json!({ "list": list })), Ok(count % 2 == 1), "{text}");
    }
}

#[test]
fn budget_errors_name_the_limit_and_suggest_a_fix() {
    let filter = filter::<Row>(&nested("d == none"), Limits::default());
    let error = filter.try_matches(&row(1_000)).unwrap_err();
    expect_test::expect![[r"
        this row needs more than 1000000 steps of evaluation (limit `row_steps`)
          any list as a { any list as b { any list as c { any list as d { d == none } } } }
                                                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^
        help: nest fewer `any` and `all`, or search shorter lists and strings"]]
    .assert_eq(&error.to_string());
    let form = serde_json::to_value(&error).unwrap();
    assert_eq!(form["kind"], "too_costly");
}
