//! Errors, and the one place where they become a status, a key and a text.
//!
//! Clients read the first key's `message` and `code`, and print the message; the texts are those
//! that they know.

use std::fmt;

use serde::Serialize;
use serde::ser::SerializeMap as _;
use statehold_store::WriteError;

use crate::{
    ops::{BackupRefusal, GroupRefusal, SnapshotRefusal, VolumeRefusal},
    quota::OverQuota,
    schema::SchemaError,
    version::VersionError,
};

/// What is said when there is nothing better to say about a request.
pub(crate) const MALFORMED: &str = "The server could not comply with the request since it is \
                                    either malformed or otherwise incorrect.";

/// What is said when the fault is not the client's.
const FAILED: &str = "The server has either erred or is incapable of performing the requested \
                      operation.";

/// Why a request was refused. `Display` is the text for the client; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The request makes no sense, and that is all that is said about it.
    Malformed,
    /// The body isn't JSON, or not an object with one action.
    MalformedBody,
    /// The body has an action that there isn't.
    UnknownAction {
        /// Its name.
        action: Box<str>,
    },
    /// The body isn't of the form that the operation takes.
    Schema(SchemaError),
    /// The version header can't be followed.
    Version(VersionError),
    /// A value can't be right whatever the state; the text says which and why.
    Input(Box<str>),
    /// The same, with the text alone.
    Request(Box<str>),
    /// The policy doesn't allow it to this caller.
    Policy {
        /// The rule's name.
        rule: &'static str,
    },
    /// What the request is about doesn't exist for this caller.
    Missing(Missing),
    /// The state of a volume doesn't allow it.
    Volume(VolumeRefusal),
    /// The state of a snapshot doesn't allow it.
    Snapshot(SnapshotRefusal),
    /// The state of a backup doesn't allow it.
    Backup(BackupRefusal),
    /// The state of a group or group snapshot doesn't allow it.
    Group(GroupRefusal),
    /// There is such a thing already; the text says which.
    Conflict(Box<str>),
    /// The cloud has no type for volumes that name none.
    NoDefaultType,
    /// The project may not have that much.
    Quota(OverQuota),
    /// The store refused.
    Store(WriteError),
}

/// What doesn't exist, or not for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// The operation itself: it came with a later version.
    Operation,
    /// A volume, by its ID as it was sent.
    Volume(Box<str>),
    /// A snapshot.
    Snapshot(Box<str>),
    /// A volume type, by ID.
    VolumeType(Box<str>),
    /// A volume type, by name.
    VolumeTypeName(Box<str>),
    /// A group.
    Group(Box<str>),
    /// A backup.
    Backup(Box<str>),
    /// An attachment.
    Attachment(Box<str>),
    /// A transfer.
    Transfer(Box<str>),
    /// QoS specs.
    Qos(Box<str>),
    /// A message.
    Message(Box<str>),
    /// The default type of a project, for which none was set.
    DefaultType(Box<str>),
    /// A key of a volume's metadata.
    VolumeMetadata {
        /// The volume's ID.
        volume: Box<str>,
        /// The key.
        key: Box<str>,
    },
    /// A key of a snapshot's metadata.
    SnapshotMetadata {
        /// The snapshot's ID.
        snapshot: Box<str>,
        /// The key.
        key: Box<str>,
    },
    /// A key of a volume's image metadata.
    ImageMetadata {
        /// The volume's ID.
        volume: Box<str>,
    },
    /// A volume type's extra spec.
    ExtraSpec {
        /// The type's ID.
        volume_type: Box<str>,
        /// The key.
        key: Box<str>,
    },
    /// A volume type's encryption, or a member of it.
    Encryption {
        /// The type's ID.
        volume_type: Box<str>,
    },
    /// A project's access to a private volume type.
    TypeAccess {
        /// The type's ID.
        volume_type: Box<str>,
        /// The project's ID.
        project: Box<str>,
    },
    /// The list of projects with access to a type that all have access to.
    AccessList,
    /// One of several QoS specs under one name.
    QosKey {
        /// The ID of the specs.
        qos: Box<str>,
        /// The key.
        key: Box<str>,
    },
    /// A group type, by ID.
    GroupType(Box<str>),
    /// A group type, by name.
    GroupTypeName(Box<str>),
    /// The type of groups that name none.
    DefaultGroupType,
    /// A group type's spec.
    GroupSpec {
        /// The type's ID.
        group_type: Box<str>,
        /// The key.
        key: Box<str>,
    },
    /// A group snapshot.
    GroupSnapshot(Box<str>),
    /// A service on a host.
    Service {
        /// What it does.
        binary: Box<str>,
        /// Where.
        host: Box<str>,
    },
    /// A service, by its host alone.
    ServiceOf(Box<str>),
    /// A cluster; there are none.
    Cluster {
        /// What its services do.
        binary: Box<str>,
        /// Its name.
        name: Box<str>,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operation => f.write_str("The resource could not be found."),
            Self::Volume(id) => write!(f, "Volume {id} could not be found."),
            Self::Snapshot(id) => write!(f, "Snapshot {id} could not be found."),
            Self::VolumeType(id) => write!(f, "Volume type {id} could not be found."),
            Self::VolumeTypeName(name) => {
                write!(f, "Volume type with name {name} could not be found.")
            }
            Self::Group(id) => write!(f, "Group {id} could not be found."),
            Self::Backup(id) => write!(f, "Backup {id} could not be found."),
            Self::Attachment(id) => {
                write!(f, "Volume attachment could not be found with filter: attachment_id = {id}.")
            }
            Self::Transfer(id) => write!(f, "Transfer {id} could not be found."),
            Self::Message(id) => write!(f, "Message {id} could not be found."),
            Self::DefaultType(project) => {
                write!(f, "Default type for project {project} not found.")
            }
            Self::Qos(id) => write!(f, "No such QoS spec {id}."),
            Self::VolumeMetadata { volume, key } => {
                write!(f, "Volume {volume} has no metadata with key {key}.")
            }
            Self::SnapshotMetadata { snapshot, key } => {
                write!(f, "Snapshot {snapshot} has no metadata with key {key}.")
            }
            Self::ImageMetadata { volume } => {
                write!(f, "Glance metadata for volume/snapshot {volume} cannot be found.")
            }
            Self::ExtraSpec { volume_type, key } => {
                write!(f, "Volume Type {volume_type} has no extra specs with key {key}.")
            }
            Self::Encryption { volume_type } => {
                write!(f, "Volume type encryption for type {volume_type} does not exist.")
            }
            Self::TypeAccess { volume_type, project } => {
                write!(f, "Volume type access not found for {volume_type} / {project} combination.")
            }
            Self::AccessList => f.write_str("Access list not available for public volume types."),
            Self::QosKey { qos, key } => write!(f, "QoS spec {qos} has no spec with key {key}."),
            Self::GroupType(id) => write!(f, "Group type {id} could not be found."),
            Self::GroupTypeName(name) => {
                write!(f, "Group type with name {name} could not be found.")
            }
            Self::DefaultGroupType => f.write_str("Default group type can not be found."),
            Self::GroupSpec { group_type, key } => {
                write!(f, "Group Type {group_type} has no extra spec with key {key}.")
            }
            Self::GroupSnapshot(id) => write!(f, "GroupSnapshot {id} could not be found."),
            Self::Service { binary, host } => {
                write!(f, "Service {binary} could not be found on host {host}.")
            }
            Self::ServiceOf(host) => write!(f, "Can't find service: {host}"),
            Self::Cluster { binary, name } => {
                write!(f, "Cluster {{'binary': '{binary}', 'name': '{name}'}} could not be found.")
            }
        }
    }
}

