//! The store: its published state, its writer lock, and the path of a commit between them.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use arc_swap::ArcSwap;
use uuid::Uuid;

use crate::change::Change;
use crate::commit::{CommitFuture, Head, Pending, Queue, Ticket, Turn, Wakes};
use crate::durable::{self, Access, Durable, Files, Journal, MemoryJournal};
use crate::error::{BeginError, CloseError, CommitError, OpenError, ReopenError};
use crate::observer::{Batch, Committed, ObserverHandle};
use crate::options::{Durability, Options, UNFLUSHED_MAX};
use crate::root::Root;
use crate::schema::Schema;
use crate::shape::Versions;
use crate::snapshot::{Snapshot, Tracked, UNCHANGED};
use crate::tail::Waiters;
use crate::txn::WriteTxn;
use crate::watch::Registry;
use crate::writer::{LockWait, Writer, WriterGuard};

/// An embedded state store.
///
/// All rows and indexes are in memory and every committed row is on disk as well; reads run on immutable
/// snapshots. Share a store between threads behind an [`Arc`] or a reference.
pub struct Store {
    shared: Arc<Shared>,
    /// Flushes transactions that no committing thread flushes; `None` without writable files.
    flusher: Option<JoinHandle<()>>,
}

/// State shared by a store and its own thread.
struct Shared {
    schema: Schema,
    published: ArcSwap<Root>,
    writer: Writer,
    queue: Arc<Queue>,
    registry: Arc<Registry>,
    /// Callers that wait for the next visible commit.
    visible: Arc<Waiters>,
    /// Callers that wait for the next commit that is visible and on disk.
    recorded: Arc<Waiters>,
    closed: AtomicBool,
    storage: Storage,
    durability: Durability,
    observer: ObserverHandle,
}

/// The destination of commits.
enum Storage {
    Files(Durable),
    /// Lost when the process ends.
    Memory {
        journal: MemoryJournal,
        names: Vec<&'static str>,
        id: Option<Uuid>,
    },
}

