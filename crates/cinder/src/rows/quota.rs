//! Quotas: the limits, usage and reservations of projects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statehold_store::{KeyPart, Table};
use uuid::Uuid;

/// A countable resource, of all volume types or of one.
///
/// A type's quotas refer to its ID, so that they survive a rename of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QuotaResource {
    /// The counted quantity.
    pub kind: QuotaKind,
    /// The volume type that it is counted for; none is all types.
    pub volume_type: Option<Uuid>,
}

/// A counted quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum QuotaKind {
    /// Volumes.
    Volumes,
    /// The largest size that a volume may have, in GiB: a limit without a count.
    PerVolumeGigabytes,
    /// Snapshots.
    Snapshots,
    /// GiB of volumes and snapshots.
    Gigabytes,
    /// Backups.
    Backups,
    /// GiB of backups.
    BackupGigabytes,
    /// Groups.
    Groups,
}

impl QuotaKind {
    /// The kinds that hold for all types, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Volumes,
        Self::PerVolumeGigabytes,
        Self::Snapshots,
        Self::Gigabytes,
        Self::Backups,
        Self::BackupGigabytes,
        Self::Groups,
    ];

    /// The kinds that each type has for itself, in the order in which they are shown.
    pub const BY_TYPE: [Self; 3] = [Self::Volumes, Self::Gigabytes, Self::Snapshots];

    /// Returns the name that clients use.
    pub fn as_str(self) -> &'static str {
        match self {
            // Cinder: cinder/quota.py, VolumeTypeQuotaEngine.resources; the group quota:
            // GroupQuotaEngine.
            Self::Volumes => "volumes",
            Self::PerVolumeGigabytes => "per_volume_gigabytes",
            Self::Snapshots => "snapshots",
            Self::Gigabytes => "gigabytes",
            Self::Backups => "backups",
            Self::BackupGigabytes => "backup_gigabytes",
            Self::Groups => "groups",
        }
    }
}

impl KeyPart for QuotaKind {
    type Shape = String;

    fn part(&self) -> &str {
        self.as_str()
    }
}

/// A limit set for a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_quota_limits", key(project_id, kind, volume_type))]
pub struct QuotaLimit {
    /// The project.
    pub project_id: Box<str>,
    /// The limited quantity.
    pub kind: QuotaKind,
    /// The volume type that it is limited for; none is all types.
    #[table(index(name = "of_type", some))]
    pub volume_type: Option<Uuid>,
    /// The limit; -1 is unlimited.
    pub limit: i64,
}

/// A limit set for a class of projects; the class `default` applies to all projects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
// Cinder: cinder/db/sqlalchemy/api.py, _DEFAULT_QUOTA_NAME.
#[table(name = "block_quota_classes", key(class, kind, volume_type))]
pub struct QuotaClassLimit {
    /// The class.
    pub class: Box<str>,
    /// The limited quantity.
    pub kind: QuotaKind,
    /// The volume type that it is limited for; none is all types.
    #[table(index(name = "of_type", some))]
    pub volume_type: Option<Uuid>,
    /// The limit; -1 is unlimited.
    pub limit: i64,
}

/// A project's usage of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_quota_usages", key(project_id, kind, volume_type))]
pub struct QuotaUsage {
    /// The project.
    pub project_id: Box<str>,
    /// The counted quantity.
    pub kind: QuotaKind,
    /// The volume type that it is counted for; none is all types.
    #[table(index(name = "of_type", some))]
    pub volume_type: Option<Uuid>,
    /// The amount in use.
    pub in_use: i64,
    /// The amount reserved for operations in progress.
    pub reserved: i64,
}

/// Quota reserved for one operation until it completes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_reservations")]
pub struct Reservation {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// The project.
    pub project_id: Box<str>,
    /// The reserved amount of each resource; negative where the operation releases some.
    pub deltas: BTreeMap<QuotaResource, i64>,
    /// Expiry, in Unix nanoseconds.
    #[table(index)]
    pub expires_at: i64,
}
