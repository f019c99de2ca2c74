//! Goal: a row that matches a filter satisfies each of its conjuncts, and a conjunct that covers
//! the filter implies it.
//!
//! Method: random expressions over a small struct with few values, so that rows often match; a
//! second implementation here checks each conjunct.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use proptest::prelude::*;
use statehold_filter::{
    CompileError, Conjunct, Constant, Cover, Dialect, Filter, Filterable, Key, Options, Sarg,
};
use uuid::Uuid;

#[derive(Clone, Debug, Filterable)]
struct Row {
    name: String,
    zone: Option<String>,
    size: u8,
    ratio: f64,
    ready: bool,
    tags: Vec<String>,
    ports: BTreeSet<u16>,
    meta: BTreeMap<String, String>,
    #[filterable(unit = "bytes")]
    room: i64,
    age: Duration,
}

fn compile<T: Filterable>(text: &str) -> Result<Filter<T>, CompileError> {
    Filter::compile_with(text, &Options::new().dialect(Dialect::Extended))
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("ab"), Just("abc"), Just("b"), Just("")].prop_map(str::to_owned)
}

fn row() -> impl Strategy<Value = Row> {
    let meta = prop::collection::btree_map(word(), word(), 0..3);
    let ratio = prop_oneof![Just(0.0), Just(-0.0), Just(1.5), Just(f64::NAN)];
    let room = prop_oneof![Just(-1024), Just(0), Just(1000), Just(1024)];
    let age = (0u64..4).prop_map(Duration::from_secs);
    (
        (word(), prop::option::of(word()), 0u8..3, ratio, any::<bool>()),
        (prop::collection::vec(word(), 0..3), prop::collection::btree_set(0u16..4, 0..3), meta),
        (room, age),
    )
        .prop_map(|((name, zone, size, ratio, ready), (tags, ports, meta), (room, age))| Row {
            name,
            zone,
            size,
            ratio,
            ready,
            tags,
            ports,
            meta,
            room,
            age,
        })
}

fn extended_clause() -> impl Strategy<Value = String> {
    let field = prop_oneof![
        ("name|zone|meta\\.a", word().prop_map(|word| format!("\"{word}\""))),
        ("size", "[0-3]|300".prop_map(String::from)),
        ("ratio", "0|\"-0\"|1\\.5|nan".prop_map(String::from)),
        ("room", "1kB|1KiB|\"1KiB\"|0|-1024".prop_map(String::from)),
        ("age", "1s|\"2s\"|0|2500ms".prop_map(String::from)),
    ];
    let twice = (field, "==|!=|<|<=|>|>=", 0..5usize).boxed();
    prop_oneof![
        twice.prop_map(|((field, value), operator, form)| match form {
            0 => format!("{field} in [{value}]"),
            1 => format!("{field} not in [{value}]"),
            2 => format!("{field} between {value} and {value}"),
            _ => format!("{field} {operator} {value}"),
        }),
        ("name|zone", word()).prop_map(|(field, word)| format!("{field} starts with \"{word}\"")),
        (word(), word()).prop_map(|(low, high)| format!("name between \"{low}\" and \"{high}\"")),
        "tags (not )?contains (any|all) \\[a(, ab)?\\]",
        "ports contains any \\[1, 2\\]|ports contains all \\[\\]",
        "@size (<|>=) @room|count\\(tags\\) > 1|name (==|contains)\\* AB",
    ]
}

fn clause() -> BoxedStrategy<String> {
    let not = || prop_oneof![Just(""), Just(""), Just("not ")];
    let equal = || prop_oneof![Just("=="), Just("=="), Just("!=")];
    let text = prop_oneof![Just("name"), Just("zone"), Just("meta.a")];
    let pattern = prop_oneof![
        "\\^?[ab.]{0,2}[+*?]?\\$?",
        "\\^[ab]{1,2}\\(\\?:c\\|b\\)?",
        "\\^a\\|b",
        "\\(\\?i\\)\\^A",
        "\\^\\[ab\\]b",
        "\\^a\\{0\\}b?",
    ];
    prop_oneof![
        (text.clone(), equal(), word())
            .prop_map(|(field, equal, word)| format!("{field} {equal} \"{word}\"")),
        (equal(), prop_oneof![Just("0"), Just("1"), Just("300")])
            .prop_map(|(equal, size)| format!("size {equal} {size}")),
        (equal(), prop_oneof![Just("0"), Just("\"-0\""), Just("1.5"), Just("nan")])
            .prop_map(|(equal, ratio)| format!("ratio {equal} {ratio}")),
        (equal(), any::<bool>()).prop_map(|(equal, ready)| format!("ready {equal} {ready}")),
        (not(), word()).prop_map(|(not, word)| format!("\"{word}\" {not}in tags")),
        (not(), 0u16..4).prop_map(|(not, port)| format!("ports {not}contains {port}")),
        (not(), word()).prop_map(|(not, word)| format!("\"{word}\" {not}in meta")),
        (text, not(), pattern)
            .prop_map(|(field, not, pattern)| format!("{field} {not}matches `{pattern}`")),
        word().prop_map(|word| format!("any tags as t {{ t == \"{word}\" }}")),
        not().prop_map(|not| format!("zone is {not}nil")),
        extended_clause(),
    ]
    .boxed()
}

