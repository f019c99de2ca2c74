//! The first rows in an order, found in one pass.
//!
//! A page needs a few rows of many. A heap keeps the best ones seen so far with the last of them on top,
//! so most rows cost one comparison and no memory.

use std::cmp::Ordering;

use statehold_store::Entry;

/// The first `max` of the rows pushed, in the order that `compare` states.
pub(super) struct First<'v, T, F> {
    max: usize,
    compare: F,
    /// A heap: no row comes after the row at `(its place - 1) / 2`.
    heap: Vec<&'v Entry<T>>,
}

impl<'v, T, F: Fn(&T, &T) -> Ordering> First<'v, T, F> {
    /// Keeps at most `max` rows.
    pub(super) fn new(max: usize, compare: F) -> Self {
        Self { max, compare, heap: Vec::new() }
    }

    /// Takes a row in, or drops it. Cost: one comparison for most rows, O(log max) for a row that is kept.
    pub(super) fn push(&mut self, row: &'v Entry<T>) {
        if self.heap.len() < self.max {
            self.heap.push(row);
            self.rise(self.heap.len() - 1);
            return;
        }
        let Some(last) = self.heap.first_mut() else { return };
        if (self.compare)(row, last).is_lt() {
            *last = row;
            self.sink();
        }
    }

    /// Returns the rows in their order.
    pub(super) fn into_sorted(self) -> Vec<&'v Entry<T>> {
        let Self { compare, mut heap, .. } = self;
        heap.sort_unstable_by(|a, b| compare(a, b));
        heap
    }

    /// Returns whether the row at one place comes after that at another.
    fn is_after(&self, one: usize, other: usize) -> bool {
        match (self.heap.get(one), self.heap.get(other)) {
            (Some(one), Some(other)) => (self.compare)(one, other).is_gt(),
            _ => false,
        }
    }

    fn rise(&mut self, mut at: usize) {
        while at > 0 {
            let above = (at - 1) / 2;
            if !self.is_after(at, above) {
                return;
            }
            self.heap.swap(at, above);
            at = above;
        }
    }

    fn sink(&mut self) {
        let mut at = 0;
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            let later = if self.is_after(right, left) { right } else { left };
            if !self.is_after(later, at) {
                return;
            }
            self.heap.swap(later, at);
            at = later;
        }
    }
}
