//! Dispatches requests to their handlers by the table of routes.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, Uri, header};
use axum::response::IntoResponse;
use parking_lot::Mutex;
use statehold_nomad::DEFAULT_NAMESPACE;

use crate::api::params::Query;
use crate::api::route::{Route, Segments};
use crate::error::ApiError;
use crate::request::NomadRequest;
use crate::state::NomadState;
use statehold_server_core::caller::CallerKey;
use statehold_server_core::gzip;
use statehold_server_core::observe;
use statehold_server_core::observe::RoutePattern;
use statehold_server_core::socket::Peer;
use statehold_server_core::state::Requester;
use statehold_server_core::unsent;

/// The only region.
pub(crate) const REGION: &str = "global";

/// Maximum bytes of a rejected request's body that are read and discarded.
const DISCARDED_MAX: u64 = 64 << 10;

/// Maximum time to read them.
const DISCARD_WAIT: Duration = Duration::from_secs(1);

/// Creates the router of Nomad's API, which an axum application can serve or merge.
pub fn router(app: NomadState) -> Router {
    // A fallback and no axum routes: the table decides, in its own order and with Nomad's status for each miss.
    Router::new()
        .fallback(handle)
        .layer(axum::middleware::from_fn_with_state(app.base(), gzip::reply))
        .layer(axum::middleware::from_fn_with_state(app.base(), observe::request))
        .with_state(app)
}

async fn handle(State(app): State<NomadState>, request: Request) -> Response<Body> {
    if let Some(reply) = redirect_to_clean_path(request.uri()) {
        return reply;
    }
    match Route::find(request.method(), request.uri().path()) {
        Ok(Some((route, segments))) => {
            let mut reply = run_operation(app, request, route, segments).await;
            reply.extensions_mut().insert(RoutePattern(route.path));
            reply
        }
        // Nomad: command/agent/http.go, handleRootFallthrough: 404 without a body.
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(reject) => reject.into_response(),
    }
}

/// Returns the redirect of a path with `//`, `.` or `..` to the clean path, with the same method and body.
// Go: net/http, ServeMux.Handler, which cleans paths before it matches them.
fn redirect_to_clean_path(uri: &Uri) -> Option<Response<Body>> {
    let path = uri.path();
    let inner = path.strip_prefix('/')?;
    let (inner, slash) = inner.strip_suffix('/').map_or((inner, ""), |inner| (inner, "/"));
    if inner.is_empty() || !inner.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return None;
    }
    let mut clean: Vec<&str> = Vec::new();
    for segment in inner.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(clean.pop()),
            _ => clean.push(segment),
        }
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let to = HeaderValue::try_from(format!("/{}{slash}{query}", clean.join("/"))).ok()?;
    let mut reply = StatusCode::TEMPORARY_REDIRECT.into_response();
    reply.headers_mut().insert(header::LOCATION, to);
    Some(reply)
}

/// Runs the operation of a request. Checks the method first, then the caller, then the other parameters.
async fn run_operation(
    app: NomadState,
    request: Request,
    route: &'static Route,
    segments: Segments,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let expects_continue = head.headers.contains_key(header::EXPECT);
    let mut body = Some(body);
    let call = match admit(&app, head, &mut body, route, segments) {
        Ok(call) => call,
        Err(reject) => {
            // A client that waits for `100 Continue` sends no body.
            if let Some(body) = body.filter(|_| !expects_continue) {
                discard(body).await;
            }
            return reject.into_response();
        }
    };
    let (base, writes) = (call.app.base(), call.operation.writes());
    let waited = call.operation.blocks.then(|| call.app.clone());
    let mut result = (call.operation.run)(call).await;
    // A token may expire or be revoked while its request waits.
    if let Some(app) = waited
        && result.is_ok()
        && let Err(reject) = app.still_admits()
    {
        result = Err(reject);
    }
    let mut reply = unsent::charge_until_sent(
        &base,
        result.unwrap_or_else(IntoResponse::into_response),
        !writes,
    );
    reply.extensions_mut().insert(base.requester().clone());
    reply
}

/// Reads and discards the short body of a rejected request. HTTP/1 closes a connection with an unread body, and a
/// client that reuses it meanwhile would lose its next request.
async fn discard(body: Body) {
    if body.size_hint().upper().is_some_and(|len| len <= DISCARDED_MAX) {
        let max = usize::try_from(DISCARDED_MAX).unwrap_or(usize::MAX);
        let _ = tokio::time::timeout(DISCARD_WAIT, axum::body::to_bytes(body, max)).await;
    }
}

/// Creates the handler's request, if the caller has the permission of the operation.
fn admit(
    app: &NomadState,
    mut head: Parts,
    body: &mut Option<Body>,
    route: &'static Route,
    segments: Segments,
) -> Result<NomadRequest, ApiError> {
    let query = Query::of(&head.uri);
    let operation = route.operation(&head.method, query.get("type"))?;
    // Some headers are secret: `Debug` hides sensitive values, should one be logged by mistake.
    head.headers.values_mut().for_each(|value| value.set_sensitive(true));
    let access = app.access(&mut head.headers)?;
    let namespace = segments.namespace().or_else(|| query.text("namespace"));
    access.demand(&operation.rule, namespace.unwrap_or(DEFAULT_NAMESPACE))?;
    // Nomad: nomad/structs/errors.go, ErrNoRegionPath. Operations without parameters ignore the region.
    if !operation.parameters.is_empty()
        && query.text("region").is_some_and(|region| region != REGION)
    {
        return Err(ApiError::by_caller(StatusCode::INTERNAL_SERVER_ERROR, "No path to region"));
    }
    let client = app.client(&head);
    let key = access.key().unwrap_or(CallerKey::address(client));
    app.note_present(key);
    let app =
        app.for_request(Requester::new(key, head.extensions.remove::<Peer>()), access.clone());
    let (headers, body) = (head.headers, Mutex::new(body.take().unwrap_or_default()));
    Ok(NomadRequest { app, query, headers, access, client, operation, segments, body })
}
