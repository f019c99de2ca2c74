//! Goal: the result of a compiled filter is the documented one.
//!
//! Method: random expressions over random JSON with few names and values, so that they meet; the
//! results are compared with those of a second interpreter that walks the tree.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};
use statehold_filter::{Dialect, Filter, Options, parse_with};

use crate::naive::{Fault, evaluate};

fn key() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b"), Just("c"), Just("0"), Just("")].prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-1i64..3).prop_map(Json::from),
        prop_oneof![Just(i64::MAX), Just(9_007_199_254_740_993)].prop_map(Json::from),
        prop_oneof![Just(u64::MAX), Just(1)].prop_map(Json::from),
        prop_oneof![Just(0.5), Just(-0.0), Just(1.0), Just(1e300)].prop_map(Json::from),
        prop_oneof![Just("a"), Just("ab"), Just("1"), Just("true"), Just("")].prop_map(Json::from),
    ]
}

fn document() -> impl Strategy<Value = Json> {
    let inner = scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(key(), inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(key(), inner, 0..4)
        .prop_map(|map| Json::Object(map.into_iter().collect()))
}

fn selector() -> BoxedStrategy<String> {
    let first = prop_oneof![Just("a"), Just("b"), Just("c"), Just("x"), Just("y")];
    let rest = prop_oneof![Just(".a"), Just(".b"), Just(".0"), Just(".1"), Just("[\"\"]")];
    (first, prop::collection::vec(rest, 0..3))
        .prop_map(|(first, rest)| first.to_owned() + &rest.concat())
        .boxed()
}

fn value() -> BoxedStrategy<String> {
    prop_oneof![
        Just("a"),
        Just("ab"),
        Just("1"),
        Just("0"),
        Just("-1"),
        Just("0.5"),
        Just("true"),
        Just("f"),
        Just("\"\""),
        Just("\"1e0\""),
        Just("\"1e400\""),
        Just("\"inf\""),
        Just("9007199254740993"),
        Just("9007199254740992"),
        Just("18446744073709551615"),
        Just("\"+1\""),
        Just("nan"),
        Just("\"/a\""),
        Just("9223372036854775808"),
    ]
    .prop_map(str::to_owned)
    .boxed()
}

/// Clauses of the default dialect.
///
/// Each strategy that others contain is boxed: otherwise the generated values are on the stack, and
/// a few levels need megabytes.
fn clause() -> BoxedStrategy<String> {
    let equal = prop_oneof![Just("=="), Just("!="), Just("contains"), Just("not contains")];
    let matches = prop_oneof![Just("matches"), Just("not matches")];
    let pattern = prop_oneof![Just("^a"), Just("b$"), Just("a.?"), Just("(a|1)"), Just("^$")];
    let is =
        prop_oneof![Just("is empty"), Just("is not empty"), Just("is nil"), Just("is not nil"),];
    prop_oneof![
        4 => (selector(), equal, value()).prop_map(|(s, o, v)| format!("{s} {o} {v}")).boxed(),
        1 => (selector(), matches, pattern).prop_map(|(s, o, p)| format!("{s} {o} `{p}`")).boxed(),
        1 => (selector(), is).prop_map(|(s, o)| format!("{s} {o}")).boxed(),
        1 => (value(), selector()).prop_map(|(v, s)| format!("{v} in {s}")).boxed(),
    ]
    .boxed()
}

/// A clause that only the extended dialect has.
fn extended_clause() -> BoxedStrategy<String> {
    let one = prop_oneof![
        Just("<"),
        Just("<="),
        Just(">"),
        Just(">="),
        Just("starts with"),
        Just("not ends with"),
        Just("==*"),
        Just("!=*"),
        Just("contains*"),
    ];
    let list = prop_oneof![
        Just("in"),
        Just("not in"),
        Just("contains any"),
        Just("contains all"),
        Just("not contains all"),
    ];
    let related = || prop_oneof![Just("=="), Just("!="), Just("<"), Just(">=")];
    let values = prop::collection::vec(value(), 0..4).prop_map(|values| values.join(", "));
    prop_oneof![
        2 => (selector(), one, value()).prop_map(|(s, o, v)| format!("{s} {o} {v}")).boxed(),
        2 => (selector(), list, values).prop_map(|(s, o, v)| format!("{s} {o} [{v}]")).boxed(),
        1 => (selector(), value(), value()).prop_map(|(s, a, b)| format!("{s} between {a} and {b}")).boxed(),
        1 => (selector(), related(), selector()).prop_map(|(s, o, t)| format!("@{s} {o} @{t}")).boxed(),
        1 => (selector(), related(), -1i32..4).prop_map(|(s, o, n)| format!("count({s}) {o} {n}")).boxed(),
        1 => selector().prop_map(|s| format!("{s} matches* `^A|B`")).boxed(),
    ]
    .boxed()
}

fn expression(clause: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    let deep = clause.prop_recursive(4, 12, 3, |inner| {
        let many = || prop::collection::vec(inner.clone(), 2..4);
        let names = prop_oneof![
            Just("x"),
            Just("x, y"),
            Just("y, x"),
            Just("x, _"),
            Just("_, x"),
            Just("a"),
            Just("b, a"),
        ];
        prop_oneof![
            many().prop_map(|operands| format!("({})", operands.join(" and "))).boxed(),
            many().prop_map(|operands| format!("({})", operands.join(" or "))).boxed(),
            inner.clone().prop_map(|operand| format!("not {operand}")).boxed(),
            (prop_oneof![Just("any"), Just("all")], selector(), names, inner.clone())
                .prop_map(|(word, s, names, body)| format!("{word} {s} as {names} {{ {body} }}"))
                .boxed(),
        ]
    });
    deep.boxed()
}

/// Compares the two results; returns false if the second one is undecided.
fn agree(text: &str, document: &Json, dialect: Dialect) -> Result<bool, TestCaseError> {
    let failed = |error: statehold_filter::CompileError| TestCaseError::fail(error.to_string());
    let options = Options::new().dialect(dialect);
    let expr = parse_with(text, &options).map_err(failed)?;
    let filter = Filter::<Json>::compile_with(text, &options).map_err(failed)?;
    let expected = match evaluate(&expr, document) {
        Ok(answer) => Some(answer),
        Err(Fault::NoAnswer) => None,
        Err(Fault::Unsure) => return Ok(false),
    };
    let answer = filter.try_matches(document);
    prop_assert_eq!(answer.clone().ok(), expected, "{} on {}: {:?}", text, document, answer);
    prop_assert_eq!(filter.matches(document), expected == Some(true));
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn compiled_equals_naive(text in expression(clause()), document in document()) {
        agree(&text, &document, Dialect::Bexpr)?;
        agree(&text, &document, Dialect::Extended)?;
    }

    #[test]
    fn compiled_equals_naive_in_the_extended_dialect(
        text in expression(prop_oneof![extended_clause(), extended_clause(), clause()]),
        document in document()
    ) {
        agree(&text, &document, Dialect::Extended)?;
    }
}

#[test]
fn second_interpreter_decides_documented_cases() {
    let document = json!({
        "a": [1, null, "b", true], "b": { "k": 0.5, "l": null }, "c": "text", "n": 9_007_199_254_740_993_i64,
    });
    for (text, answer) in [
        ("b in a and 1 in a and true in a", Some(true)),
        ("a.1 is nil and b.l is nil and b.m is nil", Some(true)),
        ("b.l.deep != 3 and b.m is empty", Some(true)),
        ("b.l == 3 or x in b.l or any b.l as x { x == 1 }", Some(false)),
        ("b.l != 3 and b.l is empty and b.l is nil and all b.l as x { x == 1 }", Some(true)),
        ("a.7 == 3", None),
        ("any a as i, v { i == 2 and v is not nil }", Some(true)),
        ("all b as k, v { k matches \"^[kl]$\" or k contains k or k contains l }", None),
        ("all b as k { k contains k or k contains l }", Some(true)),
        ("n == 9007199254740993 and n != 9007199254740992", Some(true)),
        ("c contains ex and c matches `^t.*t$`", Some(true)),
        (
            "c in [z, text] and b.k in [0, 0.5] and a contains all [1, b] and a contains any [z, b]",
            Some(true),
        ),
        ("b.k in [z, 0.5]", None),
        (
            "c > t and c between a and u and c starts with te and c ==* TEXT and c contains* EX",
            Some(true),
        ),
        ("n > 9007199254740992 and @n > @b.k and count(a) == 4 and a contains* B", Some(true)),
        ("b.l < 3 or b.m in [x] or b.l contains any [] or b.m contains all []", Some(false)),
        ("n contains any []", None),
        ("c contains all [] and c contains any [ex] and c not contains any []", Some(true)),
    ] {
        let options = Options::new().dialect(Dialect::Extended);
        let expr = parse_with(text, &options).expect("it parses");
        match evaluate(&expr, &document) {
            Err(Fault::Unsure) => assert!(text.contains("[kl]"), "{text}"),
            answered => assert_eq!(answered.ok(), answer, "{text}"),
        }
        agree(text, &document, Dialect::Extended).expect("both agree");
    }
}

#[test]
fn expression_strategies_fit_half_a_test_stack() {
    let made = || {
        let mut runner = TestRunner::deterministic();
        let clause = prop_oneof![extended_clause(), extended_clause(), clause()];
        let strategy = expression(clause);
        (0..1_000).filter(|_| strategy.new_tree(&mut runner).is_ok()).count()
    };
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(made);
    assert_eq!(thread.expect("a thread").join().ok(), Some(1_000));
}
