//! Passes each request to the handler of its route.
//!
//! In order: authentication, the route, the microversion, the body, the project of the path, the handler. The order
//! decides which error a request with several faults gets.
// Cinder: cinder/api/openstack/wsgi.py, Resource._process_stack.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, request::Parts,
};
use axum::response::IntoResponse;
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use statehold_cinder::{Caller, Context, Microversion, VersionError, Viewer};
use statehold_store::WriteTxn;
use uuid::Uuid;

use crate::api::routes::{Handler, PREFIX, Route, RouteMatch};
use crate::api::versions;
use crate::auth::Auth;
use crate::monitor;
use crate::request;
use crate::request::{ApiError, CinderReply, CinderRequest};
use crate::state::CinderState;
use statehold_server_core::caller::CallerKey;
use statehold_server_core::clock::now;
use statehold_server_core::gzip::reply as compress;
use statehold_server_core::observe::RoutePattern;
use statehold_server_core::observe::request as observe;
use statehold_server_core::rejection::Rejection;
use statehold_server_core::socket::Peer;
use statehold_server_core::state::{Requester, ServerState};
use statehold_server_core::turns::Urgency;
use statehold_server_core::unsent::charge_until_sent;

/// The header that negotiates the microversion.
const API_VERSION: HeaderName = HeaderName::from_static("openstack-api-version");
/// The header with the ID of a request, which its log lines and messages have too.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// Maximum size of the body of a request, in bytes.
// oslo.middleware: oslo_middleware/sizelimit.py, max_request_body_size.
const BODY_MAX: usize = 114_688;

/// Maximum number of rows of a page that is read without a turn: for so few, moving the other tasks of the thread costs
/// more than the page.
const SHORT_PAGE_ROWS: usize = 100;

/// The body of 404 for a path without a route.
// WebOb: webob/exc.py, HTTPNotFound, rendered as JSON; the blanks and line feeds are part of it.
const NOT_FOUND_BODY: &str = r#"{"message":"The resource could not be found.<br /><br />\n\n\n","code":"404 Not Found","title":"Not Found"}"#;

/// Returns the service of the Block Storage API.
pub fn router(state: CinderState) -> Router {
    Router::new()
        .fallback(handle)
        .layer(axum::middleware::from_fn_with_state(state.core().clone(), compress))
        .layer(axum::middleware::from_fn_with_state(state.core().clone(), observe))
        .with_state(state)
}

/// Returns the reply to a request.
async fn handle(State(state): State<CinderState>, request: Request) -> Response<Body> {
    let id = HeaderValue::try_from(format!("req-{}", Uuid::new_v4()));
    // A UUID is always a valid header value; the fallback spares a panic.
    let id = id.unwrap_or_else(|_| HeaderValue::from_static("req-0"));
    let (head, body) = request.into_parts();
    let base = state.core().site().base(&head.headers, state.address());
    let mut reply = match (head.method.as_str(), head.uri.path()) {
        ("GET" | "HEAD", "/") => {
            let document = versions::document(StatusCode::MULTIPLE_CHOICES, &base);
            with_api_headers(document.into_response(), Microversion::MIN, &id)
        }
        ("GET" | "HEAD", "/v3") => redirect_to_v3(&base),
        ("GET" | "HEAD", "/v3/") => {
            let document = versions::document(StatusCode::OK, &base);
            with_api_headers(document.into_response(), Microversion::MIN, &id)
        }
        ("GET" | "HEAD", monitor::HEALTHCHECK) => monitor::healthcheck(&state, &head),
        ("GET", monitor::METRICS) => monitor::metrics(&state, head, &base).await,
        _ => handle_route(&state, head, body, &base, &id).await,
    };
    reply.headers_mut().insert(REQUEST_ID, id);
    reply
}

/// Returns the redirect to the version document, which is at `/v3/` alone.
fn redirect_to_v3(base: &str) -> Response<Body> {
    let mut reply = StatusCode::FOUND.into_response();
    let text = HeaderValue::from_static("text/plain; charset=utf8");
    reply.headers_mut().insert(header::CONTENT_TYPE, text);
    if let Ok(to) = HeaderValue::try_from(format!("{base}/v3/")) {
        reply.headers_mut().insert(header::LOCATION, to);
    }
    reply
}

