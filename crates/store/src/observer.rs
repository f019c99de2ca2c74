//! Notifications of a store's work, for metrics.
//!
//! There is no global state: an observer belongs to the store whose [`crate::Options`] set it. A store without
//! one pays for a comparison.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::CommitError;

/// Receives notifications of a store's work. Every method does nothing by default.
///
/// The threads that do the work call these methods, some of them while other threads wait: an implementation
/// should count and return. It MUST NOT panic or call the store.
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
    /// Returns the current time as a duration since any fixed moment, by a clock of the observer's choice.
    /// Reported durations are differences of two such times, so they are zero without a clock, which is the
    /// default.
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    /// Called when a transaction is durable.
    fn committed(&self, commit: &Committed) {
        let _ = commit;
    }

    /// Called when a batch of transactions is in the journal.
    fn batch_written(&self, batch: &Batch) {
        let _ = batch;
    }

    /// Called when a checkpoint has applied the journal to the rows on disk.
    fn checkpointed(&self, checkpoint: &Checkpointed) {
        let _ = checkpoint;
    }

    /// Called when the number of parked readers changes to `parked`. Calls from several threads may come in
    /// another order than the changes.
    fn parked(&self, parked: usize) {
        let _ = parked;
    }

    /// Called when a commit woke `readers` parked readers, at least one.
    fn woken(&self, readers: usize) {
        let _ = readers;
    }

    /// Called when a woken blocking query ran again; `useful` if that ended it. Only the forms that wait
    /// themselves report it, not [`crate::Store::try_blocking`].
    fn ran_again(&self, useful: bool) {
        let _ = useful;
    }

    /// Called when a durable write failed. The store rejects writes until [`crate::Store::reopen`]. The failed
    /// write calls it, and so does every later write that finds the store poisoned.
    fn poisoned(&self, error: &CommitError) {
        let _ = error;
    }

    /// Called when the store accepts writes again after a failure; `index` is its last commit.
    fn recovered(&self, index: u64) {
        let _ = index;
    }
}

/// A transaction that became durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// The index of the commit.
    pub index: u64,
    /// Number of rows that it wrote and deleted.
    pub changes: usize,
    /// Size of their keys and rows in bytes.
    pub bytes: u64,
    /// Time from enqueuing the commit to durable and visible.
    pub took: Duration,
}

/// A batch of transactions that shared one durable write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// The index of its last transaction.
    pub index: u64,
    /// Number of transactions in the batch: the length that the queue had reached.
    pub commits: usize,
    /// Length of its journal record in bytes.
    pub bytes: u64,
    /// Duration of the durable write, including the wait for a checkpoint that is behind.
    pub took: Duration,
}

/// A checkpoint that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpointed {
    /// The index up to which the rows on disk are current.
    pub index: u64,
    /// Number of rows that were written or deleted.
    pub rows: usize,
    /// Size of their keys and rows in bytes.
    pub bytes: u64,
    /// The oldest commit in the journal.
    pub oldest_change: u64,
    /// Size of the records in the journal in bytes: see [`crate::Store::history_bytes`].
    pub history_bytes: u64,
    /// Duration of the checkpoint, including the truncation of the journal.
    pub took: Duration,
}

/// The observer of a store, if any.
#[derive(Clone, Default)]
pub(crate) struct ObserverHandle(pub(crate) Option<Arc<dyn Observer>>);

impl ObserverHandle {
    /// Returns the observer's time; zero without one.
    pub(crate) fn now(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |observer| observer.now())
    }

    /// Returns the observer's time since `start`.
    pub(crate) fn since(&self, start: Duration) -> Duration {
        self.now().saturating_sub(start)
    }

    pub(crate) fn emit(&self, event: impl FnOnce(&dyn Observer)) {
        // A closure, so that a store without an observer does not even build the event.
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
