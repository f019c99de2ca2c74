//! Write transactions.

use std::fmt;
use std::sync::Arc;

use crate::change::Change;
use crate::commit::{CommitFuture, Turn, Wakes};
use crate::conflicts::Unique;
use crate::deferred::conflict;
use crate::erased_table::ErasedTable;
use crate::error::{CommitError, Expect, WriteError};
use crate::key::{KeyBuf, KeyBytes, PartOf};
use crate::root::{Root, TouchedKey, TreeId};
use crate::shape::Versions;
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::table::{Entry, Table};
use crate::table_state::TableState;
use crate::tree::OrdIndex;
use crate::view::{ReadView, sealed};
use crate::writer::WriterGuard;

/// The one writer of a store. It sees its own writes; nobody else does before the commit.
///
/// Dropping it aborts: nothing happened, and its index goes to the next transaction. While it
/// lives other writers wait, readers do not.
///
/// A write that fails leaves the transaction as it was before that call.
///
/// Writes that take a row infer its table: [`WriteTxn::put`], [`WriteTxn::import`]. Writes by the primary key are
/// methods of [`Table::BY_KEY`] (see [`PrimaryKey`](crate::PrimaryKey)): `update`, `delete`, `delete_where` and
/// others. [`WriteTxn::upsert`] and [`WriteTxn::delete`] name the table, for rows that do not tell it.
///
/// # Panics
/// Methods panic when the table is not in the store's [`crate::Schema`]: a mistake of the program, not of its
/// input, so the first run of the call shows it.
pub struct WriteTxn<'s> {
    store: &'s Store,
    head: WriterGuard<'s>,
    pub(crate) root: Root,
    /// Whether the caller chose the index, so that even an empty commit takes it.
    own_index: bool,
    pub(crate) changes: Vec<Change>,
    pub(crate) touched: Vec<TouchedKey>,
    /// Whether all rows were replaced.
    pub(crate) all: bool,
    pub(crate) unique: Unique,
}

impl<'s> WriteTxn<'s> {
    pub(crate) fn new(
        store: &'s Store,
        head: WriterGuard<'s>,
        index: u64,
        own_index: bool,
    ) -> Self {
        let mut root = head.root().clone();
        root.index = index;
        Self {
            store,
            head,
            root,
            own_index,
            changes: Vec::new(),
            touched: Vec::new(),
            all: false,
            unique: Unique::AtOnce,
        }
    }

    /// The index that the commit will have. Every row written here gets it as its modify index.
    pub fn index(&self) -> u64 {
        self.root.index
    }