impl Store {
    /// Opens the store in a data directory and creates the directory if it is absent.
    ///
    /// Cost: reads every row and builds every index. An open store has two threads of its own: one writes
    /// checkpoints, one flushes transactions that no committing thread flushes.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(dir: impl AsRef<Path>, schema: &Schema) -> Result<Self, OpenError> {
        Self::open_with(dir, schema, &Options::default())
    }

    /// Opens the store in a data directory with options. See [`Store::open`].
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub fn open_with(
        dir: impl AsRef<Path>,
        schema: &Schema,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let access = match (options.read_only, options.create) {
            (true, _) => Access::Read,
            (false, true) => Access::Create,
            (false, false) => Access::Write,
        };
        Self::open_files(Files::in_dir(dir.as_ref(), access)?, schema, options)
    }

    pub(crate) fn open_files(
        files: Files,
        schema: &Schema,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let path = files.log_path().to_owned();
        let (durable, root, schema) = Durable::open(files, schema, options)?;
        let read_only = durable.is_read_only();
        let mut store = Self::new(&schema, root, Storage::Files(durable), options);
        // No transaction can begin, so there is never a batch to flush.
        if read_only {
            return Ok(store);
        }
        let shared = Arc::clone(&store.shared);
        let flusher = thread::Builder::new()
            .name("statehold-flush".to_owned())
            .spawn(move || shared.run())
            .map_err(|source| OpenError::Io { path, source: Arc::new(source) })?;
        store.flusher = Some(flusher);
        Ok(store)
    }

    /// Creates a store that is lost when the process ends: for tests and caches.
    pub fn in_memory(schema: &Schema) -> Self {
        Self::in_memory_with(schema, &Options::default())
    }

    /// Like [`Store::in_memory`], with options. Commits are acknowledged at once, whatever
    /// [`Options::durability`] is.
    pub fn in_memory_with(schema: &Schema, options: &Options) -> Self {
        let tables = schema.tables.iter().map(|def| Arc::clone(&def.empty)).collect();
        Self::of_root(schema, Root::new(schema, 0, tables), options)
    }

    /// Creates a store in memory that begins with a given state.
    pub(crate) fn of_root(schema: &Schema, root: Root, options: &Options) -> Self {
        let storage = Storage::Memory {
            journal: MemoryJournal::new(root.index, options.kept_history()),
            names: schema.tables.iter().map(|def| def.name).collect(),
            id: options.id,
        };
        // There is no disk to wait for, so a relaxed store would only delay its readers.
        let options = options.clone().durability(Durability::Immediate);
        Self::new(schema, root, storage, &options)
    }

    fn new(schema: &Schema, root: Root, storage: Storage, options: &Options) -> Self {
        let root = Arc::new(root);
        let shared = Shared {
            schema: schema.clone(),
            queue: Arc::new(Queue::new(root.index)),
            writer: Writer::new(Head::new(Arc::clone(&root))),
            published: ArcSwap::new(root),
            registry: Arc::new(Registry::new(options.parked_max, options.observer.clone())),
            visible: Arc::new(Waiters::new(options.parked_max)),
            recorded: Arc::new(Waiters::new(options.parked_max)),
            closed: AtomicBool::new(false),
            storage,
            durability: options.durability,
            observer: options.observer.clone(),
        };
        Self { shared: Arc::new(shared), flusher: None }
    }

    /// Returns a snapshot of all tables as of the last commit. Cost: one atomic load and a reference count.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.published())
    }

    /// Returns a snapshot that tracks the ranges read through it.
    pub fn tracked(&self) -> Tracked {
        Tracked::new(self.published())
    }

    /// Returns the index of the last commit; 0 for a store that was never written to.
    pub fn index(&self) -> u64 {
        self.shared.published.load().index
    }

    /// Returns the number of readers parked in blocking queries.
    pub fn parked(&self) -> usize {
        self.shared.registry.parked()
    }

    /// Begins the write transaction. Blocks until the current one is committed or dropped.
    ///
    /// The first commit of a store has the index 2, because 1 is the index of data that never changed.
    ///
    /// # Errors
    /// [`BeginError::Poisoned`], [`BeginError::ReadOnly`] or [`BeginError::Closed`]. [`BeginError::Nested`] if
    /// this thread has the open transaction, because it would wait forever.
    ///
    /// ```
    /// # use statehold_store::{BeginError, Schema, Store};
    /// # let store = Store::in_memory(&Schema::new());
    /// let txn = store.begin_write()?;
    /// assert_eq!(store.begin_write().unwrap_err(), BeginError::Nested);
    /// drop(txn);
    /// assert!(store.begin_write().is_ok());
    /// # Ok::<(), BeginError>(())
    /// ```
    pub fn begin_write(&self) -> Result<WriteTxn<'_>, BeginError> {
        self.begin(None, LockWait::Unlimited)
    }

    /// Like [`Store::begin_write`], but never waits.
    ///
    /// # Errors
    /// Those of [`Store::begin_write`], and [`BeginError::Busy`] if another thread has the open transaction.
    pub fn try_begin_write(&self) -> Result<WriteTxn<'_>, BeginError> {
        self.begin(None, LockWait::None)
    }

    /// Like [`Store::begin_write`], but waits at most until `deadline`.
    ///
    /// # Errors
    /// Those of [`Store::begin_write`], and [`BeginError::Busy`] if another thread still has the open
    /// transaction at the deadline.
    pub fn begin_write_until(&self, deadline: Instant) -> Result<WriteTxn<'_>, BeginError> {
        self.begin(None, LockWait::Until(deadline))
    }

    /// Begins a write transaction with an index chosen by the caller, such as the index of a replicated log.
    ///
    /// The index MUST be at least 2: 1 is the index of data that never changed in the results of
    /// [`Store::blocking`].
    ///
    /// # Errors
    /// Those of [`Store::begin_write`], [`BeginError::IndexNotGreater`] or [`BeginError::IndexTooSmall`].
    pub fn begin_write_at(&self, index: u64) -> Result<WriteTxn<'_>, BeginError> {
        self.begin(Some(index), LockWait::Unlimited)
    }

    fn begin(&self, given: Option<u64>, wait: LockWait) -> Result<WriteTxn<'_>, BeginError> {
        if self.is_read_only() {
            return Err(BeginError::ReadOnly);
        }
        let head = self.shared.writer.lock(wait)?;
        // Under the lock, so that no transaction begins after `close` has returned.
        if self.shared.closed.load(Ordering::Acquire) {
            return Err(BeginError::Closed);
        }
        if self.shared.queue.failure().is_some() {
            return Err(BeginError::Poisoned);
        }
        let last = head.root().index;
        let least = UNCHANGED + 1;
        let index = match given {
            Some(given) if given < least => return Err(BeginError::IndexTooSmall { given, least }),
            Some(given) if given <= last => {
                return Err(BeginError::IndexNotGreater { given, last });
            }
            Some(given) => given,
            None => last.checked_add(1).ok_or(BeginError::NoIndexLeft)?.max(least),
        };
        Ok(WriteTxn::new(self, head, index, given.is_some()))
    }

    /// Closes the store to writers and waiting readers. Returns the index of the last commit once everything is
    /// on disk.
    ///
    /// Waits for the open transaction of another thread. Afterwards [`Store::begin_write`] fails with
    /// [`BeginError::Closed`], and readers that are parked or would park get [`crate::WatchError::Closed`], so
    /// that threads which share the store end. Snapshots stay readable, and the directory stays locked until
    /// the last handle is dropped. The rows on disk are then as of the last commit, so that the next open
    /// replays nothing. A second call is harmless.
    ///
    /// Dropping a store flushes too, but cannot report an error.
    ///
    /// # Errors
    /// [`CloseError::OpenTransaction`] if this thread has the open transaction, or [`CloseError::Commit`] if
    /// the last commits could not be written.
    ///
    /// ```
    /// # use statehold_store::{BeginError, Schema, Store, WatchError};
    /// # use std::time::{Duration, Instant};
    /// # let store = Store::in_memory(&Schema::new());
    /// let soon = Instant::now() + Duration::from_secs(60);
    /// std::thread::scope(|scope| {
    ///     let reader = scope.spawn(|| store.wait_index(store.index(), soon));
    ///     store.close().unwrap();
    ///     assert_eq!(reader.join().unwrap(), Err(WatchError::Closed));
    /// });
    /// assert_eq!(store.begin_write().unwrap_err(), BeginError::Closed);
    /// ```
    pub fn close(&self) -> Result<u64, CloseError> {
        {
            // Without a deadline this lock fails only if this thread has the open transaction.
            let held = self.shared.writer.lock(LockWait::Unlimited);
            let _held = held.map_err(|_| CloseError::OpenTransaction)?;
            self.shared.closed.store(true, Ordering::Release);
        }
        let flushed = self.flush();
        // After the flush, whose commits may still wake these readers.
        self.shared.registry.close();
        self.shared.visible.close();
        self.shared.recorded.close();
        let index = flushed.map_err(CloseError::Commit)?;
        match &self.shared.storage {
            Storage::Files(durable) if !durable.is_read_only() => {
                durable.checkpoint_last().map_err(CloseError::Commit)?;
            }
            Storage::Files(_) | Storage::Memory { .. } => {}
        }
        Ok(index)
    }

    /// Returns when commits are acknowledged, as chosen by [`Options::durability`]. A store in memory acknowledges them
    /// at once and returns [`Durability::Immediate`].
    pub fn durability(&self) -> Durability {
        self.shared.durability
    }

    /// Blocks until every earlier commit is on disk. Returns the index of the last of them.
    ///
    /// Under [`Durability::Immediate`] only commits of [`WriteTxn::commit_async`] may not be on disk yet.
    ///
    /// # Errors
    /// [`CommitError::Storage`] if the write failed. The store is then poisoned: it rejects writes until
    /// [`Store::reopen`].
    pub fn flush(&self) -> Result<u64, CommitError> {
        self.shared.flush_to(self.shared.queue.newest())
    }

    /// Like [`Store::flush`], but returns a future instead of blocking the thread. It completes once all
    /// commits visible at the call are on disk, and returns a snapshot of them.
    pub fn flush_async(&self) -> CommitFuture {
        let snapshot = self.snapshot();
        let ticket = self.shared.ticket(self.turn(snapshot.index()));
        CommitFuture(ticket.map(|ticket| (snapshot, Some(ticket))))
    }

    /// Enqueues a finished transaction.
    pub(crate) fn enqueue(
        &self,
        head: WriterGuard<'_>,
        root: Arc<Root>,
        changes: Vec<Change>,
        wakes: Wakes,
    ) -> Result<Turn, CommitError> {
        self.shared.enqueue(head, root, changes, wakes)
    }

    /// Returns the turn of the transaction with this index, or of the last one before it.
    pub(crate) fn turn(&self, index: u64) -> Turn {
        self.shared.queue.turn(index)
    }

    /// Blocks until everything up to `turn` may be acknowledged.
    pub(crate) fn acknowledge(&self, turn: Turn) -> Result<(), CommitError> {
        match self.shared.durability {
            Durability::Immediate => self.shared.flush_to(turn).map(drop),
            Durability::Relaxed { .. } => Ok(()),
        }
    }

    /// Like [`Store::acknowledge`], but returns a ticket instead of blocking the thread; `None` if the
    /// transaction may be acknowledged at once.
    pub(crate) fn acknowledge_async(&self, turn: Turn) -> Result<Option<Ticket>, CommitError> {
        match self.shared.durability {
            Durability::Immediate => self.shared.ticket(turn).map(Some),
            Durability::Relaxed { .. } => Ok(None),
        }
    }

    /// Applies all changes in the journal to the rows on disk.
    ///
    /// The store does this in the background whenever enough changes are pending. Call it for a quick next
    /// start, or before the files are copied.
    ///
    /// # Errors
    /// [`CommitError::Storage`] if the write failed. The store is then poisoned: it rejects writes until
    /// [`Store::reopen`].
    pub fn checkpoint(&self) -> Result<(), CommitError> {
        self.flush()?;
        match &self.shared.storage {
            Storage::Files(durable) => durable.checkpoint_now(),
            Storage::Memory { .. } => Ok(()),
        }
    }

    /// Records shapes of a table that is kept as bytes, for a later build that has its row type again.
    pub(crate) fn add_shapes(&self, table: &str, added: &Versions) -> Result<(), CommitError> {
        match &self.shared.storage {
            Storage::Files(durable) => durable.add_shapes(table, added),
            // The state has the shapes, and there is no file to record them in.
            Storage::Memory { .. } => Ok(()),
        }
    }

    /// Returns the store's identity, which both of its files carry. `None` in memory without [`Options::id`],
    /// and for read-only files of an older build.
    pub fn id(&self) -> Option<Uuid> {
        match &self.shared.storage {
            Storage::Files(durable) => durable.id(),
            Storage::Memory { id, .. } => *id,
        }
    }

    /// Returns the size in bytes of the records in the journal, including those that wait for a checkpoint; 0
    /// for read-only files.
    ///
    /// At most [`Options::history_bytes`], or as much as waits for a checkpoint where that is more. The file is
    /// larger, up to four times: it is doubled to grow, and rounds large records up to powers of two.
    /// It does not shrink while the store is open, but uses its free pages again. Closing the store
    /// compacts a file of more than 16 MiB that is more than four times as large as its records.
    pub fn history_bytes(&self) -> u64 {
        self.journal().bytes()
    }

    /// Returns whether the store was opened with [`Options::read_only`].
    pub fn is_read_only(&self) -> bool {
        matches!(&self.shared.storage, Storage::Files(durable) if durable.is_read_only())
    }

    /// Returns the failure that poisoned the store; `None` while it accepts writes.
    pub fn failure(&self) -> Option<CommitError> {
        self.shared.queue.failure().or_else(|| match &self.shared.storage {
            Storage::Files(durable) => durable.failure(),
            Storage::Memory { .. } => None,
        })
    }

    /// Recovers a poisoned store: opens both files again and checks that the failed write is in neither.
    /// Returns the index of the last commit.
    ///
    /// For a disk that was full: free space, then call this. Readers continue meanwhile, parked ones stay
    /// parked, and failed commits stay failed. A store that accepts writes is left unchanged. Cost: opens both
    /// files, reads no row.
    ///
    /// # Errors
    /// [`ReopenError`]: the store keeps rejecting writes. After [`ReopenError::Open`] a later call may succeed.
    pub fn reopen(&self) -> Result<u64, ReopenError> {
        // Without a deadline this lock fails only if this thread has the open transaction.
        let held = self.shared.writer.lock(LockWait::Unlimited);
        let mut head = held.map_err(|_| ReopenError::OpenTransaction)?;
        if self.failure().is_none() {
            return Ok(self.index());
        }
        let published = self.published();
        self.shared.queue.restart(&mut head, &published, |durable| {
            // Readers have seen commits that are not on disk: new ones must not reuse their indexes.
            if published.index > durable {
                return Err(ReopenError::Behind { durable, visible: published.index });
            }
            match &self.shared.storage {
                Storage::Files(durable) => durable.reopen(),
                Storage::Memory { .. } => Ok(()),
            }
        })?;
        drop(head);
        self.shared.observer.emit(|to| to.recovered(published.index));
        Ok(published.index)
    }

    pub(crate) fn journal(&self) -> &dyn Journal {
        match &self.shared.storage {
            Storage::Files(durable) => durable.journal(),
            Storage::Memory { journal, .. } => journal,
        }
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.shared.schema
    }

    pub(crate) fn published(&self) -> Arc<Root> {
        self.shared.published.load_full()
    }

    pub(crate) fn visible(&self) -> &Arc<Waiters> {
        &self.shared.visible
    }

    pub(crate) fn recorded(&self) -> &Arc<Waiters> {
        &self.shared.recorded
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.shared.registry
    }
}

