//! The first rows in an order, found in one pass.
//!
//! A page needs a few rows of many. Twice as many as it needs are kept, and cut to those whenever they are full; from
//! then on the last of them is a bound, so most rows cost one comparison and no memory.

use std::cmp::Ordering;

use statehold_store::Entry;

/// The first `max` of the rows pushed, in the order that `compare` states.
pub(super) struct First<'v, T, F> {
    max: usize,
    compare: F,
    rows: Vec<&'v Entry<T>>,
    /// The last row at the latest cut: a row that does not come before it is none of the first.
    bound: Option<&'v Entry<T>>,
}

impl<'v, T, F: Fn(&T, &T) -> Ordering> First<'v, T, F> {
    /// Keeps at most `max` rows.
    pub(super) fn new(max: usize, compare: F) -> Self {
        Self { max, compare, rows: Vec::new(), bound: None }
    }

    /// Takes a row in, or drops it. Cost: one comparison for most rows, a few for a row that is kept.
    pub(super) fn push(&mut self, row: &'v Entry<T>) {
        if self.bound.is_some_and(|bound| (self.compare)(row, bound).is_ge()) {
            return;
        }
        self.rows.push(row);
        if self.rows.len() >= self.max.saturating_mul(2) {
            self.cut();
        }
    }

    /// Drops the rows that are none of the first.
    fn cut(&mut self) {
        let compare = &self.compare;
        if let Some(last) = self.max.checked_sub(1).filter(|last| *last < self.rows.len()) {
            let (_, bound, _) = self.rows.select_nth_unstable_by(last, |a, b| compare(a, b));
            self.bound = Some(bound);
        }
        self.rows.truncate(self.max);
    }

    /// Returns the rows in their order.
    pub(super) fn into_sorted(mut self) -> Vec<&'v Entry<T>> {
        self.cut();
        let Self { compare, mut rows, .. } = self;
        rows.sort_unstable_by(|a, b| compare(a, b));
        rows
    }
}
