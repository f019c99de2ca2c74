//! The HTTP API: routing, and what every read and every write has in common.
//!
//! A read runs on a tracked snapshot, so that any of them can block. A write runs in one
//! transaction on a thread that may wait for the disk.
//!
//! Invariant: at most as many queries run at a time as there are cores, and none on a thread that
//! serves sockets, so that a crowd of woken readers holds up nobody else.

mod duration;
mod feed;
mod listing;
mod namespaces;
mod params;
mod path;
mod plugins;
mod reject;
mod reply;
mod status;
mod volumes;

use std::num::NonZero;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use axum::middleware::Next;
use axum::routing::any;
use serde::Serialize;
use statehold_store::{Attempt, PageToken, Snapshot, Store, Tracked, WriteTxn};
use tokio::sync::{Semaphore, watch};

use params::Read;
use reject::Reject;
use reply::Meta;

/// How long a request may take to send its body.
const BODY_WAIT_MAX: Duration = Duration::from_secs(60);

/// What the handlers share.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    body_max: usize,
    /// True when the server is to stop.
    stopped: watch::Receiver<bool>,
    /// A permit for each query that may run at the same time.
    queries: Semaphore,
}

/// What a handler gives.
type Reply = Result<Response<Body>, Reject>;

impl App {
    pub(crate) fn new(store: Store, body_max: usize, stopped: watch::Receiver<bool>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self(Arc::new(Shared { store, body_max, stopped, queries: Semaphore::new(cores) }))
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    /// Answers a read: at once, or when something that `query` reads has an index above the
    /// client's, or when the client's wait is over. What it gives is rendered once, at the end.
    async fn read<R>(
        &self,
        read: &Read,
        mut query: impl FnMut(&Tracked) -> Result<R, Reject>,
        render: impl FnOnce(R) -> Result<Rendered, Reject>,
    ) -> Reply {
        let mut min_index = read.min_index;
        let mut timeout = pin!(self.timeout(read.wait));
        let answer = loop {
            let permit =
                self.0.queries.acquire().await.map_err(|error| Reject::internal(&error))?;
            let attempt = tokio::task::block_in_place(|| {
                self.store().try_blocking(min_index, |view| query(view))
            });
            drop(permit);
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
        let Rendered { body, next_token } =
            answer.value.and_then(render).map_err(|reject| reject.at(index))?;
        Ok(reply::json_body(body, &Meta { index, next_token }))
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
    async fn write<T, R>(
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

    /// The whole body of a request, if it is not larger than the limit and comes in time.
    async fn body(&self, body: Body) -> Result<Vec<u8>, Reject> {
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

/// A body, and what its headers say.
struct Rendered {
    body: Vec<u8>,
    next_token: Option<PageToken>,
}

impl Rendered {
    fn new(value: &impl Serialize, read: &Read) -> Result<Self, Reject> {
        Self::page(value, None, read)
    }

    fn page(
        value: &impl Serialize,
        next_token: Option<PageToken>,
        read: &Read,
    ) -> Result<Self, Reject> {
        Ok(Self { body: reply::render(value, read.query.pretty())?, next_token })
    }
}

/// The routes. Handlers look at the method themselves, because Nomad's answers to a wrong one
/// differ from path to path.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/v1/volumes", any(volumes::collection))
        .route("/v1/volume/csi/", any(volumes::one))
        .route("/v1/volume/csi/{*rest}", any(volumes::one))
        .route("/v1/plugins", any(plugins::collection))
        .route("/v1/plugin/csi/", any(plugins::one))
        .route("/v1/plugin/csi/{*rest}", any(plugins::one))
        .route("/v1/namespaces", any(namespaces::collection))
        .route("/v1/namespace", any(namespaces::unnamed))
        .route("/v1/namespace/{name}", any(namespaces::one))
        .route("/statehold/v1/nodes/{id}", any(feed::node))
        .route("/statehold/v1/allocations/{id}", any(feed::allocation))
        .route("/statehold/v1/jobs/{namespace}/{id}", any(feed::job))
        .route("/statehold/v1/volume/csi/{id}/claim", any(feed::claim))
        .route("/statehold/v1/volume/csi/{id}/unpublish", any(feed::unpublish))
        .route("/statehold/v1/status", any(status::status))
        .fallback(unknown_path)
        .layer(axum::middleware::from_fn(log))
        .with_state(app)
}

/// A path that nothing is at: 404 without a body.
async fn unknown_path() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// Writes a line for every request that failed on our side. Paths only: queries may hold secrets.
async fn log(request: Request, next: Next) -> Response<Body> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let reply = next.run(request).await;
    let status = reply.status().as_u16();
    if reply.status().is_server_error() {
        tracing::error!(%method, path, status, "request failed");
    } else {
        tracing::debug!(%method, path, status, "request");
    }
    reply
}

/// Unix nanoseconds.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
