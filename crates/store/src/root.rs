//! The root of the state in memory: the tables of one commit.
//!
//! A [`Root`] is immutable once it is published. A transaction clones it, which copies one pointer for each
//! table, and copies a table's trees on its first write to that table.

use std::any::{Any, TypeId};
use std::sync::Arc;

use crate::change::{Change, LoadContext, OpenChanges};
use crate::durable::record;
use crate::erased_table::{ErasedTable, finish_load};
use crate::error::RowError;
use crate::key::KeyBytes;
use crate::range::Span;
use crate::reclaim::Reclaim;
use crate::schema::Schema;
use crate::table::Table;
use crate::table_state::TableState;

/// All tables as of one commit.
#[derive(Clone)]
pub(crate) struct Root {
    pub(crate) index: u64,
    pub(crate) tables: Box<[Arc<dyn ErasedTable>]>,
    types: Arc<[Option<TypeId>]>,
    schema: Arc<Schema>,
    /// Number of rows written and deleted since the store was opened, up to and including this state.
    pub(crate) changes: u64,
    reclaim: Arc<Reclaim>,
}

impl Drop for Root {
    fn drop(&mut self) {
        self.reclaim.defer_drop(&mut self.tables, self.changes);
    }
}

impl Root {
    pub(crate) fn new(schema: &Schema, index: u64, tables: Vec<Arc<dyn ErasedTable>>) -> Self {
        Self {
            index,
            tables: tables.into(),
            types: schema.tables.iter().map(|def| def.row_table).collect(),
            schema: Arc::new(schema.clone()),
            changes: 0,
            reclaim: Arc::default(),
        }
    }

    /// Marks this root as the newest published state, against which [`Reclaim`] measures the age of others.
    pub(crate) fn published(&self) {
        self.reclaim.published(self.changes);
    }

    /// Returns the position of the table `T`.
    ///
    /// Compares type IDs one by one: schemas hold a handful of tables, for which that is faster than a hash.
    pub(crate) fn slot<T: Table>(&self) -> usize {
        let wanted = TypeId::of::<T>();
        self.types
            .iter()
            .position(|known| *known == Some(wanted))
            .unwrap_or_else(|| panic!("the store was opened without the table {:?}", T::NAME))
    }

    pub(crate) fn table<T: Table>(&self, slot: usize) -> &TableState<T> {
        let table: &dyn Any = &*self.tables[slot];
        // `slot` compared the type already, so this fails only if the caller mixed up two tables.
        table.downcast_ref().unwrap_or_else(|| panic!("{:?} is not in this slot", T::NAME))
    }

    /// Returns the table for writing; the first write copies it.
    pub(crate) fn table_mut<T: Table>(&mut self, slot: usize) -> &mut TableState<T> {
        let table = &mut self.tables[slot];
        // A snapshot or the head still shares this table, and published states are immutable.
        if Arc::get_mut(table).is_none() {
            *table = table.copy();
        }
        Arc::get_mut(table)
            .and_then(|table| (table as &mut dyn Any).downcast_mut())
            .unwrap_or_else(|| panic!("{:?} is not in this slot", T::NAME))
    }

    /// Applies a commit of the journal. Returns its changes, for the next checkpoint.
    pub(crate) fn replay(
        &mut self,
        schema: &Schema,
        commit: &record::Commit<'_>,
        salvage: bool,
    ) -> Result<Vec<Change>, RowError> {
        let context = LoadContext { last_index: commit.index, stamped_max: commit.index, salvage };
        let mut changes = Vec::with_capacity(commit.changes.len());
        for change in &commit.changes {
            let Some(slot) = schema.slot(change.table) else {
                // The schema drops this table: its rows are deleted from the file of rows, so its changes have
                // no target.
                if schema.drops(change.table) {
                    continue;
                }
                return Err(RowError::UnknownTable { name: change.table.into() });
            };
            let table = &mut self.tables[slot];
            if Arc::get_mut(table).is_none() {
                *table = table.copy();
            }
            let key = KeyBytes::from_slice(change.key);
            if let Some(table) = Arc::get_mut(table) {
                table.replay(&key, change.row, context)?;
            }
            changes.push(Change { table: slot, key, row: change.row.map(<[u8]>::to_vec) });
        }
        Ok(changes)
    }

    /// Applies a commit of the change feed, and moves the root to its index.
    pub(crate) fn apply(
        &mut self,
        schema: &Schema,
        commit: &record::Commit<'_>,
    ) -> Result<(), RowError> {
        self.replay(schema, commit, false)?;
        self.changes += commit.changes.len() as u64;
        self.index = commit.index;
        self.finish_load().map(drop)
    }

    /// Returns the schema of the tables.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Returns whether the tables are those of `schema`, in the same order.
    pub(crate) fn has_tables_of(&self, schema: &Schema) -> bool {
        self.types.iter().eq(schema.tables.iter().map(|def| &def.row_table))
    }

    /// Finishes loading and replaying: afterwards every row is under its own key and every table has its
    /// indexes. Returns the changes that this requires on disk.
    pub(crate) fn finish_load(&mut self) -> Result<OpenChanges, RowError> {
        let mut open_changes = OpenChanges::default();
        for (slot, table) in self.tables.iter_mut().enumerate() {
            let (changes, unreadable) = finish_load(table)?;
            let of_table = |(key, row)| Change { table: slot, key, row };
            open_changes.changes.extend(changes.into_iter().map(of_table));
            open_changes.unreadable.extend(unreadable);
        }
        Ok(open_changes)
    }

    /// Returns the highest commit index at which a key of the range changed.
    pub(crate) fn last_change(&self, tree: TreeId, span: &Span) -> u64 {
        self.tables[tree.table].last_change(tree.index, span)
    }
}

/// A tree of a root: a table's primary key (`index` 0) or its secondary index `index - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TreeId {
    pub(crate) table: usize,
    pub(crate) index: usize,
}

/// A tree key that a transaction inserted, replaced or deleted.
#[derive(Debug)]
pub(crate) struct TouchedKey {
    pub(crate) tree: TreeId,
    pub(crate) key: KeyBytes,
}
