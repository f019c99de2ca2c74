//! Parses an expression to a syntax tree, in one pass and linear time.
//!
//! `lex` reads tokens with nom, `string` decodes quoted strings, `clause` reads one clause,
//! `extended` the syntax that only that dialect has, `explain` creates the error and its suggested
//! fix, using the rewriting functions of `repair`. This module combines clauses. Words such as
//! `not` and `in` are not reserved, so a word is an operator only where the grammar expects one:
//! `not in in` tests whether the string `not` is in the selector `in`.
//!
//! Invariant: nothing recurses; open levels count against `Limits::nesting` and
//! `Limits::quantifiers`, nodes of the tree against `Limits::nodes`. Invariant: no input is read
//! more than a fixed number of times.

mod clause;
mod explain;
mod extended;
mod repair;
pub(crate) mod string;

use nom::Parser as _;
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::combinator::opt;

pub(crate) use self::extended::without_comments;
use crate::ast::{Expr, ExprKind, Name, Names, Quantifier, Selector};
use crate::error::{CompileError, CompileErrorKind};
use crate::lex::{self, ident, infix, sign, space0, word};
use crate::limits::Limits;
use crate::options::{Dialect, Options};
use crate::span::Span;

/// Parses an expression without resolving its selectors.
///
/// # Errors
/// [`CompileError`] if the text is not an expression, or exceeds one of the `limits`.
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
    Parser::read(text, Dialect::Bexpr, limits)
}

/// Parses an expression of a chosen dialect without resolving its selectors.
///
/// # Errors
/// As [`parse`].
///
/// # Examples
/// ```
/// use statehold_filter::{Dialect, Options, parse_with};
///
/// let options = Options::new().dialect(Dialect::Extended);
/// let expr = parse_with("size>=10GiB # large", &options)?;
/// assert_eq!(expr.to_string(), "size >= 10GiB");
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
pub fn parse_with(text: &str, options: &Options) -> Result<Expr, CompileError> {
    Parser::read(text, options.get_dialect(), options.get_limits())
}

/// The rest of the input, and the result of reading the part before it.
type Read<'t, T> = Result<(&'t str, T), CompileError>;

#[derive(Clone, Copy)]
struct Parser<'t> {
    text: &'t str,
    extended: bool,
    list_max: usize,
    nesting: usize,
    quantifiers_max: usize,
    nodes_max: usize,
    nodes: usize,
    /// Whether it parses for a hint: such a parser searches for no further hints.
    probe: bool,
}

/// An open level, and its operands so far.
struct Level<'t> {
    opening: Opening,
    /// Its start.
    at: &'t str,
    /// The operands of the `or` around the current `and`.
    ors: Operands<'t>,
    ands: Operands<'t>,
    /// The negations before the current operand.
    nots: Nots<'t>,
}

enum Opening {
    Input,
    Parenthesis,
    Quantifier { all: bool, selector: Selector, names: Names },
}

impl Opening {
    fn is_quantifier(&self) -> bool {
        matches!(self, Self::Quantifier { .. })
    }
}

struct Operands<'t> {
    at: &'t str,
    read: Vec<Expr>,
}

#[derive(Clone, Copy)]
struct Nots<'t> {
    at: &'t str,
    count: usize,
}

/// The beginning of an operand.
enum Primary {
    /// A clause, behind that many of the negations.
    Clause(Expr, usize),
    /// A level that opens here and contains the operand.
    Opens(Opening),
}

impl<'t> Level<'t> {
    /// Opens a level at `at` whose first operand is at `inner`.
    fn new(opening: Opening, at: &'t str, inner: &'t str) -> Self {
        let operands = || Operands { at: inner, read: Vec::new() };
        let nots = Nots { at: inner, count: 0 };
        Self { opening, at, ors: operands(), ands: operands(), nots }
    }
}

impl<'t> Parser<'t> {
    fn read(text: &str, dialect: Dialect, limits: &Limits) -> Result<Expr, CompileError> {
        // The error keeps no text, whose length the client chose.
        if text.len() > limits.text {
            let kind = CompileErrorKind::TextTooLong { max: limits.text };
            return Err(CompileError::new(kind, "", Span::new(limits.text, text.len())));
        }
        let extended = dialect == Dialect::Extended;
        // Comments become blanks, so that offsets stay those of the source.
        let blanked = if extended { extended::without_comments(text) } else { text.into() };
        let parser = Parser {
            text: &blanked,
            extended,
            list_max: limits.list,
            nesting: limits.nesting.min(Limits::NESTING_MAX),
            quantifiers_max: limits.quantifiers,
            nodes_max: limits.nodes,
            nodes: 0,
            probe: false,
        };
        parser.input().map_err(|error| error.in_text(text))
    }

