//! Reads one clause: selector, operator, value, or value `in` selector.

use nom::Parser as _;
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::combinator::opt;

use super::{Parser, Read, error_at, skip, string};
use crate::ast::{Clause, Expr, ExprKind, Operator, Part, Selector, Value};
use crate::error::CompileErrorKind;
use crate::lex::{self, ident, index, infix, is_boundary, number, pointer, quoted, sign, word};
use crate::span::Span;

/// The left side of an operator.
pub(super) enum LeftOperand {
    /// A selector, and the value it is if `in` follows.
    Selector(Selector, Value),
    Value(Value),
}

impl<'t> Parser<'t> {
    pub(super) fn clause(&mut self, at: &'t str) -> Read<'t, Expr> {
        if self.extended
            && let Some(read) = self.marked_clause(at)
        {
            let (rest, kind) = read?;
            return Ok((rest, self.node(kind, at, rest)?));
        }
        let (rest, operand) = self.operand(at)?;
        if self.extended
            && let Some(read) = self.extended_operation(&operand, rest)
        {
            let (rest, kind) = read?;
            return Ok((rest, self.node(kind, at, rest)?));
        }
        let (rest, clause) = self.operation(operand, rest)?;
        Ok((rest, self.node(ExprKind::Clause(clause), at, rest)?))
    }

    fn operand(&self, at: &'t str) -> Read<'t, LeftOperand> {
        // A pointer before a string: grammar/grammar.peg of go-bexpr tries a selector first.
        if let Ok((rest, raw)) = pointer(at) {
            let span = self.span(at, rest);
            let selector = Selector { parts: self.pointer_parts(at, raw), span };
            let value = Value { text: raw.into(), number: false, span };
            return Ok((rest, LeftOperand::Selector(selector, value)));
        }
        if at.starts_with(|char: char| char.is_ascii_alphabetic()) {
            let (rest, selector) = self.selector_path(at)?;
            let value = word_value(&selector);
            return Ok((rest, LeftOperand::Selector(selector, value)));
        }
        if at.starts_with(['"', '`', '-']) || at.starts_with(|char: char| char.is_ascii_digit()) {
            let read = self.value(at);
            let (rest, value) = read.map_err(|error| self.not_an_operand(at, error))?;
            return Ok((rest, LeftOperand::Value(value)));
        }
        Err(self.expected_clause(at))
    }

    /// Reads the operator behind `operand` and its right side.
    pub(super) fn operation(&self, operand: LeftOperand, at: &'t str) -> Read<'t, Clause> {
        // Membership has the reverse order: value, then selector.
        let membership =
            alt((infix("in").map(|_| false), (infix("not"), word("in")).map(|_| true))).parse(at);
        if let Ok((rest, negated)) = membership {
            let operator_span = self.trimmed(at, rest);
            let left = match &operand {
                LeftOperand::Selector(selector, _) => Some(selector),
                LeftOperand::Value(_) => None,
            };
            let (rest, selector) = self
                .selector(rest)
                .map_err(|error| self.not_a_selector(left, negated, rest, error))?;
            let value = match operand {
                LeftOperand::Selector(_, value) | LeftOperand::Value(value) => Some(value),
            };
            let operator = Operator::Contains;
            return Ok((rest, Clause { selector, operator, negated, operator_span, value }));
        }
        let selector = match operand {
            LeftOperand::Selector(selector, _) => selector,
            LeftOperand::Value(value) => return Err(self.value_without_in(&value, at)),
        };
        let comparison = alt((
            sign("==").map(|_| (Operator::Equal, false)),
            sign("!=").map(|_| (Operator::Equal, true)),
            infix("contains").map(|_| (Operator::Contains, false)),
            (infix("not"), word("contains")).map(|_| (Operator::Contains, true)),
            infix("matches").map(|_| (Operator::Matches, false)),
            (infix("not"), word("matches")).map(|_| (Operator::Matches, true)),
        ))
        .parse(at);
        if let Ok((rest, (operator, negated))) = comparison {
            let operator_span = self.trimmed(at, rest);
            let (rest, value) = self.value(rest)?;
            let value = Some(value);
            return Ok((rest, Clause { selector, operator, negated, operator_span, value }));
        }
        let Ok((rest, negation)) = (infix("is"), opt(word("not"))).map(|(_, not)| not).parse(at)
        else {
            return Err(self.no_operator(&selector, at));
        };
        let empty_or_nil: lex::Token<'t> = alt((tag("empty"), tag("nil"))).parse(rest);
        let Ok((end, found)) = empty_or_nil else {
            return Err(self.expected_empty_or_nil(rest));
        };
        let operator = if found == "nil" { Operator::Nil } else { Operator::Empty };
        let operator_span = self.trimmed(at, end);
        let negated = negation.is_some();
        Ok((end, Clause { selector, operator, negated, operator_span, value: None }))
    }

    /// Reads a selector where a value is not allowed.
    pub(super) fn selector(&self, at: &'t str) -> Read<'t, Selector> {
        if let Ok((rest, raw)) = pointer(at) {
            let span = self.span(at, rest);
            return Ok((rest, Selector { parts: self.pointer_parts(at, raw), span }));
        }
        if !at.starts_with(|char: char| char.is_ascii_alphabetic()) {
            return Err(self.expected_selector(at));
        }
        let (rest, selector) = self.selector_path(at)?;
        match rest.chars().next() {
            Some(found) if !is_boundary(found) && found != '{' => {
                Err(self.unquoted_selector(&selector, rest, found))
            }
            _ => Ok((rest, selector)),
        }
    }

    /// Reads a bare selector: a name, then `.name`, `.0` and `["key"]`.
    fn selector_path(&self, at: &'t str) -> Read<'t, Selector> {
        let Ok((mut rest, first)) = ident(at) else { return Err(self.expected_selector(at)) };
        let mut parts = vec![Part { text: first.into(), span: self.span(at, rest) }];
        loop {
            if let Some(dotted) = rest.strip_prefix('.') {
                // The dot belongs to no selector: the caller reports the character.
                let Ok((next, text)) = alt((ident, index)).parse(dotted) else { break };
                parts.push(Part { text: text.into(), span: self.span(dotted, next) });
                rest = next;
            } else if let Some(inner) = rest.strip_prefix('[') {
                let key = skip(inner);
                if !key.starts_with(['"', '`']) {
                    return Err(self.bad_index(rest, key));
                }
                let (end, text) = self.string(key)?;
                let span = self.span(key, end);
                let Some(next) = skip(end).strip_prefix(']') else {
                    let kind = CompileErrorKind::UnclosedIndex;
                    return Err(
                        error_at(kind, self.first_char(rest)).with_help("add `]` after the key")
                    );
                };
                parts.push(Part { text: text.into(), span });
                rest = next;
            } else {
                break;
            }
        }
        let span = self.span(at, rest);
        Ok((rest, Selector { parts, span }))
    }

    /// Splits a JSON pointer into its parts; `raw` is the text between the quotes at `at`.
    fn pointer_parts(&self, at: &'t str, raw: &str) -> Vec<Part> {
        let mut offset = self.offset(at) + 1;
        // RFC 6901 selects the document; go-bexpr selects the field with the empty name.
        if raw.is_empty() {
            return vec![Part { text: "".into(), span: Span::new(offset, offset) }];
        }
        let mut parts = Vec::new();
        for segment in raw.split('/').skip(1) {
            offset += 1;
            // RFC 6901, section 4: `~1` first, so that `~01` becomes `~1`.
            let text = segment.replace("~1", "/").replace("~0", "~").into();
            parts.push(Part { text, span: Span::new(offset, offset + segment.len()) });
            offset += segment.len();
        }
        parts
    }

    /// Reads a bare word, number or quoted string.
    pub(super) fn value(&self, at: &'t str) -> Read<'t, Value> {
        let (rest, value) = if let Some(read) = self.quantity(at) {
            read
        } else if at.starts_with(|char: char| char.is_ascii_alphabetic()) {
            let (rest, selector) = self.selector_path(at)?;
            (rest, word_value(&selector))
        } else if at.starts_with(['"', '`']) {
            let (rest, text) = self.string(at)?;
            (rest, Value { text: text.into(), number: false, span: self.span(at, rest) })
        } else if let Ok((rest, text)) = number(at) {
            (rest, Value { text: text.into(), number: true, span: self.span(at, rest) })
        } else {
            return Err(self.expected_value(at));
        };
        match rest.chars().next() {
            None => Ok((rest, value)),
            // go-bexpr rejects a number directly before `}`, `]` and `,`; it is unambiguous, so it
            // is accepted here.
            Some(found) if is_boundary(found) || (value.number && matches!(found, ']' | ',')) => {
                Ok((rest, value))
            }
            // Ends a value inside a list, which only the extended dialect has.
            Some(']' | ',') if self.extended => Ok((rest, value)),
            Some(_) if at.starts_with(['"', '`']) => Err(self.expected_space(at, rest)),
            Some(found) => Err(self.unquoted_value(at, rest, found)),
        }
    }

    fn string(&self, at: &'t str) -> Read<'t, String> {
        let Ok((rest, source)) = quoted(at) else {
            let kind = CompileErrorKind::UnterminatedString;
            return Err(error_at(kind, self.first_char(at)).with_help("add the closing quote"));
        };
        let start = self.offset(at);
        let text = string::decode(source).map_err(|(kind, span, help)| {
            let error = error_at(kind, Span::new(start + span.start(), start + span.end()));
            match help {
                Some(help) => error.with_help(help),
                None => error,
            }
        })?;
        Ok((rest, text))
    }
}

/// Returns the value of a selector in the place of a value: its parts, joined by dots.
fn word_value(selector: &Selector) -> Value {
    let texts: Vec<&str> = selector.parts.iter().map(|part| &*part.text).collect();
    Value { text: texts.join(".").into(), number: false, span: selector.span }
}
