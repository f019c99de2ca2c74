//! Errors as replies: the one place where a status is chosen.
//!
//! The texts are the domain's, which are Nomad's, so that its clients print what they always did.
//! 404 is for an object that the path names, 400 for a request that can't be right as it was sent,
//! 409 for one that another state would allow.

use std::fmt;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;

use crate::write_queue::WriteFault;

/// Marks a reply whose status is of the 500s although the request caused it. Its log line MUST NOT be an
/// error: an operator can do nothing about it, and any client could fill the log.
#[derive(Clone, Copy, Debug)]
pub struct ByCaller;

/// Longest cause in a log line, in bytes: plugins choose theirs.
const CAUSE_LEN_MAX: usize = 1024;

/// The cause of a reply whose status is of the 500s, for its log line. It is the message of the reply, which
/// never holds a secret.
#[derive(Clone, Debug)]
pub struct Cause(Box<str>);

impl Cause {
    fn of(message: &str) -> Self {
        let mut ends = (0..=CAUSE_LEN_MAX.min(message.len())).rev();
        let end = ends.find(|end| message.is_char_boundary(*end)).unwrap_or(0);
        Self(message[..end].into())
    }

    /// Returns the cause, at most `CAUSE_LEN_MAX` bytes of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request that was not answered as it hoped.
#[derive(Debug)]
pub struct Rejection {
    status: StatusCode,
    message: String,
    index: Option<u64>,
    /// Whether it ends a blocking query too, which waits for a better answer otherwise.
    ends: bool,
    /// Whether the request caused it, whatever the status.
    by_caller: bool,
}

impl Rejection {
    /// Creates a rejection with a status and the message of its body.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), index: None, ends: false, by_caller: false }
    }

    /// Creates a refusal that the request caused, with a status of the 500s for the sake of other clients: see
    /// [`ByCaller`].
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

    /// A limit is reached; later it may not be.
    pub fn too_many(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, message)
    }

    /// A path or type that doesn't exist.
    pub fn resource() -> Self {
        Self::not_found("resource not found")
    }

    /// The store takes no more writes until it is opened again.
    pub fn unavailable(error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, "the store takes no writes");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }

    /// An intent could not be written, because the disk of a provider's directory is full or gone: nothing was
    /// begun. The store may take writes all the same, so that the log does not blame it.
    pub fn not_begun(error: &dyn fmt::Display) -> Self {
        let message = format!("can't write down what is to be done: {error}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// Something that no request should be able to cause. The client learns no more than that.
    pub fn internal(error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, "internal error");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error; see the server's log")
    }

    /// Ends a blocking query too: running it again would be refused again.
    #[must_use]
    pub fn ending(mut self) -> Self {
        self.ends = true;
        self
    }

    /// Whether it ends a blocking query too.
    pub fn is_ending(&self) -> bool {
        self.ends
    }

    /// Notes the index of the state that refused it.
    #[must_use]
    pub fn at(mut self, index: u64) -> Self {
        self.index = Some(index);
        self
    }

    /// The caller is not allowed to.
    pub fn denied() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Permission denied")
    }

    /// Whether the request caused it.
    pub fn is_by_caller(&self) -> bool {
        self.by_caller
    }

    /// Returns the index of the state that refused it, for the headers of a read.
    pub fn index(&self) -> Option<u64> {
        self.index
    }

    /// The status of the reply.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What the client is told.
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
