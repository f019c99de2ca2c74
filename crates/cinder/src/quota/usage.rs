//! What projects may have and what they have.

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

/// The class whose limits hold for all projects.
pub const DEFAULT_CLASS: &str = "default";

/// How much a project has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// What it has.
    pub in_use: i64,
    /// What is set aside for what is under way.
    pub reserved: i64,
}

impl QuotaResource {
    /// Something of all types.
    pub const fn all(kind: QuotaKind) -> Self {
        Self { kind, volume_type: None }
    }

    /// Something of one type.
    pub const fn of(kind: QuotaKind, volume_type: Uuid) -> Self {
        Self { kind, volume_type: Some(volume_type) }
    }

    /// What clients call it: the kind, and the name of the type behind it.
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

/// All that has a quota, in the order in which it is shown: for all types, for each, and groups.
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

/// What the class `class` may have; what isn't set for it, the class `default`.
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
        None if volume_type.is_none() => config.quotas.of(kind),
        None => -1,
    }
}

/// What a project may have; -1 is no limit.
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

/// Returns what a project has, as it is noted. What was never charged is not noted, and is 0.
///
/// Cost: one row. Only where a negative number is noted are the rows counted.
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

/// Counts what a project has, from the rows: what is noted MUST be the same.
///
/// Cost: looks at all of the project's volumes, snapshots and backups.
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
        // A limit without a count.
        QuotaKind::PerVolumeGigabytes => 0,
    }
}

/// Counts what all projects have anew, and corrects what is noted; returns how much was wrong.
///
/// Each start calls it: whether snapshots count towards GiB is a setting, and restored directories may have
/// other rows.
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
    // A snapshot remembers the type of its volume, which may be gone.
    let known = |resource: &QuotaResource| {
        resource.volume_type.is_none_or(|id| txn.get::<VolumeType>(id).is_some())
    };
    counted.retain(|(_, resource), _| known(resource));
    let mut wrong = 0;
    for ((project, resource), in_use) in counted {
        let usage = quota_usage(txn, config, &project, resource);
        if usage.in_use != in_use {
            note(txn, &project, resource, Usage { in_use, ..usage })?;
            wrong += 1;
        }
    }
    Ok(wrong)
}

/// Notes what a project has.
pub(super) fn note(
    txn: &mut WriteTxn<'_>,
    project: &str,
    resource: QuotaResource,
    usage: Usage,
) -> Result<(), WriteError> {
    txn.upsert::<QuotaUsage>(QuotaUsage {
        project_id: project.into(),
        kind: resource.kind,
        volume_type: resource.volume_type,
        in_use: usage.in_use.max(0),
        reserved: usage.reserved.max(0),
    })?;
    Ok(())
}
