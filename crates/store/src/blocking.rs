//! Blocking queries: return once the data that a query read has changed.
//!
//! The query runs on a tracked snapshot. If the index of its reads is not greater than the caller's, the reader
//! is parked on exactly those ranges, and the query runs again when one of them changes. The ranges may differ
//! from run to run.
//!
//! A change within the ranges need not change the result. Where an unchanged result costs the caller something,
//! the `changed` variants keep it parked while the result stays equal.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::error::WatchError;
use crate::snapshot::{Tracked, index_of};
use crate::store::Store;
use crate::watch::Parked;

/// The result of a blocking query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryResult<R> {
    /// The value that the query returned.
    pub value: R,
    /// The index of the data that the query read, at least 1. Pass it as `min_index` to wait for the next
    /// change.
    pub index: u64,
}

/// The outcome of one run of a query.
#[derive(Debug)]
pub enum Attempt<R> {
    /// The index is greater than the caller's, or the caller does not wait.
    Ready(QueryResult<R>),
    /// Nothing new yet. The value of the query was dropped; the caller should run the query again when `Parked`
    /// is notified. It is notified at once if there was a commit while the query ran.
    Parked(Parked),
}

impl Store {
    /// Runs `query`, and runs it again whenever data that it read changes, until the index of its reads is
    /// greater than `min_index` or `deadline` has passed. Returns the value of the last run.
    ///
    /// With a `min_index` of 0 the query runs once. The query MUST read through the given [`Tracked`]: other
    /// reads are not watched. All registrations are removed on return.
    ///
    /// Never misses a change. The call MAY return early with an unchanged value: the index of a read also
    /// counts changes of neighbouring keys (see [`Tracked::index`]), so a neighbour's change that was committed
    /// after `min_index` and before the call ends it at once. A parked reader is woken only by changes in the
    /// ranges that it read. [`Store::blocking_changed`] compares values.
    ///
    /// # Errors
    /// [`WatchError::TooMany`] if the call would have to wait while [`crate::Options::parked_max`] readers are
    /// parked. Reaching the deadline is not an error.
    ///
    /// ```
    /// # use statehold_store::{Store, Table};
    /// # use std::time::{Duration, Instant};
    /// # #[derive(serde::Serialize, serde::Deserialize, Table)]
    /// # #[table(name = "names")]
    /// # struct Name { #[table(key)] name: String }
    /// # let store = Store::in_memory(&Name::schema());
    /// let soon = Instant::now() + Duration::from_secs(60);
    /// std::thread::scope(|scope| {
    ///     let reader = scope.spawn(|| {
    ///         store.blocking(1, soon, |view| Name::BY_KEY.contains(view, "web"))
    ///     });
    ///     let mut txn = store.begin_write().unwrap();
    ///     txn.put(Name { name: "db".into() }).unwrap();
    ///     txn.commit().unwrap();
    ///     let mut txn = store.begin_write().unwrap();
    ///     txn.put(Name { name: "web".into() }).unwrap();
    ///     let index = txn.commit().unwrap();
    ///     let result = reader.join().unwrap().unwrap();
    ///     assert!(result.index <= index);
    /// });
    /// ```
    pub fn blocking<R>(
        &self,
        min_index: u64,
        deadline: Instant,
        mut query: impl FnMut(&Tracked) -> R,
    ) -> Result<QueryResult<R>, WatchError> {
        self.wait(min_index, deadline, |min_index| self.try_blocking(min_index, &mut query))
    }

    /// Like [`Store::blocking`], but returns a future instead of blocking the thread. `timeout` is the future
    /// that ends the wait, a timer of any runtime.
    ///
    /// Dropping the future deregisters the reader at once.
    ///
    /// # Errors
    /// Those of [`Store::blocking`].
    pub async fn blocking_async<R>(
        &self,
        min_index: u64,
        timeout: impl Future<Output = ()>,
        mut query: impl FnMut(&Tracked) -> R,
    ) -> Result<QueryResult<R>, WatchError> {
        self.wait_async(min_index, timeout, |min_index| self.try_blocking(min_index, &mut query))
            .await
    }