/// Adds the headers that the replies of routes have.
fn with_api_headers(
    mut reply: Response<Body>,
    version: Microversion,
    id: &HeaderValue,
) -> Response<Body> {
    set_version_header(&mut reply, &version.to_string());
    request::add_request_id(&mut reply, id);
    reply
}

fn set_version_header(reply: &mut Response<Body>, version: &str) {
    if let Ok(version) = HeaderValue::try_from(format!("volume {version}")) {
        reply.headers_mut().insert(API_VERSION, version);
    }
    // Caches must not reply with the body of another version.
    reply.headers_mut().insert(header::VARY, HeaderValue::from_static("OpenStack-API-Version"));
}

/// Authenticates the caller, finds the route, and negotiates the version.
async fn handle_route(
    state: &CinderState,
    mut head: Parts,
    body: Body,
    base: &str,
    id: &HeaderValue,
) -> Response<Body> {
    if !one_leading_slash(head.uri.path()).starts_with(PREFIX) {
        return not_found();
    }
    let address = CallerKey::address(state.core().client(&head));
    let caller = match state.auth().caller(&mut head, base, state.policy()).await {
        Ok(caller) => caller,
        Err(reply) => return reply,
    };
    // Without an identity service the client chooses its user name, which MUST NOT grant it another share of the
    // limits.
    let key = match state.auth() {
        Auth::Open => address,
        Auth::Keystone(_) => CallerKey::token(&caller.user),
    };
    state.core().note_present(key);
    let app = state.core().for_request(Requester::new(key, head.extensions.remove::<Peer>()));
    // After authentication, so that a client without a token learns nothing about paths.
    let found =
        RouteMatch::find(head.method.as_str(), one_leading_slash(head.uri.path()), &caller.project);
    let Some(found) = found else {
        return not_found();
    };
    let requested = head.headers.get(API_VERSION);
    // A header that is not ASCII requests no version, which negotiation rejects.
    let requested = requested.map(|value| value.to_str().unwrap_or_default());
    let mut reply = match Microversion::negotiate(requested) {
        Ok(version) => {
            let result =
                run_handler(state, &app, &head, body, base, id, (&caller, version, &found)).await;
            let reads = !matches!(found.route.run, Handler::Write(_));
            let mut reply = charge_until_sent(&app, result.into_response(), reads);
            reply.extensions_mut().insert(app.requester().clone());
            with_api_headers(reply, version, id)
        }
        Err(error) => {
            let refused = match &error {
                VersionError::Range { text } => Some(text.clone()),
                _ => None,
            };
            let mut reply = ApiError::from(error).into_response();
            // Only a version outside of the range is repeated: others could hold anything.
            if let Some(version) = refused {
                set_version_header(&mut reply, &version);
            }
            request::add_request_id(&mut reply, id);
            reply
        }
    };
    reply.extensions_mut().insert(RoutePattern(found.route.path));
    reply
}

/// Returns a path with one slash in front in place of several, as clients that join URLs by hand send them.
fn one_leading_slash(path: &str) -> &str {
    let bare = path.trim_start_matches('/');
    let slash = (path.len() - bare.len()).saturating_sub(1);
    path.get(slash..).unwrap_or(path)
}

/// Returns the reply for a path without a route.
fn not_found() -> Response<Body> {
    let mut reply = Response::new(Body::from(NOT_FOUND_BODY));
    *reply.status_mut() = StatusCode::NOT_FOUND;
    let json = HeaderValue::from_static(request::JSON);
    reply.headers_mut().insert(header::CONTENT_TYPE, json);
    reply
}

