//! The state in memory: one typed table each, all of them under one root.
//!
//! A [`Root`] is immutable once published. A transaction clones it (a pointer a table) and copies
//! a table's roots the first time that it writes to it.

use std::any::{Any, TypeId};
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use crate::backup::json;
use crate::catalog::CatalogTable;
use crate::codec;
use crate::deferred::{Conflict, Conflicts, Unique};
use crate::durable::record;
use crate::error::{RowError, WriteError};
use crate::feed::Commit;
use crate::key::{KEY_LEN_MAX, KeyBuf, KeyBytes};
use crate::load::{self, Arrived, Entries, RawRows};
use crate::range::Span;
use crate::reclaim::Reclaim;
use crate::salvage::{LeftOut, UnreadableRow};
use crate::schema::Schema;
use crate::shape::{RecordedShapes, Shape, Versions};
use crate::table::{Entry, IndexDef, IndexSet, Table};
use crate::tree::{OrdIndex, Tree};

/// All tables as of one commit.
#[derive(Clone)]
pub(crate) struct Root {
    pub(crate) index: u64,
    pub(crate) tables: Box<[Arc<dyn ErasedTable>]>,
    types: Arc<[Option<TypeId>]>,
    schema: Arc<Schema>,
    /// Rows that were written or deleted to make this state, since the store was opened.
    pub(crate) changes: u64,
    reclaim: Arc<Reclaim>,
}

impl Drop for Root {
    fn drop(&mut self) {
        self.reclaim.let_go(&mut self.tables, self.changes);
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

    /// Takes note that this is the newest state now: what is far behind it is freed elsewhere.
    pub(crate) fn published(&self) {
        self.reclaim.published(self.changes);
    }

    /// The position of the table `T`.
    ///
    /// Schemas hold a handful of tables: comparing their types beats a hash.
    pub(crate) fn slot<T: Table>(&self) -> usize {
        let wanted = TypeId::of::<T>();
        self.types
            .iter()
            .position(|known| *known == Some(wanted))
            .unwrap_or_else(|| panic!("the store was opened without the table {:?}", T::NAME))
    }

    pub(crate) fn table<T: Table>(&self, slot: usize) -> &TableState<T> {
        let table: &dyn Any = &*self.tables[slot];
        table.downcast_ref().unwrap_or_else(|| panic!("{:?} is not in this place", T::NAME))
    }

    /// The table to write to: its own copy from the first write on.
    pub(crate) fn table_mut<T: Table>(&mut self, slot: usize) -> &mut TableState<T> {
        let table = &mut self.tables[slot];
        if Arc::get_mut(table).is_none() {
            *table = table.copy();
        }
        Arc::get_mut(table)
            .and_then(|table| (table as &mut dyn Any).downcast_mut())
            .unwrap_or_else(|| panic!("{:?} is not in this place", T::NAME))
    }

    /// Applies a commit that the journal has; its changes, for the next checkpoint.
    pub(crate) fn replay(
        &mut self,
        schema: &Schema,
        commit: &record::Commit<'_>,
        salvage: bool,
    ) -> Result<Vec<Change>, RowError> {
        let arriving = Arriving { last_index: commit.index, stamped_max: commit.index, salvage };
        let mut changes = Vec::with_capacity(commit.changes.len());
        for change in &commit.changes {
            let Some(slot) = schema.slot(change.table) else {
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
                table.replay(&key, change.row, arriving)?;
            }
            changes.push(Change { table: slot, key, row: change.row.map(<[u8]>::to_vec) });
        }
        Ok(changes)
    }

    /// Applies a commit of the feed.
    pub(crate) fn apply(&mut self, schema: &Schema, commit: &Commit) -> Result<(), RowError> {
        self.replay(schema, &commit.recorded(), false)?;
        self.changes += commit.changes.len() as u64;
        self.index = commit.index;
        self.settle().map(drop)
    }

    /// The schema of the tables.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Whether the tables are those of a schema, in its order.
    pub(crate) fn has_tables_of(&self, schema: &Schema) -> bool {
        self.types.iter().eq(schema.tables.iter().map(|def| &def.row_table))
    }

    /// Ends loading and replaying: from here on every row lies under its own key, and every table has
    /// its indexes. Returns what that changes on disk.
    pub(crate) fn settle(&mut self) -> Result<Arrival, RowError> {
        let mut arrival = Arrival::default();
        for (slot, table) in self.tables.iter_mut().enumerate() {
            let (changes, unreadable) = settle(table)?;
            let of_table = |(key, row)| Change { table: slot, key, row };
            arrival.changes.extend(changes.into_iter().map(of_table));
            arrival.unreadable.extend(unreadable);
        }
        Ok(arrival)
    }

    /// The highest commit index at which something in a range changed.
    pub(crate) fn last_change(&self, place: Place, span: &Span) -> u64 {
        self.tables[place.table].last_change(place.index, span)
    }
}

/// A tree of a root: a table's primary key (`index` 0) or its secondary index `index - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) table: usize,
    pub(crate) index: usize,
}

