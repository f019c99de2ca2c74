//! A checked expression: what evaluation follows.
//!
//! Selectors are chains of slots, literals have the field's kind, regular expressions are compiled. Parts
//! that only a row can decide (JSON) keep their names and are marked as such.

mod points;

use regex::bytes::Regex;

pub(crate) use self::points::Points;
use crate::ast::Operator;
use crate::literal::{Literal, Scalar};
use crate::schema::Key;
use crate::span::Span;

/// A step of evaluation.
#[derive(Debug)]
pub(crate) enum Node {
    And(Box<[Node]>),
    Or(Box<[Node]>),
    /// All of these hold: `And` for the most common operands.
    Fields(Box<[FieldLeaf]>),
    Points(Box<Points>),
    Not(Box<Node>),
    Leaf(Leaf),
    Field(FieldLeaf),
    Each(Box<Each>),
}

impl Node {
    /// All operands hold.
    pub(crate) fn all(operands: Vec<Self>) -> Self {
        if operands.iter().any(|operand| !matches!(operand, Self::Field(_))) {
            return Self::And(operands.into());
        }
        let leaves = operands.into_iter().filter_map(|operand| match operand {
            Self::Field(leaf) => Some(leaf),
            _ => None,
        });
        Self::Fields(leaves.collect())
    }

    /// One operand holds.
    pub(crate) fn any(operands: Vec<Self>) -> Self {
        let mut operands = points::gather(operands);
        match operands.pop() {
            Some(single) if operands.is_empty() => single,
            last => {
                operands.extend(last);
                Self::Or(operands.into())
            }
        }
    }
}

/// The clause that most filters are made of: a field of the row or of an element, `==` or `!=`.
#[derive(Debug)]
pub(crate) struct FieldLeaf {
    pub(crate) owner: Owner,
    /// The slots that lead from there to the struct that has the field.
    pub(crate) way: Box<[usize]>,
    pub(crate) slot: usize,
    pub(crate) literal: Scalar,
    pub(crate) negated: bool,
}

/// The struct that a field is looked for in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Row,
    /// The element of the quantifier that many steps outwards.
    Element(usize),
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

impl Leaf {
    /// The shorter form, where the clause has one.
    pub(crate) fn shorten(self) -> Node {
        let owner = match self.path.base {
            Base::Row => Owner::Row,
            Base::Value(up) => Owner::Element(up),
            _ => return Node::Leaf(self),
        };
        let slots: Option<Vec<usize>> = self.path.steps.iter().map(Step::slot).collect();
        match (slots.as_deref(), self.test) {
            (Some([way @ .., slot]), Test::Equal(literal)) if !self.path.dynamic => {
                let (way, slot) = (way.into(), *slot);
                Node::Field(FieldLeaf { owner, way, slot, literal, negated: self.negated })
            }
            (_, test) => Node::Leaf(Self { test, ..self }),
        }
    }
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

impl Step {
    fn slot(&self) -> Option<usize> {
        match self {
            Self::Field(slot) => Some(*slot),
            _ => None,
        }
    }
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
