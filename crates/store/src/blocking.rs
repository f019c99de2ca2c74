//! Blocking queries: answer when what was read has changed.
//!
//! The query runs on a tracked snapshot. When the index of what it read is not greater than the
//! caller's, the reader is parked on exactly those ranges and the query runs again when one of
//! them changes, so the ranges may differ from run to run.
//!
//! A change of what was read need not change the result. Where an answer that says nothing new costs
//! its caller something, the forms called `changed` keep it parked as long as the result is the same.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::error::WatchError;
use crate::snapshot::{Tracked, index_of};
use crate::store::Store;
use crate::watch::Parked;

/// The answer of a blocking query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryResult<R> {
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
    Ready(QueryResult<R>),
    /// Nothing new yet. What the query gave is gone; run it again when something has changed, which may
    /// be at once: when there was a commit while the query ran.
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
    /// Never misses a change. An answer MAY come early, with a result that is the same: the index of a read counts
    /// changes of neighbouring keys too (see [`Tracked::index`]), so a call may answer at once because of a
    /// neighbour's change that was committed after `min_index` and before the call. A reader that is parked is
    /// woken by changes of what it read alone. [`Store::blocking_changed`] compares results.
    ///
    /// # Errors
    /// [`WatchError::TooMany`] when it would have to wait and [`crate::Options::parked_max`]
    /// readers do already. Never on reaching the deadline.
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
    ///     let answer = reader.join().unwrap().unwrap();
    ///     assert!(answer.index <= index);
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
    ) -> Result<QueryResult<R>, WatchError> {
        self.wait_async(min_index, timeout, |min_index| self.try_blocking(min_index, &mut query))
            .await
    }

    /// Does what [`Store::blocking`] does, but stays parked as long as `query` gives the same: it
    /// answers when the index of what was read is greater than `min_index` and the result is another
    /// than the one that was there at `min_index`, or the deadline has passed.
    ///
    /// The index that is compared is only known to be that of the result when the caller got both in
    /// one answer. When there was a change before the call, the first run answers, as nothing tells
    /// whether it changed the result. Keeps the result of a run until the next one: let `query` give a
    /// digest where that is too much.
    ///
    /// # Errors
    /// As [`Store::blocking`].
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
    ///     // A change before the reader waits would answer it at once.
    ///     while store.parked() == 0 {
    ///         std::thread::yield_now();
    ///     }
    ///     add("c"); // read, but not what comes first
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

    /// Does what [`Store::blocking_changed`] does without holding a thread, as
    /// [`Store::blocking_async`] does.
    ///
    /// # Errors
    /// As [`Store::blocking`].
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
        self.attempt(&mut query, |value, index| {
            if min_index == 0 || index > min_index { Ok(value) } else { Err(()) }
        })
    }

    /// Does what [`Store::try_blocking`] does, but parks also when the result is what was `seen`, which
    /// is `None` at first. `seen` is the result of a run that did not answer, for the next one.
    ///
    /// # Errors
    /// As [`Store::blocking`].
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
            *seen = Some(value);
            Err(())
        })
    }

    /// Runs `query`, and parks on what it read unless `answer` takes the value and the index for one.
    fn attempt<R>(
        &self,
        query: &mut impl FnMut(&Tracked) -> R,
        mut answer: impl FnMut(R, u64) -> Result<R, ()>,
    ) -> Result<Attempt<R>, WatchError> {
        let tracked = self.tracked();
        let value = query(&tracked);
        let index = tracked.index();
        if let Ok(value) = answer(value, index) {
            return Ok(Attempt::Ready(QueryResult { value, index }));
        }
        let parked = self.registry().park(tracked.into_reads())?;
        // A commit since the query ran found nobody to wake. The caller is told, instead of a query
        // that runs here again and again while commits come faster than it is done.
        if index_of(&self.published(), parked.reads()) > index {
            parked.wake();
        }
        Ok(Attempt::Parked(parked))
    }

    /// Attempts until there is an answer; with 0, which always gives one, when the deadline has passed.
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
                Attempt::Ready(answer) => return Ok(answer),
                // Changes may come so fast that there is always one.
                Attempt::Parked(parked) => {
                    woken = parked.wait_until(deadline) && Instant::now() < deadline;
                }
            }
            if !woken {
                min_index = 0;
            }
        }
    }

    /// Does what [`Store::wait`] does without holding a thread.
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
                Attempt::Ready(answer) => return Ok(answer),
                Attempt::Parked(parked) => parked,
            };
            let mut parked = pin!(parked);
            let mut waited = false;
            woken = poll_fn(|context| {
                // Changes may come so fast that there is always one: that must neither hide the
                // timeout nor keep other tasks from running, timers among them.
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

/// `wait` and up to a sixteenth of it more, as `luck` says: from nothing for 0 to all of it for the
/// greatest number. For deadlines of callers that came together and should not come back together;
/// the randomness is theirs.
///
/// ```
/// use std::time::Duration;
/// use statehold_store::jittered;
/// assert_eq!(jittered(Duration::from_secs(16), 0), Duration::from_secs(16));
/// assert_eq!(jittered(Duration::from_secs(16), u32::MAX), Duration::from_secs(17));
/// ```
pub fn jittered(wait: Duration, luck: u32) -> Duration {
    wait.saturating_add((wait / 16).mul_f64(f64::from(luck) / f64::from(u32::MAX)))
}
