//! Refusals of the state machines: another state would allow the same request.

use std::fmt;

use uuid::Uuid;

use crate::rows::{MigrationStatus, SnapshotStatus, Volume, VolumeStatus};

/// Why the state of a volume doesn't allow something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VolumeRefusal {
    /// It can't be changed while it is being moved.
    Maintenance,
    /// It can't be deleted as it is.
    Delete {
        /// Whether its status didn't count.
        force: bool,
    },
    /// One of its snapshots can't be deleted.
    CascadeSnapshot,
    /// It can't be enlarged now.
    Extend {
        /// The volume.
        volume: Uuid,
        /// Its status.
        status: VolumeStatus,
    },
    /// It can't go back to a snapshot now. The answer has the status 409.
    Revert {
        /// The volume.
        volume: Uuid,
        /// Its newest snapshot.
        snapshot: Uuid,
    },
    /// The snapshot to which it should go back can't be used now. The answer has the status 409.
    RevertSnapshot {
        /// The volume.
        volume: Uuid,
        /// Its newest snapshot.
        snapshot: Uuid,
    },
    /// It can't be kept for somebody.
    Reserve {
        /// Its status.
        status: VolumeStatus,
    },
    /// It isn't attached.
    BeginDetaching,
    /// It can't be attached for writing.
    ReadOnly {
        /// The volume.
        volume: Uuid,
        /// The mode that was asked for.
        mode: Box<str>,
    },
    /// Somebody else has it.
    AlreadyAttached,
    /// Somebody is attaching it in another way.
    OtherMode,
    /// It can't be attached now.
    Attach {
        /// Its status.
        status: VolumeStatus,
    },
    /// Several have it, and the request doesn't say who is to lose it.
    WhichAttachment,
    /// It can't be made read-only or writable now.
    ReadOnlyFlag {
        /// The volume.
        volume: Uuid,
        /// Its status.
        status: VolumeStatus,
    },
    /// It can't get this type now.
    Retype,
    /// It can't move there now.
    Migrate {
        /// The volume.
        volume: Uuid,
    },
    /// It isn't being moved, but the volume that it should change places with is.
    NotMoving,
    /// What it should change places with isn't being moved, but it is.
    OtherNotMoving,
    /// What it should change places with is on its way, but not to it.
    OtherMoves {
        /// How far that has come.
        status: MigrationStatus,
        /// The volume.
        volume: Uuid,
    },
    /// No image can be made from it now.
    Upload {
        /// The volume.
        volume: Uuid,
    },
    /// No image can be put on it now.
    Reimage {
        /// The volume.
        volume: Uuid,
        /// Its status.
        status: VolumeStatus,
        /// Whether being kept for somebody would do.
        reserved: bool,
    },
    /// Several have it, so no image can be put on it. The answer has the status 409.
    ReimageShared {
        /// The volume.
        volume: Uuid,
    },
    /// Its metadata can't be changed now.
    Metadata {
        /// The volume.
        volume: Uuid,
        /// Its status.
        status: VolumeStatus,
    },
    /// No snapshot can be made of it now.
    Snapshot {
        /// The volume.
        volume: Uuid,
        /// Its status.
        status: VolumeStatus,
        /// Whether being attached would do.
        in_use_allowed: bool,
    },
    /// It has an error, so nobody can be promised it.
    AttachmentOnError {
        /// The volume.
        volume: Uuid,
        /// Its status.
        status: VolumeStatus,
    },
    /// It can't be promised to anybody now.
    AttachmentReserve {
        /// The volume.
        volume: Uuid,
        /// Its status.
        status: VolumeStatus,
    },
    /// Another host has it.
    DuplicateConnectors {
        /// The volume.
        volume: Uuid,
    },
    /// It can't be offered to anybody.
    Transfer,
    /// It isn't on offer any more.
    AcceptTransfer {
        /// The offer.
        transfer: Uuid,
    },
    /// It is encrypted, which this version can't offer.
    TransferEncrypted,
    /// It is encrypted, so it can't be forgotten.
    UnmanageEncrypted,
    /// It is on its way to another back end, though its status would allow the request.
    Migrating {
        /// The volume.
        volume: Uuid,
        /// How far it has come.
        status: MigrationStatus,
    },
    /// Another machine has an attachment of it, though its status would allow the request.
    Held {
        /// The volume.
        volume: Uuid,
    },
    /// It has no back end, though its status would allow the request.
    NoBackend {
        /// The volume.
        volume: Uuid,
    },
    /// It is in a group, which it can't leave by the request.
    InGroup {
        /// The volume.
        volume: Uuid,
        /// The group.
        group: Uuid,
    },
    /// It is on offer already.
    Offered {
        /// The volume.
        volume: Uuid,
        /// The offer.
        transfer: Uuid,
    },
    /// Its type demands encryption, for which there are no keys.
    NoKeyManager {
        /// The type.
        volume_type: Uuid,
    },
}