impl Shared {
    fn enqueue(
        &self,
        mut head: WriterGuard<'_>,
        root: Arc<Root>,
        changes: Vec<Change>,
        wakes: Wakes,
    ) -> Result<Turn, CommitError> {
        let bytes = changes.iter().map(Change::bytes).sum();
        let finished = self.observer.now();
        if self.durability == Durability::Immediate {
            let pending = Pending { root, changes, wakes, bytes, finished };
            return Ok(self.queue.push(&mut head, pending));
        }
        // Backpressure: the writer waits for the disk once too much would be lost in a crash.
        if self.queue.bytes() > UNFLUSHED_MAX {
            self.flush_to(self.queue.turn(head.root().index))?;
        }
        if let Some(error) = self.queue.failure() {
            return Err(error);
        }
        // The readers are woken here, when the commit becomes visible, so the later flush wakes none.
        let no_reader = Wakes::ReadersOf(Vec::new());
        let pending =
            Pending { root: Arc::clone(&root), changes, wakes: no_reader, bytes, finished };
        let turn = self.queue.push(&mut head, pending);
        // Under the writer lock, so that states are published in index order.
        self.publish(root);
        drop(head);
        self.wake(&wakes);
        self.visible.wake();
        Ok(turn)
    }

    fn publish(&self, root: Arc<Root>) {
        // Before the swap, which may drop the old root: its age is measured against the new one.
        root.published();
        self.published.store(root);
    }

