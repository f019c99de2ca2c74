//! Refusals because of the state of a backup, or of what it is of.

use std::fmt;

use uuid::Uuid;

use crate::rows::{SnapshotStatus, VolumeStatus};

/// Why the state of a backup, or of what it is made from, doesn't allow something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackupRefusal {
    /// The snapshot is not of the volume that was named.
    OtherVolume {
        /// The volume that was named.
        volume: Uuid,
        /// The volume of the snapshot.
        of_snapshot: Uuid,
    },
    /// The snapshot can't be backed up now.
    Snapshot {
        /// Its status.
        status: SnapshotStatus,
    },
    /// The volume can't be backed up now.
    Volume {
        /// Its status.
        status: VolumeStatus,
    },
    /// The volume is used, and the request doesn't say that this is all right.
    InUse,
    /// There is no earlier backup to which changes could be noted.
    NoParent,
    /// The earlier backup can't be built upon now.
    ParentStatus,
    /// It can't be deleted in its status.
    Delete,
    /// Other backups hold only what has changed since it.
    Dependents,
    /// It can't be restored in its status.
    Restore,
    /// The volume can't be written over in its status.
    RestoreVolume,
    /// The volume is too small for what was backed up.
    TooSmall {
        /// The size of the volume, in GiB.
        volume: u32,
        /// The size of the backup, in GiB.
        backup: u32,
    },
    /// Its record can't be taken elsewhere in its status.
    Export,
    /// There is one with the ID of the record already.
    Exists,
}

impl fmt::Display for BackupRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
            Self::Delete => f.write_str("Invalid backup: Backup status must be available or error"),
            Self::Dependents => {
                f.write_str("Invalid backup: Incremental backups exist for this backup.")
            }
            Self::Restore => f.write_str("Invalid backup: Backup status must be available"),
            Self::RestoreVolume => {
                f.write_str("Invalid volume: Volume to be restored to must be available")
            }
            Self::TooSmall { volume, backup } => write!(
                f,
                "Invalid volume: volume size {volume} is too small to restore backup of size \
                 {backup}."
            ),
            Self::Export => {
                f.write_str("Invalid backup: Backup status must be available and not restoring.")
            }
            Self::Exists => f.write_str("Invalid backup: Backup already exists in database."),
        }
    }
}

impl std::error::Error for BackupRefusal {}
