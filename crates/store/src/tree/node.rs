//! Nodes: search, insert with splits, remove with borrowing and merging, bulk build.

use std::sync::Arc;

use super::{FANOUT, FILL_MIN};
use crate::key::KeyBytes;

pub(super) enum Node<V> {
    Leaf(Leaf<V>),
    Inner(Inner<V>),
}

/// `keys[i]` belongs to `values[i]`; keys ascend.
pub(super) struct Leaf<V> {
    last_change: u64,
    pub(super) keys: Vec<KeyBytes>,
    pub(super) values: Vec<V>,
}

/// `separators[i]` is the lower bound of `children[i + 1]`.
pub(super) struct Inner<V> {
    last_change: u64,
    separators: Vec<KeyBytes>,
    pub(super) children: Vec<Arc<Node<V>>>,
}

/// A node that split: the lower bound of its right half, and that half.
type Split<V> = Option<(KeyBytes, Arc<Node<V>>)>;

/// A copy with room for one more entry than a node holds between calls.
fn copy<T: Clone>(from: &[T]) -> Vec<T> {
    let mut to = Vec::with_capacity(FANOUT + 1);
    to.extend_from_slice(from);
    to
}

impl<V: Clone> Clone for Node<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(Leaf {
                last_change: leaf.last_change,
                keys: copy(&leaf.keys),
                values: copy(&leaf.values),
            }),
            Self::Inner(inner) => Self::Inner(Inner {
                last_change: inner.last_change,
                separators: copy(&inner.separators),
                children: copy(&inner.children),
            }),
        }
    }
}

impl<V> Leaf<V> {
    pub(super) fn empty(last_change: u64) -> Self {
        Self { last_change, keys: Vec::new(), values: Vec::new() }
    }

    /// Where `key` is, or where it would go.
    pub(super) fn position(&self, key: &[u8]) -> Result<usize, usize> {
        self.keys.binary_search_by(|probe| probe.as_slice().cmp(key))
    }

    /// The first position whose key is not below `bound`.
    pub(super) fn lower_bound(&self, bound: &[u8]) -> usize {
        self.keys.partition_point(|key| key.as_slice() < bound)
    }
}

impl<V> Inner<V> {
    pub(super) fn pair(
        left: Arc<Node<V>>,
        separator: KeyBytes,
        right: Arc<Node<V>>,
        last_change: u64,
    ) -> Self {
        Self { last_change, separators: vec![separator], children: vec![left, right] }
    }

    /// The position of the child whose part of the key space holds `key`.
    pub(super) fn position(&self, key: &[u8]) -> usize {
        self.separators.partition_point(|separator| separator.as_slice() <= key)
    }

    pub(super) fn child_for(&self, key: &[u8]) -> &Node<V> {
        &self.children[self.position(key)]
    }

    /// The position of the last child that may hold a key below `bound`.
    pub(super) fn position_before(&self, bound: &[u8]) -> usize {
        self.separators.partition_point(|separator| separator.as_slice() < bound)
    }
}

impl<V> Node<V> {
    fn last_change(&self) -> u64 {
        match self {
            Self::Leaf(leaf) => leaf.last_change,
            Self::Inner(inner) => inner.last_change,
        }
    }

    /// Entries of a leaf, children of an inner node.
    fn fill(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.keys.len(),
            Self::Inner(inner) => inner.children.len(),
        }
    }

    pub(super) fn last_change_in(&self, lo: &[u8], hi: Option<&[u8]>) -> u64 {
        let inner = match self {
            Self::Leaf(leaf) => return leaf.last_change,
            Self::Inner(inner) => inner,
        };
        let first = inner.position(lo);
        let last = hi.map_or(inner.children.len() - 1, |hi| inner.position_before(hi)).max(first);
        let covered = &inner.children[first..=last];
        // Only the two ends can stick out of the range; what lies between is wholly inside.
        let between = covered.iter().skip(1).rev().skip(1).map(|child| child.last_change()).max();
        let ends = covered.first().map(|child| child.last_change_in(lo, hi));
        let tail = covered.iter().skip(1).next_back().map(|child| child.last_change_in(lo, hi));
        between.max(ends).max(tail).unwrap_or(inner.last_change)
    }
}

pub(super) fn insert<V: Clone>(
    node: &mut Arc<Node<V>>,
    key: KeyBytes,
    value: V,
    index: u64,
) -> (Option<V>, Split<V>) {
    match Arc::make_mut(node) {
        Node::Leaf(leaf) => {
            leaf.last_change = index;
            match leaf.position(key.as_slice()) {
                Ok(at) => (Some(std::mem::replace(&mut leaf.values[at], value)), None),
                Err(at) => {
                    leaf.keys.insert(at, key);
                    leaf.values.insert(at, value);
                    (None, split_leaf(leaf, at))
                }
            }
        }
        Node::Inner(inner) => {
            inner.last_change = index;
            let at = inner.position(key.as_slice());
            let (old, split) = insert(&mut inner.children[at], key, value, index);
            if let Some((separator, right)) = split {
                inner.separators.insert(at, separator);
                inner.children.insert(at + 1, right);
            }
            (old, split_inner(inner))
        }
    }
}

