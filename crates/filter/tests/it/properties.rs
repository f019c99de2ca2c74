//! Goal: the parser never panics, a printed tree parses to the same tree, and an expression of the
//! default dialect has the same meaning in the extended one.
//!
//! Method: random text, random tokens of the language, random trees and random documents.

use proptest::prelude::*;
use serde_json::json;
use statehold_filter::ast::{
    Clause, Comparison, Expr, ExprKind, Name, Names, Operand, Part, Quantifier, Selector, Value,
};
use statehold_filter::{
    CompileErrorKind, Dialect, Filter, Limits, Operator, Options, Span, parse, parse_with, quote,
};

const NOWHERE: Span = Span::new(0, 0);

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: NOWHERE }
}

fn selector() -> impl Strategy<Value = Selector> {
    let first = prop_oneof![
        "[A-Za-z][A-Za-z0-9_/]{0,6}",
        "not|in|any|and|is|empty|starts|between|count|a|b|m"
    ];
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

/// A clause that only the extended dialect has.
fn extended_clause() -> impl Strategy<Value = Expr> {
    let quantity = "[1-9][0-9]{0,3}(\\.[0-9])?(B|kB|GiB|ns|ms|h|d)|-?1h30m|2026-01-02T03:04:05Z"
        .prop_map(|text| Value { text: text.into(), number: true, span: NOWHERE });
    let any_value = prop_oneof![3 => value(), 1 => quantity].boxed();
    let ordered = prop_oneof![
        Just(Operator::Less),
        Just(Operator::LessEqual),
        Just(Operator::Greater),
        Just(Operator::GreaterEqual),
    ]
    .prop_map(|operator| (operator, false))
    .boxed();
    let negatable =
        |operators: &'static [Operator]| (prop::sample::select(operators), any::<bool>()).boxed();
    let words = negatable(&[
        Operator::StartsWith,
        Operator::EndsWith,
        Operator::EqualFold,
        Operator::ContainsFold,
        Operator::MatchesFold,
    ]);
    let lists = negatable(&[Operator::In, Operator::ContainsAny, Operator::ContainsAll]);
    let related = prop_oneof![ordered.clone(), negatable(&[Operator::Equal])].boxed();
    let with = |operator: BoxedStrategy<(Operator, bool)>, operand: BoxedStrategy<Operand>| {
        (selector(), operator, operand).prop_map(|(selector, (operator, negated), with)| {
            let operator_span = NOWHERE;
            let comparison = Comparison { selector, operator, negated, operator_span, with };
            expr(ExprKind::Comparison(comparison))
        })
    };
    let plain = (selector(), prop_oneof![ordered, words], any_value.clone()).prop_map(
        |(selector, (operator, negated), value)| {
            let (operator_span, value) = (NOWHERE, Some(value));
            expr(ExprKind::Clause(Clause { selector, operator, negated, operator_span, value }))
        },
    );
    let list = prop::collection::vec(any_value.clone(), 0..4).prop_map(Operand::List).boxed();
    let range = (any_value.clone(), any_value.clone())
        .prop_map(|(low, high)| Operand::Range(low, high))
        .boxed();
    prop_oneof![
        plain,
        with(lists, list),
        with(negatable(&[Operator::Between]), range),
        with(related.clone(), any_value.prop_map(Operand::Count).boxed()),
        with(related, selector().prop_map(Operand::Field).boxed()),
    ]
}

fn document() -> impl Strategy<Value = serde_json::Value> {
    let scalar = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        (-3..20_i32).prop_map(|value| json!(value)),
        "[a-c0-9]{0,3}".prop_map(|value| json!(value)),
    ];
    let inner = scalar.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| json!(list)),
            prop::collection::btree_map("[abmk0-2]", inner, 0..4).prop_map(|map| json!(map)),
        ]
    });
    prop::collection::btree_map("a|b|m|in|is|not", inner, 0..6).prop_map(|map| json!(map))
}

/// Selectors and values of the documents.
fn likely_clause() -> impl Strategy<Value = Expr> {
    let parts = ("a|b|m|x", prop::collection::vec("[abmk0-2]", 0..2));
    (clause(), parts, "[a-c0-9]{0,2}").prop_map(|(mut clause, (first, rest), text)| {
        if let ExprKind::Clause(clause) = &mut clause.kind {
            clause.selector.parts = std::iter::once(first)
                .chain(rest)
                .map(|text| Part { text: text.into(), span: NOWHERE })
                .collect();
            if let Some(value) = &mut clause.value {
                value.number = false;
                value.text = text.into();
            }
        }
        clause
    })
}

