//! Quota errors.
//!
//! Cinder: `cinder/exception.py`, the subclasses of `QuotaError`, and `cinder/quota_utils.py`,
//! `process_reserve_over_quota`.

use std::fmt;

/// A quota that a request would exceed. Its HTTP status is 413.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverQuota {
    /// GiB of volumes and snapshots.
    Gigabytes {
        /// The requested amount.
        requested: i64,
        /// The limit.
        quota: i64,
        /// The amount in use or reserved.
        consumed: i64,
    },
    /// GiB of backups.
    BackupGigabytes {
        /// The requested amount.
        requested: i64,
        /// The limit.
        quota: i64,
        /// The amount in use or reserved.
        consumed: i64,
    },
    /// Volumes.
    Volumes {
        /// The limit.
        allowed: i64,
        /// The name of the quota, such as `volumes` or `volumes_TYPE`.
        name: Box<str>,
    },
    /// Snapshots.
    Snapshots {
        /// The limit.
        allowed: i64,
    },
    /// Backups.
    Backups {
        /// The limit.
        allowed: i64,
    },
    /// Groups.
    Groups {
        /// The limit.
        allowed: i64,
    },
    /// GiB of one volume.
    VolumeSize {
        /// The requested amount.
        size: i64,
        /// The limit.
        limit: i64,
    },
}

impl fmt::Display for OverQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Cinder: cinder/exception.py, VolumeSizeExceedsAvailableQuota. The class is a part of each text.
            Self::Gigabytes { requested, quota, consumed } => write!(
                f,
                "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed \
                 gigabytes quota. Requested {requested}G, quota is {quota}G and {consumed}G has \
                 been consumed."
            ),
            // Cinder: cinder/exception.py, VolumeBackupSizeExceedsAvailableQuota.
            Self::BackupGigabytes { requested, quota, consumed } => write!(
                f,
                "VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup \
                 gigabytes quota. Requested {requested}G, quota is {quota}G and {consumed}G has \
                 been consumed."
            ),
            // Cinder: cinder/exception.py, VolumeLimitExceeded.
            Self::Volumes { allowed, name } => write!(
                f,
                "VolumeLimitExceeded: Maximum number of volumes allowed ({allowed}) exceeded for \
                 quota '{name}'."
            ),
            // Cinder: cinder/exception.py, SnapshotLimitExceeded.
            Self::Snapshots { allowed } => write!(
                f,
                "SnapshotLimitExceeded: Maximum number of snapshots allowed ({allowed}) exceeded"
            ),
            // Cinder: cinder/exception.py, BackupLimitExceeded.
            Self::Backups { allowed } => write!(
                f,
                "BackupLimitExceeded: Maximum number of backups allowed ({allowed}) exceeded"
            ),
            // Cinder: cinder/exception.py, GroupLimitExceeded.
            Self::Groups { allowed } => write!(
                f,
                "GroupLimitExceeded: Maximum number of groups allowed ({allowed}) exceeded"
            ),
            // Cinder: cinder/exception.py, VolumeSizeExceedsLimit.
            Self::VolumeSize { size, limit } => write!(
                f,
                "VolumeSizeExceedsLimit: Requested volume size {size}G is larger than maximum \
                 allowed limit {limit}G."
            ),
        }
    }
}

impl std::error::Error for OverQuota {}
