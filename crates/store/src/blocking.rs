//! Blocking queries: answer when what was read has changed.
//!
//! The query runs on a tracked snapshot. When the index of what it read is not greater than the
//! caller's, the reader is parked on exactly those ranges and the query runs again when one of
//! them changes, so the ranges may differ from run to run.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use crate::error::WatchError;
use crate::snapshot::{Tracked, index_of};
use crate::store::Store;
use crate::watch::Parked;

/// The answer of a blocking query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<R> {
    /// What the query gave.
    pub value: R,
    /// The index of what the query read, at least 1: pass it as `min_index` to wait for the next
    /// change.
    pub index: u64,
}

/// What one run of a query came to.
#[derive(Debug)]
pub enum Attempt<R> {
    /// The index is greater than the caller's, or the caller doesn't wait.
    Ready(Answer<R>),
    /// Nothing new yet. What the query gave is gone; run it again when something has changed.
    Parked(Parked),
}

impl Store {
    /// Runs `query`, and runs it again whenever something that it read changes, until the index of
    /// what it read is greater than `min_index` or `deadline` has passed; then
    /// what it gives on the state of that moment.
    ///
    /// With a `min_index` of 0 the query runs once. Reads must go through the given [`Tracked`]
    /// for the watch to be complete. Everything is deregistered on return.
    ///
    /// # Errors
    /// [`WatchError::TooMany`] when it would have to wait and [`crate::Options::parked_max`]
    /// readers do already. Never on reaching the deadline.
    ///
    /// ```
    /// # use statehold_store::{ReadView, Schema, Store, Table};
    /// # use std::time::{Duration, Instant};
    /// # struct Names;
    /// # impl Table for Names {
    /// #     const NAME: &'static str = "names";
    /// #     const VERSION: u16 = 1;
    /// #     type Key = String;
    /// #     type Row = String;
    /// #     fn key(row: &String) -> &str { row }
    /// # }
    /// # let store = Store::in_memory(&Schema::new().table::<Names>());
    /// let soon = Instant::now() + Duration::from_secs(60);
    /// std::thread::scope(|scope| {
    ///     let reader = scope.spawn(|| {
    ///         store.blocking(1, soon, |view| view.get::<Names>("web").is_some())
    ///     });
    ///     let mut txn = store.begin_write().unwrap();
    ///     txn.upsert::<Names>("db".into()).unwrap();
    ///     txn.commit().unwrap();
    ///     let mut txn = store.begin_write().unwrap();
    ///     txn.upsert::<Names>("web".into()).unwrap();
    ///     let index = txn.commit().unwrap();
    ///     let answer = reader.join().unwrap().unwrap();
    ///     assert!(answer.index <= index);
    /// });
    /// ```
    pub fn blocking<R>(
        &self,
        min_index: u64,
        deadline: Instant,
        mut query: impl FnMut(&Tracked) -> R,
    ) -> Result<Answer<R>, WatchError> {
        loop {
            match self.try_blocking(min_index, &mut query)? {
                Attempt::Ready(answer) => return Ok(answer),
                Attempt::Parked(parked) => {
                    if !parked.wait_until(deadline) {
                        return Ok(self.query(&mut query));
                    }
                }
            }
        }
    }

    /// Does what [`Store::blocking`] does without holding a thread: `timeout` is a future that
    /// ends when the caller wants its answer at the latest, a timer of whatever runtime there is.
    ///
    /// Dropping the future deregisters at once.
    ///
    /// # Errors
    /// As [`Store::blocking`].
    pub async fn blocking_async<R>(
        &self,
        min_index: u64,
        timeout: impl Future<Output = ()>,
        mut query: impl FnMut(&Tracked) -> R,
    ) -> Result<Answer<R>, WatchError> {
        let mut timeout = pin!(timeout);
        loop {
            let parked = match self.try_blocking(min_index, &mut query)? {
                Attempt::Ready(answer) => return Ok(answer),
                Attempt::Parked(parked) => parked,
            };
            let mut parked = pin!(parked);
            let woken = poll_fn(|context| {
                if parked.as_mut().poll(context).is_ready() {
                    return Poll::Ready(true);
                }
                timeout.as_mut().poll(context).map(|()| false)
            })
            .await;
            if !woken {
                return Ok(self.query(&mut query));
            }
        }
    }

    /// Runs `query` once: its answer when that is newer than `min_index` or `min_index` is 0, else a
    /// reader that is parked on what was read. This is what the other two are made of, for callers
    /// that choose where a query runs, and when.
    ///
    /// # Errors
    /// As [`Store::blocking`].
    pub fn try_blocking<R>(
        &self,
        min_index: u64,
        mut query: impl FnMut(&Tracked) -> R,
    ) -> Result<Attempt<R>, WatchError> {
        loop {
            let tracked = self.tracked();
            let value = query(&tracked);
            let index = tracked.index();
            if min_index == 0 || index > min_index {
                return Ok(Attempt::Ready(Answer { value, index }));
            }
            let parked = self.registry().park(tracked.into_reads())?;
            // A commit since the query ran found nobody to wake.
            if index_of(&self.published(), parked.reads()) <= index {
                return Ok(Attempt::Parked(parked));
            }
        }
    }

    /// Runs `query` on what is there now.
    fn query<R>(&self, query: &mut impl FnMut(&Tracked) -> R) -> Answer<R> {
        let tracked = self.tracked();
        let value = query(&tracked);
        Answer { value, index: tracked.index() }
    }
}
