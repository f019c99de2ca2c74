//! Evaluation steps: the budget that rows share, and the steps that an expression is known to need.
//!
//! Invariant: an evaluation takes its steps before it does the work that they stand for, so a
//! budget of N steps bounds the work for any row.

use crate::ast::Operator;
use crate::fold::Folded;
use crate::limits::Limits;
use crate::literal::{Literal, Scalar};
use crate::program::{Bound, Extended, FieldLeaf, Listed, Node, Path, Step, Test};
use crate::schema::Key;
use crate::steps::{SHORT_PATH, steps_of};

/// Bytes of a key that belong to the clause itself.
const SHORT_KEY: usize = 64;
/// Keys of a map that a long key is assumed to be compared with.
const KEYS_COMPARED: usize = 16;

/// The evaluation steps that the rows of one call share.
///
/// [`Filter::matches_within`](crate::Filter::matches_within) takes the steps of each row from it.
/// An empty budget stays empty: every further row fails at once.
///
/// # Examples
/// ```
/// use serde_json::json;
/// use statehold_filter::{EvalErrorKind, Filter};
///
/// let filter = Filter::<serde_json::Value>::compile("tags contains web or tags contains db")?;
/// let rows = vec![json!({ "tags": ["db"] }); 1_000];
/// let mut budget = filter.budget();
/// let found = rows.iter().map(|row| filter.matches_within(row, &mut budget));
/// assert_eq!(found.collect::<Result<Vec<bool>, _>>().unwrap().len(), 1_000);
///
/// let mut budget = statehold_filter::Budget::new(100);
/// let found = rows.iter().try_for_each(|row| filter.matches_within(row, &mut budget).map(drop));
/// assert!(matches!(found.unwrap_err().kind(), EvalErrorKind::TooCostly { .. }));
/// assert_eq!(budget.left(), 0);
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    steps: u64,
    left: u64,
}

impl Budget {
    /// Creates a budget of `steps` evaluation steps; see [`Limits`] for the size of a step.
    pub const fn new(steps: u64) -> Self {
        Self { steps, left: steps }
    }

    /// Creates a budget that no evaluation exhausts: each row is still bound by
    /// [`Limits::row_steps`].
    pub const fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// Returns the number of steps that the budget was created with.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// Returns the number of steps left; 0 once an evaluation failed for want of steps.
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// Takes `steps`. If fewer are left, takes those and returns `false`.
    #[inline]
    pub(crate) fn take(&mut self, steps: u64) -> bool {
        let left = self.left.checked_sub(steps);
        // Empty from now on: a row after the failure MUST NOT succeed by being cheaper.
        self.left = left.unwrap_or(0);
        left.is_some()
    }
}

impl Default for Budget {
    /// Creates a budget of [`Limits::CALL_STEPS`].
    fn default() -> Self {
        Self::new(Limits::CALL_STEPS)
    }
}

/// Returns the steps of a path, on top of the clause itself.
#[inline]
pub(crate) fn path_steps(path: &Path) -> u64 {
    path.steps.len().saturating_sub(SHORT_PATH) as u64
}

/// Returns the maximum steps of an evaluation as far as the schema knows the lengths of lists: a
/// list of unknown length counts as one element.
///
/// Recurses no deeper than the expression is nested.
pub(crate) fn known_steps(node: &Node) -> u64 {
    let all = |operands: &[Node]| {
        operands.iter().map(known_steps).fold(operands.len() as u64, u64::saturating_add)
    };
    match node {
        Node::And(operands) | Node::Or(operands) => all(operands),
        Node::Fields(leaves) => leaves.len() as u64,
        // The clause itself is the step that its connective counts.
        Node::Points(_) | Node::Field(_) | Node::Leaf(_) | Node::Pair(_) => 0,
        Node::Not(operand) => known_steps(operand),
        Node::Each(each) => {
            // Saturates: nested arrays multiply, and the caller only compares with a limit.
            known_steps(&each.body).saturating_add(1).saturating_mul(each.elements.unwrap_or(1))
        }
    }
}

