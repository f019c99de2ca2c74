//! Refusals about groups and group snapshots: another state would allow the same request.

use std::fmt;

use uuid::Uuid;

use crate::{
    python,
    rows::{GroupStatus, VolumeStatus},
};

/// Why the state of a group, group snapshot or group type doesn't allow something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupRefusal {
    /// The type is that of consistency groups, which have an API of their own.
    Reserved {
        /// The type.
        group_type: Uuid,
    },
    /// Nothing that was asked for would change it.
    Unchanged {
        /// The group.
        group: Uuid,
    },
    /// These volumes can't both come and go.
    AddAndRemove {
        /// Their IDs, as they were sent.
        volumes: Vec<Box<str>>,
    },
    /// This volume can't come into it.
    Add {
        /// The volume's ID, as it was sent.
        volume: Box<str>,
        /// The group.
        group: Uuid,
        /// Why not.
        why: CantAdd,
    },
    /// This volume can't leave it.
    Remove {
        /// The volume's ID, as it was sent.
        volume: Box<str>,
        /// The group.
        group: Uuid,
        /// The volume's status, unless it isn't in the group at all.
        status: Option<VolumeStatus>,
    },
    /// It has as many volumes as it may have.
    Full {
        /// The group.
        group: Uuid,
        /// How many it may have.
        volumes_max: usize,
    },
    /// Its status doesn't allow it.
    Status {
        /// Those that would.
        allowed: &'static str,
        /// Its status.
        status: GroupStatus,
    },
    /// There are group snapshots of it.
    HasSnapshots,
    /// It has volumes, and the request doesn't say that they go too.
    HasVolumes {
        /// The group.
        group: Uuid,
    },
    /// Somebody uses one of its volumes.
    Attached {
        /// The group.
        group: Uuid,
    },
    /// There are snapshots of its volumes.
    VolumeSnapshots,
    /// Something is being done with one of its volumes.
    Busy {
        /// The volume.
        volume: Uuid,
        /// The volume's status.
        status: VolumeStatus,
    },
    /// Another group is being made from it.
    Source {
        /// The group.
        group: Uuid,
    },
    /// The group snapshot can't be deleted as it is.
    DeleteSnapshot,
    /// The group has no volumes to take a snapshot of, or gets its volumes at the moment.
    NothingToSnapshot,
    /// The group has no volumes of which another could be made.
    EmptyGroup,
    /// The group snapshot has no snapshots of which a group could be made.
    EmptySnapshot,
    /// It isn't for copies elsewhere.
    NotReplicated {
        /// The group.
        group: Uuid,
    },
    /// It is for copies elsewhere, which its back end doesn't make.
    CantReplicate {
        /// The group.
        group: Uuid,
    },
    /// There is no such status of groups.
    NoStatus {
        /// What was sent.
        status: Box<str>,
    },
    /// There is no such status of group snapshots.
    NoSnapshotStatus {
        /// What was sent.
        status: Box<str>,
    },
}

/// Why a volume can't come into a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CantAdd {
    /// It isn't there, or is another project's.
    Missing,
    /// It is in a group.
    InGroup(Uuid),
    /// The group doesn't take volumes of its type.
    Type(Option<Uuid>),
    /// Its status doesn't allow it.
    Status(VolumeStatus),
    /// It is being moved.
    Migrating,
    /// It is offered to somebody.
    Offered,
    /// It is on another back end than the group.
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
            Self::Unchanged { group } => write!(
                f,
                "Invalid Group: Cannot update group {group} because no valid name, description, \
                 add_volumes, or remove_volumes were provided."
            ),
            Self::AddAndRemove { volumes } => {
                let volumes: Vec<_> = volumes.iter().map(|id| python::quoted(id)).collect();
                write!(
                    f,
                    "Invalid volume: UUIDs [{}] are in both add and remove volume list.",
                    volumes.join(", ")
                )
            }
            Self::Add { volume, group, why } => write!(
                f,
                "Invalid volume: Cannot add volume {volume} to group {group} because {why}"
            ),
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
            Self::DeleteSnapshot => f.write_str(
                "Invalid GroupSnapshot: GroupSnapshot status must be available or error, and no \
                 Group can be currently using it as source for its creation.",
            ),
            // Cinder: cinder/volume/api.py, API.create_snapshots_in_db.
            Self::NothingToSnapshot => f.write_str(
                "Invalid Group: Source group cannot be empty or in 'creating' or 'updating' state. \
                 No group snapshot will be created.",
            ),
            Self::EmptyGroup => {
                f.write_str("Invalid Group: Source Group is empty. No group will be created.")
            }
            Self::EmptySnapshot => f.write_str(
                "Invalid GroupSnapshot: Group snapshot is empty. No group will be created.",
            ),
            Self::NotReplicated { group } => {
                write!(f, "Invalid group type: Group {group} is not a replication group type.")
            }
            Self::CantReplicate { group } => write!(
                f,
                "Invalid Group: Group {group} is on a backend that does not support replication."
            ),
            Self::NoStatus { status } => write!(
                f,
                "Invalid Group Status: Group status: {status} is invalid, valid status are: \
                 ('error', 'available', 'creating', 'deleting', 'deleted', 'updating', 'in-use', \
                 'error_deleting')."
            ),
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
