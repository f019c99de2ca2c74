//! Waiting for any commit, independent of the data it changes: for caches, bridges and replicas without a list
//! of tables.
//!
//! Invariant: a waiter registers first and then reads the newest index, while a commit is published first and
//! then wakes, so no commit is lost between the two.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use crate::error::{FeedError, WatchError};
use crate::feed::{Commit, Feed};
use crate::signal::Signal;
use crate::store::Store;
use crate::sync::Mutex;

/// Waiters for the next commit.
pub(crate) struct Waiters {
    state: Mutex<State>,
    waiters_max: usize,
}

#[derive(Default)]
struct State {
    closed: bool,
    next_id: u64,
    waiting: HashMap<u64, Arc<Signal>>,
}

impl Waiters {
    pub(crate) fn new(waiters_max: usize) -> Self {
        Self { state: Mutex::default(), waiters_max }
    }

    pub(crate) fn wait(self: &Arc<Self>) -> Result<Waiting, WatchError> {
        let signal = Arc::new(Signal::default());
        let mut state = self.state.lock();
        if state.closed {
            return Err(WatchError::Closed);
        }
        if state.waiting.len() >= self.waiters_max {
            return Err(WatchError::TooMany { parked_max: self.waiters_max });
        }
        let id = state.next_id;
        state.next_id += 1;
        state.waiting.insert(id, Arc::clone(&signal));
        Ok(Waiting { waiters: Arc::clone(self), id, signal })
    }

    pub(crate) fn wake(&self) {
        // All waiters are removed at once: each wants any commit, so none stays.
        let woken = std::mem::take(&mut self.state.lock().waiting);
        // Wakers are foreign code, so none runs with the lock held.
        for signal in woken.into_values() {
            signal.notify();
        }
    }

    /// Wakes all waiters and rejects new ones.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.wake();
    }
}

/// A registered waiter. Dropping it deregisters.
pub(crate) struct Waiting {
    waiters: Arc<Waiters>,
    id: u64,
    signal: Arc<Signal>,
}

impl Waiting {
    fn wait_until(&self, deadline: Instant) -> bool {
        self.signal.wait_until(deadline)
    }
}

impl Future for Waiting {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.signal.poll(context)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waiters.state.lock().waiting.remove(&self.id);
    }
}

impl Store {
    /// Waits until the store's index is greater than `after` or `deadline` has passed. Returns the current
    /// index, which is not greater than `after` only if the deadline was reached.
    ///
    /// Every commit counts, whichever tables it changed. Under [`crate::Durability::Relaxed`] a commit counts
    /// once it is visible.
    ///
    /// # Errors
    /// [`WatchError::TooMany`] if [`crate::Options::parked_max`] callers wait for the next commit already,
    /// [`WatchError::Closed`] if the store is closed before a commit.
    ///
    /// ```
    /// # use statehold_store::{Store, Table};
    /// # use std::time::{Duration, Instant};
    /// # #[derive(serde::Serialize, serde::Deserialize, Table)]
    /// # #[table(name = "names")]
    /// # struct Name { #[table(key)] name: String }
    /// # let store = Store::in_memory(&Name::schema());
    /// let seen = store.index();
    /// let soon = Instant::now() + Duration::from_secs(60);
    /// std::thread::scope(|scope| {
    ///     let cache = scope.spawn(|| store.wait_index(seen, soon));
    ///     let mut txn = store.begin_write().unwrap();
    ///     txn.put(Name { name: "web".into() }).unwrap();
    ///     let index = txn.commit().unwrap();
    ///     assert_eq!(cache.join().unwrap(), Ok(index));
    /// });
    /// ```
    pub fn wait_index(&self, after: u64, deadline: Instant) -> Result<u64, WatchError> {
        loop {
            let index = self.index();
            if index > after {
                return Ok(index);
            }
            let waiting = self.visible().wait()?;
            let index = self.index();
            // A commit between the two reads had no waiter to wake.
            if index > after || !waiting.wait_until(deadline) {
                return Ok(index.max(self.index()));
            }
        }
    }

    /// Like [`Store::wait_index`], but returns a future instead of blocking the thread. `timeout` is a future
    /// that ends at the caller's deadline, for example a timer of its runtime. Dropping the future deregisters.
    ///
    /// # Errors
    /// Those of [`Store::wait_index`].
    pub async fn wait_index_async(
        &self,
        after: u64,
        timeout: impl Future<Output = ()>,
    ) -> Result<u64, WatchError> {
        let mut timeout = pin!(timeout);
        loop {
            let index = self.index();
            if index > after {
                return Ok(index);
            }
            let mut waiting = self.visible().wait()?;
            let index = self.index();
            // A commit between the two reads had no waiter to wake.
            if index > after {
                return Ok(index);
            }
            let woken = poll_fn(|context| {
                if Pin::new(&mut waiting).poll(context).is_ready() {
                    return Poll::Ready(true);
                }
                timeout.as_mut().poll(context).map(|()| false)
            })
            .await;
            if !woken {
                return Ok(self.index());
            }
        }
    }

