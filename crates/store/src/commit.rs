//! Group commit: transactions that finish together share one durable write.
//!
//! A finished transaction is queued in index order and lets the next writer begin. The first thread that waits
//! for a commit becomes the flusher: it drains the queue, writes the batch, publishes the newest root, wakes
//! the readers, then acknowledges every transaction of the batch. There is no timer: a lone writer pays for
//! exactly one durable write. For tasks that wait without a thread, and for commits acknowledged before they
//! are durable, a thread of the store waits in their place.
//!
//! Invariant: durable, then visible, then woken, then acknowledged. Readers never observe a commit that a crash
//! could undo, except under [`crate::Durability::Relaxed`].
//! Invariant: a queued transaction is written even if its waiter goes away.
//! Invariant: after a failed durable write nothing of the batch is published and the queue rejects further
//! transactions, because after a failed fsync the contents of the disk are unknown (Rebello et al., "Can
//! Applications Recover from fsync Failures?", USENIX ATC 2020).
//! Invariant: a restart after that reuses the indexes after the last durable one, in a new generation: a failed
//! transaction is never mistaken for a later one with the same index.
//! another generation: a transaction that failed is never taken for the one that has its index later.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::change::Change;
use crate::error::CommitError;
use crate::root::{Root, TouchedKey};
use crate::signal::Signal;
use crate::snapshot::Snapshot;

/// The state that the next writer starts from: the newest finished transaction, published or not.
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
    pub(crate) wakes: Wakes,
    /// Size of the changes in bytes.
    pub(crate) bytes: u64,
    /// The observer's time at which it was finished.
    pub(crate) finished: Duration,
}

/// The readers that a commit wakes.
pub(crate) enum Wakes {
    ReadersOf(Vec<TouchedKey>),
    /// The commit replaced all rows.
    AllReaders,
}

/// The position of a transaction in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    index: u64,
    /// Number of restarts of the queue before this transaction.
    generation: usize,
}

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Notified when a batch is flushed, for threads that wait for their commit.
    flushed: Condvar,
    /// Notified when there is work for the store's own thread.
    work: Condvar,
}

#[derive(Default)]
struct State {
    pending: Vec<Pending>,
    /// Size in bytes of the changes in `pending`.
    bytes: u64,
    /// The index of the last queued transaction.
    newest: u64,
    flushing: bool,
    /// Everything up to this index is durable and published.
    flushed: u64,
    /// The index up to which tasks without a thread wait for the flush.
    asked: u64,
    tickets: Vec<(u64, Arc<Signal>)>,
    /// Whether the store's own thread flushes transactions that no caller waits for.
    paced: bool,
    stop: bool,
    failed: Option<CommitError>,
    /// The end of each earlier generation: its last durable index, and the failure of all later transactions.
    ended: Vec<(u64, CommitError)>,
}

impl State {
    fn turn(&self, index: u64) -> Turn {
        Turn { index, generation: self.ended.len() }
    }

    /// Returns the outcome of a transaction; `None` while it waits for its durable write.
    fn outcome(&self, turn: Turn) -> Option<Result<(), CommitError>> {
        let (flushed, failed) = match self.ended.get(turn.generation) {
            Some((flushed, failed)) => (*flushed, Some(failed)),
            None => (self.flushed, self.failed.as_ref()),
        };
        // A failure affects only transactions after the last durable one.
        if turn.index <= flushed {
            return Some(Ok(()));
        }
        failed.map(|error| Err(error.clone()))
    }
}

impl Queue {
    /// Creates a queue whose transactions up to `index` are durable.
    pub(crate) fn new(index: u64) -> Self {
        let queue = Self::default();
        {
            let mut state = queue.state.lock();
            state.flushed = index;
            state.newest = index;
        }
        queue
    }

    /// Returns the failure that stopped the queue, if any.
    pub(crate) fn failure(&self) -> Option<CommitError> {
        self.state.lock().failed.clone()
    }

    /// Adds a finished transaction. The caller MUST hold the writer lock, so that indexes arrive in order.
    pub(crate) fn push(&self, head: &mut Head, pending: Pending) -> Turn {
        head.0 = Arc::clone(&pending.root);
        let mut state = self.state.lock();
        let turn = state.turn(pending.root.index);
        state.bytes += pending.bytes;
        state.newest = pending.root.index;
        state.pending.push(pending);
        // Without a flush interval the committing thread flushes itself, so waking the store's thread would be
        // wasted. With one, the first pending transaction starts the interval.
        if state.paced && state.pending.len() == 1 {
            self.work.notify_one();
        }
        turn
    }

    /// Returns the turn of the last queued transaction.
    pub(crate) fn newest(&self) -> Turn {
        let state = self.state.lock();
        state.turn(state.newest)
    }

