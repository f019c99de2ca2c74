//! The persistent ordered map behind every table and index: [`OrdIndex`] is the interface that the rest of the
//! crate uses, [`Tree`] the implementation.
//!
//! A B+tree with shared nodes: cloning a [`Tree`] copies one pointer, and a write copies the nodes on its path,
//! so that every older clone stays unchanged. Separators partition the key space: child `i` of an inner node
//! holds exactly the keys in `[separator i-1, separator i)`.
//!
//! Invariant: every node carries `last_change`, the highest commit index at which a key in its part of the key
//! space was inserted, replaced or deleted. Splits copy it and merges keep the greater one, so
//! [`OrdIndex::last_change`] of a range never decreases and is never too old; it may be too new because of
//! changes to neighbours in the same leaf.
//!
//! Invariant: every inner node counts the entries below it, so that a count of a range, and a scan that skips
//! entries, need not visit them.
//!
//! Cost: gets, inserts, removes and counts visit `log(len)` nodes of at most [`FANOUT`] entries; the recursion
//! is as deep as the tree, six levels for a million rows.

mod iter;
mod key_prefixes;
mod node;

use std::sync::Arc;

use arrayvec::ArrayVec;
pub(crate) use iter::{Iter, IterRev};
use node::{Inner, Leaf, Node};

use crate::key::KeyBytes;
use crate::range::Span;

/// Maximum number of entries of a leaf and of children of an inner node.
const FANOUT: usize = 16;

/// Minimum fill of a node. Below it, the node borrows from a neighbour or merges with it.
const FILL_MIN: usize = FANOUT / 2 - 1;

/// A persistent ordered map from encoded keys to `V`.
pub(crate) struct Tree<V> {
    root: Arc<Node<V>>,
    len: usize,
}

impl<V> Clone for Tree<V> {
    fn clone(&self) -> Self {
        Self { root: Arc::clone(&self.root), len: self.len }
    }
}

/// An ordered map from encoded keys to `V`. A clone is nearly free, and writes to one never show in the other.
pub(crate) trait OrdIndex<V>: Clone {
    /// Iterator over the entries of a range, ascending.
    type Iter<'t>: Iterator<Item = (&'t KeyBytes, &'t V)>
    where
        Self: 't,
        V: 't;

    /// Iterator over the entries of a range, descending.
    type IterRev<'t>: Iterator<Item = (&'t KeyBytes, &'t V)>
    where
        Self: 't,
        V: 't;

    /// Creates an empty map, last changed at `index`.
    fn new(index: u64) -> Self;

    /// Builds a map from entries in ascending key order, all last changed at `index`.
    fn from_sorted(entries: Vec<(KeyBytes, V)>, index: u64) -> Self;

    fn len(&self) -> usize;

    fn get(&self, key: &[u8]) -> Option<&V>;

    /// Inserts `value` at `key` for the commit `index`. Returns the old value.
    fn insert(&mut self, key: KeyBytes, value: V, index: u64) -> Option<V>;

    /// Removes and returns the value at `key`, for the commit `index`.
    fn remove(&mut self, key: &[u8], index: u64) -> Option<V>;

    /// Returns the highest commit index at which a key in `span` changed. It may include changes of neighbours,
    /// but is never too old and never decreases.
    fn last_change(&self, span: &Span) -> u64;

    /// Returns the number of entries in `span`. Cost: two descents.
    fn count(&self, span: &Span) -> usize;

    fn iter(&self, span: &Span) -> Self::Iter<'_>;

    fn iter_rev(&self, span: &Span) -> Self::IterRev<'_>;
}

impl<V: Clone> OrdIndex<V> for Tree<V> {
    type Iter<'t>
        = Iter<'t, V>
    where
        V: 't;
    type IterRev<'t>
        = IterRev<'t, V>
    where
        V: 't;

    fn new(index: u64) -> Self {
        Self { root: Arc::new(Node::Leaf(Leaf::new(index, ArrayVec::new()))), len: 0 }
    }

    fn from_sorted(entries: Vec<(KeyBytes, V)>, index: u64) -> Self {
        let len = entries.len();
        Self { root: node::build(entries, index), len }
    }

    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, key: &[u8]) -> Option<&V> {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Inner(inner) => node = inner.child_for(key),
                Node::Leaf(leaf) => {
                    return leaf.position(key).ok().map(|at| &leaf.entries[at].1);
                }
            }
        }
    }

    fn insert(&mut self, key: KeyBytes, value: V, index: u64) -> Option<V> {
        let (old, split) = node::insert(&mut self.root, key, value, index);
        if let Some((separator, right)) = split {
            let left = Arc::clone(&self.root);
            self.root = Arc::new(Node::Inner(Inner::pair(left, separator, right, index)));
        }
        if old.is_none() {
            self.len += 1;
        }
        old
    }

    fn remove(&mut self, key: &[u8], index: u64) -> Option<V> {
        self.get(key)?; // a miss copies no node
        let old = node::remove(&mut self.root, key, index)?;
        self.len -= 1;
        if let Node::Inner(inner) = &*self.root
            && let [only] = inner.children.as_slice()
        {
            self.root = Arc::clone(only);
        }
        Some(old)
    }

    /// Includes changes of neighbours only in the two leaves at the ends of the range.
    fn last_change(&self, span: &Span) -> u64 {
        self.root.last_change_in(span.lo.as_slice(), span.hi.as_ref().map(KeyBytes::as_slice))
    }

    fn count(&self, span: &Span) -> usize {
        let end = span.hi.as_ref().map_or(self.len, |hi| self.root.rank(hi.as_slice()));
        // The bounds of an empty range may be in either order.
        end.saturating_sub(self.root.rank(span.lo.as_slice()))
    }

    fn iter(&self, span: &Span) -> Iter<'_, V> {
        Iter::new(&self.root, span)
    }

    fn iter_rev(&self, span: &Span) -> IterRev<'_, V> {
        IterRev::new(&self.root, span)
    }
}

#[cfg(test)]
mod tests;
