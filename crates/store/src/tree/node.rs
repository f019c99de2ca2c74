//! Nodes: search, insert with splits, remove with borrowing and merging, bulk build.

use std::iter::once;
use std::sync::Arc;

use arrayvec::ArrayVec;

use super::key_prefixes::KeyPrefixes;
use super::{FANOUT, FILL_MIN};
use crate::key::KeyBytes;

/// A node is one allocation: cache misses of a descent cost more than the bytes it reads.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "with small values, both are of one size")]
pub(super) enum Node<V> {
    Leaf(Leaf<V>),
    Inner(Inner<V>),
}

#[derive(Clone)]
pub(super) struct Leaf<V> {
    last_change: u64,
    prefixes: KeyPrefixes,
    /// In ascending order of their keys.
    pub(super) entries: Entries<V>,
}

type Entries<V> = ArrayVec<(KeyBytes, V), { FANOUT + 1 }>;

/// `separators[i]` is the lower bound of `children[i + 1]`.
#[derive(Clone)]
pub(super) struct Inner<V> {
    last_change: u64,
    /// Number of entries in all leaves below.
    count: usize,
    prefixes: KeyPrefixes,
    separators: Separators,
    pub(super) children: Children<V>,
}

type Separators = ArrayVec<KeyBytes, FANOUT>;

type Children<V> = ArrayVec<Arc<Node<V>>, { FANOUT + 1 }>;

/// The result of a split: the lower bound of the right half, and that half.
type Split<V> = Option<(KeyBytes, Arc<Node<V>>)>;

impl<V> Leaf<V> {
    pub(super) fn new(last_change: u64, entries: Entries<V>) -> Self {
        let prefixes = KeyPrefixes::of(entries.iter().map(|(key, _)| key));
        Self { last_change, prefixes, entries }
    }

    /// Returns the position of `key`, or the one at which to insert it.
    pub(super) fn position(&self, key: &[u8]) -> Result<usize, usize> {
        self.prefixes.search(key, |at| self.entries[at].0.as_slice())
    }

    /// Returns the first position whose key is not below `bound`.
    pub(super) fn lower_bound(&self, bound: &[u8]) -> usize {
        self.position(bound).unwrap_or_else(|at| at)
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn insert(&mut self, at: usize, key: KeyBytes, value: V) {
        let shares = self.prefixes.insert(at, &key);
        self.entries.insert(at, (key, value));
        if !shares {
            self.search_anew();
        }
    }

    fn remove(&mut self, at: usize) -> V {
        self.prefixes.remove(at);
        self.entries.remove(at).1
    }

    /// Rebuilds the search data after more than one entry was inserted or removed.
    fn search_anew(&mut self) {
        self.prefixes = KeyPrefixes::of(self.entries.iter().map(|(key, _)| key));
    }
}

impl<V> Inner<V> {
    fn new(last_change: u64, separators: Separators, children: Children<V>) -> Self {
        let count = children.iter().map(|child| child.count()).sum();
        Self {
            last_change,
            count,
            prefixes: KeyPrefixes::of(separators.iter()),
            separators,
            children,
        }
    }

    pub(super) fn pair(
        left: Arc<Node<V>>,
        separator: KeyBytes,
        right: Arc<Node<V>>,
        last_change: u64,
    ) -> Self {
        Self::new(last_change, once(separator).collect(), [left, right].into_iter().collect())
    }

    fn search(&self, key: &[u8]) -> Result<usize, usize> {
        self.prefixes.search(key, |at| self.separators[at].as_slice())
    }

    /// Returns the position of the child whose part of the key space contains `key`.
    pub(super) fn position(&self, key: &[u8]) -> usize {
        self.search(key).map_or_else(|at| at, |at| at + 1)
    }

    pub(super) fn child_for(&self, key: &[u8]) -> &Node<V> {
        &self.children[self.position(key)]
    }

    /// Returns the position of the last child that may hold a key below `bound`.
    pub(super) fn position_before(&self, bound: &[u8]) -> usize {
        self.search(bound).unwrap_or_else(|at| at)
    }

    /// Inserts `right` after the child at `at`.
    fn insert(&mut self, at: usize, separator: KeyBytes, right: Arc<Node<V>>) {
        let shares = self.prefixes.insert(at, &separator);
        self.separators.insert(at, separator);
        self.children.insert(at + 1, right);
        if !shares {
            self.search_anew();
        }
    }