/// Checks the version, the body and the project of the path in this order, and runs the handler of the route.
async fn run_handler(
    state: &CinderState,
    app: &ServerState,
    head: &Parts,
    body: Body,
    base: &str,
    id: &HeaderValue,
    (caller, version, found): (&Caller, Microversion, &RouteMatch<'_>),
) -> Result<CinderReply, ApiError> {
    if !version.at_least(found.route.since) {
        return Err(ApiError::unknown_operation());
    }
    let body = match found.route.run {
        Handler::Write(_) => read_json_body(app, &head.headers, body).await?,
        Handler::Read(_) | Handler::List(_) => Vec::new(),
    };
    if found.project.is_some_and(|project| *project != *caller.project) {
        return Err(ApiError::bad_request("Malformed request url"));
    }
    // After the split into segments, so that an encoded slash stays part of its segment.
    let decode = |(name, text): &(&'static str, &str)| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map(|text| (*name, text.into_owned()))
    };
    let segments: Result<Vec<_>, _> = found.segments.iter().map(decode).collect();
    let segments = segments.map_err(|_| ApiError::bad_request("The path is not UTF-8."))?;
    let query = head.uri.query().unwrap_or_default();
    let query: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let request_id = id.to_str().unwrap_or_default();
    let meter = Mutex::new(app.meter());
    let call = |now| CinderRequest {
        state,
        meter: &meter,
        cx: Context { config: state.config(), caller, version, now, request_id },
        viewer: Viewer { caller, version, base, project: found.project },
        segments: &segments,
        query: &query,
        body: &body,
        if_match: head.headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok()),
        new_id: Uuid::new_v4(),
        secondary_id: Uuid::new_v4(),
    };
    match found.route.run {
        Handler::Read(read) => {
            let reply = read(&state.core().store().snapshot(), &call(now()));
            require_policy_check(found.route, caller, reply)
        }
        Handler::List(read) => {
            let list = || {
                let reply = read(&app.store().snapshot(), &call(now()));
                let reply = require_policy_check(found.route, caller, reply);
                let mut meter = meter.lock();
                meter.end();
                app.requester().note_waited(&meter);
                // A truncated list would look complete.
                match meter.take_refusal() {
                    Some(refusal) => Err(refusal.into()),
                    None => reply,
                }
            };
            // Rows that a filter or an order reads and leaves out are not bounded by the limit.
            if is_short(&query) {
                return list();
            }
            let turn = app.turn(Urgency::Now).await?;
            meter.lock().begin(Some(turn));
            tokio::task::block_in_place(list)
        }
        Handler::Write(write) => {
            let written = app
                .write(
                    |txn: &mut WriteTxn<'_>, now| {
                        let reply = write(txn, &call(now));
                        require_policy_check(found.route, caller, reply)
                    },
                    |_, reply| Ok(reply),
                )
                .await;
            // After failures too: a lost wake-up would delay work, a spurious one costs a look at the queue.
            state.queued().notify_one();
            Ok(written?.0)
        }
    }
}

/// Rejects the reply of a handler that did not check the policy, unless the route is open. The transaction is dropped,
/// so that a handler without a check grants nothing.
fn require_policy_check(
    route: &Route,
    caller: &Caller,
    reply: Result<CinderReply, ApiError>,
) -> Result<CinderReply, ApiError> {
    if let Ok(reply) = &reply {
        let (status, kind) = reply.form();
        // Every test of an endpoint is one of its description.
        debug_assert!(
            route.replies().any(|reply| (reply.0, reply.1.kind()) == (status, kind)),
            "{} {} replies {status} {kind}, which its route does not declare",
            route.method,
            route.path
        );
    }
    if reply.is_ok() && !route.open && !caller.has_checked_policy() {
        tracing::error!(
            path = route.path,
            "discarding the reply of a handler that did not check the policy"
        );
        return Err(ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The policy was not checked.",
        ));
    }
    reply
}

/// Returns whether a list is a short page in the order of creation without a filter.
fn is_short(query: &[(String, String)]) -> bool {
    let limit = query.iter().rev().find(|(key, _)| key == "limit");
    let limit = limit.and_then(|(_, limit)| limit.parse().ok());
    limit.is_some_and(|limit: usize| limit <= SHORT_PAGE_ROWS)
        && query.iter().all(|(key, _)| key == "limit" || key == "marker")
}

/// Returns the body of a request. Its content type MUST be JSON, unless it is empty.
///
/// # Errors
/// 413 above [`BODY_MAX`], 415 for another content type.
async fn read_json_body(
    app: &ServerState,
    headers: &HeaderMap,
    body: Body,
) -> Result<Vec<u8>, ApiError> {
    const KINDS: [&str; 2] = [request::JSON, "application/vnd.openstack.volume+json"];
    let expects_continue = headers.contains_key(header::EXPECT);
    let body = app.body_within(BODY_MAX, body, expects_continue).await?;
    if body.is_empty() {
        return Ok(body);
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default();
    // Parameters such as `charset` are ignored.
    let kind = kind.split_once(';').map_or(kind, |(kind, _)| kind).trim();
    if KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
        Ok(body)
    } else {
        Err(Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported Content-Type").into())
    }
}
