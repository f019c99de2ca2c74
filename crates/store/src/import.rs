//! Many rows in one transaction: trees are built anew instead of being descended for each row.

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

/// A table whose rows are more than this many times those of an import keeps its trees, because to
/// build them anew would cost more than to descend them.
const REBUILT_PER_IMPORTED_MAX: usize = 4;

/// A row to import: its key, its entry and its stored form.
type Imported<R> = (KeyBytes, Entry<R>, Vec<u8>);

impl WriteTxn<'_> {
    /// Puts many rows, in any order: of rows with one primary key, the last one counts. Returns the
    /// number of different rows. Unique indexes are checked when all rows are in, so that rows may swap
    /// unique keys.
    ///
    /// [`PrimaryKey::import`] does the same for rows that do not name their table.
    ///
    /// Cost: about half of that of single writes when the rows are more
    /// than a quarter of those in the table; then the table's trees are built anew, and the commit
    /// wakes every parked reader. All rows are held at once.
    ///
    /// # Errors
    /// As [`WriteTxn::put`]; nothing was imported then.
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
    /// Puts many rows. Like [`WriteTxn::import`], for rows of any type.
    ///
    /// # Errors
    /// As [`WriteTxn::import`].
    pub fn import(
        &self,
        txn: &mut WriteTxn<'_>,
        rows: impl IntoIterator<Item = T::Row>,
    ) -> Result<usize, WriteError> {
        txn.import_all::<T>(rows)
    }
}

impl WriteTxn<'_> {
    fn import_all<T: Table>(
        &mut self,
        rows: impl IntoIterator<Item = T::Row>,
    ) -> Result<usize, WriteError> {
        let slot = self.root.slot::<T>();
        let index = self.root.index;
        let table = self.root.table::<T>(slot);
        let rows = rows.into_iter().map(|row| (KeyBuf::of::<T::Key>(T::key(&row)).finish(), row));
        let mut rows: Vec<(KeyBytes, T::Row)> = rows.collect();
        // Stable, so that of several rows with one key the last one stays the last.
        rows.sort_by(|a, b| a.0.as_slice().cmp(b.0.as_slice()));
        rows.reverse();
        rows.dedup_by(|a, b| a.0 == b.0);
        rows.reverse();
        let count = rows.len();
        let few = table.primary.len() / REBUILT_PER_IMPORTED_MAX > count;
        // With keys in conflict, the trees hold less than the rows claim: single writes know how.
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
        let (primary, secondary) = rebuilt(table, &imported, index)?;
        self.root.table_mut::<T>(slot).replace(primary, secondary, index);
        for (key, _, bytes) in imported {
            self.note(Change { table: slot, key, row: Some(bytes) });
        }
        if count > 0 {
            // Every key of the table counts as touched.
            self.all = true;
        }
        Ok(count)
    }

    /// Puts rows one after the other, with the same result as if the trees were built anew: unique
    /// indexes are checked when all rows are in.
    fn import_each<T: Table>(&mut self, rows: Vec<(KeyBytes, T::Row)>) -> Result<(), WriteError> {
        self.savepoint(|txn| {
            let unique = std::mem::replace(&mut txn.unique, Unique::AtCommit);
            rows.into_iter().try_for_each(|(_, row)| txn.upsert::<T>(row).map(drop))?;
            txn.unique = unique;
            match unique {
                Unique::AtOnce => txn.check_unique(),
                Unique::AtCommit => Ok(()),
            }
        })
    }
}

type Trees<R> = (Tree<Entry<R>>, Vec<Tree<Entry<R>>>);

/// The trees of a table with rows put into it.
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
        // Building indexes has no other error.
        other => WriteError::Unstorable {
            table: T::NAME,
            key: "?".into(),
            reason: other.to_string().into(),
        },
    })?;
    let primary = merged.into_iter().map(|(key, entry)| (key.clone(), entry.clone())).collect();
    Ok((Tree::from_sorted(primary, index), secondary))
}
