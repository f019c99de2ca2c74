//! Setting quota aside, and using it or giving it back.
//!
//! All of it happens in the transaction of the change that it is for, so usage and rows can't drift
//! apart. What a worker finishes later is held by a [`Reservation`], which the work item names.
//!
//! Invariant: quota is changed *before* the rows that it is for: where nothing is noted yet the rows
//! are counted, and the change must not be among them.

use std::collections::BTreeMap;

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::{
    over::OverQuota,
    usage::{note, quota_limit, quota_usage},
};
use crate::{
    config::Config,
    error::Error,
    rows::{QuotaKind, QuotaResource, Reservation},
};

/// How long quota is set aside for what is never finished, in nanoseconds.
pub const RESERVATION_NS: i64 = 86_400 * 1_000_000_000;

/// How much of what is added, or taken away.
pub(crate) type Deltas = BTreeMap<QuotaResource, i64>;

/// Adds to what is counted for all types and for one.
pub(crate) fn add(deltas: &mut Deltas, kind: QuotaKind, volume_type: Option<Uuid>, delta: i64) {
    *deltas.entry(QuotaResource::all(kind)).or_default() += delta;
    if let Some(volume_type) = volume_type {
        *deltas.entry(QuotaResource::of(kind, volume_type)).or_default() += delta;
    }
}

/// What volumes of a type take.
pub(crate) fn of_volume(volume_type: Option<Uuid>, count: i64, size: u32) -> Deltas {
    let mut deltas = Deltas::new();
    add(&mut deltas, QuotaKind::Volumes, volume_type, count);
    add(&mut deltas, QuotaKind::Gigabytes, volume_type, count * i64::from(size));
    deltas
}

/// What backups take.
pub(crate) fn of_backup(count: i64, size: u32) -> Deltas {
    let mut deltas = Deltas::new();
    add(&mut deltas, QuotaKind::Backups, None, count);
    add(&mut deltas, QuotaKind::BackupGigabytes, None, count * i64::from(size));
    deltas
}

/// What snapshots of volumes of a type take.
pub(crate) fn of_snapshot(
    config: &Config,
    volume_type: Option<Uuid>,
    count: i64,
    size: u32,
) -> Deltas {
    let mut deltas = Deltas::new();
    add(&mut deltas, QuotaKind::Snapshots, volume_type, count);
    if config.snapshots_use_gigabytes {
        add(&mut deltas, QuotaKind::Gigabytes, volume_type, count * i64::from(size));
    }
    deltas
}

/// What groups take.
pub(crate) fn of_groups(count: i64) -> Deltas {
    Deltas::from([(QuotaResource::all(QuotaKind::Groups), count)])
}

/// Refuses a volume that is larger than volumes of the project may be.
pub(crate) fn check_size(
    view: &impl ReadView,
    config: &Config,
    project: &str,
    size: u32,
) -> Result<(), Error> {
    let resource = QuotaResource::all(QuotaKind::PerVolumeGigabytes);
    let limit = quota_limit(view, config, project, resource);
    let size = i64::from(size);
    if limit >= 0 && size > limit {
        return Err(OverQuota::VolumeSize { size, limit }.into());
    }
    Ok(())
}