fn extended() -> Options {
    let limits = Limits { nesting: 128, quantifiers: 128, ..Limits::default() };
    Options::new().dialect(Dialect::Extended).limits(limits)
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

fn tree(clause: impl Strategy<Value = Expr> + 'static) -> impl Strategy<Value = Expr> {
    clause.prop_recursive(5, 24, 4, |inner| {
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

fn extended_tokens() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        "(not|in|is|and|or|any|between|starts with|ends with|contains\\*|contains all|matches\\*|==\\*) ",
        "(@?a|@?Name|x\\.y|@\"/a/b\"|count\\(a\\)|`r`|1|10GiB|-1h|2026-01-02T03:04:05Z) ?",
        "[(){}\\[\\],.=!<>@*#|\"`\\\\' \n-]",
        " (<|<=|>|>=|==|!=) |\\[1, b\\]",
    ];
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parser_never_panics(text in ".{0,60}") {
        let _ = parse(&text, &Limits::default()).map_err(|error| error.to_string());
    }

    #[test]
    fn pipeline_never_panics_on_tokens(text in tokens()) {
        let document = json!({ "a": [1, { "b": null }], "x": { "y": "z", "0": [] }, "Name": "r" });
        match Filter::<serde_json::Value>::compile(&text) {
            Ok(filter) => { let _ = filter.try_matches(&document).map_err(|error| error.to_string()); }
            Err(error) => prop_assert!(error.span().end() <= text.len(), "{error}"),
        }
    }

    #[test]
    fn pattern_translation_never_panics(pattern in "[a-c()\\[\\]{}*+?|^$.\\\\dQE1,:<>P=!-]{0,16}") {
        let text = format!("a matches {}", quote(&pattern));
        let _ = Filter::<serde_json::Value>::compile(&text).map_err(|error| error.to_string());
    }

    #[test]
    fn printed_trees_parse_to_the_same_tree(tree in tree(clause())) {
        let text = tree.to_string();
        let limits = Limits { nesting: 256, quantifiers: 256, ..Limits::default() };
        let again = parse(&text, &limits).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(again, tree, "{}", text);
    }

    #[test]
    fn printed_extended_trees_parse_to_the_same_tree(
        tree in tree(prop_oneof![extended_clause(), extended_clause(), clause()])
    ) {
        let text = tree.to_string();
        let again = parse_with(&text, &extended()).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(again, tree, "{}", text);
    }

    #[test]
    fn default_dialect_text_parses_alike_in_the_extended_one(text in tokens()) {
        if let Ok(expr) = parse(&text, &Limits::default()) {
            let again = parse_with(&text, &extended()).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(again, expr, "{}", text);
        }
    }

    #[test]
    fn default_dialect_results_hold_in_the_extended_one(
        tree in tree(prop_oneof![clause(), likely_clause(), likely_clause(), likely_clause()]),
        documents in prop::collection::vec(document(), 1..6)
    ) {
        let text = tree.to_string();
        let default = Filter::<serde_json::Value>::compile_with(&text, &extended().dialect(Dialect::Bexpr));
        let extended = Filter::<serde_json::Value>::compile_with(&text, &extended());
        match (default, extended) {
            (Ok(default), Ok(extended)) => for document in &documents {
                prop_assert_eq!(default.try_matches(document), extended.try_matches(document), "{}", text);
            },
            (default, extended) => {
                prop_assert_eq!(default.map(drop).err(), extended.map(drop).err(), "{}", text);
            }
        }
    }

    #[test]
    fn extended_dialect_never_panics(text in ".{0,60}", tokens in extended_tokens()) {
        let document = json!({ "a": [1, { "b": null }], "x": { "y": "z", "0": [] }, "Name": "r" });
        for text in [text, tokens] {
            match Filter::<serde_json::Value>::compile_with(&text, &extended()) {
                Ok(filter) => { let _ = filter.try_matches(&document).map_err(|error| error.to_string()); }
                Err(error) => prop_assert!(error.span().end() <= text.len(), "{error}"),
            }
        }
    }

    #[test]
    fn quoted_text_parses_to_the_same_text(text in ".{0,40}") {
        let filter = Filter::<serde_json::Value>::compile(&format!("a == {}", quote(&text)));
        let filter = filter.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let document = json!({ "a": text });
        prop_assert!(filter.matches(&document));
    }
}

#[test]
fn deep_trees_drop_without_recursion() {
    let leaf = parse("a == 1", &Limits::default()).expect("it parses");
    let deep = (0..1_000_000).fold(leaf, |inner, _| expr(ExprKind::Not(Box::new(inner))));
    drop(deep);
}

#[test]
fn maximum_nesting_fits_the_documented_stack() {
    // The stack that `Limits::NESTING_MAX` documents.
    let small = std::thread::Builder::new().stack_size(1 << 20);
    let thread = small.spawn(run_the_deepest_nesting).expect("a thread starts");
    thread.join().expect("it does not panic");
}

fn run_the_deepest_nesting() {
    let limits = Limits { nesting: usize::MAX, quantifiers: usize::MAX, ..Limits::default() };
    let deep = |levels: usize| format!("{}a == 1{}", "not (".repeat(levels), ")".repeat(levels));
    assert!(parse(&deep(Limits::NESTING_MAX), &limits).is_ok());
    assert!(parse(&deep(Limits::NESTING_MAX + 1), &limits).is_err());
    let text =
        "any a as x { ".repeat(Limits::NESTING_MAX) + "x == 1" + &"}".repeat(Limits::NESTING_MAX);
    let options = statehold_filter::Options::new().limits(limits);
    let filter = Filter::<serde_json::Value>::compile_with(&text, &options).expect("it compiles");
    assert!(filter.matches(&json!({ "a": [1] })));
    assert!(filter.explain().to_string().contains("any a as x"));
}

#[test]
fn nested_quantifiers_are_limited_in_both_dialects() {
    let nested = |levels: usize| {
        (0..levels).fold("x == 1".to_owned(), |body, _| format!("any a as x {{ {body} }}"))
    };
    let max = Limits::default().quantifiers;
    for dialect in [Dialect::Bexpr, Dialect::Extended] {
        let options = Options::new().dialect(dialect);
        let side_by_side = vec![format!("not ({})", nested(max)); 3].join(" and ");
        assert!(parse_with(&side_by_side, &options).is_ok());
        let error = parse_with(&nested(max + 1), &options).expect_err("it is too deep");
        assert_eq!(error.kind(), &CompileErrorKind::TooManyQuantifiers { max });
        assert!(error.message().contains("limit `quantifiers`: 4"), "{error}");
        let none = options.limits(Limits { quantifiers: 0, ..Limits::default() });
        assert!(parse_with(&nested(1), &none).is_err());
    }
}