    /// Puts a row in place of the one with its primary key, or adds it when there is none. Returns the
    /// old row.
    ///
    /// # Errors
    /// [`WriteError::NotUnique`], [`WriteError::KeyTooLong`] or [`WriteError::Unstorable`].
    ///
    /// ```
    /// # use statehold_store::{Store, Table};
    /// # #[derive(serde::Serialize, serde::Deserialize, Table)]
    /// # #[table(name = "sizes")]
    /// # struct Size { #[table(key)] name: String, bytes: u64 }
    /// # let store = Store::in_memory(&Size::schema());
    /// # let mut txn = store.begin_write()?;
    /// // `put` is the same for a row that names its table, as every derived one does.
    /// assert!(txn.put(Size { name: "web".into(), bytes: 1 })?.is_none());
    /// let old = txn.upsert::<Size>(Size { name: "web".into(), bytes: 2 })?;
    /// assert_eq!(old.map(|row| row.bytes), Some(1));
    /// assert_eq!(Size::BY_KEY.delete(&mut txn, "web")?.map(|row| row.bytes), Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn upsert<T: Table>(&mut self, row: T::Row) -> Result<Option<Entry<T::Row>>, WriteError> {
        self.write::<T>(row, None)
    }

    /// Like [`WriteTxn::upsert`], if the row is as expected: compare and set.
    ///
    /// # Errors
    /// As [`WriteTxn::upsert`], and [`WriteError::Unexpected`].
    pub fn upsert_if<T: Table>(
        &mut self,
        row: T::Row,
        expect: Expect,
    ) -> Result<Option<Entry<T::Row>>, WriteError> {
        self.write::<T>(row, Some(expect))
    }

    fn write<T: Table>(
        &mut self,
        row: T::Row,
        expect: Option<Expect>,
    ) -> Result<Option<Entry<T::Row>>, WriteError> {
        let index = self.root.index;
        let slot = self.root.slot::<T>();
        let key = KeyBuf::of::<T::Key>(T::key(&row)).finish();
        let old = self.root.table::<T>(slot).primary.get(key.as_slice());
        if let Some(expect) = expect {
            expect.check::<T>(&key, old.map(Entry::modify_index))?;
        }
        let entry = Entry::new(row, old.map_or(index, Entry::create_index), index);
        let table = self.root.table::<T>(slot);
        let bytes = stored::<T>(table, &key, &entry)?;
        let touched = &mut self.touched;
        let table = self.root.table_mut::<T>(slot);
        let old = table.put(key.clone(), &entry, index, self.unique, |at, key| {
            touched.push(TouchedKey { tree: TreeId { table: slot, index: at }, key });
        })?;
        self.note(Change { table: slot, key, row: Some(bytes) });
        Ok(old)
    }

    /// Deletes the row with this primary key and returns it; `None` when there was none.
    ///
    /// # Errors
    /// None today; the result leaves room for constraints.
    pub fn delete<T: Table>(
        &mut self,
        key: impl PartOf<T::Key>,
    ) -> Result<Option<Entry<T::Row>>, WriteError> {
        self.take::<T>(KeyBuf::of_part::<T::Key>(key), None)
    }

    pub(crate) fn take<T: Table>(
        &mut self,
        key: KeyBuf,
        expect: Option<Expect>,
    ) -> Result<Option<Entry<T::Row>>, WriteError> {
        let slot = self.root.slot::<T>();
        let key = key.finish();
        let old = self.root.table::<T>(slot).primary.get(key.as_slice());
        if let Some(expect) = expect {
            expect.check::<T>(&key, old.map(Entry::modify_index))?;
        }
        // A miss must not copy the table.
        if old.is_none() {
            return Ok(None);
        }
        Ok(self.remove::<T>(slot, key))
    }

    pub(crate) fn remove<T: Table>(&mut self, slot: usize, key: KeyBytes) -> Option<Entry<T::Row>> {
        let index = self.root.index;
        let touched = &mut self.touched;
        let old = self.root.table_mut::<T>(slot).take(key.clone(), index, |at, key| {
            touched.push(TouchedKey { tree: TreeId { table: slot, index: at }, key });
        });
        if old.is_some() {
            self.note(Change { table: slot, key, row: None });
        }
        old
    }

    pub(crate) fn note(&mut self, change: Change) {
        self.root.changes += 1;
        self.changes.push(change);
    }

    /// Every primary key of a table.
    pub(crate) fn keys_of(&self, slot: usize) -> Vec<KeyBytes> {
        let mut keys = Vec::new();
        self.root.tables[slot].each_key(&mut |key| keys.push(key.clone()));
        keys
    }

    /// The recorded shapes of a table that is kept as bytes.
    pub(crate) fn kept_shapes(&self, slot: usize) -> Option<Versions> {
        self.root.tables[slot].kept_shapes().cloned()
    }

    /// Puts tables in place of all that there are; the changes are what that means on disk.
    pub(crate) fn replace_all(&mut self, tables: Vec<Arc<dyn ErasedTable>>, changes: Vec<Change>) {
        self.root.tables = tables.into();
        self.root.changes += changes.len() as u64;
        self.changes = changes;
        self.all = true;
    }

    /// What the transaction sees right now, writes included, as a snapshot that later writes don't
    /// change: for reading while writing.
    ///
    /// ```
    /// # use statehold_store::{Order, Store, Table};
    /// # #[derive(serde::Serialize, serde::Deserialize, Table)]
    /// # #[table(name = "names")]
    /// # struct Name { #[table(key)] name: String }
    /// # let store = Store::in_memory(&Name::schema());
    /// let mut txn = store.begin_write()?;
    /// txn.put(Name { name: "a".into() })?;
    /// let (view, all) = (txn.freeze(), Name::BY_KEY.all());
    /// for row in Name::BY_KEY.scan(&view, &all, Order::Ascending) {
    ///     txn.put(Name { name: format!("{}-copy", row.name) })?;
    /// }
    /// assert_eq!(Name::BY_KEY.count(&txn), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn freeze(&self) -> Snapshot {
        Snapshot(Arc::new(self.root.clone()))
    }

    /// Makes the writes durable, then visible, then wakes who waits for them; the commit's index.
    ///
    /// Blocks until the writes are on disk, together with those of other threads that commit at
    /// the same time; under [`crate::Durability::Relaxed`] until they are visible. A transaction without a write is not written: it takes no index, unless the
    /// caller chose one, and gives the store's last index.
    ///
    /// # Errors
    /// [`CommitError::Storage`]: the store takes no more writes until it is opened again.
    /// [`CommitError::NotUnique`] after [`WriteTxn::defer_unique`] alone: nothing happened.
    pub fn commit(self) -> Result<u64, CommitError> {
        self.commit_snapshot().map(|snapshot| snapshot.index())
    }

    /// Does what [`WriteTxn::commit`] does and gives the state as of this commit, later ones not
    /// included: for replies that show what was just written.
    ///
    /// # Errors
    /// As [`WriteTxn::commit`].
    pub fn commit_snapshot(self) -> Result<Snapshot, CommitError> {
        let store = self.store;
        let (snapshot, turn) = self.finish()?;
        store.acknowledge(turn)?;
        Ok(snapshot)
    }

    /// Does what [`WriteTxn::commit_snapshot`] does without holding a thread while the disk works: for
    /// tasks of an async runtime.
    ///
    /// The transaction is finished and in its place when this returns, and the next one can begin; the
    /// future ends when it is durable and visible. Dropping the future takes nothing back: the
    /// transaction will be durable, or the store poisoned. It is neither lost nor half done.
    ///
    /// Only under [`crate::Durability::Relaxed`], with too much waiting for the disk, does the call
    /// itself wait.
    ///
    /// ```
    /// # use statehold_store::{Store, Table};
    /// # #[derive(serde::Serialize, serde::Deserialize, Table)]
    /// # #[table(name = "names")]
    /// # struct Name { #[table(key)] name: String }
    /// async fn add(store: &Store, name: &str) -> Result<u64, Box<dyn std::error::Error>> {
    ///     let commit = {
    ///         let mut txn = store.begin_write()?;
    ///         txn.put(Name { name: name.into() })?;
    ///         txn.commit_async()
    ///     };
    ///     let snapshot = commit.await?;
    ///     assert!(Name::BY_KEY.contains(&snapshot, name));
    ///     Ok(snapshot.index())
    /// }
    /// ```
    pub fn commit_async(self) -> CommitFuture {
        let store = self.store;
        CommitFuture(self.finish().and_then(|(snapshot, turn)| {
            let ticket = store.acknowledge_async(turn)?;
            Ok((snapshot, ticket))
        }))
    }

    /// Puts the transaction in its place among the others; the state as of it.
    fn finish(self) -> Result<(Snapshot, Turn), CommitError> {
        let Self { store, head, mut root, own_index, changes, touched, all, unique: _ } = self;
        if let Some(conflict) = conflict(&root) {
            return Err(conflict.into());
        }
        if changes.is_empty() && !own_index {
            // What this transaction read may not be durable yet: its caller waits for that.
            root.index = head.root().index;
            let turn = store.turn(root.index);
            return Ok((Snapshot(Arc::new(root)), turn));
        }
        let root = Arc::new(root);
        let snapshot = Snapshot(Arc::clone(&root));
        let touched = if all { Wakes::Everybody } else { Wakes::Readers(touched) };
        let turn = store.enqueue(head, root, changes, touched)?;
        Ok((snapshot, turn))
    }
}

/// The stored form of a row.
pub(crate) fn stored<T: Table>(
    table: &TableState<T>,
    key: &KeyBytes,
    entry: &Entry<T::Row>,
) -> Result<Vec<u8>, WriteError> {
    table.encode(entry, key).map_err(|reason| WriteError::unstorable::<T>(key, reason))
}

#[expect(private_interfaces, reason = "sealed")]
impl sealed::Reader for WriteTxn<'_> {
    fn root(&self) -> &Root {
        &self.root
    }
}

impl ReadView for WriteTxn<'_> {}

impl fmt::Debug for WriteTxn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteTxn")
            .field("index", &self.root.index)
            .field("changes", &self.changes.len())
            .finish_non_exhaustive()
    }
}
