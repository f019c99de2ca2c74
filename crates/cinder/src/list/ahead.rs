//! Rows read ahead of the search of a string in one of their columns.
//!
//! A row and its strings lie anywhere in memory, so that a search of many rows waits for memory more than it
//! compares. Rows of a block are touched one after the other before any is searched: their loads do not depend
//! on each other, and the processor waits for them together.

use std::{collections::VecDeque, hint::black_box};

use statehold_store::Entry;

use super::{Column, ColumnGetter};

/// Rows of a block: as many loads as a processor has in flight, and some.
const BLOCK_ROWS: usize = 32;

/// An iterator over the same rows in the same order, which reads up to [`BLOCK_ROWS`] ahead.
pub(super) struct ReadAhead<'v, T, I> {
    rows: I,
    block: VecDeque<&'v Entry<T>>,
    /// The column that is searched; without one nothing is read ahead.
    column: Option<ColumnGetter<T>>,
}

impl<'v, T, I: Iterator<Item = &'v Entry<T>>> ReadAhead<'v, T, I> {
    pub(super) fn new(rows: I, column: Option<ColumnGetter<T>>) -> Self {
        Self { rows, block: VecDeque::new(), column }
    }
}

impl<'v, T, I: Iterator<Item = &'v Entry<T>>> Iterator for ReadAhead<'v, T, I> {
    type Item = &'v Entry<T>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(column) = self.column else { return self.rows.next() };
        if self.block.is_empty() {
            self.block.extend(self.rows.by_ref().take(BLOCK_ROWS));
            // First the rows, then the strings that they point to: two waits for the whole block.
            let columns = self.block.iter().map(|row| column(row));
            let columns: [Column<'_>; BLOCK_ROWS] = filled(columns);
            let first = |column: &Column<'_>| match column {
                Column::Text(text) => text.as_bytes().first().copied().unwrap_or_default(),
                _ => 0,
            };
            black_box(columns.iter().map(first).fold(0, |all, byte| all | byte));
        }
        self.block.pop_front()
    }
}

fn filled<'r>(columns: impl Iterator<Item = Column<'r>>) -> [Column<'r>; BLOCK_ROWS] {
    let mut all = [Column::Null; BLOCK_ROWS];
    all.iter_mut().zip(columns).for_each(|(to, column)| *to = column);
    all
}