/// Returns the steps of comparing one value with each literal and looking up each key, on top of
/// the clauses; only long literals and keys need any.
///
/// Added to the steps of each row and each element, because an equality does not count the bytes
/// that it compares.
pub(crate) fn literal_steps(node: &Node) -> u64 {
    steps_of(literal_bytes(node))
}

fn literal_bytes(node: &Node) -> usize {
    match node {
        Node::And(operands) | Node::Or(operands) => operands.iter().map(literal_bytes).sum(),
        Node::Fields(leaves) => leaves.iter().map(field_bytes).sum(),
        Node::Field(leaf) => field_bytes(leaf),
        // A look-up compares at most one value in full, at worst the longest.
        Node::Points(points) => points.texts.iter().map(str::len).max().unwrap_or(0),
        Node::Not(operand) => literal_bytes(operand),
        Node::Leaf(leaf) => path_bytes(&leaf.path) + test_bytes(&leaf.test),
        Node::Pair(pair) => path_bytes(&pair.left) + path_bytes(&pair.right),
        // A quantifier counts its own body, once for each element.
        Node::Each(each) => path_bytes(&each.path),
    }
}

fn field_bytes(leaf: &FieldLeaf) -> usize {
    leaf.key.as_ref().map_or(0, key_bytes) + scalar_bytes(&leaf.literal)
}

fn path_bytes(path: &Path) -> usize {
    let step_bytes = |step: &Step| match step {
        Step::Key(key) => key_bytes(key),
        Step::Part(part) => look_up_bytes(part.text()),
        Step::Field(_) | Step::Index(_) => 0,
    };
    path.steps.iter().map(step_bytes).sum()
}

fn key_bytes(key: &Key) -> usize {
    if let Key::Text(text) = key { look_up_bytes(text) } else { 0 }
}

/// Returns the bytes that looking up `key` compares: many for a long one, because keys of a map may
/// differ at their ends only.
fn look_up_bytes(key: &str) -> usize {
    if key.len() > SHORT_KEY { key.len().saturating_mul(KEYS_COMPARED) } else { 0 }
}

/// Returns the bytes that a comparison with a literal reads.
pub(crate) fn scalar_bytes(scalar: &Scalar) -> usize {
    if let Scalar::Text(text) = scalar { text.len() } else { 0 }
}

fn literal_len(literal: &Literal) -> usize {
    literal.text().len()
}

fn test_bytes(test: &Test) -> usize {
    match test {
        Test::Equal(scalar) => scalar_bytes(scalar),
        Test::HasKey(key) => key_bytes(key),
        Test::Dynamic(Operator::Contains, literal) => look_up_bytes(literal.text()),
        Test::Dynamic(_, literal) => literal_len(literal),
        // A search of a string or a list counts the bytes itself.
        Test::Element(_) | Test::Substring(_) | Test::Empty | Test::Nil | Test::Matches(_) => 0,
        Test::Extended(test) => match &**test {
            Extended::Order(_, bound) => bound_bytes(bound),
            Extended::Between(low, high) => bound_bytes(low) + bound_bytes(high),
            Extended::Prefix(text) | Extended::Suffix(text) => text.len(),
            Extended::EqualFold(folded) | Extended::ContainsFold(folded) => Folded::bytes(folded),
            Extended::Count(..) => 0,
            Extended::In(listed) => listed_bytes(listed),
            Extended::ContainsAny(listed) | Extended::ContainsAll(listed) => match listed {
                Listed::Keys(keys) => keys.iter().map(key_bytes).sum(),
                Listed::Open(open) => look_up_bytes(open.longest()),
                // Counted for each element.
                Listed::One(_) | Listed::Each(_) | Listed::Parts(_) => 0,
            },
        },
    }
}

fn bound_bytes(bound: &Bound) -> usize {
    match bound {
        Bound::Scalar(scalar) => scalar_bytes(scalar),
        Bound::Literal(literal) => literal_len(literal),
        Bound::Quantity(_) => 0,
    }
}

/// Returns the length of the longest value, because a look-up compares with few of them.
fn listed_bytes(listed: &Listed) -> usize {
    match listed {
        Listed::One(values) => values.longest(),
        Listed::Open(open) => open.longest().len(),
        Listed::Each(_) | Listed::Parts(_) | Listed::Keys(_) => 0,
    }
}