impl VolumeRefusal {
    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Revert { .. } | Self::RevertSnapshot { .. } | Self::ReimageShared { .. } => 409,
            _ => 400,
        }
    }
}

impl fmt::Display for VolumeRefusal {
    #[expect(clippy::too_many_lines, reason = "one table of texts")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invalid volume: ")?;
        match self {
            Self::Maintenance => f.write_str("The volume cannot be updated during maintenance."),
            Self::Delete { force } => {
                let status = if *force {
                    ""
                } else {
                    "status must be available or error or error_restoring or error_extending or \
                     error_managing and "
                };
                write!(
                    f,
                    "Volume {status}must not be migrating, attached, belong to a group, have \
                     snapshots, awaiting a transfer, or be disassociated from snapshots after \
                     volume transfer."
                )
            }
            Self::CascadeSnapshot => f.write_str("Failed to update snapshot."),
            Self::Extend { volume, status } => write!(
                f,
                "Volume {volume} status must be '{{'status': 'available'}}' to extend, currently \
                 {status}."
            ),
            Self::Revert { volume, snapshot } => write!(
                f,
                "Can't revert volume {volume} to its latest snapshot {snapshot}. Volume's status \
                 must be 'available'."
            ),
            Self::RevertSnapshot { volume, snapshot } => write!(
                f,
                "Can't revert volume {volume} to its latest snapshot {snapshot}. Snapshot's \
                 status must be 'available'."
            ),
            Self::Reserve { status } => {
                write!(f, "Volume status must be available to reserve, but the status is {status}.")
            }
            Self::BeginDetaching => f.write_str(
                "Unable to detach volume. Volume status must be 'in-use' and attach_status must \
                 be 'attached' to detach.",
            ),
            Self::ReadOnly { volume, mode } => {
                write!(f, "Invalid attaching mode '{mode}' for volume {volume}.")
            }
            Self::AlreadyAttached => {
                f.write_str("volume is already attached and multiple attachments are not enabled")
            }
            Self::OtherMode => f.write_str("being attached by different mode"),
            Self::Attach { status } => {
                write!(f, "status must be available or attaching, but the status is {status}.")
            }
            Self::WhichAttachment => f.write_str(
                "Detach volume failed: More than one attachment, but no attachment_id provided.",
            ),
            Self::ReadOnlyFlag { volume, status } => write!(
                f,
                "Volume {volume} status must be available to update readonly flag, but current \
                 status is: {status}."
            ),
            Self::Retype => f.write_str(
                "Retype needs volume to be in available or in-use state, not be part of an active \
                 migration or a consistency group, requested type has to be different that the \
                 one from the volume, and for in-use volumes front-end qos specs cannot change.",
            ),
            Self::Migrate { volume } => write!(
                f,
                "Volume {volume} status must be available or in-use, must not be migrating, have \
                 snapshots, be replicated, be part of a group and destination host/cluster must \
                 be different than the current one"
            ),
            Self::NotMoving => f.write_str("Source volume not mid-migration."),
            Self::OtherNotMoving => f.write_str("Destination volume not mid-migration."),
            Self::OtherMoves { status, volume } => {
                write!(f, "Destination has migration_status {status}, expected target:{volume}.")
            }
            Self::Upload { volume } => write!(f, "Volume {volume} status must be available"),
            Self::Reimage { volume, status, reserved } => {
                let more = if *reserved { " or reserved" } else { "" };
                write!(
                    f,
                    "Volume {volume} status must be available or error{more}, but current status \
                     is {status}."
                )
            }
            Self::ReimageShared { volume } => {
                write!(f, "Volume {volume} must not have more than one attachment.")
            }
            Self::Metadata { volume, status } => {
                write!(f, "Volume {volume} metadata can not be changed, as its status is {status}.")
            }
            Self::Snapshot { volume, status, in_use_allowed } => {
                let allowed = if *in_use_allowed { "available, in-use" } else { "available" };
                write!(
                    f,
                    "Volume {volume} status must be {allowed}, but current status is: {status}."
                )
            }
            Self::AttachmentOnError { volume, status } => write!(
                f,
                "Volume attachments can not be created if the volume is in an error state. The \
                 Volume {volume} currently has a status of: {status} "
            ),
            Self::AttachmentReserve { volume, status } => write!(
                f,
                "Volume {volume} status must be available or downloading to reserve, but the \
                 current status is {status}."
            ),
            Self::DuplicateConnectors { volume } => {
                write!(f, "duplicate connectors detected on volume {volume}")
            }
            Self::Transfer => f.write_str("status must be available"),
            Self::AcceptTransfer { transfer } => {
                write!(f, "status must be awaiting-transfer to accept the transfer {transfer}")
            }
            Self::TransferEncrypted => {
                f.write_str("transferring encrypted volume is not supported")
            }
            Self::Migrating { volume, status } => write!(
                f,
                "Volume {volume} is being migrated: its migration_status is {status}. Wait until \
                 it is success or error."
            ),
            Self::Held { volume } => {
                write!(f, "Volume {volume} has an attachment of another server. Delete it first.")
            }
            Self::NoBackend { volume } => write!(f, "Volume {volume} is on no backend."),
            Self::InGroup { volume, group } => {
                write!(f, "Volume {volume} is in group {group}. Remove it from the group first.")
            }
            Self::Offered { volume, transfer } => write!(
                f,
                "Volume {volume} is awaiting the transfer {transfer}. Delete the transfer first."
            ),
            Self::NoKeyManager { volume_type } => write!(
                f,
                "Key manager error: volume type {volume_type} is encrypted, and this cloud has no \
                 key manager. Choose a type without encryption."
            ),
            Self::UnmanageEncrypted => {
                f.write_str("Unmanaging encrypted volumes is not supported.")
            }
        }
    }
}

