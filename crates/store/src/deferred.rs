//! Deferred uniqueness checks and savepoints of a write transaction.
//!
//! With deferred checks two rows may swap their unique keys: [`crate::conflicts`] tracks the keys that several
//! rows claim meanwhile.

use crate::conflicts::{Conflict, Unique};
use crate::error::WriteError;
use crate::root::Root;
use crate::txn::WriteTxn;

/// Returns the first conflict of a state, in table order.
pub(crate) fn conflict(root: &Root) -> Option<Conflict> {
    root.tables.iter().find_map(|table| table.conflict())
}

impl WriteTxn<'_> {
    /// Defers the checks of unique indexes from each write to the commit, so that rows can swap unique keys
    /// without being deleted and keep their create indexes.
    ///
    /// Until the commit, [`crate::ReadView::find`] returns the most recently written row of those that claim a
    /// key. If several rows still claim a key at the commit, it fails with [`crate::CommitError::NotUnique`]
    /// and none of the transaction's writes takes effect. [`WriteTxn::check_unique`] checks earlier.
    ///
    /// This is not the default, because an error of the write itself points at the offending write.
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use statehold_store::{ReadView, Store, Table};
    ///
    /// #[derive(Serialize, Deserialize, Table)]
    /// #[table(name = "volumes")]
    /// struct Volume {
    ///     #[table(key)]
    ///     id: u64,
    ///     #[table(unique)]
    ///     name: String,
    /// }
    ///
    /// let store = Store::in_memory(&Volume::schema());
    /// let mut txn = store.begin_write()?;
    /// txn.put(Volume { id: 1, name: "blue".into() })?;
    /// txn.put(Volume { id: 2, name: "green".into() })?;
    /// txn.commit()?;
    ///
    /// let mut txn = store.begin_write()?;
    /// txn.defer_unique();
    /// txn.put(Volume { id: 1, name: "green".into() })?;
    /// assert!(txn.check_unique().is_err());
    /// txn.put(Volume { id: 2, name: "blue".into() })?;
    /// txn.commit()?;
    /// let blue = store.snapshot().find(&Volume::BY_NAME, "blue").map(|volume| volume.id);
    /// assert_eq!(blue, Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn defer_unique(&mut self) {
        self.unique = Unique::AtCommit;
    }

    /// Checks the unique indexes now. Does not change the transaction.
    ///
    /// # Errors
    /// [`WriteError::NotUnique`] if several rows claim one key.
    pub fn check_unique(&self) -> Result<(), WriteError> {
        match conflict(&self.root) {
            None => Ok(()),
            Some(Conflict { table, index, key, fields }) => {
                Err(WriteError::NotUnique { table, index, key, fields })
            }
        }
    }

    /// Runs `work` as a nested part of the transaction. If `work` fails, its writes are rolled back and its
    /// error is returned. Parts may be nested.
    ///
    /// Cost: one pointer for each table, and a copy of the roots of the tables that `work` writes to.
    ///
    /// The error may be of any type; with a `From<WriteError>`, `?` works inside `work`.
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use statehold_store::{Store, Table, WriteError, WriteTxn};
    ///
    /// #[derive(Serialize, Deserialize, Table)]
    /// #[table(name = "volumes")]
    /// struct Volume {
    ///     #[table(key)]
    ///     id: u64,
    ///     size: u64,
    /// }
    ///
    /// #[derive(Debug)]
    /// enum CreateError {
    ///     OverQuota,
    ///     Write(WriteError),
    /// }
    ///
    /// impl From<WriteError> for CreateError {
    ///     fn from(error: WriteError) -> Self {
    ///         Self::Write(error)
    ///     }
    /// }
    ///
    /// /// Creates all volumes or none of them.
    /// fn create(txn: &mut WriteTxn<'_>, sizes: &[u64], quota: u64) -> Result<(), CreateError> {
    ///     txn.savepoint(|txn| {
    ///         let mut used = 0;
    ///         for (id, size) in (0..).zip(sizes) {
    ///             txn.put(Volume { id, size: *size })?;
    ///             used += size;
    ///             if used > quota {
    ///                 return Err(CreateError::OverQuota);
    ///             }
    ///         }
    ///         Ok(())
    ///     })
    /// }
    ///
    /// let store = Store::in_memory(&Volume::schema());
    /// let mut txn = store.begin_write()?;
    /// assert!(matches!(create(&mut txn, &[5, 6], 10), Err(CreateError::OverQuota)));
    /// assert_eq!(Volume::BY_KEY.count(&txn), 0, "the transaction goes on without them");
    /// assert!(create(&mut txn, &[5, 5], 10).is_ok());
    /// txn.commit()?;
    /// assert_eq!(Volume::BY_KEY.count(&store.snapshot()), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The error of `work`. Its writes are rolled back, as they are if it panics.
    pub fn savepoint<R, E>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<R, E>,
    ) -> Result<R, E> {
        let before = Before {
            root: self.root.clone(),
            changes: self.changes.len(),
            touched: self.touched.len(),
            all: self.all,
            unique: self.unique,
        };
        // A guard instead of a match on the result, so that a panic of `work` rolls back as well.
        let mut part = Part { txn: self, before: Some(before) };
        let result = work(part.txn);
        // An error or a panic leaves `before` in place, and the drop rolls back.
        if result.is_ok() {
            part.before = None;
        }
        result
    }
}

/// The state of a transaction before a nested part.
struct Before {
    root: Root,
    changes: usize,
    touched: usize,
    all: bool,
    unique: Unique,
}

/// A nested part of a transaction. Rolls its writes back on drop unless they were kept, also while a panic
/// unwinds that the caller may catch.
struct Part<'t, 's> {
    txn: &'t mut WriteTxn<'s>,
    /// `None` once the writes are kept.
    before: Option<Before>,
}

impl Drop for Part<'_, '_> {
    fn drop(&mut self) {
        let Some(before) = self.before.take() else { return };
        self.txn.root = before.root;
        self.txn.changes.truncate(before.changes);
        self.txn.touched.truncate(before.touched);
        self.txn.all = before.all;
        self.txn.unique = before.unique;
    }
}
