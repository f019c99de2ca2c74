//! Blocking queries: answer when what was read has changed.
//!
//! The query runs on a tracked snapshot. When the index of what it read is not greater than the
//! caller's, the reader is parked on exactly those ranges and the query runs again when one of
//! them changes, so the ranges may differ from run to run.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use event_listener::Listener;

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
enum Run<R> {
    Done(Answer<R>),
    /// Nothing new yet; parked on what was read.
    Waits(Answer<R>, Parked),
    /// Something changed between the read and the parking.
    Again,
}

impl Store {
    /// Runs `query`, and runs it again whenever something that it read changes, until the index of
    /// what it read is greater than `min_index` or `deadline` has passed; then its last answer.
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
            match self.run(min_index, &mut query)? {
                Run::Done(answer) => return Ok(answer),
                Run::Again => {}
                Run::Waits(answer, mut parked) => {
                    let woken = parked
                        .listener()
                        .is_some_and(|listener| listener.wait_deadline(deadline).is_some());
                    if !woken {
                        return Ok(answer);
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
            let (answer, mut parked) = match self.run(min_index, &mut query)? {
                Run::Done(answer) => return Ok(answer),
                Run::Again => continue,
                Run::Waits(answer, parked) => (answer, parked),
            };
            let Some(listener) = parked.listener() else { return Ok(answer) };
            let mut listener = pin!(listener);
            let woken = poll_fn(|context| {
                if listener.as_mut().poll(context).is_ready() {
                    return Poll::Ready(true);
                }
                timeout.as_mut().poll(context).map(|()| false)
            })
            .await;
            if !woken {
                return Ok(answer);
            }
        }
    }

    fn run<R>(
        &self,
        min_index: u64,
        query: &mut impl FnMut(&Tracked) -> R,
    ) -> Result<Run<R>, WatchError> {
        let tracked = self.tracked();
        let value = query(&tracked);
        let index = tracked.index();
        if min_index == 0 || index > min_index {
            return Ok(Run::Done(Answer { value, index }));
        }
        let parked = self.registry().park(tracked.into_reads())?;
        if index_of(&self.published(), parked.reads()) > index {
            return Ok(Run::Again);
        }
        Ok(Run::Waits(Answer { value, index }, parked))
    }
}