impl std::error::Error for VolumeRefusal {}

/// Refuses a volume that is on its way to another back end.
///
/// Asked after its status, so that a refusal states the reason that holds: a volume that moves is
/// `available` or `in-use` meanwhile.
pub(super) fn check_settled(row: &Volume) -> Result<(), VolumeRefusal> {
    match row.migration_status {
        Some(status) if !row.is_settled() => {
            Err(VolumeRefusal::Migrating { volume: row.id, status })
        }
        _ => Ok(()),
    }
}

/// Refuses a volume whose data can't be copied where it is: it moves, or is nowhere.
pub(super) fn check_placed(row: &Volume) -> Result<(), VolumeRefusal> {
    check_settled(row)?;
    match row.host {
        Some(_) => Ok(()),
        None => Err(VolumeRefusal::NoBackend { volume: row.id }),
    }
}

/// Why the state of a snapshot doesn't allow something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotRefusal {
    /// It can't be deleted as it is.
    Delete,
    /// It can't be offered together with its volume.
    Transfer {
        /// The snapshot.
        snapshot: Uuid,
    },
    /// It is part of a group snapshot, which stays with its project.
    InGroupSnapshot {
        /// The snapshot.
        snapshot: Uuid,
        /// The group snapshot.
        group_snapshot: Uuid,
    },
    /// Whoever makes or deletes it can't report this.
    StatusNotAllowed {
        /// What was reported.
        status: Box<str>,
        /// The snapshot's status.
        current: SnapshotStatus,
    },
    /// Nobody is making or deleting it.
    NoReport {
        /// The snapshot's status.
        current: SnapshotStatus,
    },
}

impl fmt::Display for SnapshotRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delete => f.write_str(
                "Invalid snapshot: Snapshot status must be available or error and must not be \
                 part of a group.",
            ),
            Self::Transfer { snapshot } => {
                write!(f, "Invalid snapshot: snapshot: {snapshot} status must be available")
            }
            Self::InGroupSnapshot { snapshot, group_snapshot } => write!(
                f,
                "Invalid snapshot: snapshot: {snapshot} is part of the group snapshot \
                 {group_snapshot}"
            ),
            Self::StatusNotAllowed { status, current } => write!(
                f,
                "Provided snapshot status {status} not allowed for snapshot with status {current}."
            ),
            Self::NoReport { current } => {
                write!(f, "Snapshot status {current} not allowed for update_snapshot_status")
            }
        }
    }
}

impl std::error::Error for SnapshotRefusal {}