    fn input(mut self) -> Result<Expr, CompileError> {
        let start = skip(self.text);
        if start.is_empty() {
            return Err(error_at(CompileErrorKind::Empty, Span::new(0, self.text.len())));
        }
        let mut level = Level::new(Opening::Input, start, start);
        let mut quantifiers = 0;
        let mut outer: Vec<Level<'t>> = Vec::new();
        let mut at = start;
        loop {
            let (inner, starts) = negations(at);
            level.nots = Nots { at, count: starts.len() };
            let (mut rest, mut operand) = match self.primary(inner, &starts)? {
                (rest, Primary::Clause(clause, nots)) => {
                    level.nots.count = nots;
                    (rest, clause)
                }
                (rest, Primary::Opens(opening)) => {
                    if outer.len() >= self.nesting {
                        let kind = CompileErrorKind::TooDeep { max: self.nesting };
                        return Err(error_at(kind, self.first_char(inner)));
                    }
                    // Counted apart from the nesting, because each one multiplies the cost of a
                    // row.
                    quantifiers += usize::from(opening.is_quantifier());
                    if quantifiers > self.quantifiers_max {
                        let kind =
                            CompileErrorKind::TooManyQuantifiers { max: self.quantifiers_max };
                        return Err(error_at(kind, self.word_span(inner)));
                    }
                    at = skip(rest);
                    outer.push(std::mem::replace(&mut level, Level::new(opening, inner, at)));
                    continue;
                }
            };
            // The operand may be the last one of its level, and in turn of the levels around it.
            at = loop {
                let operand_read = self.negate(operand, level.nots, rest)?;
                level.ands.read.push(operand_read);
                // `and` binds tighter than `or`: grammar/grammar.peg of go-bexpr.
                if let Ok((next, _)) = infix("and")(rest) {
                    break next;
                }
                let and = self.join(&mut level.ands, ExprKind::And, rest)?;
                level.ors.read.push(and);
                if let Ok((next, _)) = infix("or")(rest) {
                    level.ands.at = next;
                    break next;
                }
                let expr = self.join(&mut level.ors, ExprKind::Or, rest)?;
                let Some(around) = outer.pop() else {
                    return if skip(rest).is_empty() { Ok(expr) } else { Err(self.trailing(rest)) };
                };
                let closed = std::mem::replace(&mut level, around);
                quantifiers -= usize::from(closed.opening.is_quantifier());
                (rest, operand) = self.close(closed, expr, rest)?;
            };
        }
    }