fn expression() -> impl Strategy<Value = String> {
    clause().prop_recursive(4, 16, 3, |inner| {
        let many = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            many().prop_map(|operands| format!("({})", operands.join(" and "))),
            many().prop_map(|operands| format!("({})", operands.join(" or "))),
            inner.clone().prop_map(|operand| format!("not {operand}")),
        ]
    })
}

/// An `or` of equalities on one field, negated or not, often among other operands.
fn point_set() -> impl Strategy<Value = String> {
    (prop::collection::vec(word(), 2..7), any::<bool>()).prop_map(|(words, turned)| {
        let (equal, join) = if turned { ("!=", " and ") } else { ("==", " or ") };
        let clauses: Vec<String> =
            words.iter().map(|word| format!("name {equal} \"{word}\"")).collect();
        let not = if turned { "not " } else { "" };
        format!("{not}({})", clauses.join(join))
    })
}

#[expect(clippy::float_cmp, reason = "`==` on numbers means exactly that")]
fn satisfies(row: &Row, conjunct: &Conjunct) -> bool {
    let text = match conjunct.selector() {
        "name" => Some(&row.name),
        "zone" => row.zone.as_ref(),
        "meta.a" => row.meta.get("a"),
        _ => None,
    };
    let is = |point: &Constant| match (conjunct.selector(), point) {
        ("room", Constant::Int(own)) => row.room == *own,
        ("age", Constant::Int(own)) => row.age == Duration::from_nanos(own.unsigned_abs()),
        ("size", Constant::Uint(own)) => u64::from(row.size) == *own,
        ("ratio", Constant::Float(own)) => row.ratio == *own,
        ("ready", Constant::Bool(own)) => row.ready == *own,
        (_, Constant::Text(own)) => text.is_some_and(|text| **text == **own),
        (selector, other) => panic!("{selector} has no {other:?}"),
    };
    // The order of the value and the end of a range.
    let order = |end: &Constant| match (conjunct.selector(), end) {
        ("size", Constant::Uint(own)) => u64::from(row.size).partial_cmp(own),
        ("ratio", Constant::Float(own)) => row.ratio.partial_cmp(own),
        ("room", Constant::Int(own)) => row.room.partial_cmp(own),
        ("age", Constant::Int(own)) => {
            row.age.partial_cmp(&Duration::from_nanos(own.unsigned_abs()))
        }
        (_, Constant::Text(own)) => text.map(|text| (**text).cmp(own)),
        (selector, other) => panic!("{selector} has no {other:?}"),
    };
    let within = |end: &Bound<Constant>, side: Ordering| match end {
        Bound::Unbounded => true,
        Bound::Included(end) => order(end).is_some_and(|order| order != side),
        Bound::Excluded(end) => order(end) == Some(side.reverse()),
    };
    match (conjunct.sarg(), conjunct.selector()) {
        (Sarg::Range { low, high }, _) => {
            within(low, Ordering::Less) && within(high, Ordering::Greater)
        }
        (Sarg::Points(points), _) => points.iter().any(is),
        (Sarg::Element(Constant::Text(own)), "tags") => row.tags.iter().any(|tag| **tag == **own),
        (Sarg::Element(Constant::Uint(own)), "ports") => {
            row.ports.iter().any(|port| u64::from(*port) == *own)
        }
        (Sarg::Key(Key::Text(key)), "meta") => row.meta.contains_key(&**key),
        (Sarg::Prefix(prefix), _) => text.is_some_and(|text| text.starts_with(&**prefix)),
        (sarg, selector) => panic!("{selector} has no {sarg:?}"),
    }
}

