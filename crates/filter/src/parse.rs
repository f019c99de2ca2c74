//! Text to syntax tree, in one pass and linear time.
//!
//! `lex` reads tokens with nom, `string` decodes quoted text, `explain` says what to write instead of what can't be
//! read. This module is the grammar. Words such as `not` and `in` are not reserved, so a word is an operator only
//! where the grammar wants one: `not in in` asks whether the text `not` is in the selector `in`.
//!
//! Invariant: each level of recursion is counted against `Limits::nesting`, each part of the tree against
//! `Limits::nodes`. Invariant: nothing is read more than a fixed number of times.

mod explain;
mod lex;
pub(crate) mod string;

use nom::Parser as _;
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::combinator::opt;

use self::lex::{ident, index, infix, is_boundary, number, pointer, quoted, sign, space0, word};
use crate::ast::{
    Clause, Expr, ExprKind, Name, Names, Operator, Part, Quantifier, Selector, Value,
};
use crate::error::{CompileError, CompileErrorKind};
use crate::limits::Limits;
use crate::span::Span;

/// Reads an expression without asking what its selectors mean.
///
/// # Errors
/// [`CompileError`] for text that is no expression or passes one of the `limits`.
///
/// # Examples
/// ```
/// use statehold_filter::{Limits, parse};
///
/// let expr = parse("not(name)in(x)", &Limits::default());
/// assert!(expr.is_err());
/// let expr = parse("(size==3 ) or  web in tags", &Limits::default())?;
/// assert_eq!(expr.to_string(), r#"size == 3 or tags contains "web""#);
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
pub fn parse(text: &str, limits: &Limits) -> Result<Expr, CompileError> {
    if text.len() > limits.text {
        let kind = CompileErrorKind::TextTooLong { max: limits.text };
        return Err(CompileError::new(kind, "", Span::new(limits.text, text.len())));
    }
    let nesting = limits.nesting.min(Limits::NESTING_MAX);
    let parser = Parser { text, nesting, nodes_max: limits.nodes, depth: 0, nodes: 0 };
    parser.input().map_err(|error| error.in_text(text))
}

/// Whether `text` can stand behind a dot as a name, or begin a selector.
pub(crate) fn is_ident(text: &str) -> bool {
    matches!(ident(text), Ok(("", _)))
}

/// Whether `text` can stand behind a dot as an index.
pub(crate) fn is_index(text: &str) -> bool {
    matches!(index(text), Ok(("", _)))
}

/// The rest of the input, and what was read before it.
type Read<'t, T> = Result<(&'t str, T), CompileError>;

struct Parser<'t> {
    text: &'t str,
    nesting: usize,
    nodes_max: usize,
    depth: usize,
    nodes: usize,
}

/// What stands before an operator.
enum Operand {
    /// A selector; as a value it is its text.
    Selector(Selector, Value),
    Value(Value),
}

impl<'t> Parser<'t> {
    fn input(mut self) -> Result<Expr, CompileError> {
        let start = skip(self.text);
        if start.is_empty() {
            return Err(self.error(CompileErrorKind::Empty, Span::new(0, self.text.len())));
        }
        let (rest, expr) = self.or(start)?;
        let end = skip(rest);
        if end.is_empty() { Ok(expr) } else { Err(self.trailing(rest)) }
    }