    /// Removes the child after the one at `at`, with the separator between them.
    fn remove(&mut self, at: usize) -> (KeyBytes, Arc<Node<V>>) {
        self.prefixes.remove(at);
        (self.separators.remove(at), self.children.remove(at + 1))
    }

    fn search_anew(&mut self) {
        self.prefixes = KeyPrefixes::of(self.separators.iter());
    }
}

impl<V> Node<V> {
    fn last_change(&self) -> u64 {
        match self {
            Self::Leaf(leaf) => leaf.last_change,
            Self::Inner(inner) => inner.last_change,
        }
    }

    /// Returns the number of entries in the leaf, or in all leaves below.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len(),
            Self::Inner(inner) => inner.count,
        }
    }

    /// Returns the number of entries before `bound`.
    ///
    /// Cost: the counts of the children before the path, at most [`FANOUT`] on each level.
    pub(super) fn rank(&self, bound: &[u8]) -> usize {
        let (mut node, mut before) = (self, 0);
        loop {
            match node {
                Self::Leaf(leaf) => return before + leaf.lower_bound(bound),
                Self::Inner(inner) => {
                    let at = inner.position(bound);
                    before += inner.children[..at].iter().map(|child| child.count()).sum::<usize>();
                    node = &inner.children[at];
                }
            }
        }
    }

    /// Returns the number of entries of a leaf, or of children of an inner node.
    fn fill(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len(),
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
        // Only the first and the last child can extend beyond the range: those between are inside it.
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
    // Copies the node if a snapshot shares it; otherwise changes it in place.
    match Arc::make_mut(node) {
        Node::Leaf(leaf) => {
            leaf.last_change = index;
            match leaf.position(key.as_slice()) {
                Ok(at) => (Some(std::mem::replace(&mut leaf.entries[at].1, value)), None),
                Err(at) => {
                    leaf.insert(at, key, value);
                    (None, split_leaf(leaf, at))
                }
            }
        }
        Node::Inner(inner) => {
            inner.last_change = index;
            let at = inner.position(key.as_slice());
            let (old, split) = insert(&mut inner.children[at], key, value, index);
            inner.count += usize::from(old.is_none());
            if let Some((separator, right)) = split {
                inner.insert(at, separator, right);
            }
            (old, split_inner(inner))
        }
    }
}

/// Splits a leaf that exceeds [`FANOUT`] after the insert at `at`.
fn split_leaf<V>(leaf: &mut Leaf<V>, at: usize) -> Split<V> {
    if leaf.len() <= FANOUT {
        return None;
    }
    // Ascending inserts should leave full leaves behind instead of half-empty ones.
    let half = if at == leaf.len() - 1 { leaf.len() - 2 } else { leaf.len() / 2 };
    let right = Leaf::new(leaf.last_change, leaf.entries.drain(half..).collect());
    leaf.search_anew();
    Some((right.entries[0].0.clone(), Arc::new(Node::Leaf(right))))
}

/// Splits an inner node that exceeds [`FANOUT`] after an insert.
fn split_inner<V>(inner: &mut Inner<V>) -> Split<V> {
    if inner.children.len() <= FANOUT {
        return None;
    }
    let half = inner.children.len() / 2;
    let children = inner.children.drain(half..).collect();
    let right = Inner::new(inner.last_change, inner.separators.drain(half..).collect(), children);
    let separator = inner.separators.remove(half - 1);
    inner.count -= right.count;
    inner.search_anew();
    Some((separator, Arc::new(Node::Inner(right))))
}

pub(super) fn remove<V: Clone>(node: &mut Arc<Node<V>>, key: &[u8], index: u64) -> Option<V> {
    // Copies the node if a snapshot shares it; otherwise changes it in place.
    match Arc::make_mut(node) {
        Node::Leaf(leaf) => {
            let at = leaf.position(key).ok()?;
            leaf.last_change = index;
            Some(leaf.remove(at))
        }
        Node::Inner(inner) => {
            let at = inner.position(key);
            let old = remove(&mut inner.children[at], key, index)?;
            inner.last_change = index;
            inner.count -= 1;
            // Nodes filled to less than half would waste memory and deepen the tree.
            if inner.children[at].fill() < FILL_MIN && inner.children.len() > 1 {
                // Prefer the left neighbour, which is full after ascending inserts. The first child has only a
                // right one.
                rebalance(inner, at.max(1) - 1);
            }
            Some(old)
        }
    }
}