/// A tree key that a transaction inserted, replaced or deleted.
#[derive(Debug)]
pub(crate) struct Touched {
    pub(crate) place: Place,
    pub(crate) key: KeyBytes,
}

/// What one write did to the durable rows. No `Debug`: rows may hold secrets.
pub(crate) struct Change {
    pub(crate) table: usize,
    pub(crate) key: KeyBytes,
    /// The stamped row, or `None` when it was deleted.
    pub(crate) row: Option<Vec<u8>>,
}

impl Change {
    /// Bytes of the key and the row.
    pub(crate) fn bytes(&self) -> u64 {
        (self.key.as_slice().len() + self.row.as_ref().map_or(0, Vec::len)) as u64
    }
}

/// What an open has to write: rows that were moved, dropped or left out.
#[derive(Default)]
pub(crate) struct Arrival {
    /// In an order in which they can be applied one after the other.
    pub(crate) changes: Vec<Change>,
    /// Rows that were left out, which `changes` deletes.
    pub(crate) unreadable: Vec<UnreadableRow>,
}

/// What holds for rows that are loaded or replayed.
#[derive(Clone, Copy)]
pub(crate) struct Arriving {
    /// The index of the last commit that changed the table.
    pub(crate) last_index: u64,
    /// No row may be stamped with a later index.
    pub(crate) stamped_max: u64,
    /// Whether rows that can't be read are left out, instead of ending the work.
    pub(crate) salvage: bool,
}

/// Changes of a table's durable rows, by key; `None` deletes.
pub(crate) type KeyedChanges = Vec<(KeyBytes, Option<Vec<u8>>)>;

/// A table that was loaded and replayed, with its indexes and every row under its own key.
pub(crate) struct Settled {
    pub(crate) table: Arc<dyn ErasedTable>,
    /// What that changes on disk: deletes, then puts.
    pub(crate) changes: KeyedChanges,
    /// Rows that were left out.
    pub(crate) unreadable: Vec<UnreadableRow>,
}

/// Takes a row's key and bytes.
pub(crate) type EachRow<'e> = dyn FnMut(&[u8], &[u8]) -> io::Result<()> + 'e;

/// Takes a line of a dump.
pub(crate) type EachLine<'a> = dyn FnMut(json::Form, &[u8]) -> io::Result<()> + 'a;