    /// Like [`Store::blocking`], but stays parked while `query` returns an equal value. Returns once the index
    /// of the reads is greater than `min_index` and the value differs from the one at `min_index`, or once the
    /// deadline has passed.
    ///
    /// `min_index` MUST be the index of the value that the caller has, which holds if both came from one
    /// [`QueryResult`]. After a change before the call, the first run returns, because the call cannot compare
    /// its value with the earlier one. The value of a run is kept until the next run: for large values, `query`
    /// should return a digest.
    ///
    /// # Errors
    /// Those of [`Store::blocking`].
    ///
    /// ```
    /// # use statehold_store::{Store, Table, Tracked};
    /// # use std::time::{Duration, Instant};
    /// # #[derive(serde::Serialize, serde::Deserialize, Table)]
    /// # #[table(name = "names")]
    /// # struct Name { #[table(key)] name: String }
    /// # let store = Store::in_memory(&Name::schema());
    /// # let add = |name: &str| {
    /// #     let mut txn = store.begin_write().unwrap();
    /// #     txn.put(Name { name: name.into() }).unwrap();
    /// #     txn.commit().unwrap()
    /// # };
    /// let first = |view: &Tracked| {
    ///     Name::BY_KEY.first(view).map(|row| row.name.clone())
    /// };
    /// let index = add("b");
    /// let soon = Instant::now() + Duration::from_secs(60);
    /// std::thread::scope(|scope| {
    ///     let reader = scope.spawn(|| store.blocking_changed(index, soon, first));
    ///     // A change before the reader is parked would end its call at once.
    ///     while store.parked() == 0 {
    ///         std::thread::yield_now();
    ///     }
    ///     add("c"); // in the range that was read, but not its first row
    ///     add("a");
    ///     assert_eq!(reader.join().unwrap().unwrap().value.as_deref(), Some("a"));
    /// });
    /// ```
    pub fn blocking_changed<R: PartialEq>(
        &self,
        min_index: u64,
        deadline: Instant,
        mut query: impl FnMut(&Tracked) -> R,
    ) -> Result<QueryResult<R>, WatchError> {
        let mut seen = None;
        self.wait(min_index, deadline, |min_index| {
            self.try_blocking_changed(min_index, &mut seen, &mut query)
        })
    }

    /// Like [`Store::blocking_changed`], but returns a future instead of blocking the thread, as
    /// [`Store::blocking_async`].
    ///
    /// # Errors
    /// Those of [`Store::blocking`].
    pub async fn blocking_changed_async<R: PartialEq>(
        &self,
        min_index: u64,
        timeout: impl Future<Output = ()>,
        mut query: impl FnMut(&Tracked) -> R,
    ) -> Result<QueryResult<R>, WatchError> {
        let mut seen = None;
        self.wait_async(min_index, timeout, |min_index| {
            self.try_blocking_changed(min_index, &mut seen, &mut query)
        })
        .await
    }

    /// Runs `query` once. Returns its value if it is newer than `min_index` or `min_index` is 0, else a reader
    /// parked on the ranges that were read. The other variants are built from this one; it is for callers that
    /// choose where and when a query runs.
    ///
    /// # Errors
    /// Those of [`Store::blocking`].
    pub fn try_blocking<R>(
        &self,
        min_index: u64,
        mut query: impl FnMut(&Tracked) -> R,
    ) -> Result<Attempt<R>, WatchError> {
        self.attempt(&mut query, |value, index| {
            // Nomad's blocking queries: an index of 0 means "do not block".
            if min_index == 0 || index > min_index { Ok(value) } else { Err(()) }
        })
    }

    /// Like [`Store::try_blocking`], but parks also if the value equals `seen`. `seen` MUST be `None` at first;
    /// a run that parks stores its value there for the next run.
    ///
    /// # Errors
    /// Those of [`Store::blocking`].
    pub fn try_blocking_changed<R: PartialEq>(
        &self,
        min_index: u64,
        seen: &mut Option<R>,
        mut query: impl FnMut(&Tracked) -> R,
    ) -> Result<Attempt<R>, WatchError> {
        self.attempt(&mut query, |value, index| {
            let news = index > min_index && seen.as_ref() != Some(&value);
            if min_index == 0 || news {
                return Ok(value);
            }
            // Kept although the index may be old: without it the next run could not tell whether the value
            // changed.
            *seen = Some(value);
            Err(())
        })
    }

