//! The persistent ordered map that every table and every index lies in: [`OrdIndex`] is what the rest of
//! the crate asks of it, [`Tree`] what answers.
//!
//! A B+tree whose nodes are shared: cloning a [`Tree`] copies one pointer, and a write copies the
//! nodes on its path, so that every older clone stays as it was. Separators partition the key
//! space: child `i` of an inner node holds exactly the keys in `[separator i-1, separator i)`.
//!
//! Invariant: every node carries `last_change`, the highest commit index at which anything in its
//! part of the key space was inserted, replaced or deleted. Splits copy it and merges keep the
//! greater one, so [`OrdIndex::last_change`] of a range never goes back and is never too old; it is
//! too new at most by what happened to neighbours in the same leaf.
//!
//! Invariant: every inner node counts the entries below it, so that a range is counted, and a scan skips
//! entries, without going through them.
//!
//! Cost: gets, inserts, removes and counts visit `log(len)` nodes of at most [`FANOUT`] entries;
//! recursion is as deep as the tree, six levels for a million rows.

mod iter;
mod key_prefixes;
mod node;

use std::sync::Arc;

use arrayvec::ArrayVec;
pub(crate) use iter::{Iter, IterRev};
use node::{Inner, Leaf, Node};

use crate::key::KeyBytes;
use crate::range::Span;

/// Entries of a leaf and children of an inner node, at the most.
const FANOUT: usize = 16;

/// Fewer than this and a node borrows from a neighbour or merges with it.
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

/// An ordered map from encoded keys to `V`. A clone costs next to nothing and stays as it is, whatever
/// is written to the other.
pub(crate) trait OrdIndex<V>: Clone {
    /// Ascending entries of a range.
    type Iter<'t>: Iterator<Item = (&'t KeyBytes, &'t V)>
    where
        Self: 't,
        V: 't;

    /// Descending entries of a range.
    type IterRev<'t>: Iterator<Item = (&'t KeyBytes, &'t V)>
    where
        Self: 't,
        V: 't;

    /// An empty map, last changed at `index`.
    fn new(index: u64) -> Self;

    /// Builds a map from entries in ascending key order, all of them last changed at `index`.
    fn from_sorted(entries: Vec<(KeyBytes, V)>, index: u64) -> Self;

    fn len(&self) -> usize;

    fn get(&self, key: &[u8]) -> Option<&V>;

    /// Puts `value` at `key`, in the commit of `index`; the value that was there.
    fn insert(&mut self, key: KeyBytes, value: V, index: u64) -> Option<V>;

    /// Takes the value at `key` out, in the commit of `index`.
    fn remove(&mut self, key: &[u8], index: u64) -> Option<V>;

    /// The highest commit index at which something in `span` changed; it may count changes of neighbours
    /// too, but is never too old and never goes back.
    fn last_change(&self, span: &Span) -> u64;

    /// How many entries are in `span`. Cost: two ways down.
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

    /// At most neighbours in the leaves at the range's ends are counted too.
    fn last_change(&self, span: &Span) -> u64 {
        self.root.last_change_in(span.lo.as_slice(), span.hi.as_ref().map(KeyBytes::as_slice))
    }

    fn count(&self, span: &Span) -> usize {
        let end = span.hi.as_ref().map_or(self.len, |hi| self.root.rank(hi.as_slice()));
        // The ends of an empty range may be in either order.
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