/// A table without its row type.
pub(crate) trait ErasedTable: Any + Send + Sync {
    fn copy(&self) -> Arc<dyn ErasedTable>;
    /// The table as a catalog shows it; `None` for one that is kept as bytes.
    fn as_catalog(&self) -> Option<&dyn CatalogTable>;
    /// The recorded shapes of the rows of a table that is kept as bytes; `None` for one with a row type.
    fn kept_shapes(&self) -> Option<&Versions> {
        None
    }
    /// The table with the recorded shapes of its rows: a table that is kept as bytes carries them on, one
    /// with a row type holds its migrations to them.
    fn with_shapes(&self, shapes: &Versions) -> Arc<dyn ErasedTable>;
    /// Completes the shape of the row type by the rows that there are, where it is not known whole.
    fn learn(&self) {}
    fn last_change(&self, index: usize, span: &Span) -> u64;
    /// Builds the state from durable rows, in ascending order of their keys; to be settled.
    fn load(
        &self,
        rows: &mut RawRows<'_>,
        arriving: Arriving,
    ) -> Result<Arc<dyn ErasedTable>, RowError>;
    fn rows(&self) -> usize;
    fn each_key(&self, each: &mut dyn FnMut(&KeyBytes));
    /// Gives every row with its key, as bytes, in key order.
    fn export(&self, each: &mut EachRow<'_>) -> io::Result<()>;
    /// Gives every row with its stamps as a line of JSON, in key order.
    fn export_json(&self, each: &mut EachLine<'_>) -> io::Result<()>;
    /// The key and the bytes of a row that is given as JSON.
    fn import_json(&self, line: &json::Line<'_>) -> Result<(KeyBytes, Vec<u8>), String>;
    /// Applies a change that the journal has; the state is to be settled.
    fn replay(
        &mut self,
        key: &KeyBytes,
        row: Option<&[u8]>,
        arriving: Arriving,
    ) -> Result<(), RowError>;
    /// A key of a unique index that several rows have.
    fn conflict(&self) -> Option<Conflict>;
    /// The state with its indexes and every row under its own key when that could not be kept on the
    /// way; `None` when it was.
    fn settled(&self) -> Result<Option<Settled>, RowError>;
}

pub(crate) struct TableState<T: Table> {
    pub(crate) primary: Tree<Entry<T::Row>>,
    pub(crate) secondary: Vec<Tree<Entry<T::Row>>>,
    /// Keys of unique indexes that several rows have at the moment; empty in every published state.
    conflicts: Conflicts,
    pub(crate) defs: Arc<[IndexDef<T::Row>]>,
    pub(crate) shape: Arc<Shape>,
    /// The recorded shapes of its versions.
    recorded: Arc<RecordedShapes>,
    /// The index of the last commit that changed a row, deletes included.
    last_index: u64,
    /// What is to be settled. What is loaded and replayed may break on the way what holds in the end: a
    /// unique index that is newer than the rows, or a restore, whose rows come one after the other.
    open: Option<Box<Open>>,
}

/// What a table gathers while it is loaded and replayed.
///
/// Until it is settled, its rows lie under the keys that they have on disk: those are the keys which
/// the journal names. A migration may give a row the key that another one still has on disk.
#[derive(Clone, Default)]
struct Open {
    /// Whether a row has another key now than on disk.
    moved: bool,
    /// Keys of rows on disk that their migration dropped.
    dropped: BTreeSet<Box<[u8]>>,
    /// Rows on disk that were left out, by key.
    unreadable: LeftOut,
}

impl<T: Table> Clone for TableState<T> {
    fn clone(&self) -> Self {
        Self {
            primary: self.primary.clone(),
            secondary: self.secondary.clone(),
            conflicts: self.conflicts.clone(),
            defs: Arc::clone(&self.defs),
            shape: Arc::clone(&self.shape),
            recorded: Arc::clone(&self.recorded),
            last_index: self.last_index,
            open: self.open.clone(),
        }
    }
}

impl<T: Table> ErasedTable for TableState<T> {
    fn copy(&self) -> Arc<dyn ErasedTable> {
        Arc::new(self.clone())
    }

    fn as_catalog(&self) -> Option<&dyn CatalogTable> {
        Some(self)
    }

    fn with_shapes(&self, shapes: &Versions) -> Arc<dyn ErasedTable> {
        Arc::new(Self { recorded: Arc::new(self.recorded.with(shapes)), ..self.clone() })
    }

    fn learn(&self) {
        // One pass of `Serialize` over each row: no more than its load, and only for a type that hides a part.
        for (_, entry) in self.primary.iter(&Span::all()) {
            if codec::learn::<T>(entry, &self.shape) {
                break;
            }
        }
    }

    fn last_change(&self, index: usize, span: &Span) -> u64 {
        match index.checked_sub(1) {
            None => self.primary.last_change(span),
            Some(index) => self.secondary[index].last_change(span),
        }
    }

    fn load(
        &self,
        rows: &mut RawRows<'_>,
        arriving: Arriving,
    ) -> Result<Arc<dyn ErasedTable>, RowError> {
        let loaded = load::rows::<T>(rows, &self.defs, &self.recorded, arriving)?;
        let last_index = arriving.last_index;
        let secondary = load::indexes::<T>(&self.defs, loaded.secondary, last_index);
        let open = Open {
            moved: loaded.moved,
            dropped: loaded.dropped.iter().map(|key| key.as_slice().into()).collect(),
            unreadable: loaded
                .unreadable
                .into_iter()
                .map(|(key, record, reason)| (key.as_slice().into(), (record.into(), reason)))
                .collect(),
        };
        let settled = secondary.is_ok() && open.is_empty();
        Ok(Arc::new(Self {
            primary: Tree::from_sorted(loaded.primary, last_index),
            open: (!settled).then(|| Box::new(open)),
            secondary: secondary.unwrap_or_else(|_| no_indexes(&self.defs)),
            conflicts: Conflicts::default(),
            defs: Arc::clone(&self.defs),
            shape: Arc::clone(&self.shape),
            recorded: Arc::clone(&self.recorded),
            last_index,
        }))
    }

    fn rows(&self) -> usize {
        self.primary.len()
    }

    fn each_key(&self, each: &mut dyn FnMut(&KeyBytes)) {
        self.primary.iter(&Span::all()).for_each(|(key, _)| each(key));
    }

    fn export(&self, each: &mut EachRow<'_>) -> io::Result<()> {
        for (key, entry) in self.primary.iter(&Span::all()) {
            let key = key.as_slice();
            let bytes = codec::encode::<T>(entry, key, &self.shape).map_err(io::Error::other)?;
            each(key, &bytes)?;
        }
        Ok(())
    }

    fn export_json(&self, each: &mut EachLine<'_>) -> io::Result<()> {
        for (key, entry) in self.primary.iter(&Span::all()) {
            let (form, line) = json::line::<T>(key, entry, &self.shape)?;
            each(form, &line)?;
        }
        Ok(())
    }

    fn import_json(&self, line: &json::Line<'_>) -> Result<(KeyBytes, Vec<u8>), String> {
        let entry = line.entry::<T>()?;
        let key = KeyBuf::of::<T::Key>(T::key(&entry)).finish();
        let bytes = self.encode(&entry, &key)?;
        WriteError::check_primary::<T>(&key).map_err(|error| error.to_string())?;
        Ok((key, bytes))
    }

    fn replay(
        &mut self,
        key: &KeyBytes,
        row: Option<&[u8]>,
        arriving: Arriving,
    ) -> Result<(), RowError> {
        let index = arriving.last_index;
        if let Some(open) = &mut self.open {
            open.dropped.remove(key.as_slice());
            open.unreadable.remove(key.as_slice());
        }
        let Some(row) = row else {
            self.take(key.clone(), index, |_, _| ());
            return Ok(());
        };
        match load::row::<T>(key, row, &self.recorded, arriving.stamped_max) {
            Ok(Arrived::Row { entry, moved: false })
                if self.open.is_none()
                    // Deferred as it was when it was committed: rows may have swapped unique keys.
                    && self
                        .put(key.clone(), &entry, index, Unique::AtCommit, |_, _| ())
                        .is_ok() =>
            {
                return Ok(());
            }
            Ok(Arrived::Row { entry, moved }) => {
                self.open.get_or_insert_default().moved |= moved;
                self.primary.insert(key.clone(), entry, index);
            }
            Ok(Arrived::Dropped) => {
                self.primary.remove(key.as_slice(), index);
                self.open.get_or_insert_default().dropped.insert(key.as_slice().into());
            }
            Err(reason) if arriving.salvage && reason.is_of_the_row() => {
                // An earlier version of the row would stand for one that was replaced.
                self.primary.remove(key.as_slice(), index);
                let unreadable = &mut self.open.get_or_insert_default().unreadable;
                unreadable.insert(key.as_slice().into(), (row.into(), reason));
            }
            Err(reason) => return Err(reason),
        }
        self.last_index = index;
        Ok(())
    }

    fn conflict(&self) -> Option<Conflict> {
        let (at, key) = self.conflicts.first()?;
        let def = self.defs.get(at)?;
        Some(Conflict {
            table: T::NAME,
            index: def.name,
            key: (def.describe)(key.as_slice()),
            fields: def.fields,
        })
    }

    fn settled(&self) -> Result<Option<Settled>, RowError> {
        if self.open.is_none() && self.conflicts.is_empty() {
            return Ok(None);
        }
        let nothing_open = Box::default();
        let open = self.open.as_ref().unwrap_or(&nothing_open);
        let mut changes: KeyedChanges = open
            .dropped
            .iter()
            .chain(open.unreadable.keys())
            .map(|key| (KeyBytes::from_slice(key), None))
            .collect();
        let primary = if open.moved { self.moved(&mut changes)? } else { self.primary.clone() };
        let entries = self.defs.iter().map(|def| {
            let keys = primary.iter(&Span::all()).flat_map(|(key, entry)| {
                let keys = def.tree_keys(entry, key.as_slice()).into_iter();
                keys.map(|key| (key, entry.clone()))
            });
            keys.collect()
        });
        let secondary = load::indexes::<T>(&self.defs, entries.collect(), self.last_index)?;
        let table = Self {
            primary,
            secondary,
            defs: Arc::clone(&self.defs),
            shape: Arc::clone(&self.shape),
            recorded: Arc::clone(&self.recorded),
            last_index: self.last_index,
            conflicts: Conflicts::default(),
            open: None,
        };
        let unreadable = UnreadableRow::all(T::NAME, &open.unreadable);
        Ok(Some(Settled { table: Arc::new(table), changes, unreadable }))
    }
}

impl Open {
    fn is_empty(&self) -> bool {
        !self.moved && self.dropped.is_empty() && self.unreadable.is_empty()
    }
}

impl<T: Table> TableState<T> {
    /// The stored form of a row under its key.
    ///
    /// # Errors
    /// Why it can't be stored.
    pub(crate) fn encode(&self, entry: &Entry<T::Row>, key: &KeyBytes) -> Result<Vec<u8>, String> {
        let bytes = codec::encode::<T>(entry, key.as_slice(), &self.shape)?;
        // After the row: it may be the first one that shows a part of its type which is recorded otherwise.
        let Some(recorded) = self.recorded.get(T::VERSION) else { return Ok(bytes) };
        recorded.check_own(&self.shape).map_err(|differing| {
            format!(
                "the type of its table has another shape than the recorded one: {}; give the type a new \
                 version and a migration (recorded {}, now {})",
                differing.difference, differing.was, differing.is
            )
        })?;
        Ok(bytes)
    }

    pub(crate) fn empty(shape: Arc<Shape>, indexes: IndexSet<T>) -> Self {
        let defs: Arc<[_]> = indexes.defs.into();
        Self {
            primary: Tree::new(0),
            secondary: no_indexes(&defs),
            conflicts: Conflicts::default(),
            defs,
            shape,
            recorded: Arc::default(),
            last_index: 0,
            open: None,
        }
    }

    /// The rows by their own keys, and what that changes on disk: deletes of the keys that they had,
    /// then puts.
    fn moved(&self, changes: &mut KeyedChanges) -> Result<Tree<Entry<T::Row>>, RowError> {
        let mut rows: Vec<(KeyBytes, &KeyBytes, &Entry<T::Row>)> =
            Vec::with_capacity(self.primary.len());
        for (old, entry) in self.primary.iter(&Span::all()) {
            let key = KeyBuf::of::<T::Key>(T::key(entry)).finish();
            let len = key.as_slice().len();
            if len > KEY_LEN_MAX {
                let old = old.as_slice().into();
                return Err(RowError::KeyTooLong { table: T::NAME, key: old, len });
            }
            rows.push((key, old, entry));
        }
        rows.sort_by(|a, b| a.0.as_slice().cmp(b.0.as_slice()));
        if let Some([first, second]) = rows.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(RowError::SameKey {
                table: T::NAME,
                first: first.1.as_slice().into(),
                second: second.1.as_slice().into(),
                key: first.0.as_slice().into(),
            });
        }
        let moved = || rows.iter().filter(|(key, old, _)| key != *old);
        changes.extend(moved().map(|(_, old, _)| ((*old).clone(), None)));
        for (new, old, entry) in moved() {
            let key = old.as_slice().into();
            let unstorable = |reason: String| RowError::Unstorable { table: T::NAME, key, reason };
            let row = codec::encode::<T>(entry, new.as_slice(), &self.shape).map_err(unstorable)?;
            changes.push((new.clone(), Some(row)));
        }
        let entries: Entries<T::Row> =
            rows.into_iter().map(|(key, _, entry)| (key, entry.clone())).collect();
        Ok(Tree::from_sorted(entries, self.last_index))
    }

    /// The position of a secondary index in `secondary`.
    pub(crate) fn index_position(&self, name: &str) -> usize {
        self.defs
            .iter()
            .position(|def| def.name == name)
            .unwrap_or_else(|| panic!("{:?} declares no index {name:?}", T::NAME))
    }

    /// Puts a row in place of the one with its primary key, and returns that one. On an error nothing
    /// has changed.
    pub(crate) fn put(
        &mut self,
        key: KeyBytes,
        entry: &Entry<T::Row>,
        index: u64,
        unique: Unique,
        mut touch: impl FnMut(usize, KeyBytes),
    ) -> Result<Option<Entry<T::Row>>, WriteError> {
        WriteError::check_primary::<T>(&key)?;
        let new_keys: Vec<Vec<KeyBytes>> =
            self.defs.iter().map(|def| def.tree_keys(entry, key.as_slice())).collect();
        for ((def, tree), keys) in self.defs.iter().zip(&self.secondary).zip(&new_keys) {
            for new in keys {
                WriteError::check_secondary::<T>(def, new, &key)?;
                let taken = def.unique
                    && unique == Unique::AtOnce
                    && holder::<T>(tree, new).is_some_and(|holder| holder != key);
                if taken {
                    return Err(WriteError::NotUnique {
                        table: T::NAME,
                        index: def.name,
                        key: def.printed(new, &key),
                        fields: def.fields,
                    });
                }
            }
        }
        let old = self.primary.insert(key.clone(), entry.clone(), index);
        self.last_index = index;
        let defs = Arc::clone(&self.defs);
        for (at, (def, new)) in defs.iter().zip(new_keys).enumerate() {
            if let Some(old) = &old {
                for gone in def.tree_keys(old, key.as_slice()) {
                    if !new.contains(&gone) && self.release(at, &gone, &key, index) {
                        touch(at + 1, gone);
                    }
                }
            }
            for new in new {
                if def.unique
                    && unique == Unique::AtCommit
                    && let Some(holder) = holder::<T>(&self.secondary[at], &new)
                    && holder != key
                {
                    self.conflicts.claim(at, &new, holder, key.clone());
                }
                self.secondary[at].insert(new.clone(), entry.clone(), index);
                touch(at + 1, new);
            }
        }
        touch(0, key);
        Ok(old)
    }

    /// Takes a row out; `None` when there was none.
    pub(crate) fn take(
        &mut self,
        key: KeyBytes,
        index: u64,
        mut touch: impl FnMut(usize, KeyBytes),
    ) -> Option<Entry<T::Row>> {
        let old = self.primary.remove(key.as_slice(), index)?;
        self.last_index = index;
        let defs = Arc::clone(&self.defs);
        for (at, def) in defs.iter().enumerate() {
            for gone in def.tree_keys(&old, key.as_slice()) {
                if self.release(at, &gone, &key, index) {
                    touch(at + 1, gone);
                }
            }
        }
        touch(0, key);
        Some(old)
    }

    /// Takes a key out of the index `at` for the row with the primary key `primary`; whether the index
    /// changed.
    fn release(&mut self, at: usize, gone: &KeyBytes, primary: &KeyBytes, index: u64) -> bool {
        let tree = &mut self.secondary[at];
        // While several rows claim a key, one of the others becomes its holder.
        if let Some(other) = self.conflicts.release(at, gone, primary) {
            if holder::<T>(tree, gone).as_ref() == Some(primary)
                && let Some(entry) = self.primary.get(other.as_slice())
            {
                tree.insert(gone.clone(), entry.clone(), index);
                return true;
            }
            return false;
        }
        tree.remove(gone.as_slice(), index).is_some()
    }

    /// Checks the lengths of the keys of a row.
    pub(crate) fn check_keys(&self, key: &KeyBytes, row: &T::Row) -> Result<(), WriteError> {
        WriteError::check_primary::<T>(key)?;
        for def in self.defs.iter() {
            for own in def.tree_keys(row, key.as_slice()) {
                WriteError::check_secondary::<T>(def, &own, key)?;
            }
        }
        Ok(())
    }

    /// Replaces all rows and indexes, which belong together.
    pub(crate) fn replace(
        &mut self,
        primary: Tree<Entry<T::Row>>,
        secondary: Vec<Tree<Entry<T::Row>>>,
        index: u64,
    ) {
        self.primary = primary;
        self.secondary = secondary;
        self.last_index = index;
    }
}

/// The primary key of the row that holds a key of a unique index.
fn holder<T: Table>(tree: &Tree<Entry<T::Row>>, key: &KeyBytes) -> Option<KeyBytes> {
    tree.get(key.as_slice()).map(|row| KeyBuf::of::<T::Key>(T::key(row)).finish())
}

fn no_indexes<R>(defs: &[IndexDef<R>]) -> Vec<Tree<Entry<R>>> {
    defs.iter().map(|_| Tree::new(0)).collect()
}

/// Ends the loading and replaying of a table: its rows lie under their own keys and it has its
/// indexes. Returns what that changes on disk, and the rows that were left out.
pub(crate) fn settle(
    table: &mut Arc<dyn ErasedTable>,
) -> Result<(KeyedChanges, Vec<UnreadableRow>), RowError> {
    let Some(settled) = table.settled()? else { return Ok(Default::default()) };
    *table = settled.table;
    Ok((settled.changes, settled.unreadable))
}
