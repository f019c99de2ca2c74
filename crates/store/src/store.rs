//! The store: what is published, who may write, and the way from one to the other.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::commit::{Head, Pending, Queue, Wakes};
use crate::durable::{self, Durable, Files, Journal, MemoryJournal};
use crate::error::{BeginError, CommitError, OpenError};
use crate::snapshot::{Snapshot, Tracked};
use crate::state::{Root, Schema};
use crate::txn::WriteTxn;
use crate::watch::Registry;

/// Readers that may wait in blocking queries at the same time, by default.
pub const PARKED_MAX_DEFAULT: usize = 100_000;

/// Commits that the journal keeps for the change feed, by default.
pub const HISTORY_DEFAULT: u64 = 10_000;

/// How a store is run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Commits that the journal keeps for [`Store::changes_since`], at least; it has more while they
    /// wait for a checkpoint. Default: [`HISTORY_DEFAULT`].
    pub history: u64,
    /// Readers that may wait in blocking queries at the same time; one more gets
    /// [`crate::WatchError::TooMany`]. Default: [`PARKED_MAX_DEFAULT`].
    pub parked_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { history: HISTORY_DEFAULT, parked_max: PARKED_MAX_DEFAULT }
    }
}

impl Options {
    /// Sets [`Options::history`].
    #[must_use]
    pub fn history(mut self, history: u64) -> Self {
        self.history = history;
        self
    }

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
    schema: Schema,
    published: ArcSwap<Root>,
    writer: Mutex<Head>,
    queue: Queue,
    registry: Arc<Registry>,
    storage: Storage,
}

/// Where commits are recorded.
enum Storage {
    Files(Durable),
    /// Nothing is kept beyond the process.
    Memory {
        journal: MemoryJournal,
        names: Vec<&'static str>,
    },
}

impl Store {
    /// Opens the store in a data directory, which is created when it is absent.
    ///
    /// Cost: every row is read and every index is built.
    ///
    /// # Errors
    /// [`OpenError`].
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
        Self::open_files(Files::in_dir(dir.as_ref())?, schema, options)
    }

    pub(crate) fn open_files(
        files: Files,
        schema: &Schema,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let (durable, root) = Durable::open(files, schema, options.history)?;
        Ok(Self::new(schema, root, Storage::Files(durable), options))
    }

    /// A store that keeps nothing beyond the process: for tests and caches.
    pub fn in_memory(schema: &Schema) -> Self {
        let tables = schema.tables.iter().map(|def| Arc::clone(&def.empty)).collect();
        let options = Options::default();
        let storage = Storage::Memory {
            journal: MemoryJournal::new(options.history),
            names: schema.tables.iter().map(|def| def.name).collect(),
        };
        Self::new(schema, Root::new(schema, 0, tables), storage, &options)
    }

    fn new(schema: &Schema, root: Root, storage: Storage, options: &Options) -> Self {
        let root = Arc::new(root);
        Self {
            schema: schema.clone(),
            queue: Queue::new(root.index),
            writer: Mutex::new(Head::new(Arc::clone(&root))),
            published: ArcSwap::new(root),
            registry: Arc::new(Registry::new(options.parked_max)),
            storage,
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
            None => last.checked_add(1).ok_or(BeginError::NoIndexLeft)?,
        };
        Ok(WriteTxn::new(self, head, index, given.is_some()))
    }

    pub(crate) fn enqueue(&self, head: &mut Head, pending: Pending) {
        self.queue.push(head, pending);
    }

    /// Returns when everything up to `index` is durable and visible.
    pub(crate) fn flush(&self, index: u64) -> Result<u64, CommitError> {
        self.queue.flush(index, |batch| {
            let mut published = None;
            let mut touched = Vec::with_capacity(batch.len());
            let mut commits = Vec::with_capacity(batch.len());
            for pending in batch {
                commits.push((pending.root.index, pending.changes));
                touched.push(pending.touched);
                published = Some(pending.root);
            }
            match &self.storage {
                Storage::Files(durable) => durable.append(commits)?,
                Storage::Memory { journal, names } => {
                    durable::append(journal, names, &commits, || Ok(()))?;
                }
            }
            if let Some(root) = published {
                self.published.store(root);
            }
            for wakes in &touched {
                match wakes {
                    Wakes::Readers(touched) => self.registry.notify(touched),
                    Wakes::Everybody => self.registry.notify_all(),
                }
            }
            Ok(())
        })
    }

    /// Applies everything that is in the journal to the rows on disk, now.
    ///
    /// It happens by itself in the background whenever enough has gathered; this is for a quick next
    /// start, or before the files are copied.
    ///
    /// # Errors
    /// [`CommitError::Storage`]: the store takes no more writes until it is opened again.
    pub fn checkpoint(&self) -> Result<(), CommitError> {
        match &self.storage {
            Storage::Files(durable) => durable.checkpoint_now(),
            Storage::Memory { .. } => Ok(()),
        }
    }

    pub(crate) fn journal(&self) -> &dyn Journal {
        match &self.storage {
            Storage::Files(durable) => durable.journal(),
            Storage::Memory { journal, .. } => journal,
        }
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
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
            .field("durable", &matches!(self.storage, Storage::Files(_)))
            .finish_non_exhaustive()
    }
}
