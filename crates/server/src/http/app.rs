//! What all reads and all writes share: blocking, transactions, limits.
//!
//! A read runs on a tracked snapshot, so that any of them can block. A write runs in one
//! transaction on a thread that may wait for the disk.
//!
//! Invariant: at most as many queries run at a time as there are cores, and none on a thread that
//! serves sockets, so that a crowd of woken readers holds up nobody else.

use std::net::IpAddr;
use std::num::NonZero;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde::Serialize;
use statehold_store::{Answer, Attempt, Snapshot, Store, Tracked, WriteTxn};
use tokio::sync::{Semaphore, watch};

use super::Reply;
use super::call::Call;
use super::params::{Query, Read};
use super::reject::{self, Reject};
use super::reply::{self, Meta};
use crate::clock::now;
use crate::providers::local::LocalNode;

/// How long a request may take to send its body.
const BODY_WAIT_MAX: Duration = Duration::from_secs(60);

/// What the handlers share.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Arc<Store>,
    node: LocalNode,
    body_max: usize,
    /// True when the server is to stop.
    stopped: watch::Receiver<bool>,
    /// A permit for each query that may run at the same time.
    queries: Semaphore,
}

impl App {
    pub(crate) fn new(
        store: Arc<Store>,
        node: LocalNode,
        body_max: usize,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self(Arc::new(Shared { store, node, body_max, stopped, queries: Semaphore::new(cores) }))
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
        mut query: impl FnMut(&Tracked) -> Result<R, Reject>,
    ) -> Result<Answer<R>, Reject> {
        let _ = client;
        let mut min_index = read.min_index;
        let mut timeout = pin!(self.timeout(read.wait));
        let answer = loop {
            let attempt =
                self.compute(|| self.store().try_blocking(min_index, |view| query(view))).await?;
            match attempt {
                Ok(Attempt::Ready(answer)) => break answer,
                Ok(Attempt::Parked(changed)) => tokio::select! {
                    () = changed => {}
                    // One more run, which answers whatever is there.
                    () = &mut timeout => min_index = 0,
                },
                Err(error) => {
                    return Err(Reject::new(StatusCode::TOO_MANY_REQUESTS, error.to_string()));
                }
            }
        };
        let index = answer.index;
        let value = answer.value.map_err(|reject| reject.at(index))?;
        Ok(Answer { value, index })
    }

    /// Answers a read of one object, which `query` renders.
    pub(crate) async fn object(
        &self,
        call: &Call,
        read: &Read,
        mut query: impl FnMut(&Tracked, Render) -> Result<Vec<u8>, Reject>,
    ) -> Reply {
        let render = Render { pretty: call.query.pretty() };
        let answer = self.read(read, call.client, |view| query(view, render)).await?;
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
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<T, Reject> + Send + 'static,
        after: impl FnOnce(&Snapshot, T) -> Result<R, Reject> + Send + 'static,
    ) -> Result<(R, u64), Reject>
    where
        R: Send + 'static,
    {
        let app = self.clone();
        let job = move || {
            let store = app.store();
            let mut txn = store.begin_write().map_err(|error| Reject::unavailable(&error))?;
            let done = write(&mut txn, now())?;
            let committed = txn.commit_snapshot().map_err(|error| Reject::unavailable(&error))?;
            Ok((after(&committed, done)?, committed.index()))
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

    /// The whole body of a request, if it is not larger than the limit and comes in time.
    pub(crate) async fn body(&self, body: Body) -> Result<Vec<u8>, Reject> {
        let max = self.0.body_max;
        let read = axum::body::to_bytes(body, max);
        match tokio::time::timeout(BODY_WAIT_MAX, read).await {
            Ok(Ok(bytes)) => Ok(bytes.into()),
            Ok(Err(error)) if reject::is_too_large(&error) => Err(Reject::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the request body is larger than {max} bytes, the limit set by --body-max"),
            )),
            Ok(Err(error)) => Err(Reject::bad_request(error.to_string())),
            Err(_) => Err(Reject::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the request body did not come within {} s", BODY_WAIT_MAX.as_secs()),
            )),
        }
    }
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
