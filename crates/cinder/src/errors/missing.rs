//! Errors for resources that do not exist, or not for the caller.
//!
//! Cinder: `cinder/exception.py`, the subclasses of `NotFound`.

use std::fmt;

/// A resource that does not exist, or not for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// The operation: it needs a later microversion.
    Operation,
    /// A volume, by the ID as sent.
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
    /// The default type of a project that has none set.
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
    /// The encryption of a volume type, or a field of it.
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
    /// The access list of a public volume type.
    AccessList,
    /// A key of QoS specs.
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
    /// The default group type.
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
        /// Its binary, such as `cinder-volume`.
        binary: Box<str>,
        /// Its host.
        host: Box<str>,
    },
    /// A host of services, by its name.
    Host(Box<str>),
    /// A service of a cluster. No clusters exist.
    ServiceOfCluster,
    /// A service, by host only.
    ServiceOf(Box<str>),
    /// A cluster. This cloud has none.
    Cluster {
        /// The binary of its services.
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
            // Cinder: cinder/exception.py, HostNotFound and ServiceNotFound.
            Self::Host(host) => write!(f, "Host {host} could not be found."),
            Self::ServiceOfCluster => f.write_str("Service cinder-volume could not be found."),
            Self::ServiceOf(host) => write!(f, "Can't find service: {host}"),
            Self::Cluster { binary, name } => {
                write!(f, "Cluster {{'binary': '{binary}', 'name': '{name}'}} could not be found.")
            }
        }
    }
}
