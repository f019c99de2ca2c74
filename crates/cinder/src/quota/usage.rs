//! Limits and usage of projects.

use std::collections::BTreeMap;

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::reserve::{Deltas, of_backup, of_groups, of_snapshot, of_volume};
use crate::{
    config::Config,
    rows::{
        Backup, Group, QuotaClassLimit, QuotaKind, QuotaLimit, QuotaResource, QuotaUsage, Snapshot,
        Volume, VolumeType,
    },
};

/// The class whose limits apply to all projects.
pub const DEFAULT_CLASS: &str = "default";

/// The usage of a resource by a project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The amount in use.
    pub in_use: i64,
    /// The amount reserved for work in progress.
    pub reserved: i64,
}

impl QuotaResource {
    /// Returns the resource of all volume types.
    pub const fn all(kind: QuotaKind) -> Self {
        Self { kind, volume_type: None }
    }

    /// Returns the resource of one volume type.
    pub const fn of(kind: QuotaKind, volume_type: Uuid) -> Self {
        Self { kind, volume_type: Some(volume_type) }
    }

    /// Returns the name in the API: the kind, followed by the name of the type, if any.
    pub fn name(&self, view: &impl ReadView) -> String {
        let kind = self.kind.as_str();
        match self.volume_type {
            None => kind.to_owned(),
            Some(id) => match view.get::<VolumeType>(id) {
                Some(volume_type) => format!("{kind}_{}", volume_type.name),
                None => format!("{kind}_{id}"),
            },
        }
    }
}

/// Returns all resources with a quota in the order of the API: those of all types, those of each type, and groups.
pub fn quota_resources(view: &impl ReadView) -> Vec<QuotaResource> {
    let mut resources = Vec::new();
    for kind in QuotaKind::ALL {
        if kind == QuotaKind::Groups {
            let types = view.scan::<VolumeType>(&KeyRange::all(), Order::Ascending);
            for volume_type in types {
                let of = |kind| QuotaResource::of(kind, volume_type.id);
                resources.extend(QuotaKind::BY_TYPE.map(of));
            }
        }
        resources.push(QuotaResource::all(kind));
    }
    resources
}

/// Returns the limit of a class; that of the class `default` if it sets none. -1 means no limit.
pub fn class_limit(
    view: &impl ReadView,
    config: &Config,
    class: &str,
    resource: QuotaResource,
) -> i64 {
    let QuotaResource { kind, volume_type } = resource;
    let of = |class: &str| view.get::<QuotaClassLimit>((class, kind.as_str(), volume_type));
    match of(class).or_else(|| of(DEFAULT_CLASS)) {
        Some(row) => row.limit,
        // Cinder: cinder/quota.py, VolumeTypeQuotaEngine: resources of a type default to no limit.
        None if volume_type.is_none() => config.quotas.of(kind),
        None => -1,
    }
}

/// Returns the limit of a project. -1 means no limit.
pub fn quota_limit(
    view: &impl ReadView,
    config: &Config,
    project: &str,
    resource: QuotaResource,
) -> i64 {
    let QuotaResource { kind, volume_type } = resource;
    match view.get::<QuotaLimit>((project, kind.as_str(), volume_type)) {
        Some(row) => row.limit,
        None => class_limit(view, config, DEFAULT_CLASS, resource),
    }
}

/// Returns the recorded usage of a project; 0 for resources that were never charged.
///
/// Cost: one row. A negative record, which should not exist, is replaced by a count of the rows.
pub fn quota_usage(
    view: &impl ReadView,
    config: &Config,
    project: &str,
    resource: QuotaResource,
) -> Usage {
    let QuotaResource { kind, volume_type } = resource;
    match view.get::<QuotaUsage>((project, kind.as_str(), volume_type)) {
        None => Usage::default(),
        Some(row) if row.in_use >= 0 && row.reserved >= 0 => {
            Usage { in_use: row.in_use, reserved: row.reserved }
        }
        Some(_) => Usage { in_use: count_usage(view, config, project, resource), reserved: 0 },
    }
}

