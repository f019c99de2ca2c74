//! The state in memory: one typed table each, all of them under one root.
//!
//! A [`Root`] is immutable once published. A transaction clones it (a pointer a table) and copies
//! a table's roots the first time that it writes to it.

use std::any::{Any, TypeId};
use std::io;
use std::sync::Arc;

use crate::backup::json;
use crate::codec;
use crate::durable::record;
use crate::error::{RowError, SchemaError, WriteError};
use crate::key::{KeyBuf, KeyBytes};
use crate::load::{self, RawRows};
use crate::range::Span;
use crate::reclaim::Reclaim;
use crate::shape::Shape;
use crate::table::{Entry, IndexDef, IndexSet, Table};
use crate::tree::{OrdIndex, Tree};

/// The tables that a store holds.
///
/// ```
/// # use statehold_store::{Schema, Store, Table};
/// # struct Volumes;
/// # impl Table for Volumes {
/// #     const NAME: &'static str = "volumes";
/// #     const VERSION: u16 = 1;
/// #     type Key = String;
/// #     type Row = String;
/// #     fn key(row: &String) -> &str { row }
/// # }
/// let store = Store::in_memory(&Schema::new().table::<Volumes>());
/// ```
#[derive(Clone, Default)]
pub struct Schema {
    pub(crate) tables: Vec<TableDef>,
}

/// One table of a schema: its name and its state without rows.
#[derive(Clone)]
pub(crate) struct TableDef {
    pub(crate) name: &'static str,
    pub(crate) version: u16,
    pub(crate) shape: Arc<Shape>,
    row_table: TypeId,
    pub(crate) empty: Arc<dyn ErasedTable>,
}

impl Schema {
    /// A schema without tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a table.
    ///
    /// # Panics
    /// Where [`Schema::try_table`] returns an error: it is a mistake in the program.
    #[must_use]
    pub fn table<T: Table>(self) -> Self {
        self.try_table::<T>().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Adds a table, or returns the mistake in its declaration.
    ///
    /// The row type's `Deserialize` is run on dummy values to find which values it reads, once for each
    /// type in a process: microseconds for most types, some milliseconds for those that validate values.
    ///
    /// # Errors
    /// [`SchemaError`], for example for two tables of one name, or for an index that
    /// [`serves`](crate::Index::serves) a selector which its keys can't hold, or for rows that can never be read back.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use statehold_store::{Schema, Table};
    /// #[derive(Serialize, Deserialize)]
    /// struct Plugin {
    ///     id: String,
    ///     config: serde_json::Value,
    /// }
    /// # impl Table for Plugin {
    /// #     const NAME: &'static str = "plugins";
    /// #     const VERSION: u16 = 1;
    /// #     type Key = String;
    /// #     type Row = Self;
    /// #     fn key(row: &Self) -> &str { &row.id }
    /// # }
    /// let error = Schema::new().try_table::<Plugin>().unwrap_err();
    /// assert!(error.to_string().starts_with("table plugins: the field `config` can't be read back"));
    /// ```
    pub fn try_table<T: Table>(mut self) -> Result<Self, SchemaError> {
        let has = |def: &TableDef| def.name == T::NAME || def.row_table == TypeId::of::<T>();
        if self.tables.iter().any(has) {
            return Err(SchemaError::TableTwice { table: T::NAME });
        }
        let shape = Shape::of::<T::Row>().map_err(|unreadable| unreadable.of_table(T::NAME))?;
        self.tables.push(TableDef {
            name: T::NAME,
            version: T::VERSION,
            shape: Arc::clone(&shape),
            row_table: TypeId::of::<T>(),
            empty: Arc::new(TableState::<T>::empty(shape, IndexSet::of()?)),
        });
        Ok(self)
    }

    /// Returns the shape of each table's rows: names, order and kinds of all fields and variants.
    ///
    /// A directory records these for each table and version, and is not opened by a schema whose shape for the
    /// same version is another one.
    ///
    /// ```
    /// # use statehold_store::{Schema, Table};
    /// # struct Volumes;
    /// # impl Table for Volumes {
    /// #     const NAME: &'static str = "volumes";
    /// #     const VERSION: u16 = 1;
    /// #     type Key = String;
    /// #     type Row = (String, Option<u64>);
    /// #     fn key(row: &Self::Row) -> &str { &row.0 }
    /// # }
    /// let shapes: Vec<_> = Schema::new().table::<Volumes>().shapes().collect();
    /// assert_eq!(shapes[0].table, "volumes");
    /// assert_eq!(shapes[0].text, "1 (string, option<u64>)");
    /// ```
    pub fn shapes(&self) -> impl Iterator<Item = TableShape> + '_ {
        self.tables.iter().map(|def| TableShape {
            table: def.name,
            version: def.version,
            text: def.shape.text(),
        })
    }

    /// Adds the tables of another schema: one store for several domains.
    ///
    /// # Panics
    /// As [`Schema::table`].
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for def in other.tables {
            let has = |own: &TableDef| own.name == def.name || own.row_table == def.row_table;
            assert!(!self.tables.iter().any(has), "the schema has the table {:?} twice", def.name);
            self.tables.push(def);
        }
        self
    }
}