fn check(text: &str, rows: &[Row]) -> Result<(), TestCaseError> {
    let filter = compile::<Row>(text).map_err(|error| TestCaseError::reject(error.to_string()))?;
    let by_pointer = compile::<&Row>(text).expect("it compiles too");
    let conjuncts = filter.conjuncts();
    // The plan agrees on the conditions that an index could serve.
    prop_assert!(filter.explain().to_string().matches(" indexable: ").count() >= conjuncts.len());
    for row in rows {
        let matches = filter.matches(row);
        // Evaluated on the type, through a pointer, and on the datum.
        prop_assert_eq!(filter.try_matches(row), Ok(matches), "{}", text);
        prop_assert_eq!(by_pointer.matches(&row), matches, "{}", text);
        for conjunct in &conjuncts {
            let satisfied = satisfies(row, conjunct);
            prop_assert!(satisfied || !matches, "{} does not imply {}", text, conjunct);
            if conjunct.cover() == Cover::Filter {
                prop_assert_eq!(satisfied, matches, "{} is not {}", text, conjunct);
            }
            if conjunct.cover() >= Cover::Clause {
                let span = conjunct.span();
                let clause = compile::<Row>(span.text(text)).expect("a part of a filter");
                let negated = clause.conjuncts().is_empty();
                prop_assert_eq!(clause.matches(row) != negated, satisfied, "{}", conjunct);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn matching_rows_satisfy_every_conjunct(
        text in expression(),
        rows in prop::collection::vec(row(), 8),
    ) {
        check(&text, &rows)?;
    }

    #[test]
    fn or_of_equalities_is_one_conjunct(
        first in point_set(),
        second in clause(),
        rows in prop::collection::vec(row(), 8),
    ) {
        let filter = compile::<Row>(&first).expect("it compiles");
        prop_assert_eq!(filter.conjuncts().len(), 1);
        prop_assert_eq!(filter.conjuncts()[0].cover(), Cover::Filter);
        check(&first, &rows)?;
        check(&format!("{first} and {second}"), &rows)?;
    }
}

fn shown(text: &str) -> Vec<String> {
    let filter = compile::<Row>(text).expect("it compiles");
    filter.conjuncts().iter().map(ToString::to_string).collect()
}

#[test]
fn each_clause_form_has_its_conjunct() {
    for (text, conjunct) in [
        ("size == \"0x10\"", "size == 16"),
        ("size == 3 or size == \"0x3\" or size == 1", "size in [1, 3]"),
        ("not size != 3", "size == 3"),
        ("not (size != 3 and size != 4)", "size in [3, 4]"),
        ("(size == 3 or (size == 4 or not size != 5))", "size in [3, 4, 5]"),
        ("web in tags", r#"tags contains "web""#),
        ("ports contains 80", "ports contains 80"),
        ("env in meta", r#"meta contains "env""#),
        ("meta.env == prod", r#"meta.env == "prod""#),
        ("name matches \"^a\\\\.b.*c\"", r#"name starts with "a.b""#),
        ("name matches `^ab$`", r#"name == "ab""#),
        ("name matches `^a$` or name == b", r#"name in ["a", "b"]"#),
        ("ratio == nan", "ratio in []"),
        ("ratio == \"-0\" or ratio == 0", "ratio == 0"),
        ("room == 1KiB", "room == 1024"),
        ("room == \"1KiB\" or room == 1024", "room == 1024"),
        ("age in [1s, 1000ms, 2s]", "age in [1000000000, 2000000000]"),
        ("age < 1h", "age < 3600000000000"),
        ("room between 1kB and 1KiB", "room between 1000 and 1024"),
        ("size >= 2", "size >= 2"),
        ("name > a", "name > \"a\""),
        ("not not name <= a", "name <= \"a\""),
    ] {
        assert_eq!(shown(text), [conjunct], "{text}");
    }
}

#[derive(Filterable)]
struct Rare {
    id: Uuid,
    letter: char,
    ratio: f32,
    wide: u128,
}

/// Zero has no sign in an index, NaN equals nothing, and a kind with another order in an index has
/// no range.
#[test]
fn rare_kinds_have_conjuncts_that_an_index_can_store() {
    let id = "00000000-0000-0000-0000-0000000000a1";
    for (text, conjunct) in [
        (format!("id == \"{id}\""), Some(format!("id == \"{id}\""))),
        (format!("id > \"{id}\""), None),
        (format!("id between \"{id}\" and \"{id}\""), None),
        ("id starts with \"00\"".to_owned(), Some("id starts with \"00\"".to_owned())),
        ("letter == a".to_owned(), Some("letter == \"a\"".to_owned())),
        ("letter < a".to_owned(), None),
        ("ratio == nan".to_owned(), Some("ratio in []".to_owned())),
        ("ratio == \"-0\" or ratio == 0".to_owned(), Some("ratio == 0".to_owned())),
        ("ratio == \"-0\"".to_owned(), Some("ratio == 0".to_owned())),
        ("ratio >= nan".to_owned(), None),
        ("wide == 1".to_owned(), None),
        ("wide < 1".to_owned(), None),
    ] {
        let filter = compile::<Rare>(&text).expect("it compiles");
        let conjuncts = filter.conjuncts();
        let shown = conjuncts.first().map(ToString::to_string);
        assert_eq!(shown, conjunct, "{text}");
    }
}

#[test]
fn unindexable_clauses_have_no_conjunct() {
    for text in [
        "size != 3",
        "not size == 3",
        "size == 3 or name == a",
        "size == 3 or size != 4",
        "name contains a",
        "name matches abc",
        "name matches `^`",
        "name is empty",
        "any tags as t { t == a }",
        "not (size == 3 and ready == true)",
        "not size < 3",
        "size not between 1 and 2",
        "size < 3 or size > 4",
        "ratio < nan",
        "@size < @room",
        "count(tags) > 2",
    ] {
        assert_eq!(shown(text), [""; 0], "{text}");
    }
    let filter = Filter::<serde_json::Value>::compile("size == 3").expect("it compiles");
    assert!(filter.conjuncts().is_empty());
}
