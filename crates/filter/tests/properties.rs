//! Goal: no text makes the parser panic, and a tree printed is the same tree read.
//!
//! Method: random text, random tokens of the language, and random trees.

use proptest::prelude::*;
use serde_json::json;
use statehold_filter::ast::{
    Clause, Expr, ExprKind, Name, Names, Part, Quantifier, Selector, Value,
};
use statehold_filter::{Filter, Limits, Operator, Span, parse, quote};

const NOWHERE: Span = Span::new(0, 0);

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: NOWHERE }
}

fn selector() -> impl Strategy<Value = Selector> {
    let first = prop_oneof!["[A-Za-z][A-Za-z0-9_/]{0,6}", "not|in|any|and|is|empty"];
    let rest = prop_oneof!["[A-Za-z][A-Za-z0-9_/]{0,4}", "[0-9]{1,3}", ".{0,4}"];
    let bare = (first, prop::collection::vec(rest, 0..3))
        .prop_map(|(first, rest)| std::iter::once(first).chain(rest).collect::<Vec<_>>());
    let pointer = prop::collection::vec("[a-z0-9_.:|~/é-]{1,4}", 1..3);
    prop_oneof![bare, pointer].prop_map(|texts| Selector {
        parts: texts.into_iter().map(|text| Part { text: text.into(), span: NOWHERE }).collect(),
        span: NOWHERE,
    })
}

fn value() -> impl Strategy<Value = Value> {
    let number = "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,3})?".prop_map(|text| (text, true));
    let text = ".{0,8}".prop_map(|text| (text, false));
    prop_oneof![number, text].prop_map(|(text, number)| Value {
        text: text.into(),
        number,
        span: NOWHERE,
    })
}

fn clause() -> impl Strategy<Value = Expr> {
    let operator = prop_oneof![
        Just(Operator::Equal),
        Just(Operator::Contains),
        Just(Operator::Matches),
        Just(Operator::Empty),
        Just(Operator::Nil),
    ];
    (selector(), operator, any::<bool>(), value()).prop_map(
        |(selector, operator, negated, value)| {
            let unary = matches!(operator, Operator::Empty | Operator::Nil);
            let value = (!unary).then_some(value);
            let operator_span = NOWHERE;
            expr(ExprKind::Clause(Clause { selector, operator, negated, operator_span, value }))
        },
    )
}

fn names() -> impl Strategy<Value = Names> {
    let name =
        || "[A-Za-z][A-Za-z0-9_]{0,4}".prop_map(|text| Name { text: text.into(), span: NOWHERE });
    prop_oneof![
        name().prop_map(Names::One),
        (name(), name()).prop_map(|(index, value)| Names::Both(index, value)),
        name().prop_map(Names::Index),
        name().prop_map(Names::Value),
    ]
}

fn tree() -> impl Strategy<Value = Expr> {
    clause().prop_recursive(5, 24, 4, |inner| {
        let many = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            many.clone().prop_map(|operands| expr(ExprKind::And(operands))),
            many.prop_map(|operands| expr(ExprKind::Or(operands))),
            inner.clone().prop_map(|operand| expr(ExprKind::Not(Box::new(operand)))),
            (any::<bool>(), selector(), names(), inner).prop_map(|(all, selector, names, body)| {
                let body = Box::new(body);
                expr(ExprKind::Quantifier(Quantifier { all, selector, names, body }))
            }),
        ]
    })
}

fn tokens() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        "(not|in|is|and|or|any|all|as|empty|nil|contains|matches) ",
        "(a|Name|x\\.y|x\\.0|m\\[\"k\"\\]|\"/a/b\"|\"\"|`r`|\"\\\\n\"|1|-2\\.5|_) ?",
        "[(){}\\[\\],.=!<>&|\"`\\\\' \n-]",
        " (==|!=) ",
    ];
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,60}") {
        let _ = parse(&text, &Limits::default()).map_err(|error| error.to_string());
    }

    #[test]
    fn no_tokens_make_the_pipeline_panic(text in tokens()) {
        let document = json!({ "a": [1, { "b": null }], "x": { "y": "z", "0": [] }, "Name": "r" });
        match Filter::<serde_json::Value>::compile(&text) {
            Ok(filter) => { let _ = filter.try_matches(&document).map_err(|error| error.to_string()); }
            Err(error) => prop_assert!(error.span().end() <= text.len(), "{error}"),
        }
    }

    #[test]
    fn no_pattern_makes_the_translation_panic(pattern in "[a-c()\\[\\]{}*+?|^$.\\\\dQE1,:<>P=!-]{0,16}") {
        let text = format!("a matches {}", quote(&pattern));
        let _ = Filter::<serde_json::Value>::compile(&text).map_err(|error| error.to_string());
    }

    #[test]
    fn a_printed_tree_is_read_as_the_same_tree(tree in tree()) {
        let text = tree.to_string();
        let limits = Limits { nesting: 256, ..Limits::default() };
        let again = parse(&text, &limits).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(again, tree, "{}", text);
    }

    #[test]
    fn a_quoted_text_is_read_as_the_same_text(text in ".{0,40}") {
        let filter = Filter::<serde_json::Value>::compile(&format!("a == {}", quote(&text)));
        let filter = filter.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let document = json!({ "a": text });
        prop_assert!(filter.matches(&document));
    }
}

#[test]
fn a_deep_tree_is_dropped_without_recursion() {
    let leaf = parse("a == 1", &Limits::default()).expect("it parses");
    let deep = (0..1_000_000).fold(leaf, |inner, _| expr(ExprKind::Not(Box::new(inner))));
    drop(deep);
}

#[test]
fn the_deepest_nesting_allowed_is_parsed_printed_and_run() {
    let limits = Limits { nesting: usize::MAX, ..Limits::default() };
    let deep = |levels: usize| format!("{}a == 1{}", "not (".repeat(levels), ")".repeat(levels));
    assert!(parse(&deep(Limits::NESTING_MAX), &limits).is_ok());
    assert!(parse(&deep(Limits::NESTING_MAX + 1), &limits).is_err());
    let text =
        "any a as x { ".repeat(Limits::NESTING_MAX) + "x == 1" + &"}".repeat(Limits::NESTING_MAX);
    let options = statehold_filter::Options::new().limits(limits);
    let filter = Filter::<serde_json::Value>::compile_with(&text, &options).expect("it compiles");
    assert!(filter.matches(&json!({ "a": [1] })));
}
