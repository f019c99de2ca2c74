//! Maps errors of the domain to replies: the only place that chooses a status.
//!
//! The messages are the domain's, which copies Nomad's, so that clients print the same as with Nomad. 404 is for an
//! object that the path names, 400 for a request that no state allows, 409 for one that another state would allow.

use std::fmt;
use std::ops::Deref;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use statehold_nomad::input::DecodeError;
use statehold_nomad::{
    AttachError, ClaimError, ControllerError, CreateError, DeleteError, DeregisterError,
    DetachError, ErrorClass, ExternalListError, GroupClaimError, HostVolumeError, IdError,
    JobError, MultiError, NamespaceError, NodeError, OperationError, OwnershipError,
    PluginLookupError, RegisterError, ReleaseBlocker, SnapshotError, UnknownContext,
    UnpublishError, UpdateError,
};
use statehold_server_core::rejection::Rejection;
use statehold_server_core::write_queue::WriteFault;
use statehold_store::WriteError;

use crate::api::reply::Meta;
use crate::node::KeepError;

/// The reply of a request that was rejected or failed.
#[derive(Debug)]
pub(crate) struct ApiError(Rejection);

impl ApiError {
    /// Creates a rejection with a status and the message of its body.
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self(Rejection::new(status, message))
    }

    /// Creates a 400.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self(Rejection::bad_request(message))
    }

    /// Creates a 404.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self(Rejection::not_found(message))
    }

    /// Creates a 429: a limit is reached, and a retry may succeed.
    pub(crate) fn too_many(message: impl Into<String>) -> Self {
        Self(Rejection::too_many(message))
    }

    /// Creates a 500, which no request should be able to cause; see [`Rejection::internal`].
    pub(crate) fn internal(error: &dyn fmt::Display) -> Self {
        Self(Rejection::internal(error))
    }

    /// Creates a 503 of work that was not begun; see [`Rejection::not_begun`].
    pub(crate) fn not_begun(error: &dyn fmt::Display) -> Self {
        Self(Rejection::not_begun(error))
    }

    /// Creates a rejection with a 5xx status that the request caused; see [`Rejection::by_caller`].
    pub(crate) fn by_caller(status: StatusCode, message: impl Into<String>) -> Self {
        Self(Rejection::by_caller(status, message))
    }

    /// Creates the 403 of a caller without the permission of the operation.
    // Nomad: nomad/structs/errors.go, ErrPermissionDenied.
    pub(crate) fn denied() -> Self {
        Self(Rejection::denied())
    }

    /// Creates the 404 of a path or type that does not exist.
    // Nomad: command/agent/http.go, resourceNotFoundErr.
    pub(crate) fn resource() -> Self {
        Self(Rejection::resource())
    }

    /// Creates the 405 of a method that the path does not have.
    // Nomad: command/agent/http.go, ErrInvalidMethod.
    pub(crate) fn method() -> Self {
        Self(Rejection::method())
    }

    /// Sets the index of the state that the rejection is based on, for the headers of the reply.
    pub(crate) fn at(self, index: u64) -> Self {
        Self(self.0.at(index))
    }

    /// Creates the rejection for an error of the domain.
    // Nomad replies 500 to nearly all of them, because its RPC layer loses the kind of an error
    // (command/agent/http.go, wrap). Clients read the message only, so this server sends the precise status.
    pub(crate) fn of(error: &impl OperationError) -> Self {
        let status = match error.class() {
            ErrorClass::Request => StatusCode::BAD_REQUEST,
            ErrorClass::NotFound => StatusCode::NOT_FOUND,
            ErrorClass::Conflict => StatusCode::CONFLICT,
            ErrorClass::Provider => StatusCode::BAD_GATEWAY,
            ErrorClass::Exhausted => StatusCode::SERVICE_UNAVAILABLE,
            _ => return Rejection::internal(error).into(),
        };
        Rejection::new(status, error.to_string()).into()
    }
}

impl Deref for ApiError {
    type Target = Rejection;

    fn deref(&self) -> &Rejection {
        &self.0
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let index = self.0.index();
        let mut reply = self.0.into_response();
        if let Some(index) = index {
            Meta::at(index).put(&mut reply);
        }
        reply
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        Self(rejection)
    }
}

impl From<WriteFault> for ApiError {
    fn from(fault: WriteFault) -> Self {
        Self(fault.into())
    }
}

impl From<KeepError> for ApiError {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::Refused(error) => error.into(),
            KeepError::Node(error) => error.into(),
            // The caller can retry once the other work with the volume has ended.
            KeepError::Busy | KeepError::Unsettled => {
                Rejection::new(StatusCode::CONFLICT, error.to_string()).into()
            }
            KeepError::Store(error) => Rejection::unavailable(&error).into(),
            KeepError::Intent(error) => Rejection::not_begun(&error).into(),
            KeepError::Broken(_) => Rejection::internal(&error).into(),
        }
    }
}

/// Implements the conversion for each error of the domain. A blanket implementation for [`OperationError`] would
/// overlap with the one for [`Rejection`], because both types come from other crates.
macro_rules! from_domain {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for ApiError {
            fn from(error: $error) -> Self {
                Self::of(&error)
            }
        })*
    };
}

from_domain!(
    AttachError,
    ClaimError,
    ControllerError,
    CreateError,
    DecodeError,
    DeleteError,
    DeregisterError,
    DetachError,
    ExternalListError,
    GroupClaimError,
    ReleaseBlocker,
    HostVolumeError,
    IdError,
    JobError,
    NamespaceError,
    NodeError,
    OwnershipError,
    PluginLookupError,
    RegisterError,
    SnapshotError,
    UnknownContext,
    UnpublishError,
    UpdateError,
    WriteError,
);

impl<E: OperationError> From<MultiError<E>> for ApiError {
    fn from(error: MultiError<E>) -> Self {
        Self::of(&error)
    }
}
