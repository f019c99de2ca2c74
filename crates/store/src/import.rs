//! Bulk writes: trees are rebuilt instead of being descended once for each row.

use crate::change::Change;
use crate::conflicts::Unique;
use crate::error::{RowError, WriteError};
use crate::key::{KeyBuf, KeyBytes};
use crate::load;
use crate::primary::PrimaryKey;
use crate::table::{Entry, Table};
use crate::table_state::TableState;
use crate::tree::{OrdIndex, Tree};
use crate::txn::{WriteTxn, stored};
use crate::typed::TableRow;

/// Maximum ratio of a table's rows to imported rows at which the trees are rebuilt. Above it, a rebuild would
/// cost more than single writes.
const REBUILT_PER_IMPORTED_MAX: usize = 4;

/// A row to import: its key, its entry and its stored form.
type Imported<R> = (KeyBytes, Entry<R>, Vec<u8>);

impl WriteTxn<'_> {
    /// Writes many rows in any order and returns the number of different rows. If several rows have one primary
    /// key, the last one is kept. Unique indexes are checked after all rows are in, so that rows may swap
    /// unique keys.
    ///
    /// [`PrimaryKey::import`] is the same for rows that do not implement [`TableRow`].
    ///
    /// Cost: about half that of single writes if the rows are more than a quarter of those in the table; the
    /// table's trees are then rebuilt, and the commit wakes every parked reader. All rows are in memory at
    /// once.
    ///
    /// # Errors
    /// Those of [`WriteTxn::put`]. No row is imported then.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use statehold_store::{Store, Table};
    /// # #[derive(Serialize, Deserialize, Table)]
    /// # #[table(name = "nodes")]
    /// # struct Node { #[table(key)] name: String }
    /// # let store = Store::in_memory(&Node::schema());
    /// let mut txn = store.begin_write()?;
    /// let nodes = (0..1000).map(|n| Node { name: format!("node-{n}") });
    /// assert_eq!(txn.import(nodes)?, 1000);
    /// txn.commit()?;
    /// assert!(Node::BY_KEY.contains(&store.snapshot(), "node-7"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn import<R: TableRow>(
        &mut self,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<usize, WriteError> {
        self.import_all::<R::Table>(rows)
    }
}

impl<T: Table> PrimaryKey<T> {
    /// Writes many rows. Like [`WriteTxn::import`], for rows of any type.
    ///
    /// # Errors
    /// Those of [`WriteTxn::import`].
    pub fn import(
        &self,
        txn: &mut WriteTxn<'_>,
        rows: impl IntoIterator<Item = T::Row>,
    ) -> Result<usize, WriteError> {
        txn.import_all::<T>(rows)
    }
}

/// Sorts rows, each given as its key and its position. Of several rows with one key, the last one remains.
///
/// Positions instead of rows, because the code of the sort would otherwise be generated for each table.
fn last_of_each_key(mut rows: Vec<(KeyBytes, usize)>) -> Vec<(KeyBytes, usize)> {
    rows.sort_unstable_by(|a, b| a.0.as_slice().cmp(b.0.as_slice()).then(b.1.cmp(&a.1)));
    rows.dedup_by(|a, b| a.0 == b.0);
    rows
}

impl WriteTxn<'_> {
    fn import_all<T: Table>(
        &mut self,
        rows: impl IntoIterator<Item = T::Row>,
    ) -> Result<usize, WriteError> {
        let slot = self.root.slot::<T>();
        let index = self.root.index;
        let table = self.root.table::<T>(slot);
        let mut rows: Vec<Option<T::Row>> = rows.into_iter().map(Some).collect();
        let keys = rows.iter().flatten().map(|row| KeyBuf::of::<T::Key>(T::key(row)).finish());
        let order = last_of_each_key(keys.zip(0..).collect());
        let count = order.len();
        let rows = order.into_iter().filter_map(|(key, at)| Some((key, rows[at].take()?)));
        let few = table.primary.len() / REBUILT_PER_IMPORTED_MAX > count;
        // While keys are in conflict, the index trees hold fewer entries than the rows claim, so they cannot be
        // rebuilt from the rows; single writes track the conflicts.
        if few || self.unique == Unique::AtCommit {
            self.import_each::<T>(rows)?;
            return Ok(count);
        }
        let mut imported = Vec::with_capacity(count);
        for (key, row) in rows {
            table.check_keys(&key, &row)?;
            let old = table.primary.get(key.as_slice());
            let entry = Entry::new(row, old.map_or(index, Entry::create_index), index);
            let bytes = stored::<T>(table, &key, &entry)?;
            imported.push((key, entry, bytes));
        }
        // Everything that can fail is done before the table changes.
        let (primary, secondary) = rebuilt(table, &imported, index)?;
        self.root.table_mut::<T>(slot).replace(primary, secondary, index);
        for (key, _, bytes) in imported {
            self.note(Change { table: slot, key, row: Some(bytes) });
        }
        if count > 0 {
            // A rebuild yields no list of touched keys, so the commit wakes every reader.
            self.all = true;
        }
        Ok(count)
    }

    /// Writes rows one by one, with the same result as a rebuild: unique indexes are checked at the end.
    fn import_each<T: Table>(
        &mut self,
        mut rows: impl Iterator<Item = (KeyBytes, T::Row)>,
    ) -> Result<(), WriteError> {
        // An error must roll back the earlier rows, as a failed rebuild leaves the table unchanged.
        self.savepoint(|txn| {
            let unique = std::mem::replace(&mut txn.unique, Unique::AtCommit);
            rows.try_for_each(|(_, row)| txn.upsert::<T>(row).map(drop))?;
            txn.unique = unique;
            match unique {
                Unique::AtOnce => txn.check_unique(),
                Unique::AtCommit => Ok(()),
            }
        })
    }
}

type Trees<R> = (Tree<Entry<R>>, Vec<Tree<Entry<R>>>);

/// Returns the trees of a table with the imported rows merged in.
fn rebuilt<T: Table>(
    table: &TableState<T>,
    imported: &[Imported<T::Row>],
    index: u64,
) -> Result<Trees<T::Row>, WriteError> {
    let mut merged = Vec::with_capacity(table.primary.len() + imported.len());
    let mut new = imported.iter().map(|(key, entry, _)| (key, entry)).peekable();
    for (key, entry) in table.primary.iter(&crate::range::Span::all()) {
        while let Some(before) = new.next_if(|(new, _)| new.as_slice() < key.as_slice()) {
            merged.push(before);
        }
        merged.push(new.next_if(|(new, _)| *new == key).unwrap_or((key, entry)));
    }
    merged.extend(new);
    let secondary = table.defs.iter().map(|def| {
        let keys = merged.iter().flat_map(|(primary, entry)| {
            let keys = def.tree_keys(entry, primary.as_slice()).into_iter();
            keys.map(|key| (key, Entry::clone(entry)))
        });
        keys.collect()
    });
    let secondary = load::indexes::<T>(&table.defs, secondary.collect(), index);
    let defs = &table.defs;
    let secondary = secondary.map_err(|error| match error {
        RowError::NotUnique { table, index, key, .. } => {
            let own = defs.iter().find(|def| def.name == index);
            let fields = own.map(|def| def.fields).unwrap_or_default();
            WriteError::NotUnique { table, index, key, fields }
        }
        // Building indexes fails with no other error.
        other => WriteError::Unstorable {
            table: T::NAME,
            key: "?".into(),
            reason: other.to_string().into(),
        },
    })?;
    let primary = merged.into_iter().map(|(key, entry)| (key.clone(), entry.clone())).collect();
    Ok((Tree::from_sorted(primary, index), secondary))
}
