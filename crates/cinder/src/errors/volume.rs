//! Errors for volumes whose state does not allow an operation.
//!
//! Cinder: `cinder/volume/api.py`. Texts without a counterpart there state how to resolve the conflict.

use std::fmt;

use uuid::Uuid;

use crate::rows::{MigrationStatus, SnapshotStatus, VolumeStatus};

/// The reason why the state of a volume does not allow an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VolumeRefusal {
    /// It is locked for a migration.
    Maintenance,
    /// It cannot be deleted in its state.
    Delete {
        /// Whether the request ignored the status.
        force: bool,
    },
    /// One of its snapshots cannot be deleted in its status.
    CascadeSnapshot {
        /// The snapshot.
        snapshot: Uuid,
        /// Its status.
        status: SnapshotStatus,
    },
    /// It cannot be extended in its status.
    Extend {
        /// The volume.
        volume: Uuid,
        /// Its status.
        status: VolumeStatus,
    },
    /// It cannot be reverted in its status. The HTTP status is 409.
    Revert {
        /// The volume.
        volume: Uuid,
        /// Its newest snapshot.
        snapshot: Uuid,
    },
    /// It cannot be reverted to the snapshot in the status of the snapshot. The HTTP status is 409.
    RevertSnapshot {
        /// The volume.
        volume: Uuid,
        /// Its newest snapshot.
        snapshot: Uuid,
    },
    /// It cannot be reserved in its status.
    Reserve {
        /// Its status.
        status: VolumeStatus,
    },
    /// It is not attached.
    BeginDetaching,
    /// It is read-only and cannot be attached for writing.
    ReadOnly {
        /// The volume.
        volume: Uuid,
        /// The requested mode.
        mode: Box<str>,
    },
    /// It is attached already.
    AlreadyAttached,
    /// It is being attached with another mode.
    OtherMode,
    /// It cannot be attached in its status.
    Attach {
        /// Its status.
        status: VolumeStatus,
    },
    /// It has several attachments, and the request does not name one.
    WhichAttachment,
    /// Its read-only flag cannot be changed in its status.
    ReadOnlyFlag {
        /// The volume.
        volume: Uuid,
        /// Its status.
        status: VolumeStatus,
    },
    /// It cannot be retyped in its state, or to this type.
    Retype,
    /// It cannot be migrated in its state, or to this host.
    Migrate {
        /// The volume.
        volume: Uuid,
    },
    /// It is not being migrated, but the other volume is.
    NotMoving,
    /// It is being migrated, but the other volume is not.
    OtherNotMoving,
    /// The other volume is being migrated, but not to this one.
    OtherMoves {
        /// The migration status of the other volume.
        status: MigrationStatus,
        /// The volume.
        volume: Uuid,
    },
    /// No image can be created from it in its status.
    Upload {
        /// The volume.
        volume: Uuid,
    },
    /// No image can be written to it in its status.
    Reimage {
        /// The volume.
        volume: Uuid,
        /// Its status.
        status: VolumeStatus,
        /// Whether the request allows a reserved volume.
        reserved: bool,
    },
    /// It has several attachments, so no image can be written to it. The HTTP status is 409.
    ReimageShared {
        /// The volume.
        volume: Uuid,
    },
    /// Its metadata cannot be changed in its status.
    Metadata {
        /// The volume.
        volume: Uuid,
        /// Its status.
        status: VolumeStatus,
    },
    /// No snapshot of it can be created in its status.
    Snapshot {
        /// The volume.
        volume: Uuid,
        /// Its status.
        status: VolumeStatus,
        /// Whether `in-use` would be allowed.
        in_use_allowed: bool,
    },
    /// It is in an error status, which allows no attachment.
    AttachmentOnError {
        /// The volume.
        volume: Uuid,
        /// Its status.
        status: VolumeStatus,
    },
    /// It cannot be reserved for an attachment in its status.
    AttachmentReserve {
        /// The volume.
        volume: Uuid,
        /// Its status.
        status: VolumeStatus,
    },
    /// Another host is connected to it.
    DuplicateConnectors {
        /// The volume.
        volume: Uuid,
    },
    /// It cannot be transferred in its status.
    Transfer,
    /// It does not await the transfer any more.
    AcceptTransfer {
        /// The transfer.
        transfer: Uuid,
    },
    /// It is encrypted, and the microversion cannot transfer encrypted volumes.
    TransferEncrypted,
    /// It is encrypted, so it cannot be unmanaged.
    UnmanageEncrypted,
    /// It is being migrated, although its status allows the request.
    Migrating {
        /// The volume.
        volume: Uuid,
        /// Its migration status.
        status: MigrationStatus,
    },
    /// Another instance has an attachment of it, although its status allows the request.
    Held {
        /// The volume.
        volume: Uuid,
    },
    /// It has no back end, although its status allows the request.
    NoBackend {
        /// The volume.
        volume: Uuid,
    },
    /// It is in a group, which the request cannot remove it from.
    InGroup {
        /// The volume.
        volume: Uuid,
        /// The group.
        group: Uuid,
    },
    /// It awaits another transfer already.
    Offered {
        /// The volume.
        volume: Uuid,
        /// The transfer.
        transfer: Uuid,
    },
    /// Its type requires encryption, and this cloud has no key manager.
    NoKeyManager {
        /// The type.
        volume_type: Uuid,
    },
}

