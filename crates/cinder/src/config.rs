//! The configuration of a cloud.

use std::collections::BTreeSet;

use crate::rows::QuotaKind;

/// The configuration that operations read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The name of the default volume type; a project may set its own.
    pub default_type: Box<str>,
    /// The name of the default group type, if any.
    pub default_group_type: Option<Box<str>>,
    /// The available availability zones.
    pub zones: BTreeSet<Box<str>>,
    /// The availability zone of volumes that request none.
    pub default_zone: Box<str>,
    /// Default quotas of projects; -1 is unlimited.
    pub quotas: QuotaDefaults,
    /// Whether snapshots count towards the `gigabytes` quota.
    pub snapshots_use_gigabytes: bool,
}

impl Default for Config {
    fn default() -> Self {
        // Cinder: cinder/common/config.py and cinder/quota.py; the values are the defaults of its
        // options.
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

/// Default quotas of projects; -1 is unlimited. Types are unlimited unless a limit is set for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaDefaults {
    /// Volumes.
    pub volumes: i64,
    /// Maximum size of a volume, in GiB.
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
    /// Returns the default limit of a quantity.
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
