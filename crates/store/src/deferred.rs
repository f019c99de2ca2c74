//! Unique indexes whose keys are checked at the commit: two rows may swap their names on the way.
//!
//! Invariant: the tree of a unique index has one row for each key that any row claims. Of several
//! claimants it is the one that was written last; all of them are listed in [`Conflicts`] for as long
//! as they are more than one.

use crate::conflicts::{Conflict, Unique};
use crate::error::WriteError;
use crate::root::Root;
use crate::txn::WriteTxn;

/// The first conflict of a state, in the order of its tables.
pub(crate) fn conflict(root: &Root) -> Option<Conflict> {
    root.tables.iter().find_map(|table| table.conflict())
}

impl WriteTxn<'_> {
    /// From here on, checks unique indexes at the commit instead of at each write, so that rows can swap
    /// unique keys without being deleted: their create indexes stay.
    ///
    /// Until then [`crate::ReadView::find`] returns the row that was written last of those with a key. The
    /// commit returns [`CommitError::NotUnique`] when several rows still have it, and nothing of the
    /// transaction happens; [`WriteTxn::check_unique`] looks earlier.
    ///
    /// Not the default, because an error at the write names the write.
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

    /// Checks the unique indexes now. The transaction stays as it is.
    ///
    /// # Errors
    /// [`WriteError::NotUnique`] when several rows have one key.
    pub fn check_unique(&self) -> Result<(), WriteError> {
        match conflict(&self.root) {
            None => Ok(()),
            Some(Conflict { table, index, key, fields }) => {
                Err(WriteError::NotUnique { table, index, key, fields })
            }
        }
    }

    /// Runs `work` in a part of the transaction of its own: on an error, all of its writes are taken
    /// back and the error is returned. Parts may be nested.
    ///
    /// Cost: a pointer for each table, and a copy of the roots of those written to.
    ///
    /// The error is any type that the caller likes; one with a `From` of [`WriteError`] lets `?` work inside.
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
    /// That of `work`. Its writes are taken back, as they are when it panics.
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
        let mut part = Part { txn: self, before: Some(before) };
        let result = work(part.txn);
        if result.is_ok() {
            part.before = None;
        }
        result
    }
}

/// The state of a transaction before a part of it.
struct Before {
    root: Root,
    changes: usize,
    touched: usize,
    all: bool,
    unique: Unique,
}

/// A part of a transaction. Dropping it takes the part's writes back unless they were kept, also when a
/// panic unwinds that the caller catches.
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
