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
    pub(crate) touched: Wakes,
}

/// Whom a commit wakes.
pub(crate) enum Wakes {
    Readers(Vec<Touched>),
    /// Everything was replaced.
    Everybody,
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
        write: impl Fn(Vec<Pending>) -> Result<(), CommitError>,
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
            guard.outcome = Some(write(batch).map(|()| newest));
            drop(guard);
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::state::Schema;

    fn root(index: u64) -> Arc<Root> {
        Arc::new(Root::new(&Schema::new(), index, vec![]))
    }

    fn push(queue: &Queue, index: u64) {
        let pending = Pending { root: root(index), changes: vec![], touched: Wakes::Everybody };
        queue.push(&mut Head::new(root(0)), pending);
    }

    #[test]
    fn what_waits_in_the_queue_shares_one_write() {
        let queue = Queue::new(0);
        (1..=5).for_each(|index| push(&queue, index));
        let writes = AtomicUsize::new(0);
        let flush = |index| {
            queue.flush(index, |batch| {
                assert_eq!(batch.len(), 5);
                writes.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
        };
        assert_eq!(flush(2), Ok(2));
        assert_eq!(flush(5), Ok(5));
        assert_eq!(writes.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_failed_write_fails_its_batch_and_everything_after_it_but_nothing_before() {
        let queue = Queue::new(0);
        push(&queue, 1);
        queue.flush(1, |_| Ok(())).unwrap();
        push(&queue, 2);
        push(&queue, 3);
        let failure = CommitError::Storage { reason: "disk full".into() };
        assert_eq!(queue.flush(2, |_| Err(failure.clone())), Err(failure.clone()));
        assert!(queue.failed());
        push(&queue, 4);
        for index in [2, 3, 4] {
            let result = queue.flush(index, |_| panic!("nothing is written any more"));
            assert_eq!(result, Err(failure.clone()));
        }
        assert_eq!(queue.flush(1, |_| Ok(())), Ok(1));
    }

    #[test]
    fn a_write_that_panics_leaves_no_waiter_hanging() {
        let queue = Queue::new(0);
        push(&queue, 1);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            queue.flush(1, |_| panic!("on purpose"))
        }));
        assert!(panicked.is_err());
        assert!(matches!(queue.flush(1, |_| Ok(())), Err(CommitError::Storage { .. })));
    }
}
