//! Group commit: transactions that finish together share one durable write.
//!
//! A finished transaction goes to the queue in the order of the indexes and lets the next writer
//! in. Whoever waits first becomes the flusher: it drains the queue, writes the batch, publishes
//! the newest root, wakes the watchers, then acknowledges everybody in the batch. No timer and no
//! thread: a lone writer pays for exactly one durable write.
//!
//! Invariant: durable, then visible, then woken, then acknowledged. Readers never see what a crash
//! could take back.
//! Invariant: after a failed durable write nothing of the batch is published and the queue takes
//! nothing more, because a failed fsync says nothing about what is on the disk
//! (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::error::CommitError;
use crate::state::{Change, Root, Touched};

/// What the next writer starts from: the newest finished transaction, published or not.
pub(crate) struct Head(Arc<Root>);

impl Head {
    pub(crate) fn new(root: Arc<Root>) -> Self {
        Self(root)
    }

    pub(crate) fn root(&self) -> &Root {
        &self.0
    }
}

/// A finished transaction.
pub(crate) struct Pending {
    pub(crate) root: Arc<Root>,
    pub(crate) changes: Vec<Change>,
    pub(crate) touched: Vec<Touched>,
}

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    flushed: Condvar,
}

#[derive(Default)]
struct State {
    pending: Vec<Pending>,
    flushing: bool,
    /// Everything up to this index is durable and published.
    flushed: u64,
    failed: Option<CommitError>,
}

impl Queue {
    /// A queue whose transactions up to `index` are durable.
    pub(crate) fn new(index: u64) -> Self {
        let queue = Self::default();
        queue.state.lock().flushed = index;
        queue
    }

    /// Whether a durable write failed.
    pub(crate) fn failed(&self) -> bool {
        self.state.lock().failed.is_some()
    }

    /// Adds a finished transaction. The caller holds the writer's lock, so indexes arrive in order.
    pub(crate) fn push(&self, head: &mut Head, pending: Pending) {
        head.0 = Arc::clone(&pending.root);
        self.state.lock().pending.push(pending);
    }

    /// Returns when everything up to `index` is acknowledged, flushing batches with `write` when
    /// nobody else does.
    pub(crate) fn flush(
        &self,
        index: u64,
        write: impl Fn(&[Pending]) -> Result<(), CommitError>,
    ) -> Result<u64, CommitError> {
        let mut state = self.state.lock();
        loop {
            if state.flushed >= index {
                return Ok(index);
            }
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            if state.flushing {
                self.flushed.wait(&mut state);
                continue;
            }
            let batch = std::mem::take(&mut state.pending);
            let Some(newest) = batch.last().map(|pending| pending.root.index) else {
                return Ok(index);
            };
            state.flushing = true;
            drop(state);
            let mut guard = Unfinished { queue: self, outcome: None };
            guard.outcome = Some(write(&batch).map(|()| newest));
            drop(guard);
            // The batch holds roots that may be the last owners of many rows: not under the lock.
            drop(batch);
            state = self.state.lock();
        }
    }
}

/// Ends a flush even when the write panicked, so that nobody waits for it forever.
struct Unfinished<'q> {
    queue: &'q Queue,
    outcome: Option<Result<u64, CommitError>>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.state.lock();
        state.flushing = false;
        match self.outcome.take() {
            Some(Ok(newest)) => state.flushed = newest,
            Some(Err(error)) => state.failed = Some(error),
            None => {
                state.failed = Some(CommitError::Storage { reason: "the write panicked".into() });
            }
        }
        self.queue.flushed.notify_all();
    }
}
