//! The HTTP API: routing, and what every read and every write has in common.
//!
//! A read runs on a tracked snapshot, so that any of them can block. A write runs in one
//! transaction on a thread that may wait for the disk.

mod feed;
mod namespaces;
mod params;
mod plugins;
mod reject;
mod reply;
mod status;
mod volumes;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use axum::routing::any;
use serde::Serialize;
use statehold_store::{PageToken, Snapshot, Store, Tracked, WriteTxn};
use tokio::sync::watch;

use params::Read;
use reject::Reject;
use reply::Meta;

/// What the handlers share.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    body_max: usize,
    /// True when the server is to stop.
    stopped: watch::Receiver<bool>,
}

/// What a handler gives.
type Reply = Result<Response<Body>, Reject>;

impl App {
    pub(crate) fn new(store: Store, body_max: usize, stopped: watch::Receiver<bool>) -> Self {
        Self(Arc::new(Shared { store, body_max, stopped }))
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    /// Answers a read: at once, or when something that `query` reads has an index above the
    /// client's, or when the client's wait is over.
    async fn read<F>(&self, read: &Read, mut query: F) -> Reply
    where
        F: FnMut(&Tracked) -> Result<Rendered, Reject>,
    {
        let timeout = self.timeout(read.wait);
        let answer = self
            .store()
            .blocking_async(read.min_index, timeout, |view| query(view))
            .await
            .map_err(|error| Reject::new(StatusCode::TOO_MANY_REQUESTS, error.to_string()))?;
        let index = answer.index;
        match answer.value {
            Ok(Rendered { body, next_token }) => {
                Ok(reply::json_body(body, &Meta { index, next_token }))
            }
            Err(reject) => Err(reject.at(index)),
        }
    }

    /// Ends when a blocking query has waited long enough, or the server is to stop. Up to a
    /// sixteenth is added, so that clients that came together don't come back together.
    async fn timeout(&self, wait: Duration) {
        let jitter = wait.mul_f64(fastrand::f64() / 16.0);
        let mut stopped = self.0.stopped.clone();
        tokio::select! {
            () = tokio::time::sleep(wait + jitter) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }

    /// Runs `write` in one transaction; its result, what `after` makes of the committed state, and
    /// the commit's index. An error leaves nothing behind.
    async fn write<T, R>(
        &self,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<T, Reject> + Send + 'static,
        after: impl FnOnce(&Snapshot, u64, T) -> Result<R, Reject> + Send + 'static,
    ) -> Result<(R, u64), Reject>
    where
        R: Send + 'static,
    {
        let app = self.clone();
        let job = move || {
            let store = app.store();
            let mut txn = store.begin_write().map_err(|error| Reject::unavailable(&error))?;
            let done = write(&mut txn, now())?;
            let index = txn.commit().map_err(|error| Reject::unavailable(&error))?;
            Ok((after(&store.snapshot(), index, done)?, index))
        };
        tokio::task::spawn_blocking(job).await.map_err(|error| Reject::internal(&error))?
    }

    /// The whole body of a request, if it is not larger than the limit.
    async fn body(&self, body: Body) -> Result<Vec<u8>, Reject> {
        let max = self.0.body_max;
        match axum::body::to_bytes(body, max).await {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) if reject::is_too_large(&error) => Err(Reject::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the request body is larger than {max} bytes, the limit set by --body-max"),
            )),
            Err(error) => Err(Reject::new(StatusCode::BAD_REQUEST, error.to_string())),
        }
    }
}

/// A body, rendered while the snapshot that it borrows from is there.
struct Rendered {
    body: Vec<u8>,
    next_token: Option<PageToken>,
}

impl Rendered {
    fn new(value: &impl Serialize, read: &Read) -> Result<Self, Reject> {
        Ok(Self { body: reply::render(value, read.query.pretty())?, next_token: None })
    }

    fn page(
        value: &impl Serialize,
        next_token: Option<PageToken>,
        read: &Read,
    ) -> Result<Self, Reject> {
        Ok(Self { next_token, ..Self::new(value, read)? })
    }
}

/// The routes. Handlers look at the method themselves, because Nomad's answers to a wrong one
/// differ from path to path.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/v1/volumes", any(volumes::collection))
        .route("/v1/volume/csi/{*rest}", any(volumes::one))
        .route("/v1/volume/csi/", any(volumes::unnamed))
        .route("/v1/plugins", any(plugins::collection))
        .route("/v1/plugin/csi/{*rest}", any(plugins::one))
        .route("/v1/plugin/csi/", any(plugins::unnamed))
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
        .layer(axum::middleware::from_fn_with_state(app.clone(), log))
        .with_state(app)
}

/// A path that nothing is at: 404 without a body.
async fn unknown_path() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// Writes a line for every request that failed on our side. Paths only: queries may hold secrets.
async fn log(
    State(_): State<App>,
    request: Request,
    next: axum::middleware::Next,
) -> Response<Body> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let reply = next.run(request).await;
    if reply.status().is_server_error() {
        tracing::error!(%method, path, status = reply.status().as_u16(), "request failed");
    } else {
        tracing::debug!(%method, path, status = reply.status().as_u16(), "request");
    }
    reply
}

/// Unix nanoseconds.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
