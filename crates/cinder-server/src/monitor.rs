//! Endpoints of monitoring at the address of Block Storage: `/healthcheck` and `/metrics`.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use statehold_cinder::{HostUsage, policy, queued_room, work_backlog};

use crate::auth::Auth;
use crate::metrics::PoolCapacity;
use crate::request::ApiError;
use crate::state::CinderState;
use statehold_server_core::clock::now;
use statehold_server_core::observe::RoutePattern;

/// The path that tells whether the server takes writes.
pub(crate) const HEALTHCHECK: &str = "/healthcheck";

/// The path of the metrics.
pub(crate) const METRICS: &str = "/metrics";

/// The body while the store takes writes.
const HEALTHY: &str = "OK";

/// The body while it takes none. The failure itself is in the log alone, because no token is needed here.
const UNHEALTHY: &str = "The store takes no writes since one failed; the log has the reason.";

/// Answers `/healthcheck`: 200 while the store takes writes, 204 to `HEAD`, 503 with the reason otherwise.
/// No token is needed, because load balancers have none.
// oslo.middleware: oslo_middleware/healthcheck/__init__.py, process_request.
pub(crate) fn healthcheck(state: &CinderState, head: &Parts) -> Response<Body> {
    let healthy = state.app().store().failure().is_none();
    let is_head = head.method == "HEAD";
    let status = match (healthy, is_head) {
        (false, _) => StatusCode::SERVICE_UNAVAILABLE,
        (true, true) => StatusCode::NO_CONTENT,
        (true, false) => StatusCode::OK,
    };
    let body = match (is_head, healthy) {
        (true, _) => "",
        (false, true) => HEALTHY,
        (false, false) => UNHEALTHY,
    };
    let mut reply = (status, body).into_response();
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply.extensions_mut().insert(RoutePattern(HEALTHCHECK));
    reply
}

/// Answers `/metrics`. With an identity service the token MUST be an admin's, as for the room of back ends.
pub(crate) async fn metrics(state: &CinderState, mut head: Parts, base: &str) -> Response<Body> {
    let mut reply = match check_allowed(state, &mut head, base).await {
        Ok(()) => state
            .app()
            .metrics_reply()
            .unwrap_or_else(|reject| ApiError::from(reject).into_response()),
        Err(refused) => refused,
    };
    reply.extensions_mut().insert(RoutePattern(METRICS));
    reply
}

async fn check_allowed(
    state: &CinderState,
    head: &mut Parts,
    base: &str,
) -> Result<(), Response<Body>> {
    match state.auth() {
        // Every caller is an admin by any token, so that none is needed.
        Auth::Open => Ok(()),
        auth @ Auth::Keystone(_) => {
            let caller = auth.caller(head, base, state.policy()).await?;
            let checked = caller.check(policy::POOLS);
            checked.map_err(|error| ApiError::from(error).into_response())
        }
    }
}

/// Sets the gauges of back ends and of the queue.
pub(crate) fn refresh_gauges(state: &CinderState) {
    let to = state.metrics();
    let view = state.app().store().snapshot();
    let bytes = |gib: u64| gib << 30;
    let queued = queued_room(&view);
    for backend in state.backends().all() {
        let usage = HostUsage::total(&view, backend.service_host());
        let disk = backend.driver.room().inspect_err(|error| {
            let place = backend.driver.place().display();
            tracing::error!(%error, %place, "can't read the room of a back end");
        });
        let room = PoolCapacity {
            disk: disk.ok().map(|room| (room.total, room.free)),
            allocated: bytes(usage.volume_gib),
            provisioned: bytes(usage.volume_gib + usage.snapshot_gib),
            reserved: bytes(queued.get(backend.host()).copied().unwrap_or(0)),
        };
        to.set_pool(backend.name(), room);
    }
    for (task, backlog) in work_backlog(&view, now()) {
        to.set_backlog(task, backlog);
    }
}
