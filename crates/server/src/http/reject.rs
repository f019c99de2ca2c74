//! Errors as replies: the one place where a status is chosen.
//!
//! The texts are the domain's, which are Nomad's, so that its clients print what they always did.
//! 404 is for an object that the path names, 400 for a request that can't be right as it was sent,
//! 409 for one that another state would allow.

use std::fmt;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use statehold_nomad::{Fault, OperationError};

use super::reply::{self, Meta};
use super::writing::WriteFault;
use crate::providers::host_volumes::KeepError;

/// Marks a reply whose status is of the 500s although the request caused it. Its log line MUST NOT be an
/// error: an operator can do nothing about it, and any client could fill the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByCaller;

/// Longest cause in a log line, in bytes: plugins choose theirs.
const CAUSE_LEN_MAX: usize = 1024;

/// The cause of a reply whose status is of the 500s, for its log line. It is the message of the reply, which
/// never holds a secret.
#[derive(Clone, Debug)]
pub(crate) struct Cause(Box<str>);

impl Cause {
    fn of(message: &str) -> Self {
        let mut ends = (0..=CAUSE_LEN_MAX.min(message.len())).rev();
        let end = ends.find(|end| message.is_char_boundary(*end)).unwrap_or(0);
        Self(message[..end].into())
    }

    /// Returns the cause, at most [`CAUSE_LEN_MAX`] bytes of it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request that was not answered as it hoped.
#[derive(Debug)]
pub(crate) struct Reject {
    status: StatusCode,
    message: String,
    index: Option<u64>,
    /// Whether it ends a blocking query too, which waits for a better answer otherwise.
    ends: bool,
    /// Whether the request caused it, whatever the status.
    by_caller: bool,
}

impl Reject {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), index: None, ends: false, by_caller: false }
    }

    /// Creates a refusal that the request caused, with a status of the 500s for the sake of other clients: see
    /// [`ByCaller`].
    pub(crate) fn by_caller(status: StatusCode, message: impl Into<String>) -> Self {
        Self { by_caller: true, ..Self::new(status, message) }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub(crate) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Invalid method")
    }

    /// A limit is reached; later it may not be.
    pub(crate) fn too_many(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, message)
    }

    /// A path or type that doesn't exist.
    pub(crate) fn resource() -> Self {
        Self::not_found("resource not found")
    }

    /// The store takes no more writes until it is opened again.
    pub(crate) fn unavailable(error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, "the store takes no writes");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }

    /// An intent could not be written, because the disk of a provider's directory is full or gone: nothing was
    /// begun. The store may take writes all the same, so that the log does not blame it.
    pub(crate) fn not_begun(error: &dyn fmt::Display) -> Self {
        let message = format!("can't write down what is to be done: {error}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// Something that no request should be able to cause. The client learns no more than that.
    pub(crate) fn internal(error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, "internal error");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error; see the server's log")
    }

    /// Ends a blocking query too: running it again would be refused again.
    pub(crate) fn ending(mut self) -> Self {
        self.ends = true;
        self
    }

    /// Whether it ends a blocking query too.
    pub(crate) fn is_ending(&self) -> bool {
        self.ends
    }

    /// Gives the reply the headers of a read.
    pub(crate) fn at(mut self, index: u64) -> Self {
        self.index = Some(index);
        self
    }

    /// The caller is not allowed to.
    pub(crate) fn denied() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Permission denied")
    }

    /// Whether the request caused it.
    pub(crate) fn is_by_caller(&self) -> bool {
        self.by_caller
    }

    /// The status of the reply.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// What the client is told.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for Reject {
    fn into_response(self) -> Response<Body> {
        let cause = self.status.is_server_error().then(|| Cause::of(&self.message));
        let mut reply = reply::text(self.status, self.message);
        if let Some(index) = self.index {
            Meta::at(index).put(&mut reply);
        }
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

impl From<WriteFault> for Reject {
    fn from(fault: WriteFault) -> Self {
        Self::unavailable(&fault)
    }
}

impl From<KeepError> for Reject {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::Refused(error) => error.into(),
            KeepError::Node(error) => error.into(),
            KeepError::Busy | KeepError::Unsettled => {
                Self::new(StatusCode::CONFLICT, error.to_string())
            }
            KeepError::Store(error) => Self::unavailable(&error),
            KeepError::Intent(error) => Self::not_begun(&error),
            KeepError::Broken(_) => Self::internal(&error),
        }
    }
}

impl<E: OperationError> From<E> for Reject {
    fn from(error: E) -> Self {
        let status = match error.fault() {
            Fault::Request => StatusCode::BAD_REQUEST,
            Fault::NotFound => StatusCode::NOT_FOUND,
            Fault::Conflict => StatusCode::CONFLICT,
            Fault::Provider => StatusCode::BAD_GATEWAY,
            Fault::Exhausted => StatusCode::SERVICE_UNAVAILABLE,
            _ => return Self::internal(&error),
        };
        Self::new(status, error.to_string())
    }
}
