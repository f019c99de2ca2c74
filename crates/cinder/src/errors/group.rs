//! Errors for groups and group snapshots whose state does not allow an operation.
//!
//! Cinder: `cinder/group/api.py`, unless a line names another file.

use std::fmt;

use uuid::Uuid;

use crate::{
    python,
    rows::{GroupStatus, VolumeStatus},
};

/// The reason why the state of a group, group snapshot or group type does not allow an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupRefusal {
    /// The group type is reserved for consistency groups, which have their own API.
    Reserved {
        /// The type.
        group_type: Uuid,
    },
    /// The update changes nothing.
    Unchanged {
        /// The group.
        group: Uuid,
    },
    /// The update both adds and removes these volumes.
    AddAndRemove {
        /// Their IDs as sent.
        volumes: Vec<Box<str>>,
    },
    /// The volume cannot be added.
    Add {
        /// The ID of the volume as sent.
        volume: Box<str>,
        /// The group.
        group: Uuid,
        /// The reason.
        why: CantAdd,
    },
    /// The volume cannot be removed.
    Remove {
        /// The ID of the volume as sent.
        volume: Box<str>,
        /// The group.
        group: Uuid,
        /// The status of the volume; `None` if it is not in the group.
        status: Option<VolumeStatus>,
    },
    /// The group would have more than the maximum number of volumes.
    Full {
        /// The group.
        group: Uuid,
        /// The maximum.
        volumes_max: usize,
    },
    /// Its status does not allow the operation.
    Status {
        /// The statuses that allow it.
        allowed: &'static str,
        /// Its status.
        status: GroupStatus,
    },
    /// It has group snapshots.
    HasSnapshots,
    /// It has volumes, and the request lacks `delete-volumes`.
    HasVolumes {
        /// The group.
        group: Uuid,
    },
    /// One of its volumes is attached.
    Attached {
        /// The group.
        group: Uuid,
    },
    /// One of its volumes has snapshots.
    VolumeSnapshots,
    /// The status of one of its volumes does not allow a deletion.
    Busy {
        /// The volume.
        volume: Uuid,
        /// The status of the volume.
        status: VolumeStatus,
    },
    /// Another group is being created from it.
    Source {
        /// The group.
        group: Uuid,
    },
    /// The group snapshot cannot be deleted in its status, or is in use.
    DeleteSnapshot,
    /// The group has no volumes, or is being created or updated.
    NothingToSnapshot,
    /// The source group has no volumes.
    EmptyGroup,
    /// The source group snapshot has no snapshots.
    EmptySnapshot,
    /// Its group type does not enable replication.
    NotReplicated {
        /// The group.
        group: Uuid,
    },
    /// Its back end does not support replication.
    CantReplicate {
        /// The group.
        group: Uuid,
    },
    /// The status of groups is unknown.
    NoStatus {
        /// The status as sent.
        status: Box<str>,
    },
    /// The status of group snapshots is unknown.
    NoSnapshotStatus {
        /// The status as sent.
        status: Box<str>,
    },
}

/// The reason why a volume cannot be added to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CantAdd {
    /// It does not exist, or belongs to another project.
    Missing,
    /// It is in another group.
    InGroup(Uuid),
    /// The group does not allow its volume type.
    Type(Option<Uuid>),
    /// Its status does not allow the operation.
    Status(VolumeStatus),
    /// It is being migrated.
    Migrating,
    /// It awaits a transfer.
    Offered,
    /// Its back end is not that of the group.
    Elsewhere,
}

impl fmt::Display for CantAdd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("volume cannot be found."),
            Self::InGroup(group) => write!(f, "it is already in group {group}."),
            Self::Type(Some(id)) => {
                write!(f, "volume type {id} is not supported by the group.")
            }
            Self::Type(None) => f.write_str("it has no volume type."),
            Self::Status(status) => write!(
                f,
                "volume is in an invalid state: {status}. Valid states are: ('available', \
                 'in-use')."
            ),
            Self::Migrating => f.write_str("it is being migrated."),
            Self::Offered => f.write_str("it is awaiting a transfer."),
            Self::Elsewhere => f.write_str("it is not on the backend of the group."),
        }
    }
}