/// Refuses what would be more than the project may have.
fn check(
    view: &impl ReadView,
    config: &Config,
    project: &str,
    deltas: &Deltas,
) -> Result<(), OverQuota> {
    let mut over: Vec<(String, QuotaResource, i64, i64, i64)> = Vec::new();
    for (resource, &delta) in deltas {
        let limit = quota_limit(view, config, project, *resource);
        let usage = quota_usage(view, config, project, *resource);
        let consumed = usage.in_use.saturating_add(usage.reserved);
        if limit >= 0 && delta > 0 && consumed.saturating_add(delta) > limit {
            over.push((resource.name(view), *resource, delta, limit, consumed));
        }
    }
    // Of several the first by name counts, those of GiB before others.
    over.sort_by_key(|(name, ..)| (!name.contains("gigabytes"), name.clone()));
    let Some((name, resource, requested, quota, consumed)) = over.into_iter().next() else {
        return Ok(());
    };
    Err(match resource.kind {
        QuotaKind::Gigabytes | QuotaKind::PerVolumeGigabytes => {
            OverQuota::Gigabytes { requested, quota, consumed }
        }
        QuotaKind::BackupGigabytes => OverQuota::BackupGigabytes { requested, quota, consumed },
        QuotaKind::Volumes => OverQuota::Volumes { allowed: quota, name: name.into() },
        QuotaKind::Snapshots => OverQuota::Snapshots { allowed: quota },
        QuotaKind::Backups => OverQuota::Backups { allowed: quota },
        QuotaKind::Groups => OverQuota::Groups { allowed: quota },
    })
}

/// Sets quota aside under `id` until it is used or given back. What is taken away counts only once
/// it is used.
pub(crate) fn reserve(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    id: Uuid,
    project: &str,
    deltas: Deltas,
) -> Result<(), Error> {
    check(txn, config, project, &deltas)?;
    for (resource, &delta) in &deltas {
        let mut usage = quota_usage(txn, config, project, *resource);
        usage.reserved = usage.reserved.saturating_add(delta.max(0));
        note(txn, project, *resource, usage)?;
    }
    let expires_at = now.saturating_add(RESERVATION_NS);
    txn.upsert::<Reservation>(Reservation { id, project_id: project.into(), deltas, expires_at })?;
    Ok(())
}

/// Takes what was set aside into use. One that is gone is passed over.
pub(crate) fn commit(txn: &mut WriteTxn<'_>, config: &Config, id: Uuid) -> Result<(), WriteError> {
    settle(txn, config, id, true)
}

/// Gives back what was set aside. One that is gone is passed over.
pub(crate) fn roll_back(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    id: Uuid,
) -> Result<(), WriteError> {
    settle(txn, config, id, false)
}

fn settle(txn: &mut WriteTxn<'_>, config: &Config, id: Uuid, used: bool) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Reservation>(id).cloned() else { return Ok(()) };
    for (resource, &delta) in &row.deltas {
        let mut usage = quota_usage(txn, config, &row.project_id, *resource);
        usage.reserved = usage.reserved.saturating_sub(delta.max(0));
        if used {
            usage.in_use = usage.in_use.saturating_add(delta);
        }
        note(txn, &row.project_id, *resource, usage)?;
    }
    txn.delete::<Reservation>(id)?;
    Ok(())
}

/// Takes quota into use at once.
pub(crate) fn charge(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    project: &str,
    deltas: &Deltas,
) -> Result<(), Error> {
    check(txn, config, project, deltas)?;
    Ok(apply(txn, config, project, deltas)?)
}

/// Changes what a project has without asking whether it may.
pub(crate) fn apply(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    project: &str,
    deltas: &Deltas,
) -> Result<(), WriteError> {
    for (resource, &delta) in deltas {
        let mut usage = quota_usage(txn, config, project, *resource);
        usage.in_use = usage.in_use.saturating_add(delta);
        note(txn, project, *resource, usage)?;
    }
    Ok(())
}

/// Gives back what was set aside for operations that were never finished; how many those were.
///
/// Servers call it now and then. Work that is merely slow keeps its quota: its item holds on to it.
pub fn expire_reservations(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
) -> Result<usize, WriteError> {
    let until = KeyRange::between(std::ops::Bound::Unbounded, std::ops::Bound::Included(now));
    let overdue: Vec<Uuid> = txn
        .scan_by(&Reservation::BY_EXPIRES_AT, &until, Order::Ascending)
        .map(|row| row.id)
        .filter(|id| !crate::work::holds(txn, *id))
        .collect();
    for id in &overdue {
        roll_back(txn, config, *id)?;
    }
    Ok(overdue.len())
}