    /// Reads a clause, or the opening of a group or quantifier.
    ///
    /// `not` may also be the name that a clause begins with: `starts` are the positions of the
    /// negations before `at`. The reading with more negations wins.
    fn primary(&mut self, at: &'t str, starts: &[&'t str]) -> Read<'t, Primary> {
        if let Some(inner) = at.strip_prefix('(') {
            return Ok((inner, Primary::Opens(Opening::Parenthesis)));
        }
        // The clause first: `any` and `all` are also names, and `any == 1` is a clause.
        let error = match self.clause(at) {
            Ok((rest, clause)) => return Ok((rest, Primary::Clause(clause, starts.len()))),
            Err(error) => error,
        };
        if let Some(opening) = self.quantifier(at) {
            let (rest, opening) = opening?;
            return Ok((rest, Primary::Opens(opening)));
        }
        // A clause that begins with `not` has at most two of them: `not not in selector`.
        for (nots, start) in starts.iter().enumerate().rev().take(2) {
            if let Ok((rest, clause)) = self.clause(start) {
                return Ok((rest, Primary::Clause(clause, nots)));
            }
        }
        Err(error)
    }

    /// Closes a level whose expression ends at `rest`.
    fn close(&mut self, level: Level<'t>, expr: Expr, rest: &'t str) -> Read<'t, Expr> {
        let end = skip(rest);
        let (bracket, kind, help, missing) = match level.opening {
            Opening::Quantifier { .. } => {
                ('}', CompileErrorKind::UnclosedBrace, "add `}` at the end", end)
            }
            _ => (')', CompileErrorKind::UnclosedParenthesis, "add `)` at the end", level.at),
        };
        let Some(after) = end.strip_prefix(bracket) else {
            return Err(if end.is_empty() {
                error_at(kind, self.first_char(missing)).with_help(help)
            } else {
                self.trailing(rest)
            });
        };
        let Opening::Quantifier { all, selector, names } = level.opening else {
            return Ok((after, expr));
        };
        let quantifier = Quantifier { all, selector, names, body: Box::new(expr) };
        Ok((after, self.node(ExprKind::Quantifier(quantifier), level.at, after)?))
    }

    /// Joins the operands; a single one is returned as it is.
    fn join(
        &mut self,
        operands: &mut Operands<'t>,
        kind: fn(Vec<Expr>) -> ExprKind,
        rest: &'t str,
    ) -> Result<Expr, CompileError> {
        let mut read = std::mem::take(&mut operands.read);
        match read.pop() {
            Some(single) if read.is_empty() => Ok(single),
            last => {
                read.extend(last);
                self.node(kind(read), operands.at, rest)
            }
        }
    }

    fn negate(&mut self, expr: Expr, nots: Nots<'t>, rest: &'t str) -> Result<Expr, CompileError> {
        // An even number of negations cancels.
        if nots.count.is_multiple_of(2) {
            return Ok(expr);
        }
        self.node(ExprKind::Not(Box::new(expr)), nots.at, rest)
    }

    /// Reads the head of a quantifier up to `{`; `None` if the input does not begin like one.
    fn quantifier(&self, at: &'t str) -> Option<Read<'t, Opening>> {
        let head: lex::Token<'t, bool> =
            alt((word("any").map(|_| false), word("all").map(|_| true))).parse(at);
        let (rest, all) = head.ok()?;
        // `any == 1` and `all != x` are clauses, not quantifiers.
        if !rest.starts_with(|char: char| char.is_ascii_alphabetic() || char == '"') {
            return None;
        }
        let (rest, selector) = match self.selector(rest) {
            Ok(read) => read,
            Err(error) => return Some(Err(error)),
        };
        // Without `as` it is a clause on a field called `any` or `all`, which has its own error.
        let (rest, _) = infix("as")(rest).ok()?;
        Some(self.names(rest).and_then(|(rest, names)| match skip(rest).strip_prefix('{') {
            Some(inner) => Ok((inner, Opening::Quantifier { all, selector, names })),
            None => Err(error_at(CompileErrorKind::UnclosedBrace, self.first_char(skip(rest)))),
        }))
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
                let error = error_at(CompileErrorKind::BadNames, self.word_span(at));
                return Err(error.with_help("write `as x`, `as i, v`, `as i, _` or `as _, v`"));
            }
        };
        Ok(names)
    }

    /// Creates a node of the tree from `at` to `rest` and counts it.
    fn node(&mut self, kind: ExprKind, at: &'t str, rest: &'t str) -> Result<Expr, CompileError> {
        self.nodes += 1;
        let span = self.span(at, rest);
        if self.nodes > self.nodes_max {
            return Err(error_at(CompileErrorKind::TooManyNodes { max: self.nodes_max }, span));
        }
        Ok(Expr { kind, span })
    }

    fn offset(&self, at: &'t str) -> usize {
        self.text.len() - at.len()
    }

    fn span(&self, at: &'t str, rest: &'t str) -> Span {
        Span::new(self.offset(at), self.offset(rest))
    }

    /// Returns the span without the whitespace at both ends.
    fn trimmed(&self, at: &'t str, rest: &'t str) -> Span {
        let text = &at[..at.len() - rest.len()];
        let start = self.offset(at) + text.len() - text.trim_start().len();
        Span::new(start, start + text.trim().len())
    }
}

/// Creates an error at a span. The source is added at the end, because most errors are discarded on
/// the way.
fn error_at(kind: CompileErrorKind, span: Span) -> CompileError {
    CompileError::new(kind, "", span)
}

/// Returns the input behind whitespace.
fn skip(at: &str) -> &str {
    space0(at).map_or(at, |(rest, _)| rest)
}

/// Returns the input behind any number of `not`, and the position of each.
fn negations(at: &str) -> (&str, Vec<&str>) {
    let (mut rest, mut starts) = (at, Vec::new());
    while let Ok((next, _)) = word("not")(rest) {
        starts.push(rest);
        rest = next;
    }
    (rest, starts)
}
