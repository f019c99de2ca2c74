//! What all reads and all writes share: blocking, transactions, limits.
//!
//! A read runs on a tracked snapshot, so that any of them can block. A write runs in one
//! transaction on a thread that may wait for the disk.
//!
//! Invariant: at most as many queries that may take long run at a time as there are cores, and none of
//! them on a thread that serves sockets, so that a crowd of woken readers holds up nobody else. What is
//! bounded, such as one row or one chunk of a list, runs where it is: moving it would cost more.

use std::net::IpAddr;
use std::num::NonZero;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderMap, Response, StatusCode};
use futures_util::StreamExt as _;
use serde::Serialize;
use statehold_store::{Answer, Attempt, Snapshot, Store, Tracked, WriteTxn};
use tokio::sync::{Semaphore, watch};

use super::Reply;
use super::access::Access;
use super::acl::Acl;
use super::call::Call;
use super::limits::{Counted, Limits, PerClient};
use super::params::{Query, Read};
use super::reject::Reject;
use super::reply::{self, Meta};
use crate::clock::now;
use crate::metrics::Metrics;
use crate::providers::local::LocalNode;

/// How many times too large a body may be to be read to its end.
const PASSED_MAX: usize = 16;

/// What the handlers share.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Arc<Store>,
    node: LocalNode,
    acl: Acl,
    limits: Limits,
    metrics: Arc<Metrics>,
    /// True when the server is to stop.
    stopped: watch::Receiver<bool>,
    /// A permit for each query that may run at the same time.
    queries: Semaphore,
    /// A permit for each write that may be under way at the same time.
    writes: Semaphore,
    /// Requests of each client that wait in blocking queries.
    parked: PerClient,
}

impl App {
    pub(crate) fn new(
        store: Arc<Store>,
        node: LocalNode,
        acl: Acl,
        limits: Limits,
        metrics: Arc<Metrics>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let queries = Semaphore::new(cores);
        let writes = Semaphore::new(limits.writes_max.min(Semaphore::MAX_PERMITS));
        let parked = PerClient::new(limits.parked_per_client_max);
        Self(Arc::new(Shared {
            store,
            node,
            acl,
            limits,
            metrics,
            stopped,
            queries,
            writes,
            parked,
        }))
    }

