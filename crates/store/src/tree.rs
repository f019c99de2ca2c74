//! The persistent ordered map that every table and every index lies in.
//!
//! A B+tree whose nodes are shared: cloning a [`Tree`] copies one pointer, and a write copies the
//! nodes on its path, so that every older clone stays as it was. Separators partition the key
//! space: child `i` of an inner node holds exactly the keys in `[separator i-1, separator i)`.
//!
//! Invariant: every node carries `last_change`, the highest commit index at which anything in its
//! part of the key space was inserted, replaced or deleted. Splits copy it and merges keep the
//! greater one, so [`Tree::last_change`] of a range never goes back and is never too old; it is
//! too new at most by what happened to neighbours in the same leaf.
//!
//! Cost: gets, inserts and removes visit `log(len)` nodes of at most [`FANOUT`] entries;
//! recursion is as deep as the tree, six levels for a million rows.

mod heads;
mod iter;
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

impl<V: Clone> Tree<V> {
    /// An empty map, last changed at `index`.
    pub(crate) fn new(index: u64) -> Self {
        Self { root: Arc::new(Node::Leaf(Leaf::new(index, ArrayVec::new()))), len: 0 }
    }

    /// Builds a map from entries in ascending key order, all of them last changed at `index`.
    pub(crate) fn from_sorted(entries: Vec<(KeyBytes, V)>, index: u64) -> Self {
        let len = entries.len();
        Self { root: node::build(entries, index), len }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
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

    /// Puts `value` at `key`, in the commit of `index`; the value that was there.
    pub(crate) fn insert(&mut self, key: KeyBytes, value: V, index: u64) -> Option<V> {
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

    /// Takes the value at `key` out, in the commit of `index`.
    pub(crate) fn remove(&mut self, key: &[u8], index: u64) -> Option<V> {
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

    /// The highest commit index at which something in `span` changed, neighbours in the leaves at
    /// its ends included.
    pub(crate) fn last_change(&self, span: &Span) -> u64 {
        self.root.last_change_in(span.lo.as_slice(), span.hi.as_ref().map(KeyBytes::as_slice))
    }

    pub(crate) fn iter<'t>(&'t self, span: &Span) -> Iter<'t, V> {
        Iter::new(&self.root, span)
    }

    pub(crate) fn iter_rev<'t>(&'t self, span: &Span) -> IterRev<'t, V> {
        IterRev::new(&self.root, span)
    }
}

#[cfg(test)]
mod tests;
