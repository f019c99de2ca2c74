//! Reads the syntax of the extended dialect: order, lists, ranges, quantities, fields on both
//! sides, counts, comments.
//!
//! Invariant: all of it is an error in the other dialect, so no expression of that changes its
//! meaning.

use std::borrow::Cow;

use nom::Parser as _;
use nom::branch::alt;
use nom::bytes::complete::tag;

use super::clause::LeftOperand as Left;
use super::{Parser, Read, error_at, skip};
use crate::ast::{Clause, Comparison, ExprKind, Operand, Operator, Selector, Value};
use crate::error::{CompileError, CompileErrorKind};
use crate::lex::{self, infix, is_space, number, sign, space0, word};
use crate::quantity::Quantity;
use crate::span::Span;

/// Replaces each byte of a comment by a space: `#` outside quotes to the end of the line.
pub(crate) fn without_comments(text: &str) -> Cow<'_, str> {
    if !text.contains('#') {
        return Cow::Borrowed(text);
    }
    let mut blanked = String::with_capacity(text.len());
    let (mut quote, mut escaped, mut comment) = (None, false, false);
    let mut before = ' ';
    for char in text.chars() {
        if comment && char != '\n' {
            blanked.extend(std::iter::repeat_n(' ', char.len_utf8()));
            continue;
        }
        comment = false;
        match (quote, char) {
            _ if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(open), _) if open == char => quote = None,
            (None, '"' | '`') => quote = Some(char),
            // `&#39;` is an escaped quote of HTML, which has its own error.
            (None, '#') if before != '&' => {
                comment = true;
                blanked.push(' ');
                continue;
            }
            _ => {}
        }
        before = char;
        blanked.push(char);
    }
    Cow::Owned(blanked)
}

impl<'t> Parser<'t> {
    /// Reads a clause that begins with `@selector` or `count(selector)`; `None` for other input.
    pub(super) fn marked_clause(&self, at: &'t str) -> Option<Read<'t, ExprKind>> {
        if let Some(inner) = at.strip_prefix('@') {
            return Some(
                self.selector(inner)
                    .and_then(|(rest, selector)| self.field_operation(selector, rest)),
            );
        }
        let inner = at.strip_prefix("count(")?;
        Some(self.count(at, skip(inner)))
    }

    fn field_operation(&self, selector: Selector, at: &'t str) -> Read<'t, ExprKind> {
        let value = Value { text: "".into(), number: false, span: selector.span };
        let left = Left::Selector(selector, value);
        match self.extended_operation(&left, at) {
            Some(read) => read,
            None if membership(at) => {
                let error = error_at(
                    CompileErrorKind::UnknownOperator { found: "in".into() },
                    self.word_span(skip(at)),
                );
                Err(error
                    .with_help("two fields are compared by `==`, `!=`, `<`, `<=`, `>` and `>=`"))
            }
            None => {
                let (rest, clause) = self.operation(left, at)?;
                Ok((rest, ExprKind::Clause(clause)))
            }
        }
    }

    fn count(&self, at: &'t str, inner: &'t str) -> Read<'t, ExprKind> {
        // The `@` of a field is optional here, because `count` takes nothing else.
        let inner = inner.strip_prefix('@').unwrap_or(inner);
        let (rest, selector) = self.selector(inner)?;
        let Some(rest) = skip(rest).strip_prefix(')') else {
            let error = error_at(
                CompileErrorKind::UnclosedParenthesis,
                self.first_char(&at["count".len()..]),
            );
            return Err(error.with_help("add `)` after the selector"));
        };
        let Ok((value_at, (operator, negated))) = comparison(rest) else {
            if let Some(error) = self.foreign_comparison(skip(rest)) {
                return Err(error);
            }
            let error = error_at(CompileErrorKind::ExpectedOperator, self.word_span(skip(rest)));
            return Err(error.with_help("compare the count, as in `count(Tags) > 2`"));
        };
        let operator_span = self.trimmed(rest, value_at);
        let (rest, value) = self.value(value_at)?;
        let with = Operand::Count(value);
        Ok((
            rest,
            ExprKind::Comparison(Comparison { selector, operator, negated, operator_span, with }),
        ))
    }

    /// Reads an operator of this dialect behind `left`, or one of both dialects against a field;
    /// `None` for other input.
    pub(super) fn extended_operation(
        &self,
        left: &Left,
        at: &'t str,
    ) -> Option<Read<'t, ExprKind>> {
        // A value on the left is valid before `in` only, which both dialects share.
        let Left::Selector(selector, _) = left else { return None };
        if let Some((rest, operator, negated)) = list_operator(at) {
            let operator_span = self.trimmed(at, rest);
            return Some(self.list(rest).map(|(rest, list)| {
                let (selector, with) = (selector.clone(), Operand::List(list));
                let comparison = Comparison { selector, operator, negated, operator_span, with };
                (rest, ExprKind::Comparison(comparison))
            }));
        }
        if let Ok((rest, negated)) = between(at) {
            let operator_span = self.trimmed(at, rest);
            return Some(self.range(rest).map(|(rest, with)| {
                let (selector, operator) = (selector.clone(), Operator::Between);
                let comparison = Comparison { selector, operator, negated, operator_span, with };
                (rest, ExprKind::Comparison(comparison))
            }));
        }
        // Only with `@`: against a value these operators are read by `operation`, as in the other
        // dialect.
        if let Ok((rest, (operator, negated))) = comparison(at)
            && let Some(other) = rest.strip_prefix('@')
        {
            let operator_span = self.trimmed(at, rest);
            return Some(self.selector(other).map(|(rest, other)| {
                let (selector, with) = (selector.clone(), Operand::Field(other));
                let comparison = Comparison { selector, operator, negated, operator_span, with };
                (rest, ExprKind::Comparison(comparison))
            }));
        }
        let (rest, (operator, negated)) = value_operator(at).ok()?;
        let operator_span = self.trimmed(at, rest);
        Some(self.value(rest).map(|(rest, value)| {
            let (selector, value) = (selector.clone(), Some(value));
            (rest, ExprKind::Clause(Clause { selector, operator, negated, operator_span, value }))
        }))
    }

