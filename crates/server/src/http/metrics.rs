//! `/metrics`, for Prometheus.

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};

use super::Reply;
use super::call::Call;
use super::reject::Reject;

/// The media type of what Prometheus reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /metrics`
pub(crate) fn serve(call: &Call) -> Reply {
    call.app.metrics().restoring(call.app.node().host_volumes().restoring(0).0);
    call.app.note_queued();
    let text = call.app.metrics().render(call.app.store());
    let text = text.map_err(|error| Reject::internal(&error))?;
    let mut reply = Response::new(Body::from(text));
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
    Ok(reply)
}
