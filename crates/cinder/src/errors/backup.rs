//! Errors for backups, and their volumes and snapshots, whose state does not allow an operation.
//!
//! Cinder: `cinder/backup/api.py`.

use std::fmt;

use uuid::Uuid;

use crate::rows::{SnapshotStatus, VolumeStatus};

/// The reason why the state of a backup, or of its source, does not allow an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackupRefusal {
    /// The snapshot belongs to another volume than the request names.
    OtherVolume {
        /// The volume of the request.
        volume: Uuid,
        /// The volume of the snapshot.
        of_snapshot: Uuid,
    },
    /// The snapshot cannot be backed up in its status.
    Snapshot {
        /// Its status.
        status: SnapshotStatus,
    },
    /// The volume cannot be backed up in its status.
    Volume {
        /// Its status.
        status: VolumeStatus,
    },
    /// The volume is in use and the request lacks `force`.
    InUse,
    /// The volume has no earlier backup for an incremental one.
    NoParent,
    /// The parent backup is not available.
    ParentStatus,
    /// It cannot be deleted in its status.
    Delete,
    /// Incremental backups depend on it.
    Dependents,
    /// It cannot be restored in its status.
    Restore,
    /// The volume cannot be overwritten in its status.
    RestoreVolume,
    /// The volume is smaller than the backup.
    TooSmall {
        /// The size of the volume, in GiB.
        volume: u32,
        /// The size of the backup, in GiB.
        backup: u32,
    },
    /// Its record cannot be exported in its status.
    Export,
    /// A backup with the ID of the record exists.
    Exists,
}

impl fmt::Display for BackupRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Cinder: cinder/backup/api.py, API.create, as the texts up to that of restores.
            Self::OtherVolume { volume, of_snapshot } => write!(
                f,
                "Invalid volume: Volume {volume} does not match with snapshot.volume_id \
                 {of_snapshot}."
            ),
            Self::Snapshot { status } => write!(
                f,
                "Invalid snapshot: Snapshot to be backed up must be available, but the current \
                 status is \"{status}\"."
            ),
            Self::Volume { status } => write!(
                f,
                "Invalid volume: Volume to be backed up must be available or in-use, but the \
                 current status is \"{status}\"."
            ),
            Self::InUse => {
                f.write_str("Invalid volume: Backing up an in-use volume must use the force flag.")
            }
            Self::NoParent => {
                f.write_str("Invalid backup: No backups available to do an incremental backup.")
            }
            Self::ParentStatus => f.write_str(
                "Invalid backup: The parent backup must be available for incremental backup.",
            ),
            // Cinder: cinder/backup/api.py, API.delete.
            Self::Delete => f.write_str("Invalid backup: Backup status must be available or error"),
            Self::Dependents => {
                f.write_str("Invalid backup: Incremental backups exist for this backup.")
            }
            // Cinder: cinder/backup/api.py, API.restore.
            Self::Restore => f.write_str("Invalid backup: Backup status must be available"),
            Self::RestoreVolume => {
                f.write_str("Invalid volume: Volume to be restored to must be available")
            }
            Self::TooSmall { volume, backup } => write!(
                f,
                "Invalid volume: volume size {volume} is too small to restore backup of size \
                 {backup}."
            ),
            // Cinder: cinder/backup/api.py, API.export_record.
            Self::Export => {
                f.write_str("Invalid backup: Backup status must be available and not restoring.")
            }
            // Cinder: cinder/backup/api.py, API._get_import_backup.
            Self::Exists => f.write_str("Invalid backup: Backup already exists in database."),
        }
    }
}

impl std::error::Error for BackupRefusal {}