impl fmt::Display for GroupRefusal {
    #[expect(clippy::too_many_lines, reason = "one table of texts")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved { group_type } => write!(
                f,
                "Group_type {group_type} is reserved for migrating CGs to groups. Migrated group \
                 can only be operated by CG APIs."
            ),
            // Cinder: cinder/group/api.py, API.update.
            Self::Unchanged { group } => write!(
                f,
                "Invalid Group: Cannot update group {group} because no valid name, description, \
                 add_volumes, or remove_volumes were provided."
            ),
            // Cinder: cinder/group/api.py, API.update, which prints a Python list.
            Self::AddAndRemove { volumes } => {
                let volumes: Vec<_> = volumes.iter().map(|id| python::quoted(id)).collect();
                write!(
                    f,
                    "Invalid volume: UUIDs [{}] are in both add and remove volume list.",
                    volumes.join(", ")
                )
            }
            // Cinder: cinder/group/api.py, API._validate_add_volumes.
            Self::Add { volume, group, why } => write!(
                f,
                "Invalid volume: Cannot add volume {volume} to group {group} because {why}"
            ),
            // Cinder: cinder/group/api.py, API._validate_remove_volumes.
            Self::Remove { volume, group, status: None } => write!(
                f,
                "Invalid volume: Cannot remove volume {volume} from group {group} because it is \
                 not in the group."
            ),
            Self::Remove { volume, group, status: Some(status) } => write!(
                f,
                "Invalid volume: Cannot remove volume {volume} from group {group} because volume \
                 is in an invalid state: {status}. Valid states are: ('available', 'in-use', \
                 'error', 'error_deleting')."
            ),
            // Cinder has no such limit. Operations on a group write all of its volumes in one transaction.
            Self::Full { group, volumes_max } => {
                write!(
                    f,
                    "Invalid Group: Group {group} can have {volumes_max} volumes at the most."
                )
            }
            Self::Status { allowed, status } => write!(
                f,
                "Invalid Group: Group status must be {allowed}, but current status is: {status}."
            ),
            // Cinder: cinder/group/api.py, API.delete, as the texts up to that of the source.
            Self::HasSnapshots => f.write_str("Invalid Group: Group has existing snapshots."),
            Self::HasVolumes { group } => write!(
                f,
                "Invalid Group: Group {group} still contains volumes. The delete-volumes flag is \
                 required to delete it."
            ),
            Self::Attached { group } => write!(
                f,
                "Invalid Group: Volume in group {group} is attached. Need to detach first."
            ),
            Self::VolumeSnapshots => {
                f.write_str("Invalid Group: Volume in group still has dependent snapshots.")
            }
            Self::Busy { volume, status } => write!(
                f,
                "Invalid Group: Volume {volume} in group can not be deleted, as its status is \
                 {status}."
            ),
            Self::Source { group } => write!(
                f,
                "Invalid Group: Cannot delete group {group}. It cannot be the source for an \
                 ongoing group creation."
            ),
            // Cinder: cinder/group/api.py, API.delete_group_snapshot.
            Self::DeleteSnapshot => f.write_str(
                "Invalid GroupSnapshot: GroupSnapshot status must be available or error, and no \
                 Group can be currently using it as source for its creation.",
            ),
            // Cinder: cinder/volume/api.py, API.create_snapshots_in_db.
            Self::NothingToSnapshot => f.write_str(
                "Invalid Group: Source group cannot be empty or in 'creating' or 'updating' state. \
                 No group snapshot will be created.",
            ),
            // Cinder: cinder/group/api.py, API._create_group_from_source_group.
            Self::EmptyGroup => {
                f.write_str("Invalid Group: Source Group is empty. No group will be created.")
            }
            // Cinder: cinder/group/api.py, API._create_group_from_group_snapshot.
            Self::EmptySnapshot => f.write_str(
                "Invalid GroupSnapshot: Group snapshot is empty. No group will be created.",
            ),
            // Cinder: cinder/group/api.py, API.enable_replication and the other actions of replication.
            Self::NotReplicated { group } => {
                write!(f, "Invalid group type: Group {group} is not a replication group type.")
            }
            Self::CantReplicate { group } => write!(
                f,
                "Invalid Group: Group {group} is on a backend that does not support replication."
            ),
            // Cinder: cinder/api/validation/validators.py, _validate_group_status.
            Self::NoStatus { status } => write!(
                f,
                "Invalid Group Status: Group status: {status} is invalid, valid status are: \
                 ('error', 'available', 'creating', 'deleting', 'deleted', 'updating', 'in-use', \
                 'error_deleting')."
            ),
            // Cinder: cinder/api/validation/validators.py, _validate_status.
            Self::NoSnapshotStatus { status } => write!(
                f,
                "Invalid GroupSnapshot Status: Group snapshot status: {status} is invalid, valid \
                 statuses are: ('error', 'available', 'creating', 'deleting', 'deleted', \
                 'updating', 'error_deleting')."
            ),
        }
    }
}

impl std::error::Error for GroupRefusal {}