    /// Reads values between `[` and `]`; `at` begins with the former.
    fn list(&self, at: &'t str) -> Read<'t, Vec<Value>> {
        let mut values = Vec::new();
        let mut rest = skip(at.strip_prefix('[').unwrap_or(at));
        loop {
            // Also behind a comma: a trailing one is accepted.
            if let Some(end) = rest.strip_prefix(']') {
                return Ok((end, values));
            }
            let (next, value) = self.value(rest)?;
            if values.len() >= self.list_max {
                let kind = CompileErrorKind::TooManyValues { max: self.list_max };
                return Err(error_at(kind, value.span));
            }
            values.push(value);
            let (end, next) = (next, skip(next));
            rest = match next.strip_prefix(',') {
                Some(more) => skip(more),
                None if next.starts_with(']') => next,
                None => {
                    return Err(self
                        .split_quantity(end)
                        .unwrap_or_else(|| self.open_list(at, next)));
                }
            };
        }
    }

    fn open_list(&self, at: &'t str, rest: &'t str) -> CompileError {
        let place = if rest.is_empty() { at } else { rest };
        let error = error_at(CompileErrorKind::BadList, self.first_char(place));
        error.with_help("values are separated by `,` and the list ends with `]`")
    }

    fn range(&self, at: &'t str) -> Read<'t, Operand> {
        let (rest, low) = self.value(at)?;
        let Ok((rest, _)) = infix("and")(rest) else {
            if let Some(error) = self.split_quantity(rest).or_else(|| self.range_word(rest)) {
                return Err(error);
            }
            let error = error_at(CompileErrorKind::ExpectedRange, self.word_span(skip(rest)));
            return Err(error.with_help("write both ends, as in `Size between 1 and 3`"));
        };
        let (rest, high) = self.value(rest)?;
        Ok((rest, Operand::Range(low, high)))
    }

    /// Reads a bare size, duration or time.
    pub(super) fn quantity(&self, at: &'t str) -> Option<(&'t str, Value)> {
        if !self.extended || !at.starts_with(|char: char| char.is_ascii_digit() || char == '-') {
            return None;
        }
        let more = |char: char| char.is_alphanumeric() || matches!(char, '.' | ':' | '+' | '-');
        let end = at.find(|char| !more(char)).unwrap_or(at.len());
        let (text, rest) = at.split_at(end);
        // A plain number is no quantity and keeps its meaning in the other dialect.
        if matches!(number(text), Ok(("", _))) {
            return None;
        }
        Quantity::read(text)?;
        let start = self.offset(at);
        let span = Span::new(start, start + end);
        Some((rest, Value { text: text.into(), number: true, span }))
    }
}

/// Returns whether an operator with its selector on the right follows.
pub(super) fn membership(at: &str) -> bool {
    let membership: lex::Token<'_, ()> =
        alt((infix("in").map(drop), (infix("not"), word("in")).map(drop))).parse(at);
    membership.is_ok()
}

/// Reads an operator that may compare two fields.
fn comparison(at: &str) -> lex::Token<'_, (Operator, bool)> {
    // SQL's `<>` would be read as `<` and fail at its value with a misleading error.
    if skip(at).starts_with("<>") {
        return Err(nom::Err::Error(()));
    }
    alt((
        sign("==").map(|_| (Operator::Equal, false)),
        sign("!=").map(|_| (Operator::Equal, true)),
        sign("<=").map(|_| (Operator::LessEqual, false)),
        sign(">=").map(|_| (Operator::GreaterEqual, false)),
        sign("<").map(|_| (Operator::Less, false)),
        sign(">").map(|_| (Operator::Greater, false)),
    ))
    .parse(at)
}

/// Reads an operator that takes one value and is not in the other dialect.
fn value_operator(at: &str) -> lex::Token<'_, (Operator, bool)> {
    if let Ok((rest, (operator, negated))) = folding(at) {
        return Ok((rest, (operator, negated)));
    }
    match comparison(at)? {
        (_, (Operator::Equal, _)) => Err(nom::Err::Error(())),
        ordered => Ok(ordered),
    }
}

