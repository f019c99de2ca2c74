//! The syntax tree of an expression, with a span on every part.
//!
//! Trees compare by meaning: spans do not take part in `==`. `Display` writes an expression back as
//! canonical text, which parses to an equal tree.
//!
//! Invariant: chains of `and` and `or` are flat and runs of `not` collapse, so depth comes from
//! parentheses and quantifiers alone. Invariant: nothing here recurses, because a tree built by a
//! program may be of any depth and MUST still be dropped, cloned, compared and printed without
//! overflowing the stack.

mod traverse;

use std::fmt;

use crate::quantity::Quantity;
use crate::span::Span;

/// An expression; its `Debug` form is its canonical text.
pub struct Expr {
    /// The form: connective, clause or quantifier.
    pub kind: ExprKind,
    /// The source range.
    pub span: Span,
}

/// The forms of an expression.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ExprKind {
    /// All operands hold; two or more.
    And(Vec<Expr>),
    /// One operand holds; two or more.
    Or(Vec<Expr>),
    /// The operand does not hold.
    Not(Box<Expr>),
    /// A clause: selector and operator.
    Clause(Clause),
    /// A clause of the extended dialect: its right side is a field, a list or a range, or it counts
    /// elements.
    Comparison(Comparison),
    /// A quantifier over a list or map.
    Quantifier(Quantifier),
}

/// A selector tested by an operator.
#[derive(Clone, Debug)]
pub struct Clause {
    /// The value under test.
    pub selector: Selector,
    /// The test.
    pub operator: Operator,
    /// Whether the operator is negated: `!=`, `not in`, `is not empty` and so on.
    pub negated: bool,
    /// The source range of the operator.
    pub operator_span: Span,
    /// The right-hand value; `is empty` and `is nil` have none.
    pub value: Option<Value>,
}

/// A selector tested against a field, a list or a range, or by its number of elements.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The value under test.
    pub selector: Selector,
    /// The test.
    pub operator: Operator,
    /// Whether the operator is negated, as in `not in [..]`.
    pub negated: bool,
    /// The source range of the operator.
    pub operator_span: Span,
    /// The right side.
    pub with: Operand,
}

/// The right side of a [`Comparison`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Operand {
    /// `count(selector) > 2`: the number of elements against a value.
    Count(Value),
    /// `@selector >= @other`: another field.
    Field(Selector),
    /// `selector in ["a", "b"]`: any number of values.
    List(Vec<Value>),
    /// `selector between 1 and 3`: both ends, themselves included.
    Range(Value, Value),
}

/// The test of a clause, without its negation.
///
/// Those from [`Less`](Self::Less) on are of the extended dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operator {
    /// `selector == value`.
    Equal,
    /// `selector contains value`, also written `value in selector`.
    Contains,
    /// `selector matches value`.
    Matches,
    /// `selector is empty`.
    Empty,
    /// `selector is nil`.
    Nil,
    /// `selector < value`.
    Less,
    /// `selector <= value`.
    LessEqual,
    /// `selector > value`.
    Greater,
    /// `selector >= value`.
    GreaterEqual,
    /// `selector between value and value`, both included.
    Between,
    /// `selector in [value, ..]`.
    In,
    /// `selector contains any [value, ..]`.
    ContainsAny,
    /// `selector contains all [value, ..]`.
    ContainsAll,
    /// `selector starts with value`.
    StartsWith,
    /// `selector ends with value`.
    EndsWith,
    /// `selector ==* value`: ignores the case of letters.
    EqualFold,
    /// `selector contains* value`: ignores the case of letters.
    ContainsFold,
    /// `selector matches* value`: ignores the case of letters.
    MatchesFold,
}

/// A path into the data.
#[derive(Clone, Debug)]
pub struct Selector {
    /// The parts, at least one.
    pub parts: Vec<Part>,
    /// The source range.
    pub span: Span,
}

/// One step of a selector.
#[derive(Clone, Debug)]
pub struct Part {
    /// A field name, a key, or an index in digits.
    pub text: Box<str>,
    /// The source range.
    pub span: Span,
}

/// The right-hand value of a clause.
#[derive(Clone, Debug)]
pub struct Value {
    /// The value without quotes and escapes.
    pub text: Box<str>,
    /// Whether it was written bare, as a number or, in the extended dialect, a size, duration or
    /// time.
    pub number: bool,
    /// The source range, quotes included.
    pub span: Span,
}

/// `any` or `all` over a list or map.
#[derive(Clone, Debug)]
pub struct Quantifier {
    /// Whether every element must satisfy the body (`all`) or at least one (`any`).
    pub all: bool,
    /// The list or map.
    pub selector: Selector,
    /// The names that the body may use.
    pub names: Names,
    /// The expression that is evaluated for each element.
    pub body: Box<Expr>,
}

/// The names that a quantifier binds for an element.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Names {
    /// `as x`: the element of a list, the key of a map.
    One(Name),
    /// `as i, v`: the index or key, and the element or value.
    Both(Name, Name),
    /// `as i, _`: the index or key.
    Index(Name),
    /// `as _, v`: the element or value.
    Value(Name),
}

/// A name bound by a quantifier.
#[derive(Clone, Debug)]
pub struct Name {
    /// The name.
    pub text: Box<str>,
    /// The source range.
    pub span: Span,
}

impl Value {
    /// Returns the size, duration or time that the value was written as; `None` for a quoted one.
    pub(crate) fn quantity(&self) -> Option<Quantity> {
        // A quoted quantity stays a string: the field decides whether it has a unit to read it by.
        if self.number { Quantity::read(&self.text) } else { None }
    }
}

// Spans differ between equal expressions, so derived equality would be wrong.
macro_rules! equal_without_span {
    ($($type:ty: $($field:ident),*;)*) => {$(
        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                true $(&& self.$field == other.$field)*
            }
        }
    )*};
}

equal_without_span! {
    Clause: selector, operator, negated, value;
    Comparison: selector, operator, negated, with;
    Selector: parts;
    Part: text;
    Value: text, number;
    Quantifier: all, selector, names, body;
    Name: text;
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "==",
            Self::Contains => "contains",
            Self::Matches => "matches",
            Self::Empty => "is empty",
            Self::Nil => "is nil",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Between => "between",
            Self::In => "in",
            Self::ContainsAny => "contains any",
            Self::ContainsAll => "contains all",
            Self::StartsWith => "starts with",
            Self::EndsWith => "ends with",
            Self::EqualFold => "==*",
            Self::ContainsFold => "contains*",
            Self::MatchesFold => "matches*",
        })
    }
}