    /// What the caller may do who sends these headers, out of which the token is taken.
    pub(crate) fn access(&self, headers: &mut HeaderMap) -> Result<Access, Reject> {
        self.0.acl.access(headers, jiff::Timestamp::now())
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// The node that this machine is.
    pub(crate) fn node(&self) -> &LocalNode {
        &self.0.node
    }

    /// Runs what takes a processor for a while: on a thread that may, when it is its turn.
    pub(crate) async fn compute<R>(&self, run: impl FnOnce() -> R) -> Result<R, Reject> {
        let permit = self.0.queries.acquire().await.map_err(|error| Reject::internal(&error))?;
        let done = tokio::task::block_in_place(run);
        drop(permit);
        Ok(done)
    }

    /// Answers a read: at once, or when something that `query` reads has an index above the
    /// client's, or when the client's wait is over.
    pub(crate) async fn read<R>(
        &self,
        read: &Read,
        client: IpAddr,
        query: impl FnMut(&Tracked) -> Result<R, Reject>,
    ) -> Result<Answer<R>, Reject> {
        self.read_that(Takes::Long, read, client, query).await
    }

    async fn read_that<R>(
        &self,
        takes: Takes,
        read: &Read,
        client: IpAddr,
        mut query: impl FnMut(&Tracked) -> Result<R, Reject>,
    ) -> Result<Answer<R>, Reject> {
        let mut min_index = read.min_index;
        let mut timeout = pin!(self.timeout(read.wait));
        let (mut counted, mut woken) = (None, false);
        let answer = loop {
            let mut run = || self.store().try_blocking(min_index, |view| query(view));
            let attempt = match takes {
                Takes::Short => run(),
                Takes::Long => self.compute(run).await?,
            };
            let attempt = attempt.map_err(|error| Reject::too_many(error.to_string()))?;
            if woken {
                self.metrics().ran_again(matches!(attempt, Attempt::Ready(_)));
            }
            match attempt {
                Attempt::Ready(answer) => break answer,
                Attempt::Parked(changed) => {
                    if counted.is_none() {
                        counted = Some(self.count_parked(client)?);
                    }
                    tokio::select! {
                        () = changed => woken = true,
                        // One more run, which answers whatever is there.
                        () = &mut timeout => (min_index, woken) = (0, false),
                    }
                }
            }
        };
        drop(counted);
        let index = answer.index;
        let value = answer.value.map_err(|reject| reject.at(index))?;
        Ok(Answer { value, index })
    }

    fn count_parked(&self, client: IpAddr) -> Result<Counted, Reject> {
        self.0.parked.enter(client).ok_or_else(|| {
            Reject::too_many(format!(
                "{} requests of your address wait for a change already, the limit set by \
                 --parked-per-client-max; try again later",
                self.0.limits.parked_per_client_max
            ))
        })
    }

    /// Answers a read of one object, which `query` renders.
    pub(crate) async fn object(
        &self,
        call: &Call,
        read: &Read,
        query: impl FnMut(&Tracked, Render) -> Result<Vec<u8>, Reject>,
    ) -> Reply {
        self.object_that(Takes::Short, call, read, query).await
    }

    /// The same, of an object for which any number of rows may have to be read.
    pub(crate) async fn large_object(
        &self,
        call: &Call,
        read: &Read,
        query: impl FnMut(&Tracked, Render) -> Result<Vec<u8>, Reject>,
    ) -> Reply {
        self.object_that(Takes::Long, call, read, query).await
    }

    async fn object_that(
        &self,
        takes: Takes,
        call: &Call,
        read: &Read,
        mut query: impl FnMut(&Tracked, Render) -> Result<Vec<u8>, Reject>,
    ) -> Reply {
        let render = Render { pretty: call.query.pretty() };
        let query = |view: &Tracked| query(view, render);
        let answer = self.read_that(takes, read, call.client, query).await?;
        Ok(reply::json_body(answer.value, &Meta::at(answer.index)))
    }

    /// Ends when a blocking query has waited long enough, or the server is to stop. Up to a
    /// sixteenth is added, so that clients that came together don't come back together.
    async fn timeout(&self, wait: Duration) {
        let wait = statehold_store::jittered(wait, fastrand::u32(..));
        let mut stopped = self.0.stopped.clone();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
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

    /// Runs `ask` on a thread that may wait for providers, when nobody else asks those of `plugins`.
    /// It runs to its end even if its client goes away.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        plugins: impl IntoIterator<Item = &str> + Send,
        ask: impl FnOnce(&Self) -> Result<R, Reject> + Send + 'static,
    ) -> Result<R, Reject> {
        let Some(turns) = self.node().turns(plugins).await else {
            return Err(Reject::too_many("the storage provider is busy; try again later"));
        };
        let app = self.clone();
        let job = move || {
            let done = ask(&app);
            drop(turns);
            done
        };
        tokio::task::spawn_blocking(job).await.map_err(|error| Reject::internal(&error))?
    }

    /// Runs a write whose reply has no body.
    pub(crate) async fn write_silently(
        &self,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<(), Reject> + Send + 'static,
    ) -> Reply {
        let ((), index) = self.write(write, |_, ()| Ok(())).await?;
        Ok(reply::empty(&Meta::at(index)))
    }

    /// Runs a write whose reply is its index.
    pub(crate) async fn write_for_index(
        &self,
        query: &Query,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<(), Reject> + Send + 'static,
    ) -> Reply {
        let ((), index) = self.write(write, |_, ()| Ok(())).await?;
        written(index, query)
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

/// How long a query takes.
#[derive(Clone, Copy, Debug)]
enum Takes {
    /// As long as a row and what belongs to it take.
    Short,
    /// As long as all rows together may take.
    Long,
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

/// How a client wants its JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Render {
    pretty: bool,
}

impl Render {
    pub(crate) fn json(self, value: &impl Serialize) -> Result<Vec<u8>, Reject> {
        reply::render(value, self.pretty)
    }
}

/// The reply of a write that is its index.
pub(crate) fn written(index: u64, query: &Query) -> Result<Response<Body>, Reject> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Written {
        index: u64,
    }
    let body = reply::render(&Written { index }, query.pretty())?;
    Ok(reply::json_body(body, &Meta::at(index)))
}
