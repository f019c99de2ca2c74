//! Iteration over a range of keys, both ways.
//!
//! The way down is kept on a small stack; the bound at the far end is looked up once per leaf, so
//! a step inside a leaf compares nothing.

use std::sync::Arc;

use super::node::{Inner, Leaf, Node};
use crate::key::KeyBytes;
use crate::range::Span;

/// Ascending iteration over the entries of a [`Span`].
pub(crate) struct Iter<'t, V> {
    /// Inner nodes on the way down, each with the position of the next child to visit.
    path: Vec<(&'t Inner<V>, usize)>,
    leaf: Option<&'t Leaf<V>>,
    at: usize,
    end: usize,
    hi: Option<KeyBytes>,
}

impl<'t, V> Iter<'t, V> {
    pub(super) fn new(root: &'t Arc<Node<V>>, span: &Span) -> Self {
        let mut iter = Self { path: Vec::new(), leaf: None, at: 0, end: 0, hi: span.hi.clone() };
        let lo = span.lo.as_slice();
        iter.descend(root, |inner| inner.position(lo), |leaf| leaf.lower_bound(lo));
        iter
    }

    fn descend(
        &mut self,
        mut node: &'t Node<V>,
        child: impl Fn(&Inner<V>) -> usize,
        start: impl Fn(&Leaf<V>) -> usize,
    ) {
        loop {
            match node {
                Node::Inner(inner) => {
                    let at = child(inner);
                    self.path.push((inner, at + 1));
                    node = &inner.children[at];
                }
                Node::Leaf(leaf) => {
                    self.at = start(leaf);
                    self.end = match (&self.hi, leaf.entries.last()) {
                        (Some(hi), Some((last, _))) if last.as_slice() >= hi.as_slice() => {
                            leaf.lower_bound(hi.as_slice())
                        }
                        _ => leaf.len(),
                    };
                    self.leaf = Some(leaf);
                    return;
                }
            }
        }
    }

    /// Goes to the next leaf; `false` when the range ends before it.
    fn advance(&mut self) -> bool {
        // A leaf whose end was cut off by the bound is the last one.
        if self.leaf.is_none_or(|leaf| self.end < leaf.len()) {
            return false;
        }
        while let Some((inner, next)) = self.path.pop() {
            if let Some(child) = inner.children.get(next) {
                self.path.push((inner, next + 1));
                self.descend(child, |_| 0, |_| 0);
                return true;
            }
        }
        false
    }
}

impl<'t, V> Iterator for Iter<'t, V> {
    type Item = (&'t KeyBytes, &'t V);

    fn next(&mut self) -> Option<Self::Item> {
        while self.at >= self.end {
            if !self.advance() {
                self.leaf = None;
                return None;
            }
        }
        let leaf = self.leaf?;
        let at = self.at;
        self.at += 1;
        leaf.entries.get(at).map(|(key, value)| (key, value))
    }
}

/// Descending iteration over the entries of a [`Span`].
pub(crate) struct IterRev<'t, V> {
    /// Inner nodes on the way down, each with one more than the position of the next child.
    path: Vec<(&'t Inner<V>, usize)>,
    leaf: Option<&'t Leaf<V>>,
    /// Entries of the leaf still to come: those in `start..at`, from the back.
    at: usize,
    start: usize,
    lo: KeyBytes,
}

impl<'t, V> IterRev<'t, V> {
    pub(super) fn new(root: &'t Arc<Node<V>>, span: &Span) -> Self {
        let mut iter = Self { path: Vec::new(), leaf: None, at: 0, start: 0, lo: span.lo.clone() };
        match span.hi.as_ref().map(KeyBytes::as_slice) {
            Some(hi) => {
                iter.descend(root, |inner| inner.position_before(hi), |leaf| leaf.lower_bound(hi));
            }
            None => iter.descend(root, last_child, |leaf| leaf.len()),
        }
        iter
    }

    fn descend(
        &mut self,
        mut node: &'t Node<V>,
        child: impl Fn(&Inner<V>) -> usize,
        end: impl Fn(&Leaf<V>) -> usize,
    ) {
        loop {
            match node {
                Node::Inner(inner) => {
                    let at = child(inner);
                    self.path.push((inner, at));
                    node = &inner.children[at];
                }
                Node::Leaf(leaf) => {
                    self.at = end(leaf);
                    self.start = match leaf.entries.first() {
                        Some((first, _)) if first.as_slice() < self.lo.as_slice() => {
                            leaf.lower_bound(self.lo.as_slice())
                        }
                        _ => 0,
                    };
                    self.leaf = Some(leaf);
                    return;
                }
            }
        }
    }

    fn advance(&mut self) -> bool {
        if self.leaf.is_none() || self.start > 0 {
            return false;
        }
        while let Some((inner, next)) = self.path.pop() {
            if let Some(before) = next.checked_sub(1) {
                self.path.push((inner, before));
                self.descend(&inner.children[before], last_child, |leaf| leaf.len());
                return true;
            }
        }
        false
    }
}

fn last_child<V>(inner: &Inner<V>) -> usize {
    inner.children.len() - 1
}

impl<'t, V> Iterator for IterRev<'t, V> {
    type Item = (&'t KeyBytes, &'t V);

    fn next(&mut self) -> Option<Self::Item> {
        while self.at <= self.start {
            if !self.advance() {
                self.leaf = None;
                return None;
            }
        }
        let leaf = self.leaf?;
        self.at -= 1;
        leaf.entries.get(self.at).map(|(key, value)| (key, value))
    }
}