/// Splits a leaf that the insert at `at` made too large.
fn split_leaf<V>(leaf: &mut Leaf<V>, at: usize) -> Split<V> {
    if leaf.keys.len() <= FANOUT {
        return None;
    }
    // Keys that only ever grow leave full leaves behind instead of half-empty ones.
    let half = if at == leaf.keys.len() - 1 { leaf.keys.len() - 2 } else { leaf.keys.len() / 2 };
    let right = Leaf {
        last_change: leaf.last_change,
        keys: leaf.keys.split_off(half),
        values: leaf.values.split_off(half),
    };
    Some((right.keys[0].clone(), Arc::new(Node::Leaf(right))))
}

fn split_inner<V>(inner: &mut Inner<V>) -> Split<V> {
    if inner.children.len() <= FANOUT {
        return None;
    }
    let half = inner.children.len() / 2;
    let children = inner.children.split_off(half);
    let mut separators = inner.separators.split_off(half - 1);
    let separator = separators.remove(0);
    let right = Inner { last_change: inner.last_change, separators, children };
    Some((separator, Arc::new(Node::Inner(right))))
}

pub(super) fn remove<V: Clone>(node: &mut Arc<Node<V>>, key: &[u8], index: u64) -> Option<V> {
    match Arc::make_mut(node) {
        Node::Leaf(leaf) => {
            let at = leaf.position(key).ok()?;
            leaf.last_change = index;
            leaf.keys.remove(at);
            Some(leaf.values.remove(at))
        }
        Node::Inner(inner) => {
            let at = inner.position(key);
            let old = remove(&mut inner.children[at], key, index)?;
            inner.last_change = index;
            if inner.children[at].fill() < FILL_MIN && inner.children.len() > 1 {
                // With the left neighbour, so that growing keys meet full nodes; the first child
                // has only a right one.
                rebalance(inner, at.max(1) - 1);
            }
            Some(old)
        }
    }
}

/// Merges the children `left` and `left + 1`, or evens them out when both won't fit in one node.
fn rebalance<V: Clone>(inner: &mut Inner<V>, left: usize) {
    let separator = inner.separators.remove(left);
    let right = inner.children.remove(left + 1);
    let right = Arc::try_unwrap(right).unwrap_or_else(|shared| (*shared).clone());
    let left_node = Arc::make_mut(&mut inner.children[left]);
    if let Some((separator, right)) = join(left_node, separator, right) {
        inner.separators.insert(left, separator);
        inner.children.insert(left + 1, right);
    }
}

/// Moves everything of `right` into `left`, then splits evenly when that is too much.
fn join<V>(left: &mut Node<V>, separator: KeyBytes, right: Node<V>) -> Split<V> {
    match (left, right) {
        (Node::Leaf(left), Node::Leaf(right)) => {
            left.last_change = left.last_change.max(right.last_change);
            left.keys.extend(right.keys);
            left.values.extend(right.values);
            split_leaf(left, 0)
        }
        (Node::Inner(left), Node::Inner(right)) => {
            left.last_change = left.last_change.max(right.last_change);
            left.separators.push(separator);
            left.separators.extend(right.separators);
            left.children.extend(right.children);
            split_inner(left)
        }
        // Siblings are of one level, so of one kind; were they not, both stay as they are.
        (_, right) => Some((separator, Arc::new(right))),
    }
}

/// Builds a tree bottom-up from ascending entries: O(n), evenly filled nodes.
pub(super) fn build<V>(entries: Vec<(KeyBytes, V)>, last_change: u64) -> Arc<Node<V>> {
    if entries.is_empty() {
        return Arc::new(Node::Leaf(Leaf::empty(last_change)));
    }
    let mut level: Vec<(KeyBytes, Arc<Node<V>>)> = Vec::new();
    for chunk in even_chunks(entries) {
        let first = chunk[0].0.clone();
        let (keys, values) = chunk.into_iter().unzip();
        level.push((first, Arc::new(Node::Leaf(Leaf { last_change, keys, values }))));
    }
    while level.len() > 1 {
        let mut above = Vec::new();
        for chunk in even_chunks(level) {
            let first = chunk[0].0.clone();
            let (mut separators, children): (Vec<_>, Vec<_>) = chunk.into_iter().unzip();
            separators.remove(0);
            above.push((first, Arc::new(Node::Inner(Inner { last_change, separators, children }))));
        }
        level = above;
    }
    level.remove(0).1
}

/// Cuts `items` into as few chunks of at most [`FANOUT`] as hold them, of nearly equal size.
fn even_chunks<T>(items: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let count = items.len();
    let chunks = count.div_ceil(FANOUT);
    let mut items = items.into_iter();
    (0..chunks).map(move |at| {
        let size = (at + 1) * count / chunks - at * count / chunks;
        items.by_ref().take(size).collect()
    })
}