    /// Returns the turn of the transaction with this index, or of the last one before it, in this generation.
    pub(crate) fn turn(&self, index: u64) -> Turn {
        self.state.lock().turn(index)
    }

    /// Blocks flushes while `work` runs. If the queue had failed and `work` succeeds, starts a new generation
    /// from `published`, the last durable state.
    ///
    /// The caller MUST hold the writer lock. Failed transactions stay failed.
    pub(crate) fn restart<E>(
        &self,
        head: &mut Head,
        published: &Arc<Root>,
        work: impl FnOnce(u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut state = self.state.lock();
        // A running flush must end first, because its outcome decides which state is durable.
        while state.flushing {
            self.flushed.wait(&mut state);
        }
        state.flushing = true;
        let durable = state.flushed;
        drop(state);
        let outcome = work(durable);
        let mut state = self.state.lock();
        state.flushing = false;
        if outcome.is_ok()
            && let Some(error) = state.failed.take()
        {
            // The failed transactions are dropped with their generation: their callers got the error, or will
            // get it from `ended`.
            state.ended.push((durable, error));
            state.pending.clear();
            state.bytes = 0;
            state.newest = durable;
            state.asked = durable;
            head.0 = Arc::clone(published);
        }
        drop(state);
        self.flushed.notify_all();
        self.work.notify_all();
        outcome
    }

    /// Returns the size in bytes of the changes that wait for their durable write.
    pub(crate) fn bytes(&self) -> u64 {
        self.state.lock().bytes
    }

    /// Returns once everything up to `turn` is acknowledged. Flushes batches with `write` while no other thread
    /// does.
    pub(crate) fn flush(
        &self,
        turn: Turn,
        write: impl Fn(Vec<Pending>) -> Result<(), CommitError>,
    ) -> Result<u64, CommitError> {
        let mut state = self.state.lock();
        loop {
            if let Some(outcome) = state.outcome(turn) {
                return outcome.map(|()| turn.index);
            }
            // One flusher at a time. The others wait for its batch, which may contain their commit.
            if state.flushing {
                self.flushed.wait(&mut state);
                continue;
            }
            let batch = std::mem::take(&mut state.pending);
            // Nothing is pending up to this turn: an empty commit of a new store, or one whose index was not
            // queued.
            let Some(newest) = batch.last().map(|pending| pending.root.index) else {
                return Ok(turn.index);
            };
            state.bytes = 0;
            state.flushing = true;
            drop(state);
            // Its drop ends the flush even if `write` panics, or the other waiters would wait forever.
            let mut guard = Unfinished { queue: self, outcome: None };
            guard.outcome = Some(write(batch).map(|()| newest));
            drop(guard);
            state = self.state.lock();
        }
    }

    /// Requests a flush of everything up to `turn` from the store's own thread.
    pub(crate) fn ticket(self: &Arc<Self>, turn: Turn) -> Ticket {
        let signal = Arc::new(Signal::default());
        let mut state = self.state.lock();
        if state.outcome(turn).is_some() {
            drop(state);
            signal.notify();
        } else {
            state.asked = state.asked.max(turn.index);
            state.tickets.push((turn.index, Arc::clone(&signal)));
            self.work.notify_one();
        }
        Ticket { queue: Arc::clone(self), signal, turn }
    }

    /// Waits for work of the store's own thread. Returns the turn to flush up to, or `None` once the store is
    /// closed. Transactions that no caller waits for are flushed at the interval `every`, if there is one.
    pub(crate) fn next_flush(&self, every: Option<Duration>) -> Option<Turn> {
        let mut state = self.state.lock();
        state.paced = every.is_some();
        loop {
            let work = !state.pending.is_empty() && state.failed.is_none();
            // A closing store flushes the pending transactions before its thread ends.
            if work && (state.stop || state.asked > state.flushed) {
                return Some(state.turn(state.newest));
            }
            // Nothing is left to flush, or the queue has failed and flushes no more.
            if state.stop {
                return None;
            }
            let Some(every) = every.filter(|_| work) else {
                self.work.wait(&mut state);
                continue;
            };
            let mut idle = |state: &mut State| !state.stop && state.asked <= state.flushed;
            let waited = self.work.wait_while_for(&mut state, &mut idle, every);
            if waited.timed_out() {
                return Some(state.turn(state.newest));
            }
        }
    }

    /// Stops the store's own thread once everything is flushed.
    pub(crate) fn stop(&self) {
        self.state.lock().stop = true;
        self.work.notify_all();
    }
}

/// Ends a flush even if the write panicked, so that no waiter hangs.
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
        let (flushed, failed) = (state.flushed, state.failed.is_some());
        let done: Vec<_> =
            state.tickets.extract_if(.., |(index, _)| failed || *index <= flushed).collect();
        drop(state);
        self.queue.flushed.notify_all();
        // The lock is released: wakers are foreign code, which may call the store.
        for (_, signal) in done {
            signal.notify();
        }
    }
}

