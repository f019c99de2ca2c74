//! Selection of the first rows of an order, in one pass.
//!
//! A page needs a few rows of many. The selection keeps at most twice as many rows as the page
//! needs, and trims them whenever it is full. From then on the last kept row is a bound, so most
//! rows cost one comparison and no memory.

use std::cmp::Ordering;

use statehold_store::Entry;

/// The first `max` of the pushed rows, in the order of `compare`.
pub(super) struct TopRows<'v, T, F> {
    max: usize,
    compare: F,
    rows: Vec<&'v Entry<T>>,
    /// The last row of the latest trim: a row that is not less than it is not among the first.
    bound: Option<&'v Entry<T>>,
}

impl<'v, T, F: Fn(&T, &T) -> Ordering> TopRows<'v, T, F> {
    /// Creates a selection of at most `max` rows.
    pub(super) fn new(max: usize, compare: F) -> Self {
        Self { max, compare, rows: Vec::new(), bound: None }
    }

    /// Adds a row, or drops it. Cost: one comparison for most rows, a few for a row that is kept.
    pub(super) fn push(&mut self, row: &'v Entry<T>) {
        if self.bound.is_some_and(|bound| (self.compare)(row, bound).is_ge()) {
            return;
        }
        self.rows.push(row);
        if self.rows.len() >= self.max.saturating_mul(2) {
            self.trim();
        }
    }

    /// Drops the rows that are not among the first.
    fn trim(&mut self) {
        let compare = &self.compare;
        if let Some(last) = self.max.checked_sub(1).filter(|last| *last < self.rows.len()) {
            let (_, bound, _) = self.rows.select_nth_unstable_by(last, |a, b| compare(a, b));
            self.bound = Some(bound);
        }
        self.rows.truncate(self.max);
    }

    /// Returns the rows in order.
    pub(super) fn into_sorted(mut self) -> Vec<&'v Entry<T>> {
        self.trim();
        let Self { compare, mut rows, .. } = self;
        rows.sort_unstable_by(|a, b| compare(a, b));
        rows
    }
}