    fn or(&mut self, at: &'t str) -> Read<'t, Expr> {
        self.chain(at, "or", Self::and, ExprKind::Or)
    }

    fn and(&mut self, at: &'t str) -> Read<'t, Expr> {
        self.chain(at, "and", Self::unary, ExprKind::And)
    }

    /// Operands with `between` between them; a single one stands for itself.
    fn chain(
        &mut self,
        at: &'t str,
        between: &'static str,
        operand: fn(&mut Self, &'t str) -> Read<'t, Expr>,
        kind: fn(Vec<Expr>) -> ExprKind,
    ) -> Read<'t, Expr> {
        let (mut rest, first) = operand(self, at)?;
        let mut operands = Vec::new();
        let infix = infix(between);
        while let Ok((next, _)) = infix(rest) {
            let (next, expr) = operand(self, next)?;
            operands.push(expr);
            rest = next;
        }
        if operands.is_empty() {
            return Ok((rest, first));
        }
        operands.insert(0, first);
        Ok((rest, self.node(kind(operands), at, rest)?))
    }

    /// Any number of `not`, then a group, clause or quantifier.
    ///
    /// `not` may also be the name that a clause begins with. The reading with more negations wins.
    fn unary(&mut self, at: &'t str) -> Read<'t, Expr> {
        let mut starts = Vec::new();
        let mut inner = at;
        while let Ok((next, _)) = word("not")(inner) {
            starts.push(inner);
            inner = next;
        }
        let error = match self.primary(inner) {
            Ok((rest, expr)) => return self.negate(starts.len(), expr, at, rest),
            Err(error) => error,
        };
        // A clause that begins with `not` is at most `not not in selector`.
        for (count, start) in starts.iter().enumerate().rev().take(2) {
            if let Ok((rest, expr)) = self.clause(start) {
                return self.negate(count, expr, at, rest);
            }
        }
        Err(error)
    }

    fn negate(&mut self, count: usize, expr: Expr, at: &'t str, rest: &'t str) -> Read<'t, Expr> {
        if count % 2 == 0 {
            return Ok((rest, expr));
        }
        Ok((rest, self.node(ExprKind::Not(Box::new(expr)), at, rest)?))
    }

    fn primary(&mut self, at: &'t str) -> Read<'t, Expr> {
        if let Some(inner) = at.strip_prefix('(') {
            self.enter(at)?;
            let (rest, expr) = self.or(skip(inner))?;
            self.depth -= 1;
            let end = skip(rest);
            return match end.strip_prefix(')') {
                Some(rest) => Ok((rest, expr)),
                None if end.is_empty() => {
                    let kind = CompileErrorKind::UnclosedParenthesis;
                    Err(self.error(kind, self.first_char(at)).with_help("add `)` at the end"))
                }
                None => Err(self.trailing(rest)),
            };
        }
        match self.clause(at) {
            Ok(read) => Ok(read),
            Err(error) => match self.quantifier(at) {
                Some(read) => read,
                None => Err(error),
            },
        }
    }

    fn clause(&mut self, at: &'t str) -> Read<'t, Expr> {
        let (rest, operand) = self.operand(at)?;
        let (rest, clause) = self.operation(operand, rest)?;
        Ok((rest, self.node(ExprKind::Clause(clause), at, rest)?))
    }

    fn operand(&mut self, at: &'t str) -> Read<'t, Operand> {
        if let Ok((rest, raw)) = pointer(at) {
            let span = self.span(at, rest);
            let selector = Selector { parts: self.pointer_parts(at, raw), span };
            let value = Value { text: raw.into(), number: false, span };
            return Ok((rest, Operand::Selector(selector, value)));
        }
        if at.starts_with(|char: char| char.is_ascii_alphabetic()) {
            let (rest, selector) = self.selector_path(at)?;
            let value = word_value(&selector);
            return Ok((rest, Operand::Selector(selector, value)));
        }
        if at.starts_with(['"', '`', '-']) || at.starts_with(|char: char| char.is_ascii_digit()) {
            let (rest, value) = self.value(at)?;
            return Ok((rest, Operand::Value(value)));
        }
        Err(self.expected_clause(at))
    }

    /// The operator after `operand` and what belongs to it.
    fn operation(&mut self, operand: Operand, at: &'t str) -> Read<'t, Clause> {
        // Membership reads the other way round: value, then selector.
        let membership =
            alt((infix("in").map(|_| false), (infix("not"), word("in")).map(|_| true))).parse(at);
        if let Ok((rest, negated)) = membership {
            let operator_span = self.trimmed(at, rest);
            let (rest, selector) = self.selector(rest)?;
            let value = match operand {
                Operand::Selector(_, value) | Operand::Value(value) => Some(value),
            };
            let operator = Operator::Contains;
            return Ok((rest, Clause { selector, operator, negated, operator_span, value }));
        }
        let selector = match operand {
            Operand::Selector(selector, _) => selector,
            Operand::Value(value) => return Err(self.value_without_in(&value, at)),
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
            return Err(self.error(CompileErrorKind::ExpectedEmptyOrNil, self.word_span(rest)));
        };
        let operator = if found == "nil" { Operator::Nil } else { Operator::Empty };
        let operator_span = self.trimmed(at, end);
        let negated = negation.is_some();
        Ok((end, Clause { selector, operator, negated, operator_span, value: None }))
    }

    /// A selector where only a selector may stand.
    fn selector(&mut self, at: &'t str) -> Read<'t, Selector> {
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

    /// A bare selector: a name, then `.name`, `.0` and `["key"]`.
    fn selector_path(&mut self, at: &'t str) -> Read<'t, Selector> {
        let Ok((mut rest, first)) = ident(at) else { return Err(self.expected_selector(at)) };
        let mut parts = vec![Part { text: first.into(), span: self.span(at, rest) }];
        loop {
            if let Some(dotted) = rest.strip_prefix('.') {
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
                    return Err(self
                        .error(kind, self.first_char(rest))
                        .with_help("add `]` after the key"));
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

    /// The parts of a JSON pointer; `raw` is the text between the quotes at `at`.
    fn pointer_parts(&self, at: &'t str, raw: &str) -> Vec<Part> {
        let mut offset = self.offset(at) + 1;
        if raw.is_empty() {
            return vec![Part { text: "".into(), span: Span::new(offset, offset) }];
        }
        let mut parts = Vec::new();
        for segment in raw.split('/').skip(1) {
            offset += 1;
            let text = segment.replace("~1", "/").replace("~0", "~").into();
            parts.push(Part { text, span: Span::new(offset, offset + segment.len()) });
            offset += segment.len();
        }
        parts
    }

    /// A bare word, number or quoted string.
    fn value(&mut self, at: &'t str) -> Read<'t, Value> {
        let (rest, value) = if at.starts_with(|char: char| char.is_ascii_alphabetic()) {
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
            Some(found) if is_boundary(found) || (value.number && matches!(found, ']' | ',')) => {
                Ok((rest, value))
            }
            Some(_) if at.starts_with(['"', '`']) => {
                Err(self.error(CompileErrorKind::ExpectedSpace, self.first_char(rest)))
            }
            Some(found) => Err(self.unquoted_value(at, rest, found)),
        }
    }

    fn string(&mut self, at: &'t str) -> Read<'t, String> {
        let Ok((rest, source)) = quoted(at) else {
            let kind = CompileErrorKind::UnterminatedString;
            return Err(self.error(kind, self.first_char(at)).with_help("add the closing quote"));
        };
        let start = self.offset(at);
        let text = string::decode(source).map_err(|(kind, span, help)| {
            let error = self.error(kind, Span::new(start + span.start(), start + span.end()));
            match help {
                Some(help) => error.with_help(help),
                None => error,
            }
        })?;
        Ok((rest, text))
    }

    /// A quantifier, or `None` when the text does not begin like one.
    fn quantifier(&mut self, at: &'t str) -> Option<Read<'t, Expr>> {
        let head: lex::Token<'t, bool> =
            alt((word("any").map(|_| false), word("all").map(|_| true))).parse(at);
        let (rest, all) = head.ok()?;
        let starts_selector = |char: char| char.is_ascii_alphabetic() || char == '"';
        if !rest.starts_with(starts_selector) {
            return None;
        }
        let (rest, selector) = match self.selector(rest) {
            Ok(read) => read,
            Err(error) => return Some(Err(error)),
        };
        let (rest, _) = infix("as")(rest).ok()?;
        Some(self.quantifier_body(at, all, selector, rest))
    }

    fn quantifier_body(
        &mut self,
        at: &'t str,
        all: bool,
        selector: Selector,
        rest: &'t str,
    ) -> Read<'t, Expr> {
        let (rest, names) = self.names(rest)?;
        let Some(inner) = skip(rest).strip_prefix('{') else {
            let kind = CompileErrorKind::UnclosedBrace;
            return Err(self.error(kind, self.first_char(skip(rest))));
        };
        self.enter(at)?;
        let (rest, body) = self.or(skip(inner))?;
        self.depth -= 1;
        let end = skip(rest);
        let Some(rest) = end.strip_prefix('}') else {
            if !end.is_empty() {
                return Err(self.trailing(rest));
            }
            let kind = CompileErrorKind::UnclosedBrace;
            return Err(self.error(kind, self.first_char(end)).with_help("add `}` at the end"));
        };
        let quantifier = Quantifier { all, selector, names, body: Box::new(body) };
        Ok((rest, self.node(ExprKind::Quantifier(quantifier), at, rest)?))
    }

    fn names(&self, at: &'t str) -> Read<'t, Names> {
        let name = |at: &'t str| -> lex::Token<'t, Option<Name>> {
            let (rest, text) = alt((ident, tag("_"))).parse(at)?;
            let name = Name { text: text.into(), span: self.span(at, rest) };
            Ok((rest, (text != "_").then_some(name)))
        };
        let read = (name, opt((sign(","), name))).parse(at);
        let names = match read {
            Ok((rest, (Some(name), None))) => (rest, Names::One(name)),
            Ok((rest, (Some(index), Some((_, Some(value)))))) => (rest, Names::Both(index, value)),
            Ok((rest, (Some(index), Some((_, None))))) => (rest, Names::Index(index)),
            Ok((rest, (None, Some((_, Some(value)))))) => (rest, Names::Value(value)),
            _ => {
                let error = self.error(CompileErrorKind::BadNames, self.word_span(at));
                return Err(error.with_help("write `as x`, `as i, v`, `as i, _` or `as _, v`"));
            }
        };
        Ok(names)
    }

    /// Counts one level of nesting that begins at `at`.
    fn enter(&mut self, at: &'t str) -> Result<(), CompileError> {
        self.depth += 1;
        if self.depth > self.nesting {
            let kind = CompileErrorKind::TooDeep { max: self.nesting };
            return Err(self.error(kind, self.first_char(at)));
        }
        Ok(())
    }

    /// Counts one part of the tree, which reaches from `at` to `rest`.
    fn node(&mut self, kind: ExprKind, at: &'t str, rest: &'t str) -> Result<Expr, CompileError> {
        self.nodes += 1;
        let span = self.span(at, rest);
        if self.nodes > self.nodes_max {
            return Err(self.error(CompileErrorKind::TooManyNodes { max: self.nodes_max }, span));
        }
        Ok(Expr { kind, span })
    }

    fn offset(&self, at: &'t str) -> usize {
        self.text.len() - at.len()
    }

    fn span(&self, at: &'t str, rest: &'t str) -> Span {
        Span::new(self.offset(at), self.offset(rest))
    }

    /// The span without the whitespace at both ends.
    fn trimmed(&self, at: &'t str, rest: &'t str) -> Span {
        let text = &at[..at.len() - rest.len()];
        let start = self.offset(at) + text.len() - text.trim_start().len();
        Span::new(start, start + text.trim().len())
    }

    fn error(&self, kind: CompileErrorKind, span: Span) -> CompileError {
        // The text is added once, at the end: most errors on the way are dropped again.
        CompileError::new(kind, "", span)
    }
}

/// The rest after whitespace.
fn skip(at: &str) -> &str {
    space0(at).map_or(at, |(rest, _)| rest)
}

/// A selector that stands where a value is wanted: its parts, joined by dots.
fn word_value(selector: &Selector) -> Value {
    let texts: Vec<&str> = selector.parts.iter().map(|part| &*part.text).collect();
    Value { text: texts.join(".").into(), number: false, span: selector.span }
}