/// Counts the usage of a project from its rows. The recorded usage MUST equal it.
///
/// Cost: reads all volumes, snapshots and backups of the project.
pub fn count_usage(
    view: &impl ReadView,
    config: &Config,
    project: &str,
    resource: QuotaResource,
) -> i64 {
    let range = KeyRange::<(String, i64, Uuid)>::starting_with(project);
    let counts = |own: Option<Uuid>| resource.volume_type.is_none() || resource.volume_type == own;
    let volumes = || {
        view.scan_by(&Volume::BY_PROJECT, &range, Order::Ascending)
            .filter(|volume| volume.consumes_quota && counts(volume.volume_type_id))
    };
    let snapshots = || {
        view.scan_by(&Snapshot::BY_PROJECT, &range, Order::Ascending)
            .filter(|snapshot| snapshot.consumes_quota && counts(snapshot.volume_type_id))
    };
    let backups = || view.scan_by(&Backup::BY_PROJECT, &range, Order::Ascending);
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    match resource.kind {
        QuotaKind::Volumes => number(volumes().count()),
        QuotaKind::Snapshots => number(snapshots().count()),
        QuotaKind::Gigabytes => {
            let of_volumes: i64 = volumes().map(|volume| i64::from(volume.size)).sum();
            let of_snapshots: i64 = if config.snapshots_use_gigabytes {
                snapshots().map(|snapshot| i64::from(snapshot.size)).sum()
            } else {
                0
            };
            of_volumes + of_snapshots
        }
        QuotaKind::Groups => {
            number(view.scan_by(&Group::BY_PROJECT, &range, Order::Ascending).count())
        }
        QuotaKind::Backups => number(backups().count()),
        QuotaKind::BackupGigabytes => backups().map(|backup| i64::from(backup.size)).sum(),
        // The maximum size of a single volume: it has no usage.
        QuotaKind::PerVolumeGigabytes => 0,
    }
}

/// Recounts the usage of all projects and corrects the recorded usage. Returns the number of corrections.
///
/// Each start calls it, because a setting decides whether snapshots count towards GiB, and a restored directory may
/// have other rows.
pub(crate) fn restore_usage(txn: &mut WriteTxn<'_>, config: &Config) -> Result<usize, WriteError> {
    let mut counted = BTreeMap::<(Box<str>, QuotaResource), i64>::new();
    let mut count = |project: &str, deltas: Deltas| {
        for (resource, delta) in deltas {
            *counted.entry((project.into(), resource)).or_default() += delta;
        }
    };
    for row in txn.scan::<Volume>(&KeyRange::all(), Order::Ascending) {
        if row.consumes_quota {
            count(&row.project_id, of_volume(row.volume_type_id, 1, row.size));
        }
    }
    for row in txn.scan::<Snapshot>(&KeyRange::all(), Order::Ascending) {
        if row.consumes_quota {
            count(&row.project_id, of_snapshot(config, row.volume_type_id, 1, row.size));
        }
    }
    for row in txn.scan::<Backup>(&KeyRange::all(), Order::Ascending) {
        count(&row.project_id, of_backup(1, row.size));
    }
    for row in txn.scan::<Group>(&KeyRange::all(), Order::Ascending) {
        count(&row.project_id, of_groups(1));
    }
    for row in txn.scan::<QuotaUsage>(&KeyRange::all(), Order::Ascending) {
        let resource = QuotaResource { kind: row.kind, volume_type: row.volume_type };
        counted.entry((row.project_id.clone(), resource)).or_default();
    }
    // A snapshot keeps the type of its volume, which may be deleted.
    let known = |resource: &QuotaResource| {
        resource.volume_type.is_none_or(|id| txn.get::<VolumeType>(id).is_some())
    };
    counted.retain(|(_, resource), _| known(resource));
    let mut wrong = 0;
    for ((project, resource), in_use) in counted {
        let usage = quota_usage(txn, config, &project, resource);
        if usage.in_use != in_use {
            put_usage(txn, &project, resource, Usage { in_use, ..usage })?;
            wrong += 1;
        }
    }
    Ok(wrong)
}

/// Records the usage of a project.
pub(super) fn put_usage(
    txn: &mut WriteTxn<'_>,
    project: &str,
    resource: QuotaResource,
    usage: Usage,
) -> Result<(), WriteError> {
    txn.upsert::<QuotaUsage>(QuotaUsage {
        project_id: project.into(),
        kind: resource.kind,
        volume_type: resource.volume_type,
        // A negative record would make every later usage wrong.
        in_use: usage.in_use.max(0),
        reserved: usage.reserved.max(0),
    })?;
    Ok(())
}
