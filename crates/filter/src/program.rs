//! A checked expression: what evaluation follows.
//!
//! Selectors are chains of slots, literals have the field's kind, regular expressions are compiled. Parts
//! that only a row can decide (JSON) keep their names and are marked as such.

use regex::bytes::Regex;

use crate::ast::Operator;
use crate::literal::{Literal, Scalar};
use crate::schema::Key;
use crate::span::Span;

/// A step of evaluation.
#[derive(Debug)]
pub(crate) enum Node {
    And(Box<[Node]>),
    Or(Box<[Node]>),
    Not(Box<Node>),
    Leaf(Leaf),
    Each(Box<Each>),
}

/// One clause.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) path: Path,
    pub(crate) test: Test,
    /// Whether the answer is turned round.
    pub(crate) negated: bool,
    pub(crate) span: Span,
}

/// A quantifier.
#[derive(Debug)]
pub(crate) struct Each {
    pub(crate) path: Path,
    pub(crate) all: bool,
    pub(crate) body: Node,
    /// Whether a row can make the body fail, so that the order of entries matters.
    pub(crate) fallible: bool,
    pub(crate) span: Span,
}

/// Where a value is found.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) base: Base,
    pub(crate) steps: Box<[Step]>,
    /// Whether any part is only decided by the row, which then may have no answer.
    pub(crate) dynamic: bool,
}

/// Where a path begins; numbers count quantifiers outwards from the innermost, which is 0.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Base {
    Row,
    /// The element of a list or value of a map.
    Value(usize),
    /// The index in a list or key of a map.
    Key(usize),
    /// The element of a list, but the key of a map.
    ValueOrKey(usize),
}

/// A step from a value to one inside of it.
#[derive(Debug)]
pub(crate) enum Step {
    Field(usize),
    Key(Key),
    Index(usize),
    /// A part whose meaning depends on the value that is met.
    Part(Box<Literal>),
}

/// What is asked of the value at the end of a path.
#[derive(Debug)]
pub(crate) enum Test {
    Equal(Scalar),
    Substring(Box<str>),
    Element(Scalar),
    HasKey(Key),
    Empty,
    Nil,
    Matches(Box<Regex>),
    /// `==` or `contains` with a value whose kind is only known when it is met.
    Dynamic(Operator, Box<Literal>),
}