    /// Runs `query`, and parks on its reads unless `accept` returns the value.
    fn attempt<R>(
        &self,
        query: &mut impl FnMut(&Tracked) -> R,
        mut accept: impl FnMut(R, u64) -> Result<R, ()>,
    ) -> Result<Attempt<R>, WatchError> {
        // A new snapshot for each run, because the query must see the newest commit.
        let tracked = self.tracked();
        let value = query(&tracked);
        let index = tracked.index();
        if let Ok(value) = accept(value, index) {
            return Ok(Attempt::Ready(QueryResult { value, index }));
        }
        let parked = self.registry().park(tracked.into_reads())?;
        // A commit between the query and the registration had no reader to wake, so it is looked up here. The
        // caller runs the query again: a loop here could run forever if commits come faster than the query
        // ends.
        if index_of(&self.published(), parked.reads()) > index {
            parked.wake();
        }
        Ok(Attempt::Parked(parked))
    }

    /// Runs attempts until one is ready. After the deadline it passes 0, with which every attempt is ready.
    fn wait<R>(
        &self,
        mut min_index: u64,
        deadline: Instant,
        mut attempt: impl FnMut(u64) -> Result<Attempt<R>, WatchError>,
    ) -> Result<QueryResult<R>, WatchError> {
        let mut woken = false;
        loop {
            let attempt = attempt(min_index)?;
            self.ran(woken, &attempt);
            match attempt {
                Attempt::Ready(result) => return Ok(result),
                // Commits may come so fast that there is always a change: the deadline must still end the loop.
                Attempt::Parked(parked) => {
                    woken = parked.wait_until(deadline) && Instant::now() < deadline;
                }
            }
            if !woken {
                min_index = 0;
            }
        }
    }

    /// Like [`Store::wait`], but returns a future instead of blocking the thread.
    async fn wait_async<R>(
        &self,
        mut min_index: u64,
        timeout: impl Future<Output = ()>,
        mut attempt: impl FnMut(u64) -> Result<Attempt<R>, WatchError>,
    ) -> Result<QueryResult<R>, WatchError> {
        let mut timeout = pin!(timeout);
        let mut woken = false;
        loop {
            let attempt = attempt(min_index)?;
            self.ran(woken, &attempt);
            let parked = match attempt {
                Attempt::Ready(result) => return Ok(result),
                Attempt::Parked(parked) => parked,
            };
            let mut parked = pin!(parked);
            let mut waited = false;
            woken = poll_fn(|context| {
                // Commits may come so fast that there is always a change. That must neither hide the timeout
                // nor keep other tasks of the executor from running, timers among them: so yield once for each
                // run.
                if timeout.as_mut().poll(context).is_ready() {
                    return Poll::Ready(false);
                }
                let changed = parked.as_mut().poll(context).is_ready();
                if changed && waited {
                    return Poll::Ready(true);
                }
                waited = true;
                if changed {
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            })
            .await;
            if !woken {
                min_index = 0;
            }
        }
    }

    fn ran<R>(&self, woken: bool, attempt: &Attempt<R>) {
        if woken {
            self.registry().ran_again(matches!(attempt, Attempt::Ready(_)));
        }
    }
}

/// Returns `wait` plus up to a sixteenth of it: nothing for a `random` of 0, a full sixteenth for the maximum.
/// Callers that arrived together should use it for their deadlines, so that they do not return together. The
/// caller supplies the random number.
///
/// ```
/// use std::time::Duration;
/// use statehold_store::jittered;
/// assert_eq!(jittered(Duration::from_secs(16), 0), Duration::from_secs(16));
/// assert_eq!(jittered(Duration::from_secs(16), u32::MAX), Duration::from_secs(17));
/// ```
pub fn jittered(wait: Duration, random: u32) -> Duration {
    wait.saturating_add((wait / 16).mul_f64(f64::from(random) / f64::from(u32::MAX)))
}
