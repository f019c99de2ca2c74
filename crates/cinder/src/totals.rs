//! The only writer of volumes and snapshots, and of their totals.
//!
//! Lists, summaries, pools and hosts report the number and size of volumes. Counting would cost
//! each request a scan of all rows, so the transaction that writes a row also updates its
//! [`Total`]s.
//!
//! Invariant: the rows of [`Total`] equal [`count_totals`] at the end of each transaction.
//! Invariant: no other module writes or deletes a volume or snapshot; a test scans the sources for
//! it.
//! Invariant: a snapshot counts towards the back end and project of its volume, and moves with it.

use std::collections::BTreeMap;

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use crate::{
    ops::HostUsage,
    rows::{Snapshot, Total, Volume},
    work::snapshots_of,
};

/// A back end and a project, either of which may be absent.
pub(crate) type Scope = (Option<Box<str>>, Option<Box<str>>);

/// A change of the counts of one scope.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Delta {
    volumes: i64,
    volume_gib: i64,
    snapshots: i64,
    snapshot_gib: i64,
}

impl Delta {
    fn volume(volume: &Volume) -> Self {
        Self { volumes: 1, volume_gib: volume.size.into(), ..Self::default() }
    }

    fn snapshot(snapshot: &Snapshot) -> Self {
        Self { snapshots: 1, snapshot_gib: snapshot.size.into(), ..Self::default() }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            volumes: self.volumes + other.volumes,
            volume_gib: self.volume_gib + other.volume_gib,
            snapshots: self.snapshots + other.snapshots,
            snapshot_gib: self.snapshot_gib + other.snapshot_gib,
        }
    }

    fn negative(self) -> Self {
        Self {
            volumes: -self.volumes,
            volume_gib: -self.volume_gib,
            snapshots: -self.snapshots,
            snapshot_gib: -self.snapshot_gib,
        }
    }

    /// Returns `usage` with the change applied. A count never drops below 0: the next start
    /// recounts.
    fn applied(self, usage: HostUsage) -> HostUsage {
        HostUsage {
            volumes: usage.volumes.saturating_add_signed(self.volumes),
            volume_gib: usage.volume_gib.saturating_add_signed(self.volume_gib),
            snapshots: usage.snapshots.saturating_add_signed(self.snapshots),
            snapshot_gib: usage.snapshot_gib.saturating_add_signed(self.snapshot_gib),
        }
    }
}

/// Returns the back end of a `host@backend#pool`.
fn service_host(host: &str) -> &str {
    host.split_once('#').map_or(host, |(service, _)| service)
}

/// The changes of one write.
#[derive(Default)]
struct Changes(BTreeMap<Scope, Delta>);

impl Changes {
    /// Adds `delta` to all scopes that a volume belongs to.
    fn add(&mut self, volume: &Volume, delta: Delta) {
        let project = || Some(volume.project_id.clone());
        let host = volume.host.as_deref().map(service_host).map(Box::<str>::from);
        let mut add = |scope: Scope| {
            let sum = self.0.entry(scope).or_default();
            *sum = sum.plus(delta);
        };
        add((None, None));
        add((None, project()));
        // A volume without a back end counts only towards the totals of all back ends.
        if host.is_some() {
            add((host.clone(), None));
            add((host, project()));
        }
    }

    /// Writes the changed totals. A migration leaves most of them unchanged.
    fn apply(self, txn: &mut WriteTxn<'_>) -> Result<(), WriteError> {
        for ((host, project), delta) in self.0 {
            if delta != Delta::default() {
                let usage = delta.applied(total(txn, host.as_deref(), project.as_deref()));
                put_total(txn, (host, project), usage)?;
            }
        }
        Ok(())
    }
}

fn put_total(
    txn: &mut WriteTxn<'_>,
    (host, project_id): Scope,
    usage: HostUsage,
) -> Result<(), WriteError> {
    // An absent row counts as 0, so deleted projects leave none behind.
    if usage == HostUsage::default() {
        txn.delete::<Total>((host.as_deref(), project_id.as_deref()))?;
        return Ok(());
    }
    let HostUsage { volumes, volume_gib, snapshots, snapshot_gib } = usage;
    txn.upsert::<Total>(Total { host, project_id, volumes, volume_gib, snapshots, snapshot_gib })?;
    Ok(())
}

/// Returns the totals of a back end, `host@backend`, or of all; of a project, or of all.
///
/// Cost: one row.
pub(crate) fn total(view: &impl ReadView, host: Option<&str>, project: Option<&str>) -> HostUsage {
    view.get::<Total>((host, project))
        .map_or_else(HostUsage::default, |row| HostUsage::from(&**row))
}

/// Returns the number of volumes of a project, or of all, on a back end, `host@backend`, or on a
/// pool of one, `host@backend#pool`; `None` for a pool that is not the only one of its back end,
/// because totals leave pools out.
///
/// Cost: two rows, and two ways down an index.
pub(crate) fn volumes_on_host(
    view: &impl ReadView,
    host: &str,
    project: Option<&str>,
) -> Option<usize> {
    let service = service_host(host);
    let of = |project| usize::try_from(total(view, Some(service), project).volumes).ok();
    if service != host {
        let in_pool = view.count_by(&Volume::BY_HOST, &Volume::BY_HOST.exact(host));
        if of(None)? != in_pool {
            return None;
        }
    }
    of(project)
}

