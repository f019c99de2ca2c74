//! Gives every request an ID, a log line and metrics, and every reply its common headers.
//!
//! Invariant: no query string, header or body of a request is ever logged, because they may hold tokens and secrets.

use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use tracing::Instrument as _;

use crate::rejection::{ByCaller, Cause};
use crate::state::{Requester, ServerState};

/// The header with the ID of a request, in the request and in the reply.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Maximum length of an ID that a client chooses, in bytes.
const REQUEST_ID_LEN_MAX: usize = 128;

/// The path pattern of the route that produced a reply.
#[derive(Clone, Copy, Debug)]
pub struct RoutePattern(pub &'static str);

/// Runs a request and records its outcome.
pub async fn request(
    State(base): State<ServerState>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let started = Instant::now();
    let id = id_of(request.headers());
    let method = name(request.method());
    let span = tracing::error_span!(
        "request",
        id = id.to_str().unwrap_or_default(),
        method,
        path = request.uri().path()
    );
    let mut reply = match base.site().check(&request, base.edge()) {
        Ok(()) => next.run(request).instrument(span.clone()).await,
        // The next bytes of the connection may be the body, or a smuggled request.
        Err(reject) => closing(reject.into_response()),
    };
    let took = started.elapsed();
    let status = reply.status().as_u16();
    let route = reply.extensions().get::<RoutePattern>().map_or("", |route| route.0);
    base.metrics().answered(method, route, status, took);
    let _entered = span.enter();
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let by_caller = reply.extensions().get::<ByCaller>().is_some();
    if reply.status().is_server_error() && !by_caller {
        // A string, not a `Display`: the log escapes line breaks of a plugin's message.
        let cause = reply.extensions().get::<Cause>().map(Cause::as_str);
        tracing::error!(status, took_us, cause, "request failed");
    } else {
        let turns = reply.extensions().get::<Requester>().map_or(0, Requester::waited);
        tracing::debug!(status, took_us, turns_waited = turns, "request");
    }
    let headers = reply.headers_mut();
    headers.insert(REQUEST_ID, id);
    if !headers.contains_key(header::VARY) {
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    reply
}

/// Closes the connection after a reply.
fn closing(mut reply: Response<Body>) -> Response<Body> {
    reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// Returns the client's ID of the request if it is safe to log, or else a random one.
fn id_of(headers: &HeaderMap) -> HeaderValue {
    let is_safe = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=REQUEST_ID_LEN_MAX).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))
    };
    headers.get(REQUEST_ID).filter(is_safe).cloned().unwrap_or_else(|| {
        let id = format!("{:016x}", fastrand::u64(..));
        HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static("0"))
    })
}

/// Returns the name of a method as a metric label. Clients can send any method, and MUST NOT create labels.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_is_kept_if_it_is_safe_to_log() {
        let given = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(id).unwrap());
            id_of(&headers)
        };
        assert_eq!(given("a-1.b:2_c"), "a-1.b:2_c");
        for unfit in ["", "a b", "a\"b", "a\tb", &"x".repeat(129)] {
            let id = given(unfit);
            assert!(id != unfit && id.len() == 16, "{unfit}: {id:?}");
        }
        assert_ne!(id_of(&HeaderMap::new()), id_of(&HeaderMap::new()));
    }
}
