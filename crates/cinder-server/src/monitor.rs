//! The monitoring endpoints at the address of Block Storage: `/healthcheck` and `/metrics`.

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

/// The path that reports whether the server accepts writes.
pub(crate) const HEALTHCHECK: &str = "/healthcheck";

/// The path of the metrics.
pub(crate) const METRICS: &str = "/metrics";

/// The body while the store accepts writes.
const HEALTHY: &str = "OK";

/// The body after a write failed. The cause is in the log alone, because the path requires no token.
const UNHEALTHY: &str = "The store accepts no writes since one failed; the log has the reason.";

/// Returns the reply to `/healthcheck`: 200 while the store accepts writes, 204 to `HEAD`, otherwise 503 with the
/// reason. Requires no token, because load balancers have none.
// oslo.middleware: oslo_middleware/healthcheck/__init__.py, process_request.
pub(crate) fn healthcheck(state: &CinderState, head: &Parts) -> Response<Body> {
    let healthy = state.core().store().failure().is_none();
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
    // A cached reply would hide a failure.
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply.extensions_mut().insert(RoutePattern(HEALTHCHECK));
    reply
}

/// Returns the reply to `/metrics`. With an identity service the token MUST grant the action of pools, because both
/// show the capacity of back ends.
pub(crate) async fn metrics(state: &CinderState, mut head: Parts, base: &str) -> Response<Body> {
    let mut reply = match check_allowed(state, &mut head, base).await {
        Ok(()) => state
            .core()
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
        // Without an identity service any token is an admin's, so requiring one protects nothing.
        Auth::Open => Ok(()),
        auth @ Auth::Keystone(_) => {
            let caller = auth.caller(head, base, state.policy()).await?;
            let checked = caller.check(policy::POOLS);
            checked.map_err(|error| ApiError::from(error).into_response())
        }
    }
}

/// Sets the gauges of back ends and of the queue to the present state.
///
/// Cost: reads each item of the work queue, and asks each back end for its capacity.
pub(crate) fn refresh_gauges(state: &CinderState) {
    let to = state.metrics();
    let view = state.core().store().snapshot();
    let bytes = |gib: u64| gib << 30;
    let queued = queued_room(&view);
    for backend in state.backends().all() {
        let usage = HostUsage::total(&view, backend.service_host());
        let capacity = backend.driver.capacity().inspect_err(|error| {
            let location = backend.driver.location();
            tracing::error!(%error, location, "cannot read the capacity of a back end");
        });
        let room = PoolCapacity {
            disk: capacity.ok().map(|capacity| (capacity.total, capacity.free)),
            allocated: bytes(usage.volume_gib),
            provisioned: bytes(usage.volume_gib + usage.snapshot_gib),
            reserved: bytes(queued.get(backend.host()).copied().unwrap_or(0)),
        };
        to.set_pool(backend.name(), room);
    }
    // Tasks without a backlog are included, so that their gauges return to zero.
    for (task, backlog) in work_backlog(&view, now()) {
        to.set_backlog(task, backlog);
    }
}
