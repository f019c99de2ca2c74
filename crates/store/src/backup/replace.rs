//! The transaction that replaces all data by a backup or dump.

use std::io;
use std::sync::Arc;

use super::progress::{Meter, Step};
use super::shapes::{self, compare_with};
use super::{Contents, RestoreError};
use crate::change::{Change, LoadContext};
use crate::erased_table::{ErasedTable, finish_load};
use crate::key::KeyBytes;
use crate::schema::TableDef;
use crate::shape::Versions;
use crate::store::Store;

/// Options of a restore.
///
/// ```
/// # use statehold_store::{RestoreOptions, Schema, Store};
/// # let store = Store::in_memory(&Schema::new());
/// # let mut backup = Vec::new();
/// # store.backup(&mut backup)?;
/// // The backup predates a table, whose rows are deleted when everything is replaced.
/// let options = RestoreOptions::default().empty_missing(true);
/// store.restore_using(&options, backup.as_slice(), |_| ())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// The index of the commit, which MUST be at least the backup's. Default: the next index after those of the
    /// store and of the backup.
    pub index: Option<u64>,
    /// Whether to empty tables that the backup lacks. If false, a restore into a store that has rows of one
    /// fails with [`RestoreError::MissingTable`]. Default: no.
    pub empty_missing: bool,
}

impl RestoreOptions {
    /// Sets [`RestoreOptions::index`].
    #[must_use]
    pub fn index(mut self, index: u64) -> Self {
        self.index = Some(index);
        self
    }

    /// Sets [`RestoreOptions::empty_missing`].
    #[must_use]
    pub fn empty_missing(mut self, empty_missing: bool) -> Self {
        self.empty_missing = empty_missing;
        self
    }
}

/// Rows by key, in key order.
type Rows = Vec<(KeyBytes, Vec<u8>)>;

impl Store {
    pub(super) fn replace(
        &self,
        contents: Contents,
        options: &RestoreOptions,
        meter: &mut Meter<'_>,
    ) -> Result<u64, RestoreError> {
        let count = contents.tables.iter().map(|rows| rows.len() as u64).sum();
        meter.begin(Step::Replacing, Some(count));
        let stamped_max = contents.index;
        // The rows are checked before the writer lock is taken, because that takes time.
        for (def, rows) in self.schema().tables.iter().zip(&contents.tables) {
            if !rows.is_sorted_by(|a, b| a.0.as_slice() < b.0.as_slice()) {
                return Err(RestoreError::Unordered { table: def.name });
            }
        }
        let mut txn = match options.index {
            Some(given) if given < stamped_max => {
                return Err(RestoreError::IndexTooSmall { given, least: stamped_max });
            }
            Some(given) => self.begin_write_at(given)?,
            None => {
                let last = self.index().max(stamped_max);
                let index = last.checked_add(1).ok_or(RestoreError::NoIndexLeft)?;
                // Another writer may have committed in between.
                self.begin_write_at(index).or_else(|_| self.begin_write())?
            }
        };
        let context = LoadContext { last_index: txn.index(), stamped_max, salvage: false };
        let mut tables: Vec<Arc<dyn ErasedTable>> = Vec::with_capacity(contents.tables.len());
        let mut changes = Vec::new();
        for (slot, (def, rows)) in self.schema().tables.iter().zip(contents.tables).enumerate() {
            // All of these keys are deleted or replaced, which the journal must record one by one.
            let present = txn.keys_of(slot);
            // Checked in the transaction, so that no row can be added in between.
            if !options.empty_missing
                && !present.is_empty()
                && !contents.found.iter().any(|name| **name == *def.name)
            {
                return Err(RestoreError::MissingTable { table: def.name, rows: present.len() });
            }
            let shapes = contents.shapes.get(slot);
            let (mut table, rows) = load_table(def, rows, shapes, context)?;
            let known = txn.kept_shapes(slot);
            if let (Some(mut known), Some(shapes)) = (known, shapes) {
                let lacking = shapes::lacking(def.name, &known, shapes)?;
                if !lacking.is_empty() {
                    // Before the rows: a shape without rows is harmless, while rows without a shape could be
                    // decoded wrongly.
                    self.add_shapes(def.name, &lacking).map_err(RestoreError::Commit)?;
                }
                known.extend(&lacking);
                table = table.with_shapes(&known);
            }
            for key in present {
                if rows.binary_search_by(|row| row.0.as_slice().cmp(key.as_slice())).is_err() {
                    changes.push(Change { table: slot, key, row: None });
                }
            }
            changes.extend(rows.into_iter().map(|(key, row)| Change {
                table: slot,
                key,
                row: Some(row),
            }));
            tables.push(table);
        }
        txn.replace_all(tables, changes);
        // Under `Relaxed` a commit returns before it is on disk, which is too early for a restore: its caller
        // may delete the backup.
        let index = txn.commit().and_then(|index| self.flush().map(|_| index));
        let index = index.map_err(RestoreError::Commit)?;
        meter.done(count);
        Ok(index)
    }
}

/// Loads the table from the rows that were read. Returns it with the rows in their durable form.
fn load_table(
    def: &TableDef,
    rows: Rows,
    shapes: Option<&Versions>,
    context: LoadContext,
) -> Result<(Arc<dyn ErasedTable>, Rows), RestoreError> {
    let of_type = shapes.filter(|_| def.shape.is_some());
    let empty = of_type.map_or_else(|| Arc::clone(&def.empty), |own| def.empty.with_shapes(own));
    let table = empty.load(&mut rows.iter().cloned().map(Ok), context);
    let mut table = table.map_err(RestoreError::Row)?;
    if let Some(shapes) = of_type {
        // Rows may reveal a part of their type that the backup's shape lacks.
        table.learn();
        compare_with(def, shapes)?;
    }
    let (moves, _) = finish_load(&mut table).map_err(RestoreError::Row)?;
    if moves.is_empty() {
        return Ok((table, rows));
    }
    // The journal must never hold a row under a key that a migration replaced, because an old and a new key
    // may be the same bytes.
    let mut moved = Vec::with_capacity(table.rows());
    let gathered = table.export(&mut |key, row| {
        moved.push((KeyBytes::from_slice(key), row.to_vec()));
        Ok::<(), io::Error>(())
    });
    gathered.map_err(RestoreError::Io)?;
    Ok((table, moved))
}
