//! Goal: a built expression equals the one that its printed text parses to, for all values.
//!
//! Method: every operator once by hand, then random trees.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use serde_json::json;
use statehold_filter::ast::Expr;
use statehold_filter::build::{Subject, count, field};
use statehold_filter::{CompileErrorKind, Dialect, Filter, Limits, Options, parse, parse_with};
use uuid::Uuid;

fn read(text: &str) -> Expr {
    let limits = Limits { nesting: 128, quantifiers: 128, ..Limits::default() };
    let options = Options::new().dialect(Dialect::Extended).limits(limits);
    parse_with(text, &options).unwrap_or_else(|error| panic!("{error}"))
}

fn a() -> Subject {
    field("a")
}

#[test]
fn every_built_operator_prints_its_syntax() {
    let day = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
    for (expr, text) in [
        (a().eq("x"), r#"a == "x""#),
        (a().eq('7'), r#"a == "7""#),
        (a().eq(Uuid::from_u128(0xA1)), r#"a == "00000000-0000-0000-0000-0000000000a1""#),
        (a().ne(-3), "a != -3"),
        (a().lt(1.5), "a < 1.5"),
        (a().le(f64::INFINITY), r#"a <= "inf""#),
        (a().le(f32::NEG_INFINITY), r#"a <= "-inf""#),
        (a().gt(Duration::from_millis(90_500)), "a > 1m30s500000000ns"),
        (a().ge(day), "a >= 1970-01-02T00:00:00Z"),
        (a().eq(field("b").key("c")), "@a == @b.c"),
        (a().lt(field("b-c")), r#"@a < @"/b-c""#),
        (a().between(1, 3), "a between 1 and 3"),
        (a().is_in(["x", "y"]), r#"a in ["x", "y"]"#),
        (a().is_in([0_u64; 0]), "a in []"),
        (a().contains(true), r#"a contains "true""#),
        (a().contains_any([1, 2]), "a contains any [1, 2]"),
        (a().contains_all(["x"]), r#"a contains all ["x"]"#),
        (a().matches("^\\d"), r#"a matches "^\\d""#),
        (a().starts_with("x"), r#"a starts with "x""#),
        (a().ends_with("x"), r#"a ends with "x""#),
        (a().eq_fold("x"), r#"a ==* "x""#),
        (a().contains_fold("x"), r#"a contains* "x""#),
        (a().matches_fold("x"), r#"a matches* "x""#),
        (a().index(0).is_empty(), "a.0 is empty"),
        (a().key("").is_nil(), r#"a[""] is nil"#),
        (count(a()).gt(2), "count(a) > 2"),
        (count(a()).ne(0), "count(a) != 0"),
        (count(a()).eq(3), "count(a) == 3"),
        (count(a()).lt(4), "count(a) < 4"),
        (count(a()).le(5), "count(a) <= 5"),
        (count(a()).ge(6), "count(a) >= 6"),
        (a().any("x", field("x").eq(1)), "any a as x { x == 1 }"),
        (a().all("x", field("x").eq(1)), "all a as x { x == 1 }"),
        (a().any_entry("k", "v", field("v").eq(1)), "any a as k, v { v == 1 }"),
        (a().all_entry("k", "v", field("v").eq(1)), "all a as k, v { v == 1 }"),
        (!a().eq(1), "not a == 1"),
        (!!a().eq(1), "a == 1"),
        (a().eq(1) & a().eq(2) & a().eq(3), "a == 1 and a == 2 and a == 3"),
        (a().eq(1) & (a().eq(2) & a().eq(3)), "a == 1 and a == 2 and a == 3"),
        ((a().eq(1) | a().eq(2)) | (a().eq(3) | a().eq(4)), "a == 1 or a == 2 or a == 3 or a == 4"),
        (
            a().eq(1) & (a().eq(2) | !(a().eq(3) & a().eq(4))),
            "a == 1 and (a == 2 or not (a == 3 and a == 4))",
        ),
    ] {
        assert_eq!(expr.to_string(), text);
        assert_eq!(read(text), expr, "{text}");
    }
}

#[test]
fn default_dialect_operators_print_in_that_dialect() {
    let expr = (a().eq("1h") | a().contains(1)) & !a().matches("x") & a().is_nil();
    assert_eq!(parse(&expr.to_string(), &Limits::default()).ok(), Some(expr));
}

#[test]
fn built_expressions_compile_or_return_an_error() {
    let expr = a().key("b").gt(2) & a().key("c").is_in(["x", "y"]);
    let filter = Filter::<serde_json::Value>::compile_expr(&expr).expect("it compiles");
    assert!(filter.matches(&json!({ "a": { "b": 3, "c": "y" } })));
    assert_eq!(filter.text(), r#"a.b > 2 and a.c in ["x", "y"]"#);

    let error =
        Filter::<serde_json::Value>::compile_expr(&a().matches("(")).expect_err("a pattern");
    assert!(matches!(error.kind(), CompileErrorKind::Pattern { .. }));
    let unwritable = field("two words").eq(1);
    assert!(Filter::<serde_json::Value>::compile_expr(&unwritable).is_err());
}

#[test]
fn trees_beyond_the_nesting_limit_are_rejected() {
    let deep = (0..100_000).fold(a().eq(1), |inner, _| !(inner & a().eq(2)));
    let text = Limits { text: usize::MAX, ..Limits::default() };
    let options = Options::new().dialect(Dialect::Extended).limits(text);
    let error = parse_with(&deep.to_string(), &options).expect_err("it is deep");
    assert!(matches!(error.kind(), CompileErrorKind::TooDeep { .. }));
    assert!(Filter::<serde_json::Value>::compile_expr(&deep).is_err());
}

fn subject() -> impl Strategy<Value = Subject> {
    let name =
        prop_oneof!["[A-Za-z][A-Za-z0-9_]{0,5}", "not|in|any|count|contains", "[0-9_~|.:é-]{1,5}"];
    let key = prop_oneof![".{0,4}", "[a-z]{1,3}"];
    (name, prop::option::of(key)).prop_map(|(name, key)| match key {
        Some(key) if name.starts_with(|char: char| char.is_ascii_alphabetic()) => {
            field(name).key(key)
        }
        _ => field(name),
    })
}

fn leaf() -> impl Strategy<Value = Expr> {
    (subject(), subject(), ".{0,8}", any::<i64>(), any::<f64>(), 0..16_u8, any::<u32>()).prop_map(
        |(own, other, text, number, float, operator, seconds)| match operator {
            0 => own.eq(text),
            1 => own.ne(number),
            2 => own.lt(float),
            3 => own.ge(other),
            4 => own.between(number, text),
            5 => own.is_in([text, String::new()]),
            6 => own.contains_all([number]),
            7 => own.starts_with(text),
            8 => own.eq_fold(text),
            9 => own.matches(text),
            10 => own.is_empty(),
            11 => count(own).le(u64::from(seconds)),
            12 => own.gt(Duration::new(u64::from(seconds), 7)),
            13 => own.le(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into())),
            14 => own.ne(other),
            _ => own.contains(text),
        },
    )
}

fn tree() -> impl Strategy<Value = Expr> {
    leaf().prop_recursive(4, 16, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| left & right),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| left | right),
            inner.clone().prop_map(|inner| !inner),
            (subject(), "[a-z]{1,4}", inner).prop_map(|(list, name, body)| list.any(name, body)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn built_expressions_parse_from_their_text(expr in tree()) {
        prop_assert_eq!(read(&expr.to_string()), expr);
    }
}

#[test]
fn trees_of_any_depth_never_recurse() {
    const LEVELS: usize = 100_000;
    let leaf = || field("a").eq(1);
    let quantifiers = (0..LEVELS).fold(leaf(), |body, _| field("a").any("x", body));
    // Each level is an operand of the one around it, so that chains do not become flat.
    let connectives = (0..LEVELS).fold(leaf(), |inner, level| {
        if level % 2 == 0 { inner & leaf() } else { inner | !(leaf() & leaf()) }
    });
    for tree in [quantifiers, connectives] {
        let clone = tree.clone();
        assert_eq!(clone, tree);
        assert_ne!(!clone.clone(), tree);
        assert_ne!(clone.clone() & leaf(), tree);
        assert!(format!("{tree:?}").len() > LEVELS);
        assert_eq!(clone.to_string(), tree.to_string());
        let error = Filter::<serde_json::Value>::compile_expr(&tree).expect_err("it is too long");
        assert!(error.message().contains("limit `text`"), "{error}");
        let limits = Limits { text: usize::MAX, nodes: usize::MAX, ..Limits::default() };
        let error =
            statehold_filter::parse(&tree.to_string(), &limits).expect_err("it is too deep");
        assert!(error.message().contains("(limit `"), "{error}");
    }
}
