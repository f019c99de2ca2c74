//! The deliberate differences from the reference, each as a rule that any expression may fall
//! under.
//!
//! Invariant: a rule has the reference's result and the own one, so that another result of the same
//! expression is a mismatch.

use serde_json::Value as Json;
use statehold_filter::ast::{Clause, Expr, ExprKind, Names};
use statehold_filter::{CompileError, CompileErrorKind, Datum, Limits, Operator, parse};

use super::missing::{Found, Scope, look_up, missing_answer, table};

/// The reason why a result differs from the reference's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    /// A key that a map lacks follows the table of missing values at every level: at the root,
    /// behind a pointer and inside an interface. The reference does so only if the last part is
    /// looked up in a plain map.
    MissingKey,
    /// `json.Number` without a number exists in Go only.
    NoNumber,
    /// A bad pattern is rejected even if no row reaches it.
    BadPattern,
    /// Binding the same name twice is rejected even if the collection is empty.
    NameTwice,
    /// Strings are UTF-8, so escaped bytes that are not are rejected.
    ByteEscape,
    /// A double quote can be escaped.
    EscapedQuote,
}

/// A result that differs from the reference's.
pub(crate) struct Differing<'a> {
    pub(crate) expr: &'a str,
    pub(crate) row: Datum<'a>,
    pub(crate) expected: &'a Json,
    /// The reference's name of its error; empty if it has a result.
    pub(crate) kind: &'a str,
    pub(crate) answer: Result<&'a Json, &'a CompileError>,
}

impl Rule {
    /// Returns the rule of a result.
    pub(crate) fn of_answer(differing: &Differing<'_>) -> Option<Self> {
        let Differing { expr, row, expected, kind, answer } = *differing;
        match answer {
            Err(error) => Self::of_refusal(error, expr, row, expected.as_bool()?),
            Ok(answer) => {
                let tree = parse(expr, &Limits::default()).ok()?;
                let scope = Scope::new(row);
                let answer = answer.as_bool()?;
                if kind == "not_found" && missing_answer(&tree, &scope) == Some(answer) {
                    return Some(Self::MissingKey);
                }
                let ExprKind::Clause(clause) = &tree.kind else { return None };
                let of_none = clause.operator == Operator::Nil
                    && matches!(look_up(&clause.selector, &scope), Found::Value(Datum::Opaque));
                (of_none && kind == "bad_json_number" && answer == clause.negated)
                    .then_some(Self::NoNumber)
            }
        }
    }

    /// Returns the rule that rejects an expression, given that the reference's result for `row` is
    /// `expected`.
    fn of_refusal(
        error: &CompileError,
        expr: &str,
        row: Datum<'_>,
        expected: bool,
    ) -> Option<Self> {
        match error.kind() {
            CompileErrorKind::EscapeNotUtf8 => byte_escape(error, expr).then_some(Self::ByteEscape),
            CompileErrorKind::NameTwice => {
                let tree = parse(expr, &Limits::default()).ok()?;
                let unread = match &first(&tree).kind {
                    ExprKind::Quantifier(each) => match &each.names {
                        Names::Both(index, value) if index == value => {
                            is_empty(look_up(&each.selector, &Scope::new(row)))
                        }
                        _ => true,
                    },
                    _ => true,
                };
                unread.then_some(Self::NameTwice)
            }
            CompileErrorKind::Pattern { .. } => {
                let tree = parse(expr, &Limits::default()).ok()?;
                let unread = match &first(&tree).kind {
                    ExprKind::Clause(clause) if holds_place(clause, error) => {
                        let found = look_up(&clause.selector, &Scope::new(row));
                        // If the clause is the whole expression, its result is known as well.
                        let alone = matches!(tree.kind, ExprKind::Clause(_));
                        matches!(found, Found::NoKey) && (!alone || expected == table(clause))
                    }
                    _ => true,
                };
                unread.then_some(Self::BadPattern)
            }
            _ => None,
        }
    }

    /// Returns the rule by which an expression parses here only, or in the reference only.
    pub(crate) fn of_parse(expr: &str, parsed: Result<&Expr, &CompileError>) -> Option<Self> {
        match parsed {
            Err(error) => byte_escape(error, expr).then_some(Self::ByteEscape),
            Ok(tree) => {
                let spelled = without_escaped_quotes(expr);
                let same = parse(&spelled, &Limits::default()).as_ref() == Ok(tree);
                (spelled != expr && same).then_some(Self::EscapedQuote)
            }
        }
    }
}

/// Returns the part that every evaluation begins with: all others may stay unread.
fn first(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::And(operands) | ExprKind::Or(operands) => operands.first().map_or(expr, first),
        ExprKind::Not(operand) => first(operand),
        _ => expr,
    }
}

/// Returns whether the span of the error is in the clause's value.
fn holds_place(clause: &Clause, error: &CompileError) -> bool {
    clause.value.as_ref().is_some_and(|value| {
        value.span.start() <= error.span().start() && error.span().end() <= value.span.end()
    })
}

fn is_empty(found: Found<'_>) -> bool {
    match found {
        Found::NoKey => true,
        Found::Value(Datum::List(list)) => list.is_empty(),
        Found::Value(Datum::Map(map)) => map.is_empty(),
        _ => false,
    }
}

/// Returns whether an expression is rejected at an escape of a byte that is not a character by
/// itself.
fn byte_escape(error: &CompileError, expr: &str) -> bool {
    if !matches!(error.kind(), CompileErrorKind::EscapeNotUtf8) {
        return false;
    }
    let digits = &error.span().text(expr)[1..];
    let byte = match digits.strip_prefix('x') {
        Some(hex) => u8::from_str_radix(hex, 16),
        None => u8::from_str_radix(digits, 8),
    };
    byte.is_ok_and(|byte| !byte.is_ascii())
}

/// Returns the expression with each `\"` in double quotes written by its number.
fn without_escaped_quotes(expr: &str) -> String {
    let mut spelled = String::with_capacity(expr.len());
    let mut open = None;
    let mut chars = expr.chars();
    while let Some(char) = chars.next() {
        match (open, char) {
            (Some('"'), '\\') => match chars.next() {
                Some('"') => spelled.push_str("\\u0022"),
                escaped => spelled.extend(std::iter::once('\\').chain(escaped)),
            },
            (None, '"' | '`') => {
                open = Some(char);
                spelled.push(char);
            }
            _ => {
                if open == Some(char) {
                    open = None;
                }
                spelled.push(char);
            }
        }
    }
    spelled
}
