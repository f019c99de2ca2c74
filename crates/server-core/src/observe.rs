//! What is noted of every request: its ID, a line in the log, counts; and the headers that all replies
//! have.
//!
//! Invariant: no query string, header or body of a request is ever in a log: they may hold tokens and secrets.

use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use tracing::Instrument as _;

use crate::rejection::{ByCaller, Cause};
use crate::state::{Requester, ServerState};

/// The header that a request's ID comes and goes in.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest ID that is taken over from a client.
const REQUEST_ID_LEN_MAX: usize = 128;

/// The path of the route that a reply comes from.
#[derive(Clone, Copy, Debug)]
pub struct RoutePattern(pub &'static str);

/// Answers a request and notes it.
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

/// Closes the connection behind a reply.
fn closing(mut reply: Response<Body>) -> Response<Body> {
    reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// The client's ID for the request if it is fit for a log, else one of our own.
fn id_of(headers: &HeaderMap) -> HeaderValue {
    let fit = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=REQUEST_ID_LEN_MAX).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))
    };
    headers.get(REQUEST_ID).filter(fit).cloned().unwrap_or_else(|| {
        let id = format!("{:016x}", fastrand::u64(..));
        HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static("0"))
    })
}

/// The name of a method; there may be any, and labels are not to be of clients' making.
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
    fn a_clients_id_is_taken_over_if_it_is_fit_for_a_log() {
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