/// A wait for a flush that does not hold a thread.
pub(crate) struct Ticket {
    queue: Arc<Queue>,
    signal: Arc<Signal>,
    turn: Turn,
}

impl Ticket {
    fn poll(&self, context: &Context<'_>) -> Poll<Result<(), CommitError>> {
        self.signal
            .poll(context)
            .map(|()| self.queue.state.lock().outcome(self.turn).unwrap_or(Ok(())))
    }
}

/// A queued commit: a future that completes once the transaction is acknowledged and returns the state as of
/// it. See [`crate::WriteTxn::commit_async`].
///
/// The transaction is queued before the future exists. Dropping the future does not cancel it.
#[must_use = "without waiting for it, the commit may not be durable"]
pub struct CommitFuture(pub(crate) Result<(Snapshot, Option<Ticket>), CommitError>);

impl Future for CommitFuture {
    type Output = Result<Snapshot, CommitError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &self.0 {
            Ok((snapshot, Some(ticket))) => {
                ticket.poll(context).map(|outcome| outcome.map(|()| snapshot.clone()))
            }
            Ok((snapshot, None)) => Poll::Ready(Ok(snapshot.clone())),
            Err(error) => Poll::Ready(Err(error.clone())),
        }
    }
}

impl fmt::Debug for CommitFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CommitFuture").field(&self.0.as_ref().map(|(snapshot, _)| snapshot)).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::schema::Schema;

    fn root(index: u64) -> Arc<Root> {
        Arc::new(Root::new(&Schema::new(), index, vec![]))
    }

    fn push(queue: &Queue, index: u64) {
        let pending = Pending {
            root: root(index),
            changes: vec![],
            wakes: Wakes::AllReaders,
            bytes: 0,
            finished: Duration::ZERO,
        };
        queue.push(&mut Head::new(root(0)), pending);
    }

    #[test]
    fn queued_transactions_share_one_write() {
        let queue = Queue::new(0);
        (1..=5).for_each(|index| push(&queue, index));
        let writes = AtomicUsize::new(0);
        let flush = |index| {
            queue.flush(queue.turn(index), |batch| {
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
    fn failed_write_fails_its_batch_and_all_later_ones() {
        let queue = Queue::new(0);
        push(&queue, 1);
        queue.flush(queue.turn(1), |_| Ok(())).unwrap();
        push(&queue, 2);
        push(&queue, 3);
        let failure = CommitError::Storage { reason: "disk full".into() };
        assert_eq!(queue.flush(queue.turn(2), |_| Err(failure.clone())), Err(failure.clone()));
        assert_eq!(queue.failure(), Some(failure.clone()));
        push(&queue, 4);
        for index in [2, 3, 4] {
            let result =
                queue.flush(queue.turn(index), |_| panic!("a failed queue must not write"));
            assert_eq!(result, Err(failure.clone()));
        }
        assert_eq!(queue.flush(queue.turn(1), |_| Ok(())), Ok(1));
    }

    #[test]
    fn failed_commit_stays_failed_after_its_index_is_reused() {
        let queue = Arc::new(Queue::new(0));
        push(&queue, 1);
        queue.flush(queue.turn(1), |_| Ok(())).unwrap();
        push(&queue, 2);
        let (old, ticket) = (queue.turn(2), queue.ticket(queue.turn(2)));
        let failure = CommitError::Storage { reason: "disk full".into() };
        queue.flush(old, |_| Err(failure.clone())).unwrap_err();
        let mut head = Head::new(root(2));
        queue
            .restart(&mut head, &root(1), |durable| (durable == 1).then_some(()).ok_or(()))
            .unwrap();
        assert_eq!((head.root().index, queue.failure()), (1, None));
        push(&queue, 2);
        let new = queue.turn(2);
        assert_eq!(queue.flush(new, |_| Ok(())), Ok(2));
        assert_eq!(queue.flush(old, |_| Ok(())), Err(failure.clone()));
        let waker = std::task::Waker::noop();
        assert_eq!(ticket.poll(&Context::from_waker(waker)), Poll::Ready(Err(failure)));
    }

    #[test]
    fn panic_in_a_write_leaves_no_waiter_hanging() {
        let queue = Queue::new(0);
        push(&queue, 1);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            queue.flush(queue.turn(1), |_| panic!("on purpose"))
        }));
        assert!(panicked.is_err());
        assert!(matches!(queue.flush(queue.turn(1), |_| Ok(())), Err(CommitError::Storage { .. })));
    }
}
