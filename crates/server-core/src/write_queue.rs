//! The queue of writes: each transaction waits for a turn, which callers share fairly.
//!
//! Every write of a running server MUST use it, whether for a request, a worker or the server itself: a transaction
//! that bypassed the queue would overtake waiting callers.
//!
//! Invariant: a turn is held for the transaction alone. No writer waits for a provider, a plugin or the disk while it
//! holds one, so a slow one of them delays no other writer.

use std::fmt;
use std::sync::Arc;

use statehold_store::{
    BeginError, CommitError, CommitFuture, Durability, Snapshot, Store, WriteTxn,
};
use tokio::runtime::Handle;

use crate::caller::CallerKey;
use crate::clock::now;
use crate::present::PresentCallers;
use crate::turns::{Turns, Urgency};

/// The maximum number of writes with a turn at a time. The store has one transaction at a time, and a second write
/// would wait for it with a thread of the runtime.
const WRITING_MAX: usize = 1;

/// The queue of writes of a store. Clones share it.
#[derive(Clone, Debug)]
pub struct WriteQueue {
    store: Arc<Store>,
    turns: Turns,
    present: PresentCallers,
}

/// The reason why a transaction was not begun or not committed.
#[derive(Debug)]
pub enum WriteFault {
    /// The store takes no writes.
    Begin(BeginError),
    /// The commit failed.
    Commit(CommitError),
    /// The queue is closed, because the server ends.
    Closed,
}

impl fmt::Display for WriteFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin(error) => error.fmt(f),
            Self::Commit(error) => error.fmt(f),
            Self::Closed => f.write_str("the queue of writes is closed"),
        }
    }
}

impl std::error::Error for WriteFault {}

/// For callers that only log the error.
impl From<WriteFault> for String {
    fn from(fault: WriteFault) -> Self {
        fault.to_string()
    }
}

impl WriteQueue {
    /// Creates the queue of a store.
    pub fn new(store: Arc<Store>) -> Self {
        let present = PresentCallers::default();
        let turns = Turns::new(WRITING_MAX, WRITING_MAX, WRITING_MAX, present.clone());
        Self { store, turns, present }
    }

    /// Returns the present callers, which all queues share.
    pub fn present(&self) -> &PresentCallers {
        &self.present
    }

    /// Returns the store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Returns the number of writes that wait for a turn.
    pub fn waiting(&self) -> usize {
        self.turns.waiting()
    }

    /// Returns a writer that uses the turns of `caller`.
    pub fn writer(&self, caller: CallerKey, urgency: Urgency) -> Writer {
        Writer { queue: self.clone(), caller, urgency }
    }

    /// Returns the writer of the server itself, which is a caller like any other.
    pub fn own_writer(&self) -> Writer {
        self.writer(CallerKey::Server, Urgency::Now)
    }
}

/// Runs transactions in the turns of one caller.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: WriteQueue,
    caller: CallerKey,
    urgency: Urgency,
}

impl Writer {
    /// Runs `write` in one transaction. Returns the state as of the commit, and its result. An error leaves no change.
    ///
    /// Blocks until the commit is durable. The thread MUST be one of the runtime's blocking threads.
    ///
    /// # Errors
    /// Those of `write`, and [`WriteFault`] if the store takes no writes or the commit fails.
    pub fn write<T, E: From<WriteFault>>(
        &self,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<T, E>,
    ) -> Result<(Snapshot, T), E> {
        let turn = self.queue.turns.take_blocking(self.caller, self.urgency);
        let turn = turn.ok_or(WriteFault::Closed)?;
        let (commit, done) = run(self.begin()?, write)?;
        // Before the disk write, so that the next transaction can join the same batch.
        drop(turn);
        let committed = Handle::current().block_on(commit).map_err(WriteFault::Commit)?;
        Ok((committed, done))
    }

    /// Like [`Writer::write`] for a task, which holds neither a thread nor a turn while the disk works.
    pub async fn write_async<T, E: From<WriteFault>>(
        &self,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<T, E>,
    ) -> Result<(Snapshot, T), E> {
        let turn = self.queue.turns.take(self.caller, self.urgency).await;
        let turn = turn.ok_or(WriteFault::Closed)?;
        let (commit, done) = match self.begin_short() {
            Some(txn) => run(txn, write)?,
            None => tokio::task::block_in_place(|| run(self.begin()?, write))?,
        };
        drop(turn);
        let committed = commit.await.map_err(WriteFault::Commit)?;
        Ok((committed, done))
    }

    fn begin(&self) -> Result<WriteTxn<'_>, WriteFault> {
        self.queue.store.begin_write().map_err(WriteFault::Begin)
    }

    /// Begins a transaction that a task may run without leaving the runtime's thread to others, because it is short
    /// and waits for nothing: handing the thread over costs about as much as a one-row write.
    fn begin_short(&self) -> Option<WriteTxn<'_>> {
        let store = &self.queue.store;
        // A commit of a store that flushes later waits for the disk once too much would be lost.
        let is_short = self.urgency == Urgency::Now && store.durability() == Durability::Immediate;
        // Errors other than a busy store are met again by the caller.
        if is_short { store.try_begin_write().ok() } else { None }
    }
}

/// Runs `write` in `txn`, and commits it.
fn run<T, E: From<WriteFault>>(
    mut txn: WriteTxn<'_>,
    write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<T, E>,
) -> Result<(CommitFuture, T), E> {
    // The time is read inside of the transaction, and so in the order of commits. An error drops the transaction,
    // which undoes its changes.
    let done = write(&mut txn, now())?;
    Ok((txn.commit_async(), done))
}
