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

/// The single writer of a store. It sees its own writes; other readers see them after the commit.
///
/// Dropping it aborts the transaction: no write takes effect, and the next transaction gets its index. While it
/// lives, other writers wait and readers do not.
///
/// A failed write leaves the transaction as it was before the call.
///
/// Writes that take a row infer its table: [`WriteTxn::put`], [`WriteTxn::import`]. Writes by the primary key
/// are methods of [`Table::BY_KEY`] (see [`PrimaryKey`](crate::PrimaryKey)): `update`, `delete`, `delete_where`
/// and others. [`WriteTxn::upsert`] and [`WriteTxn::delete`] take the table as a type argument, for rows that
/// do not implement [`TableRow`](crate::TableRow).
///
/// # Panics
/// Methods panic if the table is not in the store's [`crate::Schema`]: a programming error that the first run
/// of the call reveals and that no input can cause.
pub struct WriteTxn<'s> {
    store: &'s Store,
    head: WriterGuard<'s>,
    pub(crate) root: Root,
    /// Whether the caller chose the index, in which case even an empty commit takes it.
    own_index: bool,
    pub(crate) changes: Vec<Change>,
    pub(crate) touched: Vec<TouchedKey>,
    /// Whether the transaction replaced all rows.
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

    /// Returns the index that the commit will have. It is the modify index of every row written by this
    /// transaction.
    pub fn index(&self) -> u64 {
        self.root.index
    }

    /// Replaces the row with the same primary key, or inserts the row if there is none. Returns the old row.
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

    /// Like [`WriteTxn::upsert`], but fails if the current row is not as expected (compare and set).
    ///
    /// # Errors
    /// Those of [`WriteTxn::upsert`], and [`WriteError::Unexpected`].
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
        // Encode before the first change: a row that cannot be stored must leave the transaction untouched.
        let bytes = stored::<T>(table, &key, &entry)?;
        let touched = &mut self.touched;
        let table = self.root.table_mut::<T>(slot);
        let old = table.put(key.clone(), &entry, index, self.unique, |at, key| {
            touched.push(TouchedKey { tree: TreeId { table: slot, index: at }, key });
        })?;
        self.note(Change { table: slot, key, row: Some(bytes) });
        Ok(old)
    }

    /// Deletes the row with this primary key and returns it; `None` if there is no such row.
    ///
    /// # Errors
    /// None today; the result type leaves room for constraints.
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
        // Writing to a table copies its roots, which a delete of a missing row must not cost.
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

    /// Returns all primary keys of a table.
    pub(crate) fn keys_of(&self, slot: usize) -> Vec<KeyBytes> {
        let mut keys = Vec::new();
        self.root.tables[slot].each_key(&mut |key| keys.push(key.clone()));
        keys
    }

    /// Returns the recorded shapes of a table that is kept as bytes.
    pub(crate) fn kept_shapes(&self, slot: usize) -> Option<Versions> {
        self.root.tables[slot].kept_shapes().cloned()
    }

    /// Replaces all tables. The caller MUST pass the changes that this requires on disk.
    pub(crate) fn replace_all(&mut self, tables: Vec<Arc<dyn ErasedTable>>, changes: Vec<Change>) {
        self.root.tables = tables.into();
        self.root.changes += changes.len() as u64;
        self.changes = changes;
        // Every key may have changed, so every reader must look again.
        self.all = true;
    }

    /// Returns a snapshot of the transaction's current state, its writes included. Later writes do not change
    /// the snapshot, so the caller can write while it iterates.
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

    /// Commits the transaction and returns its commit index.
    ///
    /// The writes become durable, then visible to new snapshots, then wake the readers they affect. Blocks
    /// until the batch that contains this transaction is on disk; concurrent commits share one batch. Under
    /// [`crate::Durability::Relaxed`] it blocks only until the writes are visible.
    ///
    /// A transaction without writes is not recorded: it returns the store's last index, unless the caller chose
    /// an index with [`Store::begin_write_at`].
    ///
    /// # Errors
    /// [`CommitError::Storage`] if the durable write failed. The store is then poisoned: it rejects writes
    /// until [`Store::reopen`]. [`CommitError::NotUnique`], only after [`WriteTxn::defer_unique`], if several
    /// rows claim a unique key; no write took effect.
    pub fn commit(self) -> Result<u64, CommitError> {
        self.commit_snapshot().map(|snapshot| snapshot.index())
    }

    /// Like [`WriteTxn::commit`], but returns a snapshot as of this commit, without later ones: for replies
    /// that show the rows just written.
    ///
    /// # Errors
    /// Those of [`WriteTxn::commit`].
    pub fn commit_snapshot(self) -> Result<Snapshot, CommitError> {
        let store = self.store;
        let (snapshot, turn) = self.enqueue()?;
        store.acknowledge(turn)?;
        Ok(snapshot)
    }

    /// Like [`WriteTxn::commit_snapshot`], but returns a future instead of blocking the thread.
    ///
    /// The transaction is queued before this function returns, so the next writer may begin at once. The future
    /// completes once the commit is durable and visible. Dropping the future does **not** cancel the commit:
    /// the transaction becomes durable, or the store is poisoned.
    ///
    /// The call itself blocks only under [`crate::Durability::Relaxed`] while more than
    /// [`crate::UNFLUSHED_MAX`] bytes wait for the disk.
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
        CommitFuture(self.enqueue().and_then(|(snapshot, turn)| {
            let ticket = store.acknowledge_async(turn)?;
            Ok((snapshot, ticket))
        }))
    }

    /// Enqueues the transaction for group commit and returns a snapshot of its result.
    fn enqueue(self) -> Result<(Snapshot, Turn), CommitError> {
        let Self { store, head, mut root, own_index, changes, touched, all, unique: _ } = self;
        if let Some(conflict) = conflict(&root) {
            return Err(conflict.into());
        }
        if changes.is_empty() && !own_index {
            // The state that this transaction read may not be durable yet. Its caller must not act on it before
            // it is, so the turn waits for the newest queued commit.
            root.index = head.root().index;
            let turn = store.turn(root.index);
            return Ok((Snapshot(Arc::new(root)), turn));
        }
        let root = Arc::new(root);
        let snapshot = Snapshot(Arc::clone(&root));
        // One wake-up for all readers is cheaper than a list of every key of the store.
        let wakes = if all { Wakes::AllReaders } else { Wakes::ReadersOf(touched) };
        let turn = store.enqueue(head, root, changes, wakes)?;
        Ok((snapshot, turn))
    }
}

/// Returns the stored form of a row.
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