/// Merges the children `left` and `left + 1`, or balances them if one node cannot hold both.
fn rebalance<V: Clone>(inner: &mut Inner<V>, left: usize) {
    let (separator, right) = inner.remove(left);
    let right = Arc::try_unwrap(right).unwrap_or_else(|shared| (*shared).clone());
    let left_node = Arc::make_mut(&mut inner.children[left]);
    if let Some((separator, right)) = join(left_node, separator, right) {
        inner.insert(left, separator, right);
    }
}

/// Moves everything from `right` into `left`, or balances them if that exceeds [`FANOUT`].
fn join<V>(left: &mut Node<V>, separator: KeyBytes, right: Node<V>) -> Split<V> {
    match (left, right) {
        (Node::Leaf(left), Node::Leaf(right)) => {
            let last_change = left.last_change.max(right.last_change);
            let mut entries: Vec<_> = left.entries.drain(..).chain(right.entries).collect();
            let half = half_of(entries.len());
            let rest: Entries<V> = entries.drain(half..).collect();
            *left = Leaf::new(last_change, entries.into_iter().collect());
            let first = rest.first().map(|(key, _)| key.clone());
            first.map(|key| (key, Arc::new(Node::Leaf(Leaf::new(last_change, rest)))))
        }
        (Node::Inner(left), Node::Inner(right)) => {
            let last_change = left.last_change.max(right.last_change);
            let mut separators: Vec<_> =
                left.separators.drain(..).chain(once(separator)).chain(right.separators).collect();
            let mut children: Vec<_> = left.children.drain(..).chain(right.children).collect();
            let half = half_of(children.len());
            let rest: Children<V> = children.drain(half..).collect();
            // The separator between the halves moves up; there is none if everything fits in `left`.
            let mut uppers = separators.drain(half - 1..);
            let split = uppers.next().map(|separator| {
                let right = Inner::new(last_change, uppers.by_ref().collect(), rest);
                (separator, Arc::new(Node::Inner(right)))
            });
            drop(uppers);
            let (separators, children) = (separators.into_iter(), children.into_iter());
            *left = Inner::new(last_change, separators.collect(), children.collect());
            split
        }
        // Siblings are on one level, so of one kind. Otherwise both stay as they are.
        (_, right) => Some((separator, Arc::new(right))),
    }
}

/// Returns the number of items for the left node: all if they fit in one, else half.
fn half_of(count: usize) -> usize {
    if count <= FANOUT { count } else { count / 2 }
}

/// Builds a tree bottom-up from ascending entries, in O(n) and with evenly filled nodes.
pub(super) fn build<V>(entries: Vec<(KeyBytes, V)>, last_change: u64) -> Arc<Node<V>> {
    if entries.is_empty() {
        return Arc::new(Node::Leaf(Leaf::new(last_change, Entries::new())));
    }
    let mut level: Vec<(KeyBytes, Arc<Node<V>>)> = even_chunks(entries)
        .map(|chunk: Entries<V>| {
            (chunk[0].0.clone(), Arc::new(Node::Leaf(Leaf::new(last_change, chunk))))
        })
        .collect();
    while level.len() > 1 {
        let above = even_chunks(level).map(|chunk: Vec<_>| {
            let (mut separators, children): (Vec<_>, Children<V>) = chunk.into_iter().unzip();
            let first = separators.remove(0);
            let separators = separators.into_iter().collect();
            (first, Arc::new(Node::Inner(Inner::new(last_change, separators, children))))
        });
        level = above.collect();
    }
    level.remove(0).1
}

/// Splits `items` into as few chunks of at most [`FANOUT`] as possible, of nearly equal size.
fn even_chunks<T, C: FromIterator<T>>(items: Vec<T>) -> impl Iterator<Item = C> {
    let count = items.len();
    let chunks = count.div_ceil(FANOUT);
    let mut items = items.into_iter();
    (0..chunks).map(move |at| {
        let size = (at + 1) * count / chunks - at * count / chunks;
        items.by_ref().take(size).collect()
    })
}