impl VolumeRefusal {
    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            // Cinder: cinder/api/v3/volumes.py, VolumeController.revert, turns its refusals into conflicts.
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
            // Cinder: cinder/volume/api.py, API.update.
            Self::Maintenance => f.write_str("The volume cannot be updated during maintenance."),
            // Cinder: cinder/volume/api.py, API.delete. With `force`, its text leaves out the clause about the status.
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
            // Cinder: cinder/volume/api.py, API.delete, of a cascade: the first sentence.
            Self::CascadeSnapshot { snapshot, status } => write!(
                f,
                "Failed to update snapshot. Snapshot {snapshot} status must be available or error, \
                 but current status is: {status}."
            ),
            // Cinder: cinder/volume/api.py, API._extend, which prints the conditions of its update as a Python dict.
            Self::Extend { volume, status } => write!(
                f,
                "Volume {volume} status must be '{{'status': 'available'}}' to extend, currently \
                 {status}."
            ),
            // Cinder: cinder/volume/api.py, API.revert_to_snapshot.
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
            // Cinder: cinder/volume/api.py, API.reserve_volume.
            Self::Reserve { status } => {
                write!(f, "Volume status must be available to reserve, but the status is {status}.")
            }
            // Cinder: cinder/volume/api.py, API.begin_detaching.
            Self::BeginDetaching => f.write_str(
                "Unable to detach volume. Volume status must be 'in-use' and attach_status must \
                 be 'attached' to detach.",
            ),
            // Cinder: cinder/exception.py, InvalidVolumeAttachMode.
            Self::ReadOnly { volume, mode } => {
                write!(f, "Invalid attaching mode '{mode}' for volume {volume}.")
            }
            // Cinder: cinder/volume/manager.py, VolumeManager.attach_volume, as the two texts below.
            Self::AlreadyAttached => {
                f.write_str("volume is already attached and multiple attachments are not enabled")
            }
            Self::OtherMode => f.write_str("being attached by different mode"),
            Self::Attach { status } => {
                write!(f, "status must be available or attaching, but the status is {status}.")
            }
            // Cinder: cinder/volume/manager.py, VolumeManager.detach_volume.
            Self::WhichAttachment => f.write_str(
                "Detach volume failed: More than one attachment, but no attachment_id provided.",
            ),
            // Cinder: cinder/volume/api.py, API.update_readonly_flag.
            Self::ReadOnlyFlag { volume, status } => write!(
                f,
                "Volume {volume} status must be available to update readonly flag, but current \
                 status is: {status}."
            ),
            // Cinder: cinder/volume/api.py, API.retype, with its grammar.
            Self::Retype => f.write_str(
                "Retype needs volume to be in available or in-use state, not be part of an active \
                 migration or a consistency group, requested type has to be different that the \
                 one from the volume, and for in-use volumes front-end qos specs cannot change.",
            ),
            // Cinder: cinder/volume/api.py, API.migrate_volume.
            Self::Migrate { volume } => write!(
                f,
                "Volume {volume} status must be available or in-use, must not be migrating, have \
                 snapshots, be replicated, be part of a group and destination host/cluster must \
                 be different than the current one"
            ),
            // Cinder: cinder/volume/api.py, API.migrate_volume_completion, as the two texts below.
            Self::NotMoving => f.write_str("Source volume not mid-migration."),
            Self::OtherNotMoving => f.write_str("Destination volume not mid-migration."),
            Self::OtherMoves { status, volume } => {
                write!(f, "Destination has migration_status {status}, expected target:{volume}.")
            }
            // Cinder: cinder/volume/api.py, API.copy_volume_to_image.
            Self::Upload { volume } => write!(f, "Volume {volume} status must be available"),
            // Cinder: cinder/volume/api.py, API.reimage.
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
            // Cinder: cinder/volume/api.py, API.create_snapshot_in_db.
            Self::Snapshot { volume, status, in_use_allowed } => {
                let allowed = if *in_use_allowed { "available, in-use" } else { "available" };
                write!(
                    f,
                    "Volume {volume} status must be {allowed}, but current status is: {status}."
                )
            }
            // Cinder: cinder/volume/api.py, API.attachment_create. The text ends with a blank.
            Self::AttachmentOnError { volume, status } => write!(
                f,
                "Volume attachments can not be created if the volume is in an error state. The \
                 Volume {volume} currently has a status of: {status} "
            ),
            // Cinder: cinder/volume/api.py, API._attachment_reserve.
            Self::AttachmentReserve { volume, status } => write!(
                f,
                "Volume {volume} status must be available or downloading to reserve, but the \
                 current status is {status}."
            ),
            // Cinder: cinder/volume/api.py, API.attachment_update.
            Self::DuplicateConnectors { volume } => {
                write!(f, "duplicate connectors detected on volume {volume}")
            }
            // Cinder: cinder/transfer/api.py, API.create.
            Self::Transfer => f.write_str("status must be available"),
            Self::AcceptTransfer { transfer } => {
                write!(f, "status must be awaiting-transfer to accept the transfer {transfer}")
            }
            Self::TransferEncrypted => {
                f.write_str("transferring encrypted volume is not supported")
            }
            // Cinder reports the status here, although the migration is the reason.
            Self::Migrating { volume, status } => write!(
                f,
                "Volume {volume} is being migrated: its migration_status is {status}. Wait until \
                 it is success or error."
            ),
            // Only a reset by an operator leads here, because attachments change the status.
            Self::Held { volume } => {
                write!(f, "Volume {volume} has an attachment of another server. Delete it first.")
            }
            Self::NoBackend { volume } => write!(f, "Volume {volume} is on no backend."),
            // A transferred member would leave the project of its group.
            Self::InGroup { volume, group } => {
                write!(f, "Volume {volume} is in group {group}. Remove it from the group first.")
            }
            Self::Offered { volume, transfer } => write!(
                f,
                "Volume {volume} is awaiting the transfer {transfer}. Delete the transfer first."
            ),
            // Cinder stores a key of the volume in a key manager, which this cloud lacks.
            Self::NoKeyManager { volume_type } => write!(
                f,
                "Key manager error: volume type {volume_type} is encrypted, and this cloud has no \
                 key manager. Choose a type without encryption."
            ),
            // Cinder: cinder/volume/api.py, API.delete.
            Self::UnmanageEncrypted => {
                f.write_str("Unmanaging encrypted volumes is not supported.")
            }
        }
    }
}

impl std::error::Error for VolumeRefusal {}
