//! Reserving quota, and committing or rolling back reservations.
//!
//! Quota changes in the transaction of the rows that it counts, so usage and rows cannot drift apart. A
//! [`Reservation`], which a work item names, holds the quota of a change that a worker finishes later.
//!
//! Invariant: quota changes *before* the rows that it counts. Usage that is not recorded yet is counted from the rows,
//! and the change MUST NOT be among them.

use std::collections::BTreeMap;

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::usage::{put_usage, quota_limit, quota_usage};
use crate::{
    config::Config,
    errors::{Error, OverQuota},
    rows::{QuotaKind, QuotaResource, Reservation},
};

/// The lifetime in nanoseconds of a reservation that is neither committed nor rolled back.
// Cinder: cinder/quota.py, the option reservation_expire.
pub const RESERVATION_NS: i64 = 86_400 * 1_000_000_000;

/// Changes of usage by resource, positive or negative.
pub(crate) type Deltas = BTreeMap<QuotaResource, i64>;

/// Adds `delta` to the resource of all types and to that of `volume_type`.
pub(crate) fn add(deltas: &mut Deltas, kind: QuotaKind, volume_type: Option<Uuid>, delta: i64) {
    *deltas.entry(QuotaResource::all(kind)).or_default() += delta;
    if let Some(volume_type) = volume_type {
        *deltas.entry(QuotaResource::of(kind, volume_type)).or_default() += delta;
    }
}

/// Returns the quota of `count` volumes.
pub(crate) fn of_volume(volume_type: Option<Uuid>, count: i64, size: u32) -> Deltas {
    let mut deltas = Deltas::new();
    add(&mut deltas, QuotaKind::Volumes, volume_type, count);
    add(&mut deltas, QuotaKind::Gigabytes, volume_type, count * i64::from(size));
    deltas
}

/// Returns the quota of `count` backups.
pub(crate) fn of_backup(count: i64, size: u32) -> Deltas {
    let mut deltas = Deltas::new();
    add(&mut deltas, QuotaKind::Backups, None, count);
    add(&mut deltas, QuotaKind::BackupGigabytes, None, count * i64::from(size));
    deltas
}

/// Returns the quota of `count` snapshots of volumes of a type.
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

/// Returns the quota of `count` groups.
pub(crate) fn of_groups(count: i64) -> Deltas {
    Deltas::from([(QuotaResource::all(QuotaKind::Groups), count)])
}

/// Fails if `size` exceeds the maximum size of a volume of the project.
pub(crate) fn check_size(
    view: &impl ReadView,
    config: &Config,
    project: &str,
    size: u32,
) -> Result<(), Error> {
    let resource = QuotaResource::all(QuotaKind::PerVolumeGigabytes);
    let limit = quota_limit(view, config, project, resource);
    let size = i64::from(size);
    // A negative limit means no limit.
    if limit >= 0 && size > limit {
        return Err(OverQuota::VolumeSize { size, limit }.into());
    }
    Ok(())
}

/// Fails if `deltas` exceed a limit of the project.
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
        // A project above its limit may still shrink: only positive deltas are checked.
        if limit >= 0 && delta > 0 && consumed.saturating_add(delta) > limit {
            over.push((resource.name(view), *resource, delta, limit, consumed));
        }
    }
    // Cinder: cinder/quota_utils.py, process_reserve_over_quota: names are sorted, and the first one of
    // gigabytes is reported before all others.
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

/// Reserves quota under `id` until the reservation is committed or rolled back. Negative deltas take effect on commit.
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
        put_usage(txn, project, *resource, usage)?;
    }
    let expires_at = now.saturating_add(RESERVATION_NS);
    txn.upsert::<Reservation>(Reservation { id, project_id: project.into(), deltas, expires_at })?;
    Ok(())
}

/// Commits a reservation. A reservation that does not exist is ignored.
pub(crate) fn commit(txn: &mut WriteTxn<'_>, config: &Config, id: Uuid) -> Result<(), WriteError> {
    end(txn, config, id, true)
}

/// Rolls a reservation back. A reservation that does not exist is ignored.
pub(crate) fn roll_back(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    id: Uuid,
) -> Result<(), WriteError> {
    end(txn, config, id, false)
}

fn end(txn: &mut WriteTxn<'_>, config: &Config, id: Uuid, used: bool) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Reservation>(id).cloned() else { return Ok(()) };
    for (resource, &delta) in &row.deltas {
        let mut usage = quota_usage(txn, config, &row.project_id, *resource);
        // Negative deltas reserved nothing.
        usage.reserved = usage.reserved.saturating_sub(delta.max(0));
        if used {
            usage.in_use = usage.in_use.saturating_add(delta);
        }
        put_usage(txn, &row.project_id, *resource, usage)?;
    }
    txn.delete::<Reservation>(id)?;
    Ok(())
}

/// Charges quota at once, without a reservation.
pub(crate) fn charge(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    project: &str,
    deltas: &Deltas,
) -> Result<(), Error> {
    check(txn, config, project, deltas)?;
    Ok(apply(txn, config, project, deltas)?)
}

/// Changes the usage of a project without a check of its limits.
pub(crate) fn apply(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    project: &str,
    deltas: &Deltas,
) -> Result<(), WriteError> {
    for (resource, &delta) in deltas {
        let mut usage = quota_usage(txn, config, project, *resource);
        usage.in_use = usage.in_use.saturating_add(delta);
        put_usage(txn, project, *resource, usage)?;
    }
    Ok(())
}

/// Rolls back expired reservations and returns their number. Servers should call it periodically.
///
/// A reservation of queued work never expires, because the work may only be slow.
pub fn expire_reservations(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
) -> Result<usize, WriteError> {
    let until = KeyRange::between(std::ops::Bound::Unbounded, std::ops::Bound::Included(now));
    let overdue: Vec<Uuid> = txn
        .scan_by(&Reservation::BY_EXPIRES_AT, &until, Order::Ascending)
        .map(|row| row.id)
        // The item of slow work still refers to its reservation.
        .filter(|id| !crate::work::holds(txn, *id))
        .collect();
    for id in &overdue {
        roll_back(txn, config, *id)?;
    }
    Ok(overdue.len())
}