/// The shape of a table's rows, as [`Schema::shapes`] returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableShape {
    /// The table's name.
    pub table: &'static str,
    /// The version of its rows that has this shape.
    pub version: u16,
    /// The shape on one line, as directories record it. `?` is a part that the schema could not find out:
    /// every row with one is read back before it is stored.
    pub text: String,
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.tables.iter().map(|def| def.name)).finish()
    }
}

/// All tables as of one commit.
#[derive(Clone)]
pub(crate) struct Root {
    pub(crate) index: u64,
    pub(crate) tables: Box<[Arc<dyn ErasedTable>]>,
    types: Arc<[TypeId]>,
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
            .position(|known| *known == wanted)
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
    ) -> Result<Vec<Change>, RowError> {
        let mut changes = Vec::with_capacity(commit.changes.len());
        for change in &commit.changes {
            let slot = schema
                .tables
                .iter()
                .position(|def| def.name == change.table)
                .ok_or_else(|| RowError::UnknownTable { name: change.table.into() })?;
            let table = &mut self.tables[slot];
            if Arc::get_mut(table).is_none() {
                *table = table.copy();
            }
            let key = KeyBytes::from_slice(change.key);
            if let Some(table) = Arc::get_mut(table) {
                table.replay(&key, change.row, commit.index)?;
            }
            changes.push(Change { table: slot, key, row: change.row.map(<[u8]>::to_vec) });
        }
        Ok(changes)
    }

    /// Ends loading and replaying: from here on every table has its indexes.
    pub(crate) fn settle(&mut self) -> Result<(), RowError> {
        self.tables.iter_mut().try_for_each(settle)
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

/// Takes a row's key and bytes.
pub(crate) type EachRow<'e> = dyn FnMut(&[u8], &[u8]) -> io::Result<()> + 'e;

/// A table without its row type.
pub(crate) trait ErasedTable: Any + Send + Sync {
    fn copy(&self) -> Arc<dyn ErasedTable>;
    fn last_change(&self, index: usize, span: &Span) -> u64;
    /// Builds the state from durable rows, in ascending order of their keys, none of them stamped
    /// after `stamped_max`; to be settled.
    fn load(
        &self,
        rows: &mut RawRows<'_>,
        last_index: u64,
        stamped_max: u64,
    ) -> Result<Arc<dyn ErasedTable>, RowError>;
    fn rows(&self) -> usize;
    fn each_key(&self, each: &mut dyn FnMut(&KeyBytes));
    /// Gives every row with its key, as bytes, in key order.
    fn export(&self, each: &mut EachRow<'_>) -> io::Result<()>;
    /// Gives every row with its stamps as a line of JSON, in key order.
    fn export_json(&self, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>;
    /// The key and the bytes of a row that is given as JSON.
    fn import_json(&self, line: &json::Line<'_>) -> Result<(KeyBytes, Vec<u8>), String>;
    /// Applies a change that the journal has; the state is to be settled.
    fn replay(&mut self, key: &KeyBytes, row: Option<&[u8]>, index: u64) -> Result<(), RowError>;
    /// The state with its indexes when they could not be kept on the way; `None` when they were.
    fn settled(&self) -> Result<Option<Arc<dyn ErasedTable>>, RowError>;
}

pub(crate) struct TableState<T: Table> {
    pub(crate) primary: Tree<Entry<T::Row>>,
    pub(crate) secondary: Vec<Tree<Entry<T::Row>>>,
    pub(crate) defs: Arc<[IndexDef<T::Row>]>,
    pub(crate) shape: Arc<Shape>,
    /// The index of the last commit that changed a row, deletes included.
    last_index: u64,
    /// Whether the secondary indexes are to be built, from rows that are all there. What is loaded and
    /// replayed may break on the way what holds in the end: a unique index that is newer than the rows,
    /// or a restore, whose rows come one after the other.
    unsettled: bool,
}

impl<T: Table> Clone for TableState<T> {
    fn clone(&self) -> Self {
        Self {
            primary: self.primary.clone(),
            secondary: self.secondary.clone(),
            defs: Arc::clone(&self.defs),
            shape: Arc::clone(&self.shape),
            last_index: self.last_index,
            unsettled: self.unsettled,
        }
    }
}

impl<T: Table> ErasedTable for TableState<T> {
    fn copy(&self) -> Arc<dyn ErasedTable> {
        Arc::new(self.clone())
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
        last_index: u64,
        stamped_max: u64,
    ) -> Result<Arc<dyn ErasedTable>, RowError> {
        let loaded = load::rows::<T>(rows, &self.defs, stamped_max)?;
        let secondary = load::indexes(T::NAME, &self.defs, loaded.secondary, last_index);
        Ok(Arc::new(Self {
            primary: Tree::from_sorted(loaded.primary, last_index),
            unsettled: secondary.is_err(),
            secondary: secondary.unwrap_or_else(|_| no_indexes(&self.defs)),
            defs: Arc::clone(&self.defs),
            shape: Arc::clone(&self.shape),
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
            let bytes = codec::encode::<T>(entry, &self.shape).map_err(io::Error::other)?;
            each(key.as_slice(), &bytes)?;
        }
        Ok(())
    }

    fn export_json(&self, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        for (_, entry) in self.primary.iter(&Span::all()) {
            each(&json::line::<T>(entry)?)?;
        }
        Ok(())
    }

    fn import_json(&self, line: &json::Line<'_>) -> Result<(KeyBytes, Vec<u8>), String> {
        let entry = line.entry::<T>()?;
        let bytes = codec::encode::<T>(&entry, &self.shape)?;
        let key = KeyBuf::of::<T::Key>(T::key(&entry)).finish();
        WriteError::check_len::<T>(None, &key).map_err(|error| error.to_string())?;
        Ok((key, bytes))
    }

    fn replay(&mut self, key: &KeyBytes, row: Option<&[u8]>, index: u64) -> Result<(), RowError> {
        let Some(row) = row else {
            self.take(key.clone(), index, |_, _| ());
            return Ok(());
        };
        let entry = load::row::<T>(key, row, index)?;
        if self.unsettled || self.put(key.clone(), &entry, index, |_, _| ()).is_err() {
            self.unsettled = true;
            self.primary.insert(key.clone(), entry, index);
            self.last_index = index;
        }
        Ok(())
    }

    fn settled(&self) -> Result<Option<Arc<dyn ErasedTable>>, RowError> {
        if !self.unsettled {
            return Ok(None);
        }
        let rows = || self.primary.iter(&Span::all());
        let entries = self.defs.iter().map(|def| {
            let keys = rows().flat_map(|(key, entry)| {
                let keys = def.tree_keys(entry, key.as_slice()).into_iter();
                keys.map(|key| (key, entry.clone()))
            });
            keys.collect()
        });
        let secondary = load::indexes(T::NAME, &self.defs, entries.collect(), self.last_index)?;
        Ok(Some(Arc::new(Self { secondary, unsettled: false, ..self.clone() })))
    }
}

impl<T: Table> TableState<T> {
    fn empty(shape: Arc<Shape>, indexes: IndexSet<T>) -> Self {
        let defs: Arc<[_]> = indexes.defs.into();
        Self {
            primary: Tree::new(0),
            secondary: no_indexes(&defs),
            defs,
            shape,
            last_index: 0,
            unsettled: false,
        }
    }

    /// The position of a secondary index in `secondary`.
    pub(crate) fn index_position(&self, name: &str) -> usize {
        self.defs
            .iter()
            .position(|def| def.name == name)
            .unwrap_or_else(|| panic!("{:?} declares no index {name:?}", T::NAME))
    }

    /// Puts a row in place of the one with its primary key. On an error nothing has changed.
    pub(crate) fn put(
        &mut self,
        key: KeyBytes,
        entry: &Entry<T::Row>,
        index: u64,
        mut touch: impl FnMut(usize, KeyBytes),
    ) -> Result<(), WriteError> {
        WriteError::check_len::<T>(None, &key)?;
        let new_keys: Vec<Vec<KeyBytes>> =
            self.defs.iter().map(|def| def.tree_keys(entry, key.as_slice())).collect();
        for ((def, tree), keys) in self.defs.iter().zip(&self.secondary).zip(&new_keys) {
            for new in keys {
                WriteError::check_len::<T>(Some(def.name), new)?;
                let taken = def.unique
                    && tree.get(new.as_slice()).is_some_and(|holder| {
                        KeyBuf::of::<T::Key>(T::key(holder)).as_slice() != key.as_slice()
                    });
                if taken {
                    return Err(WriteError::NotUnique { table: T::NAME, index: def.name });
                }
            }
        }
        let old = self.primary.insert(key.clone(), entry.clone(), index);
        self.last_index = index;
        for (at, (def, new)) in self.defs.iter().zip(new_keys).enumerate() {
            let tree = &mut self.secondary[at];
            if let Some(old) = &old {
                for gone in def.tree_keys(old, key.as_slice()) {
                    if !new.contains(&gone) && tree.remove(gone.as_slice(), index).is_some() {
                        touch(at + 1, gone);
                    }
                }
            }
            for key in new {
                tree.insert(key.clone(), entry.clone(), index);
                touch(at + 1, key);
            }
        }
        touch(0, key);
        Ok(())
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
        for (at, def) in self.defs.iter().enumerate() {
            for gone in def.tree_keys(&old, key.as_slice()) {
                if self.secondary[at].remove(gone.as_slice(), index).is_some() {
                    touch(at + 1, gone);
                }
            }
        }
        touch(0, key);
        Some(old)
    }
}

fn no_indexes<R>(defs: &[IndexDef<R>]) -> Vec<Tree<Entry<R>>> {
    defs.iter().map(|_| Tree::new(0)).collect()
}

/// Sees to it that a table which was loaded or replayed has its indexes.
pub(crate) fn settle(table: &mut Arc<dyn ErasedTable>) -> Result<(), RowError> {
    if let Some(settled) = table.settled()? {
        *table = settled;
    }
    Ok(())
}
