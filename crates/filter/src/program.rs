//! The checked form of an expression, for evaluation.
//!
//! Selectors are chains of slots, literals have the field's kind, regular expressions are compiled.
//! Parts that only a row can resolve (JSON) keep their names and are marked as dynamic.

mod fields;
mod listed;
mod points;
mod values;

use std::cmp::Ordering;

pub(crate) use self::fields::{FieldLeaf, Fields, Owner, follow};
pub(crate) use self::listed::{Listed, ListedValue, OpenList};
pub(crate) use self::points::Points;
pub(crate) use self::values::{Texts, Values};
use crate::ast::Operator;
use crate::fold::Folded;
use crate::literal::{Literal, Scalar};
use crate::pattern::Pattern;
use crate::quantity::Quantity;
use crate::schema::Key;
use crate::span::Span;

/// A node of a program.
#[derive(Debug)]
pub(crate) enum Node {
    And(Box<[Node]>),
    Or(Box<[Node]>),
    /// All of these hold: `And` for the most common kind of operands.
    Fields(Box<[FieldLeaf]>),
    Points(Box<Points>),
    Not(Box<Node>),
    Leaf(Leaf),
    Field(FieldLeaf),
    Each(Box<Each>),
    Pair(Box<Pair>),
}

impl Node {
    /// Requires all operands.
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

    /// Requires one operand.
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

impl Node {
    /// Negates the node if `negated`.
    pub(crate) fn negate_if(self, negated: bool) -> Self {
        if negated { Self::Not(Box::new(self)) } else { self }
    }
}

/// One clause.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) path: Path,
    pub(crate) test: Test,
    /// Whether the result of the test is inverted.
    pub(crate) negated: bool,
    pub(crate) span: Span,
}

impl Leaf {
    /// Converts the clause to a faster node if it has one.
    pub(crate) fn specialize(mut self) -> Node {
        let owner = match self.path.base {
            Base::Row => Owner::Row,
            Base::Value(up) => Owner::Element(up),
            // A name that may be a key has no struct to read a slot from.
            _ => return Node::Leaf(self),
        };
        let (fields, key) = match &mut *self.path.steps {
            [fields @ .., Step::Key(key)] => (&*fields, Some(key)),
            fields => (&*fields, None),
        };
        let slots: Option<Vec<usize>> = fields.iter().map(Step::slot).collect();
        let Some([way @ .., slot]) = slots.as_deref().filter(|_| !self.path.dynamic) else {
            return Node::Leaf(self);
        };
        let (slot, negated) = (*slot, self.negated);
        let way: Box<[usize]> = way.into();
        match (self.test, key) {
            (Test::Equal(literal), key) => {
                // The leaf is dropped below, so its key is moved out and a placeholder left.
                let key = key.map(|key| std::mem::replace(key, Key::Bool(false)));
                let own = way.is_empty() && key.is_none();
                Node::Field(FieldLeaf { owner, way, slot, key, literal, negated, own })
            }
            // A negated list is not converted: `Points` fails for a missing value, whose negation
            // must hold.
            (Test::Extended(test), None) if !negated => match *test {
                Extended::In(Listed::One(Values::Texts(texts))) => {
                    Node::Points(Box::new(Points { owner, way, slot, texts }))
                }
                test => Node::Leaf(Self { test: test.into(), ..self }),
            },
            (test, _) => Node::Leaf(Self { test, ..self }),
        }
    }
}

/// A comparison of two fields of the row.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) left: Path,
    pub(crate) right: Path,
    pub(crate) relation: Relation,
    pub(crate) negated: bool,
    pub(crate) span: Span,
}

/// A quantifier.
#[derive(Debug)]
pub(crate) struct Each {
    pub(crate) path: Path,
    pub(crate) all: bool,
    pub(crate) body: Node,
    /// Whether a row can cause the body to fail, so that the order of entries matters.
    pub(crate) fallible: bool,
    /// The number of elements, if the schema knows it.
    pub(crate) elements: Option<u64>,
    /// The steps of one element in addition to those of the body.
    pub(crate) element_steps: u64,
    pub(crate) span: Span,
}

/// The path to a value.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) base: Base,
    pub(crate) steps: Box<[Step]>,
    /// Whether a part is resolved only by the row, so that evaluation can fail.
    pub(crate) dynamic: bool,
}

/// The start of a path; numbers count quantifiers outwards from the innermost, which is 0.
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

/// A step from a value to one inside it.
#[derive(Debug)]
pub(crate) enum Step {
    Field(usize),
    Key(Key),
    Index(usize),
    /// A part whose meaning depends on the value at evaluation.
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

/// The test of the value at the end of a path.
#[derive(Debug)]
pub(crate) enum Test {
    Equal(Scalar),
    Substring(Box<str>),
    Element(Scalar),
    HasKey(Key),
    Empty,
    Nil,
    Matches(Box<Pattern>),
    /// `==` or `contains` with a value whose kind is known only at evaluation.
    Dynamic(Operator, Box<Literal>),
    /// A test that only the extended dialect has.
    Extended(Box<Extended>),
}

/// A test of the extended dialect; none holds for a missing value.
#[derive(Debug)]
pub(crate) enum Extended {
    Order(Relation, Bound),
    Between(Bound, Bound),
    Prefix(Box<str>),
    Suffix(Box<str>),
    EqualFold(Folded),
    ContainsFold(Folded),
    Count(Relation, i64),
    In(Listed),
    ContainsAny(Listed),
    ContainsAll(Listed),
}

impl From<Extended> for Test {
    fn from(test: Extended) -> Self {
        Self::Extended(Box::new(test))
    }
}

impl Extended {
    /// Returns the operator in the source.
    pub(crate) fn operator(&self) -> Operator {
        match self {
            Self::Order(relation, _) | Self::Count(relation, _) => relation.operator(),
            Self::Between(..) => Operator::Between,
            Self::Prefix(_) => Operator::StartsWith,
            Self::Suffix(_) => Operator::EndsWith,
            Self::EqualFold(_) => Operator::EqualFold,
            Self::ContainsFold(_) => Operator::ContainsFold,
            Self::In(_) => Operator::In,
            Self::ContainsAny(_) => Operator::ContainsAny,
            Self::ContainsAll(_) => Operator::ContainsAll,
        }
    }
}

/// The right side of a comparison by order.
#[derive(Debug)]
pub(crate) enum Bound {
    /// A literal of the field's kind; a string for every kind that is text.
    Scalar(Scalar),
    /// A literal for values whose kind is known only at evaluation.
    Literal(Box<Literal>),
    /// A literal with a unit, for values whose kind is known only at evaluation.
    Quantity(Quantity),
}

/// A relation between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Equal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Relation {
    /// Returns the relation of an operator; `None` for other operators.
    pub(crate) fn of(operator: Operator) -> Option<Self> {
        Some(match operator {
            Operator::Equal => Self::Equal,
            Operator::Less => Self::Less,
            Operator::LessEqual => Self::LessEqual,
            Operator::Greater => Self::Greater,
            Operator::GreaterEqual => Self::GreaterEqual,
            _ => return None,
        })
    }

    pub(crate) fn operator(self) -> Operator {
        match self {
            Self::Equal => Operator::Equal,
            Self::Less => Operator::Less,
            Self::LessEqual => Operator::LessEqual,
            Self::Greater => Operator::Greater,
            Self::GreaterEqual => Operator::GreaterEqual,
        }
    }

    /// Returns whether the relation holds; values without order, such as NaN, have none.
    pub(crate) fn holds(self, order: Option<Ordering>) -> bool {
        order.is_some_and(|order| match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
        })
    }
}