    fn wake(&self, wakes: &Wakes) {
        match wakes {
            Wakes::ReadersOf(touched) => self.registry.notify(touched),
            Wakes::AllReaders => self.registry.notify_all(),
        }
    }

    /// Blocks until everything up to `turn` is durable and visible.
    fn flush_to(&self, turn: Turn) -> Result<u64, CommitError> {
        self.queue.flush(turn, |batch| {
            self.write(batch).inspect_err(|error| self.observer.emit(|to| to.poisoned(error)))
        })
    }

    /// Makes a batch durable, then visible, then wakes its readers.
    fn write(&self, batch: Vec<Pending>) -> Result<(), CommitError> {
        let started = self.observer.now();
        let mut published = None;
        let mut wakes = Vec::with_capacity(batch.len());
        let mut commits = Vec::with_capacity(batch.len());
        let mut stats = Vec::with_capacity(batch.len());
        for pending in batch {
            let index = pending.root.index;
            stats.push((index, pending.changes.len(), pending.bytes, pending.finished));
            commits.push((index, pending.changes));
            wakes.push(pending.wakes);
            published = Some(pending.root);
        }
        let bytes = match &self.storage {
            Storage::Files(durable) => durable.append(commits)?,
            Storage::Memory { journal, names, .. } => {
                durable::append(journal, names, &commits, || Ok(()))?
            }
        };
        let took = self.observer.since(started);
        let index = published.as_ref().map_or(0, |root| root.index);
        // Under `Relaxed` the states of the batch are visible already.
        if let Some(root) = published
            && self.durability == Durability::Immediate
        {
            self.publish(root);
        }
        for wakes in &wakes {
            self.wake(wakes);
        }
        if self.durability == Durability::Immediate {
            self.visible.wake();
        }
        self.recorded.wake();
        self.observer.emit(|to| {
            to.batch_written(&Batch { index, commits: stats.len(), bytes, took });
            for (index, changes, bytes, finished) in stats {
                let took = self.observer.since(finished);
                to.committed(&Committed { index, changes, bytes, took });
            }
        });
        Ok(())
    }

    fn ticket(&self, turn: Turn) -> Result<Ticket, CommitError> {
        // A store in memory has no thread of its own, and its flush does not block on a disk.
        if let Storage::Memory { .. } = self.storage {
            self.flush_to(turn)?;
        }
        Ok(self.queue.ticket(turn))
    }

    /// Runs the store's own thread.
    fn run(&self) {
        let every = match self.durability {
            Durability::Immediate => None,
            Durability::Relaxed { flush_every } => Some(flush_every),
        };
        while let Some(turn) = self.queue.next_flush(every) {
            // The queue keeps the failure, and returns it to every caller that waits.
            let _ = catch_unwind(AssertUnwindSafe(|| self.flush_to(turn)));
        }
    }
}

/// Flushes every commit, unless the store is poisoned.
impl Drop for Store {
    fn drop(&mut self) {
        self.shared.queue.stop();
        if let Some(flusher) = self.flusher.take() {
            let _ = flusher.join();
        }
        // No commit will wake these readers any more.
        self.shared.registry.notify_all();
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("index", &self.index())
            .field("durable", &matches!(self.shared.storage, Storage::Files(_)))
            .finish_non_exhaustive()
    }
}
