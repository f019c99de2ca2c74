//! How a cloud is set up: what operations need to know that is in no row.

use std::collections::BTreeSet;

use crate::rows::QuotaKind;

/// The set-up of a cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The name of the type of volumes that name none, unless their project has its own.
    pub default_type: Box<str>,
    /// The name of the type of groups that name none, if there is one.
    pub default_group_type: Option<Box<str>>,
    /// The availability zones that there are.
    pub zones: BTreeSet<Box<str>>,
    /// The zone of volumes that name none.
    pub default_zone: Box<str>,
    /// What projects may have when nothing was set for them; -1 is no limit.
    pub quotas: QuotaDefaults,
    /// Whether the size of snapshots counts towards GiB.
    pub snapshots_use_gigabytes: bool,
}

impl Default for Config {
    fn default() -> Self {
        let zone = Box::from("nova");
        Self {
            default_type: "__DEFAULT__".into(),
            default_group_type: None,
            zones: BTreeSet::from([Box::clone(&zone)]),
            default_zone: zone,
            quotas: QuotaDefaults::default(),
            snapshots_use_gigabytes: true,
        }
    }
}

/// What projects may have when nothing was set for them; -1 is no limit. Types have no limits of
/// their own unless some are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaDefaults {
    /// Volumes.
    pub volumes: i64,
    /// GiB of one volume.
    pub per_volume_gigabytes: i64,
    /// Snapshots.
    pub snapshots: i64,
    /// GiB of volumes and snapshots.
    pub gigabytes: i64,
    /// Backups.
    pub backups: i64,
    /// GiB of backups.
    pub backup_gigabytes: i64,
    /// Groups.
    pub groups: i64,
}

impl Default for QuotaDefaults {
    fn default() -> Self {
        Self {
            volumes: 10,
            per_volume_gigabytes: -1,
            snapshots: 10,
            gigabytes: 1000,
            backups: 10,
            backup_gigabytes: 1000,
            groups: 10,
        }
    }
}

impl QuotaDefaults {
    /// The default for what is counted.
    pub fn of(&self, kind: QuotaKind) -> i64 {
        match kind {
            QuotaKind::Volumes => self.volumes,
            QuotaKind::PerVolumeGigabytes => self.per_volume_gigabytes,
            QuotaKind::Snapshots => self.snapshots,
            QuotaKind::Gigabytes => self.gigabytes,
            QuotaKind::Backups => self.backups,
            QuotaKind::BackupGigabytes => self.backup_gigabytes,
            QuotaKind::Groups => self.groups,
        }
    }
}
