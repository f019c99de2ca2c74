//! Errors, and the only place that maps them to an HTTP status, a key and a message.
//!
//! Clients read `message` and `code` of the first key and print the message, so the messages are Cinder's, byte for
//! byte. Messages that Cinder lacks state the reason and how to resolve it.
//!
//! Invariant: no error depends on an operation. Operations import errors, never the reverse.

mod backup;
mod body;
mod group;
mod missing;
mod quota;
mod schema;
mod snapshot;
mod version;
mod volume;

use std::fmt;

use statehold_store::WriteError;

pub(crate) use self::version::MINOR_MAX;
pub use self::{
    backup::BackupRefusal,
    body::ErrorBody,
    group::{CantAdd, GroupRefusal},
    missing::Missing,
    quota::OverQuota,
    schema::SchemaError,
    snapshot::SnapshotRefusal,
    version::VersionError,
    volume::VolumeRefusal,
};

/// The message for requests without a more specific error.
// WebOb: webob/exc.py, HTTPBadRequest.explanation.
pub(crate) const MALFORMED: &str = "The server could not comply with the request since it is \
                                    either malformed or otherwise incorrect.";

/// The message for errors of the server.
// WebOb: webob/exc.py, HTTPInternalServerError.explanation.
const FAILED: &str = "The server has either erred or is incapable of performing the requested \
                      operation.";

/// The reason why an operation failed. `Display` is the message for the client.
///
/// An operation that returns an error changes nothing once its transaction is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The request is malformed; the message has no details.
    Malformed,
    /// The body is not JSON, or not an object with one action.
    MalformedBody,
    /// The body names an unknown action.
    UnknownAction {
        /// Its name.
        action: Box<str>,
    },
    /// The body violates the schema of the operation.
    Schema(SchemaError),
    /// The version header is malformed, or its version is not supported.
    Version(VersionError),
    /// A value is invalid in every state. The message begins with `Invalid input received`.
    Input(Box<str>),
    /// Like [`Error::Input`], with the given message alone.
    Request(Box<str>),
    /// A key or value of a snapshot's metadata is too long.
    MetadataSize {
        /// The key.
        key: Box<str>,
        /// Empty for the key itself, else the words for its value.
        called: &'static str,
    },
    /// The policy denies the action to the caller.
    Policy {
        /// The rule's name.
        rule: &'static str,
    },
    /// A resource does not exist, or not for the caller.
    Missing(Missing),
    /// The state of a volume does not allow the operation.
    Volume(VolumeRefusal),
    /// The state of a snapshot does not allow the operation.
    Snapshot(SnapshotRefusal),
    /// The state of a backup does not allow the operation.
    Backup(BackupRefusal),
    /// The state of a group or group snapshot does not allow the operation.
    Group(GroupRefusal),
    /// The resource exists already.
    Conflict(Box<str>),
    /// The cloud has no default volume type; [`bootstrap`](crate::bootstrap) creates it.
    NoDefaultType,
    /// The quota of the project is exceeded.
    Quota(OverQuota),
    /// The store rejected the write.
    Store(WriteError),
}

impl Error {
    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed
            | Self::MalformedBody
            | Self::UnknownAction { .. }
            | Self::Schema(_)
            | Self::Input(_)
            | Self::Snapshot(_)
            | Self::Backup(_)
            | Self::Group(_)
            | Self::Request(_) => 400,
            Self::Version(error) => error.status(),
            Self::Policy { .. } => 403,
            Self::Missing(_) => 404,
            Self::Volume(refusal) => refusal.status(),
            Self::Conflict(_) => 409,
            // The cloud is not set up: no request of a client can resolve it.
            Self::NoDefaultType => 500,
            // Cinder: cinder/exception.py, QuotaError.code.
            Self::Quota(_) | Self::MetadataSize { .. } => 413,
            Self::Store(error) => match error {
                WriteError::KeyTooLong { .. } | WriteError::Unstorable { .. } => 400,
                WriteError::NotUnique { .. } | WriteError::Unexpected { .. } => 409,
                _ => 500,
            },
        }
    }

    /// Returns the response body.
    pub fn body(&self) -> ErrorBody {
        ErrorBody::new(self.status(), self.to_string())
    }

    pub(crate) fn input(text: impl Into<Box<str>>) -> Self {
        Self::Input(text.into())
    }

    pub(crate) fn request(text: impl Into<Box<str>>) -> Self {
        Self::Request(text.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str(MALFORMED),
            Self::MalformedBody => f.write_str("Malformed request body"),
            Self::UnknownAction { action } => write!(
                f,
                "There is no such action: {action}. Verify the request body and Content-Type \
                 header and try again."
            ),
            Self::Schema(error) => error.fmt(f),
            Self::Version(error) => error.fmt(f),
            Self::Input(text) => write!(f, "Invalid input received: {text}"),
            Self::Request(text) | Self::Conflict(text) => f.write_str(text),
            // Cinder: cinder/exception.py, InvalidVolumeMetadataSize.
            Self::MetadataSize { key, called } => write!(
                f,
                "Invalid metadata size: Metadata property key {key}{called} greater than 255 \
                 characters."
            ),
            Self::Policy { rule } => write!(f, "Policy doesn't allow {rule} to be performed."),
            Self::Missing(missing) => missing.fmt(f),
            Self::Volume(refusal) => refusal.fmt(f),
            Self::Snapshot(refusal) => refusal.fmt(f),
            Self::Backup(refusal) => refusal.fmt(f),
            Self::Group(refusal) => refusal.fmt(f),
            Self::NoDefaultType => f.write_str(FAILED),
            Self::Quota(over) => over.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

macro_rules! from {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for Error {
            fn from(error: $from) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

from! {
    SchemaError => Schema,
    VersionError => Version,
    Missing => Missing,
    OverQuota => Quota,
    VolumeRefusal => Volume,
    SnapshotRefusal => Snapshot,
    BackupRefusal => Backup,
    GroupRefusal => Group,
    WriteError => Store,
}
