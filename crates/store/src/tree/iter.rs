//! Iteration over a range of keys, in both directions.
//!
//! The path from the root is kept on a small stack. The far bound is looked up once for each leaf, so a step
//! inside a leaf compares nothing.

use std::slice;

use arrayvec::ArrayVec;

use super::node::{Inner, Leaf, Node};
use crate::key::KeyBytes;
use crate::range::Span;

/// Maximum number of inner levels: inner nodes have at least seven children, and 7^12 entries exceed any
/// memory.
const LEVELS_MAX: usize = 12;

/// Inner nodes on the path, each with the position of the child that was taken.
type Path<'t, V> = ArrayVec<(&'t Inner<V>, usize), LEVELS_MAX>;

/// The remaining entries of a leaf.
type Rest<'t, V> = slice::Iter<'t, (KeyBytes, V)>;

/// Ascending iteration over the entries of a [`Span`].
pub(crate) struct Iter<'t, V> {
    rest: Rest<'t, V>,
    path: Path<'t, V>,
    /// The exclusive end. The leaf that it cuts is the last one, so the path is cleared there.
    hi: Option<KeyBytes>,
}

impl<'t, V> Iter<'t, V> {
    pub(super) fn new(root: &'t Node<V>, span: &Span) -> Self {
        let mut iter = Self { rest: Rest::default(), path: ArrayVec::new(), hi: span.hi.clone() };
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
                    self.path.push((inner, at));
                    node = &inner.children[at];
                }
                Node::Leaf(leaf) => {
                    self.enter(leaf, start(leaf));
                    return;
                }
            }
        }
    }

    /// Iterates over a leaf from `start` on.
    fn enter(&mut self, leaf: &'t Leaf<V>, start: usize) {
        let mut end = leaf.entries.len();
        // The bound is compared with the last key only: if that is inside, the whole leaf is.
        if let (Some(hi), Some((last, _))) = (&self.hi, leaf.entries.last())
            && last.as_slice() >= hi.as_slice()
        {
            end = leaf.lower_bound(hi.as_slice());
            self.path.clear();
        }
        self.rest = leaf.entries[start.min(end)..end].iter();
    }

    /// Skips `count` entries, or all if there are fewer.
    ///
    /// Cost: the counts of the nodes beside the path, at most [`super::FANOUT`] on each level up and down.
    pub(crate) fn skip_entries(&mut self, mut count: usize) {
        loop {
            let here = count.min(self.rest.len());
            self.rest = self.rest.as_slice()[here..].iter();
            count -= here;
            if count == 0 {
                return;
            }
            let Some((inner, taken)) = self.path.pop() else { return };
            self.skip_children(inner, taken + 1, &mut count);
        }
    }

    /// Skips the children from `at` on that hold only entries to skip, and enters the one after them.
    fn skip_children(&mut self, mut inner: &'t Inner<V>, mut at: usize, count: &mut usize) {
        loop {
            // Children beyond the bound must not be entered, although the counts of others may be skipped.
            let last = match &self.hi {
                Some(hi) => inner.position_before(hi.as_slice()),
                None => last_child(inner),
            };
            // The last child's count may include entries beyond the range.
            while at < last && inner.children[at].count() <= *count {
                *count -= inner.children[at].count();
                at += 1;
            }
            if at > last {
                return;
            }
            self.path.push((inner, at));
            match &*inner.children[at] {
                Node::Inner(child) => (inner, at) = (child, 0),
                Node::Leaf(leaf) => {
                    self.enter(leaf, 0);
                    return;
                }
            }
        }
    }

    /// Moves to the next leaf. Returns `false` if the range ends before it.
    #[cold]
    fn advance(&mut self) -> bool {
        // Nodes whose last child was taken are finished, so they leave the path.
        while let Some((inner, taken)) = self.path.pop() {
            if let Some(child) = inner.children.get(taken + 1) {
                self.path.push((inner, taken + 1));
                self.descend(child, |_| 0, |_| 0);
                return true;
            }
        }
        false
    }
}

impl<'t, V> Iterator for Iter<'t, V> {
    type Item = (&'t KeyBytes, &'t V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.rest.next() {
                return Some((key, value));
            }
            if !self.advance() {
                return None;
            }
        }
    }
}

/// Descending iteration over the entries of a [`Span`].
pub(crate) struct IterRev<'t, V> {
    rest: Rest<'t, V>,
    path: Path<'t, V>,
    lo: KeyBytes,
}

impl<'t, V> IterRev<'t, V> {
    pub(super) fn new(root: &'t Node<V>, span: &Span) -> Self {
        let mut iter = Self { rest: Rest::default(), path: ArrayVec::new(), lo: span.lo.clone() };
        // Without an upper bound the iteration begins at the last leaf.
        match span.hi.as_ref().map(KeyBytes::as_slice) {
            Some(hi) => {
                iter.descend(root, |inner| inner.position_before(hi), |leaf| leaf.lower_bound(hi));
            }
            None => iter.descend(root, last_child, |leaf| leaf.entries.len()),
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
                    self.enter(leaf, end(leaf));
                    return;
                }
            }
        }
    }

    /// Iterates over a leaf backwards from `end`.
    fn enter(&mut self, leaf: &'t Leaf<V>, end: usize) {
        let mut start = 0;
        // As at the upper end, one comparison for each leaf is enough.
        if let Some((first, _)) = leaf.entries.first()
            && first.as_slice() < self.lo.as_slice()
        {
            start = leaf.lower_bound(self.lo.as_slice());
            self.path.clear();
        }
        self.rest = leaf.entries[start.min(end)..end].iter();
    }

    /// Like [`Iter::skip_entries`].
    pub(crate) fn skip_entries(&mut self, mut count: usize) {
        loop {
            let left = self.rest.len() - count.min(self.rest.len());
            count -= self.rest.len() - left;
            self.rest = self.rest.as_slice()[..left].iter();
            if count == 0 {
                return;
            }
            let Some((inner, taken)) = self.path.pop() else { return };
            self.skip_children(inner, taken, &mut count);
        }
    }

    /// Skips the children before `end` that hold only entries to skip, and enters the one before them.
    fn skip_children(&mut self, mut inner: &'t Inner<V>, mut end: usize, count: &mut usize) {
        loop {
            let first = inner.position(self.lo.as_slice());
            // The first child's count may include entries before the range.
            while end > first + 1 && inner.children[end - 1].count() <= *count {
                end -= 1;
                *count -= inner.children[end].count();
            }
            if end <= first {
                return;
            }
            self.path.push((inner, end - 1));
            match &*inner.children[end - 1] {
                Node::Inner(child) => (inner, end) = (child, child.children.len()),
                Node::Leaf(leaf) => {
                    self.enter(leaf, leaf.entries.len());
                    return;
                }
            }
        }
    }

    #[cold]
    fn advance(&mut self) -> bool {
        while let Some((inner, taken)) = self.path.pop() {
            if let Some(before) = taken.checked_sub(1) {
                self.path.push((inner, before));
                self.descend(&inner.children[before], last_child, |leaf| leaf.entries.len());
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

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.rest.next_back() {
                return Some((key, value));
            }
            if !self.advance() {
                return None;
            }
        }
    }
}
