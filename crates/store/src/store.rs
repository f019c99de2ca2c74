//! The store: what is published, who may write, and the way from one to the other.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::commit::{Head, Pending, Queue};
use crate::error::{BeginError, CommitError, OpenError};
use crate::rows::RowFile;
use crate::snapshot::{Snapshot, Tracked};
use crate::state::{Root, Schema};
use crate::txn::WriteTxn;
use crate::watch::Registry;

/// Readers that may wait in blocking queries at the same time, by default.
pub const PARKED_MAX_DEFAULT: usize = 100_000;

/// How a store is run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Readers that may wait in blocking queries at the same time; one more gets
    /// [`crate::WatchError::TooMany`]. Default: [`PARKED_MAX_DEFAULT`].
    pub parked_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { parked_max: PARKED_MAX_DEFAULT }
    }
}

impl Options {
    /// Sets [`Options::parked_max`].
    #[must_use]
    pub fn parked_max(mut self, parked_max: usize) -> Self {
        self.parked_max = parked_max;
        self
    }
}

/// An embedded state store.
///
/// All rows and indexes are in memory and every committed row is on disk too; reading is done on
/// snapshots that nothing can change. Share it between threads behind an [`Arc`] or a reference.
pub struct Store {
    published: ArcSwap<Root>,
    writer: Mutex<Head>,
    queue: Queue,
    registry: Arc<Registry>,
    /// `None` keeps nothing beyond the process.
    rows: Option<RowFile>,
}

impl Store {
    /// Opens the store in a data directory, which is created when it is absent.
    ///
    /// Cost: every row is read and every index is built.
    ///
    /// # Errors
    /// [`OpenError`]; nothing in the directory was changed, except that it may have been created.
    pub fn open(dir: impl AsRef<Path>, schema: &Schema) -> Result<Self, OpenError> {
        Self::open_with(dir, schema, &Options::default())
    }

    /// Opens the store in a data directory with options.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(
        dir: impl AsRef<Path>,
        schema: &Schema,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let (rows, root) = RowFile::open(dir.as_ref(), schema)?;
        Ok(Self::new(root, Some(rows), options))
    }

    /// A store that keeps nothing beyond the process: for tests and caches.
    pub fn in_memory(schema: &Schema) -> Self {
        let tables = schema.tables.iter().map(|def| Arc::clone(&def.empty)).collect();
        Self::new(Root::new(schema, 0, tables), None, &Options::default())
    }

    fn new(root: Root, rows: Option<RowFile>, options: &Options) -> Self {
        let root = Arc::new(root);
        Self {
            queue: Queue::new(root.index),
            writer: Mutex::new(Head::new(Arc::clone(&root))),
            published: ArcSwap::new(root),
            registry: Arc::new(Registry::new(options.parked_max)),
            rows,
        }
    }

    /// All tables as of the last commit. Cost: one atomic load and a reference count.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.published())
    }

    /// A snapshot that notes what is read through it.
    pub fn tracked(&self) -> Tracked {
        Tracked::new(self.published())
    }

    /// The index of the last commit; 0 for a store never written to.
    pub fn index(&self) -> u64 {
        self.published.load().index
    }

    /// The number of readers that wait in blocking queries.
    pub fn parked(&self) -> usize {
        self.registry.parked()
    }

    /// Begins the one write transaction; waits until the one before has been committed or dropped.
    ///
    /// # Errors
    /// [`BeginError::Poisoned`].
    pub fn begin_write(&self) -> Result<WriteTxn<'_>, BeginError> {
        self.begin(None)
    }

    /// Begins a write transaction with the caller's own index, that of a replicated log for one.
    ///
    /// # Errors
    /// [`BeginError::Poisoned`], or [`BeginError::IndexNotGreater`].
    pub fn begin_write_at(&self, index: u64) -> Result<WriteTxn<'_>, BeginError> {
        self.begin(Some(index))
    }

    fn begin(&self, given: Option<u64>) -> Result<WriteTxn<'_>, BeginError> {
        let head = self.writer.lock();
        if self.queue.failed() {
            return Err(BeginError::Poisoned);
        }
        let last = head.root().index;
        let index = match given {
            Some(given) if given <= last => {
                return Err(BeginError::IndexNotGreater { given, last });
            }
            Some(given) => given,
            None => last + 1,
        };
        Ok(WriteTxn::new(self, head, index, given.is_some()))
    }

    pub(crate) fn enqueue(&self, head: &mut Head, pending: Pending) {
        self.queue.push(head, pending);
    }

    /// Returns when everything up to `index` is durable and visible.
    pub(crate) fn flush(&self, index: u64) -> Result<u64, CommitError> {
        self.queue.flush(index, |batch| {
            if let Some(rows) = &self.rows {
                rows.write(batch)?;
            }
            if let Some(newest) = batch.last() {
                self.published.store(Arc::clone(&newest.root));
            }
            for pending in batch {
                self.registry.notify(&pending.touched);
            }
            Ok(())
        })
    }

    pub(crate) fn published(&self) -> Arc<Root> {
        self.published.load_full()
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("index", &self.index())
            .field("durable", &self.rows.is_some())
            .finish_non_exhaustive()
    }
}