    /// Returns the commits after `index`, including future ones: each once it is visible and on disk, until the
    /// store is closed.
    ///
    /// # Errors
    /// Those of [`Store::changes_since`].
    ///
    /// ```
    /// # use statehold_store::{FeedError, Store};
    /// async fn bridge(store: &Store, mut seen: u64) -> Result<(), FeedError> {
    ///     let mut changes = store.changes_async(seen)?;
    ///     while let Some(commit) = changes.next().await.transpose()? {
    ///         println!("{} changes at {}", commit.changes.len(), commit.index);
    ///         seen = commit.index;
    ///     }
    ///     Ok(()) // the store was closed
    /// }
    /// ```
    ///
    /// [`Changes::poll_next`] has the signature that a `Stream` needs:
    ///
    /// ```
    /// # use statehold_store::{FeedError, Store};
    /// # fn poll_fn<T>(_: impl FnMut(&mut std::task::Context<'_>) -> std::task::Poll<Option<T>>) {}
    /// # fn stream(store: &Store) -> Result<(), FeedError> {
    /// let mut changes = store.changes_async(0)?;
    /// let stream = poll_fn(move |context| changes.poll_next(context)); // futures::stream::poll_fn
    /// # Ok(())
    /// # }
    /// ```
    pub fn changes_async(&self, index: u64) -> Result<Changes<'_>, FeedError> {
        Ok(Changes { feed: self.changes_since(index)?, store: self, waiting: None, ended: false })
    }
}

/// Past and future commits: see [`Store::changes_async`].
pub struct Changes<'s> {
    store: &'s Store,
    feed: Feed<'s>,
    waiting: Option<Waiting>,
    /// Whether the store was closed or the feed failed.
    ended: bool,
}

impl Changes<'_> {
    /// Waits for the next commit without blocking the thread. Returns `None` once the store is closed and every
    /// commit was returned. An error ends the feed. Dropping the future loses no commit.
    pub async fn next(&mut self) -> Option<Result<Commit, FeedError>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Like [`Changes::next`], for hand-written futures and streams.
    pub fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Commit, FeedError>>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                ready!(Pin::new(waiting).poll(context));
                self.waiting = None;
            }
            if let Poll::Ready(next) = self.step() {
                return Poll::Ready(next);
            }
        }
    }

    /// Waits for the next commit until `deadline`. Returns `None` if there was none, or if the store is closed.
    ///
    /// # Errors
    /// [`FeedError`], which ends the feed.
    pub fn next_until(&mut self, deadline: Instant) -> Result<Option<Commit>, FeedError> {
        loop {
            if let Some(waiting) = &self.waiting {
                if !waiting.wait_until(deadline) {
                    return Ok(None);
                }
                self.waiting = None;
            }
            if let Poll::Ready(next) = self.step() {
                return next.transpose();
            }
        }
    }

    /// The index of the last commit that was returned, or the one that the feed began after.
    pub fn index(&self) -> u64 {
        self.feed.after()
    }

    /// Ready with the next commit or the end, if it is known; else a waiter is registered.
    fn step(&mut self) -> Poll<Option<Result<Commit, FeedError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(commit) = self.feed.next() {
            self.ended = commit.is_err();
            return Poll::Ready(Some(commit));
        }
        match self.store.recorded().wait() {
            // Registered first: a commit from here on wakes the waiter.
            Ok(waiting) => {
                self.feed.extend();
                let next = self.feed.next();
                if next.is_none() {
                    self.waiting = Some(waiting);
                    return Poll::Pending;
                }
                self.ended = matches!(next, Some(Err(_)));
                Poll::Ready(next)
            }
            Err(WatchError::Closed) => {
                self.feed.extend();
                let next = self.feed.next();
                self.ended = !matches!(next, Some(Ok(_)));
                Poll::Ready(next)
            }
            Err(WatchError::TooMany { parked_max }) => {
                self.ended = true;
                Poll::Ready(Some(Err(FeedError::TooMany { parked_max })))
            }
        }
    }
}

impl fmt::Debug for Changes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("after", &self.feed.after())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
