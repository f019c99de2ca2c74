//! What both APIs share: the store, transactions, bodies, and how much of each there is at a time.
//!
//! A write runs in one transaction, on a thread that may wait for the disk.
//!
//! Invariant: at most as many queries that may take long run at a time as there are cores, and none of
//! them on a thread that serves sockets, so that a crowd of woken readers holds up nobody else. What is
//! bounded, such as one row or one chunk of a list, runs where it is: moving it would cost more.

use std::num::NonZero;
use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use statehold_store::{Snapshot, Store, WriteTxn};
use tokio::sync::Semaphore;

use super::limits::Limits;
use super::reject::Reject;
use crate::clock::now;
use crate::metrics::Metrics;

/// How many times too large a body may be to be read to its end.
const PASSED_MAX: usize = 16;

/// What everything that serves requests has.
#[derive(Clone, Debug)]
pub(crate) struct Base(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Arc<Store>,
    limits: Limits,
    metrics: Arc<Metrics>,
    /// A permit for each query that may run at the same time.
    queries: Semaphore,
    /// A permit for each write that may be under way at the same time.
    writes: Semaphore,
}

impl Base {
    pub(crate) fn new(store: Arc<Store>, limits: Limits, metrics: Arc<Metrics>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let queries = Semaphore::new(cores);
        let writes = Semaphore::new(limits.writes_max.min(Semaphore::MAX_PERMITS));
        Self(Arc::new(Shared { store, limits, metrics, queries, writes }))
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Runs what takes a processor for a while: on a thread that may, when it is its turn.
    pub(crate) async fn compute<R>(&self, run: impl FnOnce() -> R) -> Result<R, Reject> {
        let permit = self.0.queries.acquire().await.map_err(|error| Reject::internal(&error))?;
        let done = tokio::task::block_in_place(run);
        drop(permit);
        Ok(done)
    }

    /// Runs `write` in one transaction; its result, what `after` makes of the state as of the
    /// commit, and the commit's index. An error leaves nothing behind.
    pub(crate) async fn write<T, R>(
        &self,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<T, Reject>,
        after: impl FnOnce(&Snapshot, T) -> Result<R, Reject>,
    ) -> Result<(R, u64), Reject> {
        self.write_or(write, after).await
    }

    /// The same, where refusals are of another form.
    pub(crate) async fn write_or<T, R, E: From<Reject>>(
        &self,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<T, E>,
        after: impl FnOnce(&Snapshot, T) -> Result<R, E>,
    ) -> Result<(R, u64), E> {
        let permit = self.0.writes.try_acquire().map_err(|_| {
            Reject::too_many(format!(
                "{} writes are under way already, the limit set by --writes-max; try again later",
                self.0.limits.writes_max
            ))
        })?;
        // Another transaction may be under way, and a large one take a while. Nobody holds a thread
        // while the disk works.
        let (commit, done) = tokio::task::block_in_place(|| {
            let mut txn =
                self.store().begin_write().map_err(|error| Reject::unavailable(&error))?;
            let done = write(&mut txn, now())?;
            Ok::<_, E>((txn.commit_async(), done))
        })?;
        let committed = commit.await.map_err(|error| Reject::unavailable(&error))?;
        drop(permit);
        Ok((after(&committed, done)?, committed.index()))
    }

    /// Runs `write` in one transaction, on a thread that may wait for the disk; the state as of the
    /// commit, and what `write` gave. An error leaves nothing behind.
    pub(crate) fn write_here<T>(
        &self,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<T, Reject>,
    ) -> Result<(Snapshot, T), Reject> {
        let mut txn = self.store().begin_write().map_err(|error| Reject::unavailable(&error))?;
        let done = write(&mut txn, now())?;
        let committed = txn.commit_snapshot().map_err(|error| Reject::unavailable(&error))?;
        Ok((committed, done))
    }

    /// The whole body of a request, if it is not larger than the limit and comes in time. `asked`
    /// says that its client waits to be told to send it.
    pub(crate) async fn body(&self, body: Body, asked: bool) -> Result<Vec<u8>, Reject> {
        self.body_within(self.0.limits.body_max, body, asked).await
    }

    /// The same, if the body is not larger than `max` either.
    pub(crate) async fn body_within(
        &self,
        max: usize,
        body: Body,
        asked: bool,
    ) -> Result<Vec<u8>, Reject> {
        let Limits { body_max, body_wait_max: wait, .. } = self.0.limits;
        let max = max.min(body_max);
        let too_large = || {
            Reject::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                if max == body_max {
                    format!(
                        "the request body is larger than {max} bytes, the limit set by --body-max"
                    )
                } else {
                    format!("the request body is larger than {max} bytes, the limit of this API")
                },
            )
        };
        if asked && usize::try_from(body.size_hint().lower()).is_ok_and(|least| least > max) {
            return Err(too_large());
        }
        match tokio::time::timeout(wait, read_body(body, max)).await {
            Ok(Ok(Some(bytes))) => Ok(bytes),
            Ok(Ok(None)) => Err(too_large()),
            Ok(Err(error)) => Err(Reject::bad_request(error.to_string())),
            Err(_) => Err(Reject::new(
                StatusCode::REQUEST_TIMEOUT,
                format!(
                    "the request body did not come within {wait:?}, the limit set by --body-wait-max"
                ),
            )),
        }
    }
}

/// Reads a body; `None` when it is larger than `max`. Then the rest is let pass, unless it is far too
/// large: who is still sending when the connection is closed never reads why.
async fn read_body(body: Body, max: usize) -> Result<Option<Vec<u8>>, axum::Error> {
    let mut body = body.into_data_stream();
    let (mut kept, mut len) = (Vec::new(), 0_usize);
    while let Some(bytes) = body.next().await {
        let bytes = bytes?;
        len = len.saturating_add(bytes.len());
        if len <= max {
            kept.extend_from_slice(&bytes);
        } else if len > max.saturating_mul(PASSED_MAX) {
            break;
        } else {
            kept = Vec::new();
        }
    }
    Ok((len <= max).then_some(kept))
}
