//! Rejected requests as replies: a status and a message.
//!
//! 404 is for an object that the path names, 400 for a request that is invalid in any state, 409 for one that is
//! invalid in the present state.

use std::fmt;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;

use crate::write_queue::WriteFault;

/// Marks a reply with a 5xx status that the request caused. Its log line MUST NOT be an error, because an operator
/// cannot act on it, and any client could fill the log.
#[derive(Clone, Copy, Debug)]
pub struct ByCaller;

/// Maximum length of a cause in a log line, in bytes. Plugins choose the length of their messages.
const CAUSE_LEN_MAX: usize = 1024;

/// The cause of a reply with a 5xx status, for its log line. It is the message of the reply, which never holds a
/// secret.
#[derive(Clone, Debug)]
pub struct Cause(Box<str>);

impl Cause {
    fn of(message: &str) -> Self {
        let mut ends = (0..=CAUSE_LEN_MAX.min(message.len())).rev();
        let end = ends.find(|end| message.is_char_boundary(*end)).unwrap_or(0);
        Self(message[..end].into())
    }

    /// Returns the cause, truncated to `CAUSE_LEN_MAX` bytes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A rejected request.
#[derive(Debug)]
pub struct Rejection {
    status: StatusCode,
    message: String,
    index: Option<u64>,
    /// Whether it ends a blocking query, which otherwise waits for a state that does not reject it.
    ends: bool,
    /// Whether the request caused it, whatever its status.
    by_caller: bool,
}

impl Rejection {
    /// Creates a rejection with a status and the message of its body.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), index: None, ends: false, by_caller: false }
    }

    /// Creates a rejection that the request caused, with a 5xx status for compatibility. See [`ByCaller`].
    pub fn by_caller(status: StatusCode, message: impl Into<String>) -> Self {
        Self { by_caller: true, ..Self::new(status, message) }
    }

    /// Creates a 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Creates a 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// Creates the 405 of a method that a path does not have.
    pub fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Invalid method")
    }

    /// Creates the 429 of a limit that is reached for now.
    pub fn too_many(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, message)
    }

    /// Creates the 404 of a path or type that does not exist.
    pub fn resource() -> Self {
        Self::not_found("resource not found")
    }

    /// Creates the 503 of a store that accepts no writes until it is reopened, and logs the error.
    pub fn unavailable(error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, "the store takes no writes");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }

    /// Creates the 503 of an intent that could not be written, because the disk of a provider's directory is full or
    /// gone. Nothing was begun. Logs no error of the store, which may still accept writes.
    pub fn not_begun(error: &dyn fmt::Display) -> Self {
        let message = format!("can't write down what is to be done: {error}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// Creates the 500 of an error that no request should be able to cause, and logs it. The client gets no details.
    pub fn internal(error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, "internal error");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error; see the server's log")
    }

    /// Returns the rejection as one that also ends a blocking query, because every later state would reject it too.
    #[must_use]
    pub fn ending(mut self) -> Self {
        self.ends = true;
        self
    }

    /// Whether it also ends a blocking query.
    pub fn is_ending(&self) -> bool {
        self.ends
    }

    /// Sets the index of the state that rejected the request.
    #[must_use]
    pub fn at(mut self, index: u64) -> Self {
        self.index = Some(index);
        self
    }

    /// Creates the 403 of a caller that lacks a permission.
    pub fn denied() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Permission denied")
    }

    /// Whether the request caused it, whatever its status.
    pub fn is_by_caller(&self) -> bool {
        self.by_caller
    }

    /// Returns the index of the state that rejected the request, for the headers of a read.
    pub fn index(&self) -> Option<u64> {
        self.index
    }

    /// Returns the status of the reply.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the message of the reply.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response<Body> {
        let cause = self.status.is_server_error().then(|| Cause::of(&self.message));
        let mut reply = Response::new(Body::from(self.message));
        *reply.status_mut() = self.status;
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        reply.headers_mut().insert(header::CONTENT_TYPE, text);
        if self.by_caller {
            reply.extensions_mut().insert(ByCaller);
        } else if let Some(cause) = cause {
            reply.extensions_mut().insert(cause);
        }
        if reply.status() == StatusCode::TOO_MANY_REQUESTS {
            reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        reply
    }
}

impl From<WriteFault> for Rejection {
    fn from(fault: WriteFault) -> Self {
        Self::unavailable(&fault)
    }
}