impl Error {
    /// The HTTP status of the answer.
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
            Self::NoDefaultType => 500,
            Self::Quota(_) => 413,
            Self::Store(error) => match error {
                WriteError::KeyTooLong { .. } | WriteError::Unstorable { .. } => 400,
                WriteError::NotUnique { .. } | WriteError::Unexpected { .. } => 409,
                _ => 500,
            },
        }
    }

    /// The answer's body.
    pub fn body(&self) -> ErrorBody {
        ErrorBody { status: self.status(), message: self.to_string() }
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

/// The body of a refusal: `{"itemNotFound": {"code": 404, "message": "..."}}`.
///
/// ```
/// use statehold_cinder::{Error, Missing};
/// let error = Error::Missing(Missing::Volume("zzz".into()));
/// assert_eq!(
///     serde_json::to_string(&error.body())?,
///     r#"{"itemNotFound":{"code":404,"message":"Volume zzz could not be found."}}"#,
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorBody {
    status: u16,
    message: String,
}

impl ErrorBody {
    /// The body of a refusal that no operation of this crate makes, such as a 405 or 415.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The one key of the body.
    pub fn key(&self) -> &'static str {
        match self.status {
            400 => "badRequest",
            401 => "unauthorized",
            403 => "forbidden",
            404 => "itemNotFound",
            405 => "badMethod",
            409 => "conflictingRequest",
            413 => "overLimit",
            415 => "badMediaType",
            501 => "notImplemented",
            503 => "serviceUnavailable",
            _ => "computeFault",
        }
    }
}

impl Serialize for ErrorBody {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Inner<'e> {
            code: u16,
            message: &'e str,
            #[serde(rename = "retryAfter", skip_serializing_if = "Option::is_none")]
            retry_after: Option<&'static str>,
        }
        let retry_after = (self.status == 413).then_some("0");
        let inner = Inner { code: self.status, message: &self.message, retry_after };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.key(), &inner)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_statuses() {
        let of = |status| ErrorBody::new(status, "x").key();
        assert_eq!([of(400), of(409), of(413)], ["badRequest", "conflictingRequest", "overLimit"]);
        assert_eq!([of(406), of(412), of(500)], ["computeFault"; 3]);
        let over = serde_json::to_string(&ErrorBody::new(413, "m")).unwrap();
        assert_eq!(over, r#"{"overLimit":{"code":413,"message":"m","retryAfter":"0"}}"#);
    }
}
