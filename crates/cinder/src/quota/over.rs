//! Refusals because of quota.

use std::fmt;

/// What would be more than a project may have. The answer has the status 413.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverQuota {
    /// GiB of volumes and snapshots.
    Gigabytes {
        /// What was asked for.
        requested: i64,
        /// What there may be.
        quota: i64,
        /// What there is, and is set aside.
        consumed: i64,
    },
    /// GiB of backups.
    BackupGigabytes {
        /// What was asked for.
        requested: i64,
        /// What there may be.
        quota: i64,
        /// What there is, and is set aside.
        consumed: i64,
    },
    /// Volumes.
    Volumes {
        /// What there may be.
        allowed: i64,
        /// The name of the quota, which may be that of a type.
        name: Box<str>,
    },
    /// Snapshots.
    Snapshots {
        /// What there may be.
        allowed: i64,
    },
    /// Backups.
    Backups {
        /// What there may be.
        allowed: i64,
    },
    /// Groups.
    Groups {
        /// What there may be.
        allowed: i64,
    },
    /// GiB of one volume.
    VolumeSize {
        /// What was asked for.
        size: i64,
        /// What there may be.
        limit: i64,
    },
}

impl fmt::Display for OverQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gigabytes { requested, quota, consumed } => write!(
                f,
                "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed \
                 gigabytes quota. Requested {requested}G, quota is {quota}G and {consumed}G has \
                 been consumed."
            ),
            Self::BackupGigabytes { requested, quota, consumed } => write!(
                f,
                "VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup \
                 gigabytes quota. Requested {requested}G, quota is {quota}G and {consumed}G has \
                 been consumed."
            ),
            Self::Volumes { allowed, name } => write!(
                f,
                "VolumeLimitExceeded: Maximum number of volumes allowed ({allowed}) exceeded for \
                 quota '{name}'."
            ),
            Self::Snapshots { allowed } => write!(
                f,
                "SnapshotLimitExceeded: Maximum number of snapshots allowed ({allowed}) exceeded"
            ),
            Self::Backups { allowed } => write!(
                f,
                "BackupLimitExceeded: Maximum number of backups allowed ({allowed}) exceeded"
            ),
            Self::Groups { allowed } => write!(
                f,
                "GroupLimitExceeded: Maximum number of groups allowed ({allowed}) exceeded"
            ),
            Self::VolumeSize { size, limit } => write!(
                f,
                "VolumeSizeExceedsLimit: Requested volume size {size}G is larger than maximum \
                 allowed limit {limit}G."
            ),
        }
    }
}

impl std::error::Error for OverQuota {}