/// Writes a volume and updates the totals.
pub(crate) fn put_volume(txn: &mut WriteTxn<'_>, row: Volume) -> Result<(), WriteError> {
    let old = txn.get::<Volume>(row.id);
    let place = |row: &Volume| row.host.as_deref().map(service_host).map(Box::<str>::from);
    let moved = old.is_none_or(|old| place(old) != place(&row) || old.project_id != row.project_id);
    // Most writes change a status, which no total counts.
    if !moved && old.is_some_and(|old| old.size == row.size) {
        txn.upsert::<Volume>(row)?;
        return Ok(());
    }
    let mut changes = Changes::default();
    // Snapshots count towards the scopes of their volume, so they move with it.
    let snapshots = snapshots_delta(txn, row.id);
    if let Some(old) = old {
        changes.add(old, Delta::volume(old).plus(snapshots).negative());
    }
    changes.add(&row, Delta::volume(&row).plus(snapshots));
    txn.upsert::<Volume>(row)?;
    changes.apply(txn)
}

/// Deletes a volume and updates the totals.
pub(crate) fn remove_volume(txn: &mut WriteTxn<'_>, id: Uuid) -> Result<(), WriteError> {
    let snapshots = snapshots_delta(txn, id);
    let Some(old) = txn.delete::<Volume>(id)? else { return Ok(()) };
    let mut changes = Changes::default();
    changes.add(&old, Delta::volume(&old).plus(snapshots).negative());
    changes.apply(txn)
}

fn snapshots_delta(view: &impl ReadView, volume: Uuid) -> Delta {
    snapshots_of(view, volume).map(|row| Delta::snapshot(row)).fold(Delta::default(), Delta::plus)
}

/// Writes a snapshot and updates the totals.
pub(crate) fn put_snapshot(txn: &mut WriteTxn<'_>, row: Snapshot) -> Result<(), WriteError> {
    let (volume, new) = (row.volume_id, Delta::snapshot(&row));
    let old = txn.upsert::<Snapshot>(row)?;
    // A snapshot never moves to another volume, so its scopes are the same.
    let old = old.map_or_else(Delta::default, |old| Delta::snapshot(&old));
    add_to_volume(txn, volume, new.plus(old.negative()))
}

/// Deletes a snapshot and updates the totals.
pub(crate) fn remove_snapshot(txn: &mut WriteTxn<'_>, id: Uuid) -> Result<(), WriteError> {
    let Some(old) = txn.delete::<Snapshot>(id)? else { return Ok(()) };
    add_to_volume(txn, old.volume_id, Delta::snapshot(&old).negative())
}

/// Adds `delta` to the scopes of a volume. Deleting a volume has already removed the counts of its
/// snapshots.
fn add_to_volume(txn: &mut WriteTxn<'_>, volume: Uuid, delta: Delta) -> Result<(), WriteError> {
    let Some(volume) = txn.get::<Volume>(volume).filter(|_| delta != Delta::default()) else {
        return Ok(());
    };
    let mut changes = Changes::default();
    changes.add(volume, delta);
    changes.apply(txn)
}

/// Counts the volumes and snapshots of each back end and project. The rows of [`Total`] MUST equal
/// the result.
///
/// Cost: reads all volumes and snapshots.
pub fn count_totals(view: &impl ReadView) -> BTreeMap<Scope, HostUsage> {
    let mut changes = Changes::default();
    for volume in view.scan::<Volume>(&KeyRange::all(), Order::Ascending) {
        changes.add(volume, Delta::volume(volume).plus(snapshots_delta(view, volume.id)));
    }
    let usage = |delta: Delta| delta.applied(HostUsage::default());
    changes.0.into_iter().map(|(scope, delta)| (scope, usage(delta))).collect()
}

/// Recounts all volumes and snapshots, and corrects the totals. Returns the number of wrong ones.
///
/// Called at each start, because directories of earlier releases have no totals, and restored or
/// salvaged ones may have other rows. Opening a store reads every row, so the recount adds little
/// to a start.
pub(crate) fn restore_totals(txn: &mut WriteTxn<'_>) -> Result<usize, WriteError> {
    let mut counted = count_totals(txn);
    let noted: Vec<Scope> = txn
        .scan::<Total>(&KeyRange::all(), Order::Ascending)
        .map(|row| (row.host.clone(), row.project_id.clone()))
        .collect();
    // A total without a counted row must drop to 0.
    for scope in noted {
        counted.entry(scope).or_default();
    }
    let mut wrong = 0;
    for ((host, project), usage) in counted {
        if total(txn, host.as_deref(), project.as_deref()) != usage {
            put_total(txn, (host, project), usage)?;
            wrong += 1;
        }
    }
    Ok(wrong)
}