fn folding(at: &str) -> lex::Token<'_, (Operator, bool)> {
    // The signs with `*` first, because their prefixes are operators too.
    alt((
        sign("==*").map(|_| (Operator::EqualFold, false)),
        sign("!=*").map(|_| (Operator::EqualFold, true)),
        infix("contains*").map(|_| (Operator::ContainsFold, false)),
        (infix("not"), word("contains*")).map(|_| (Operator::ContainsFold, true)),
        infix("matches*").map(|_| (Operator::MatchesFold, false)),
        (infix("not"), word("matches*")).map(|_| (Operator::MatchesFold, true)),
        (infix("starts"), word("with")).map(|_| (Operator::StartsWith, false)),
        (infix("not"), word("starts"), word("with")).map(|_| (Operator::StartsWith, true)),
        (infix("ends"), word("with")).map(|_| (Operator::EndsWith, false)),
        (infix("not"), word("ends"), word("with")).map(|_| (Operator::EndsWith, true)),
    ))
    .parse(at)
}

fn between(at: &str) -> lex::Token<'_, bool> {
    alt((infix("between").map(|_| false), (infix("not"), word("between")).map(|_| true))).parse(at)
}

/// Reads an operator that a list follows, and returns the rest from `[` on.
///
/// Whitespace before `[` is required, because `contains any["k"]` is the string `any.k` in both
/// dialects.
fn list_operator(at: &str) -> Option<(&str, Operator, bool)> {
    let (rest, negation) = match (infix("not"), space0).parse(at) {
        Ok((rest, _)) => (rest, true),
        Err(_) => (at.trim_start_matches(is_space), false),
    };
    if !negation && rest.len() == at.len() {
        return None;
    }
    let one: lex::Token<'_, Operator> = tag("in").map(|_| Operator::In).parse(rest);
    let (rest, operator) = one
        .or_else(|_| {
            alt((
                (word("contains"), tag("any")).map(|_| Operator::ContainsAny),
                (word("contains"), tag("all")).map(|_| Operator::ContainsAll),
            ))
            .parse(rest)
        })
        .ok()?;
    let list = skip(rest);
    let spaced = list.len() < rest.len();
    (spaced && list.starts_with('[')).then_some((list, operator, negation))
}
