//! What a store tells about its work, for metrics.
//!
//! Nothing is global: an observer belongs to the store whose [`crate::Options`] name it, and a store
//! without one pays for a comparison with nothing.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::CommitError;

/// Is told what a store does. Every method does nothing unless it is implemented.
///
/// Methods are called by the threads that do the work, some of them while others wait for it: they
/// should count and return. They must neither panic nor call the store.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use statehold_store::{Batch, Observer, Options, Schema, Store, Table};
/// # #[derive(serde::Serialize, serde::Deserialize, Table)]
/// # #[table(name = "names")]
/// # struct Name { #[table(key)] name: String }
///
/// #[derive(Default)]
/// struct Bytes(AtomicU64);
///
/// impl Observer for Bytes {
///     fn batch_written(&self, batch: &Batch) {
///         self.0.fetch_add(batch.bytes, Ordering::Relaxed);
///     }
/// }
///
/// let bytes = Arc::new(Bytes::default());
/// let options = Options::default().observer(bytes.clone());
/// let store = Store::in_memory_with(&Name::schema(), &options);
/// let mut txn = store.begin_write()?;
/// txn.put(Name { name: "web".into() })?;
/// txn.commit()?;
/// assert!(bytes.0.load(Ordering::Relaxed) > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Observer: Send + Sync + 'static {
    /// The time on a clock of the observer's choice, since any moment. The durations that it is told
    /// are differences of two such times, so they are zero when it keeps no clock, as by default.
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    /// A transaction is durable.
    fn committed(&self, commit: &Committed) {
        let _ = commit;
    }

    /// A batch of transactions that finished together is in the journal.
    fn batch_written(&self, batch: &Batch) {
        let _ = batch;
    }

    /// The rows on disk have caught up with the journal.
    fn checkpointed(&self, checkpoint: &Checkpointed) {
        let _ = checkpoint;
    }

    /// The number of parked readers has become `parked`. Calls of several threads may come in
    /// another order than the changes.
    fn parked(&self, parked: usize) {
        let _ = parked;
    }

    /// A commit woke `readers` parked readers, at least one.
    fn woken(&self, readers: usize) {
        let _ = readers;
    }

    /// A blocking query ran again because it was woken; `useful` if that ended it. Only told by the
    /// forms that wait themselves, not by [`crate::Store::try_blocking`].
    fn ran_again(&self, useful: bool) {
        let _ = useful;
    }

    /// A durable write failed: the store takes no more of them until [`crate::Store::reopen`]. Called by the
    /// write that failed, and by those that find it so.
    fn poisoned(&self, error: &CommitError) {
        let _ = error;
    }

    /// The store takes writes again after a failed one; `index` is its last commit.
    fn recovered(&self, index: u64) {
        let _ = index;
    }
}

/// A transaction that has become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// Its index.
    pub index: u64,
    /// Rows that it wrote and deleted.
    pub changes: usize,
    /// Bytes of their keys and rows.
    pub bytes: u64,
    /// From being finished to being durable and visible.
    pub took: Duration,
}

/// A batch of transactions that shared one durable write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// The index of its last transaction.
    pub index: u64,
    /// Transactions in it: how long the queue had become.
    pub commits: usize,
    /// Bytes of its journal record.
    pub bytes: u64,
    /// The durable write, waiting for a checkpoint that is behind included.
    pub took: Duration,
}

/// A checkpoint that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpointed {
    /// The index that the rows on disk are as of.
    pub index: u64,
    /// Rows that were written or deleted.
    pub rows: usize,
    /// Bytes of their keys and rows.
    pub bytes: u64,
    /// The oldest commit that the journal still has.
    pub oldest_change: u64,
    /// Bytes of the records that the journal still has: see [`crate::Store::history_bytes`].
    pub history_bytes: u64,
    /// The checkpoint, cutting the journal included.
    pub took: Duration,
}

/// The observer of a store, or none.
#[derive(Clone, Default)]
pub(crate) struct ObserverHandle(pub(crate) Option<Arc<dyn Observer>>);

impl ObserverHandle {
    /// The observer's time; zero without one.
    pub(crate) fn now(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |observer| observer.now())
    }

    /// The observer's time since `start`.
    pub(crate) fn since(&self, start: Duration) -> Duration {
        self.now().saturating_sub(start)
    }

    pub(crate) fn emit(&self, event: impl FnOnce(&dyn Observer)) {
        if let Some(observer) = &self.0 {
            event(&**observer);
        }
    }
}

impl fmt::Debug for ObserverHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer" } else { "None" })
    }
}
