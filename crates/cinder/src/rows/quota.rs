//! What projects may have, what they have, and what is set aside for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statehold_store::{KeyPart, Table};
use uuid::Uuid;

/// A countable thing, of all types or of one.
///
/// A type's quotas hang on its ID, so that they follow when it gets another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QuotaResource {
    /// What is counted.
    pub kind: QuotaKind,
    /// The volume type that it is counted for; none is all.
    pub volume_type: Option<Uuid>,
}

/// What is counted.
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
    /// Those that hold for all types, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Volumes,
        Self::PerVolumeGigabytes,
        Self::Snapshots,
        Self::Gigabytes,
        Self::Backups,
        Self::BackupGigabytes,
        Self::Groups,
    ];

    /// Those that each type has for itself, in the order in which they are shown.
    pub const BY_TYPE: [Self; 3] = [Self::Volumes, Self::Gigabytes, Self::Snapshots];

    /// What clients call it.
    pub fn as_str(self) -> &'static str {
        match self {
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

/// A limit that was set for a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_quota_limits", key(project_id, kind, volume_type))]
pub struct QuotaLimit {
    /// The project.
    pub project_id: Box<str>,
    /// What is limited.
    pub kind: QuotaKind,
    /// The volume type that it is limited for; none is all.
    #[table(index(name = "of_type", some))]
    pub volume_type: Option<Uuid>,
    /// How much; -1 is no limit.
    pub limit: i64,
}

/// A limit that was set for a class of projects; the class `default` holds for all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_quota_classes", key(class, kind, volume_type))]
pub struct QuotaClassLimit {
    /// The class.
    pub class: Box<str>,
    /// What is limited.
    pub kind: QuotaKind,
    /// The volume type that it is limited for; none is all.
    #[table(index(name = "of_type", some))]
    pub volume_type: Option<Uuid>,
    /// How much; -1 is no limit.
    pub limit: i64,
}

/// What a project has of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_quota_usages", key(project_id, kind, volume_type))]
pub struct QuotaUsage {
    /// The project.
    pub project_id: Box<str>,
    /// What is counted.
    pub kind: QuotaKind,
    /// The volume type that it is counted for; none is all.
    #[table(index(name = "of_type", some))]
    pub volume_type: Option<Uuid>,
    /// How much there is.
    pub in_use: i64,
    /// How much is set aside for what is under way.
    pub reserved: i64,
}

/// What is set aside for one operation until it is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_reservations")]
pub struct Reservation {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// The project.
    pub project_id: Box<str>,
    /// How much of what is added, or taken away.
    pub deltas: BTreeMap<QuotaResource, i64>,
    /// When it is void, in unix nanoseconds.
    #[table(index)]
    pub expires_at: i64,
}
