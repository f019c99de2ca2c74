//! The one place where volumes and snapshots are written, and the totals of them.
//!
//! Lists, summaries, pools and hosts ask how many volumes there are and how large they are. Counting would
//! cost each answer a pass over all rows, so the transaction that writes a row changes its [`Total`]s.
//!
//! Invariant: the rows of [`Total`] equal [`count_totals`] at the end of each transaction.
//! Invariant: no other module writes or deletes a volume or snapshot; a test reads the sources for it.
//! Invariant: a snapshot counts to the back end and the project of its volume, and moves with it.

use std::collections::BTreeMap;

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use crate::{
    ops::HostUsage,
    rows::{Snapshot, Total, Volume},
    work::snapshots_of,
};

/// A back end and a project, either of which may be left open.
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

    /// Returns `usage` with the change. A count never goes below 0: the next start recounts.
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

/// The changes that one write brings about.
#[derive(Default)]
struct Changes(BTreeMap<Scope, Delta>);

impl Changes {
    /// Adds to all scopes that a volume belongs to.
    fn add(&mut self, volume: &Volume, delta: Delta) {
        let project = || Some(volume.project_id.clone());
        let host = volume.host.as_deref().map(service_host).map(Box::<str>::from);
        let mut add = |scope: Scope| {
            let sum = self.0.entry(scope).or_default();
            *sum = sum.plus(delta);
        };
        add((None, None));
        add((None, project()));
        if host.is_some() {
            add((host.clone(), None));
            add((host, project()));
        }
    }

    /// Writes the totals. A volume that moves leaves most of them as they are.
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
    if usage == HostUsage::default() {
        txn.delete::<Total>((host.as_deref(), project_id.as_deref()))?;
        return Ok(());
    }
    let HostUsage { volumes, volume_gib, snapshots, snapshot_gib } = usage;
    txn.upsert::<Total>(Total { host, project_id, volumes, volume_gib, snapshots, snapshot_gib })?;
    Ok(())
}

/// Returns how much there is on a back end, `host@backend`, or anywhere; of a project, or of all.
///
/// Cost: one row.
pub(crate) fn total(view: &impl ReadView, host: Option<&str>, project: Option<&str>) -> HostUsage {
    view.get::<Total>((host, project))
        .map_or_else(HostUsage::default, |row| HostUsage::from(&**row))
}

/// Writes a volume.
pub(crate) fn put_volume(txn: &mut WriteTxn<'_>, row: Volume) -> Result<(), WriteError> {
    let old = txn.get::<Volume>(row.id);
    let place = |row: &Volume| row.host.as_deref().map(service_host).map(Box::<str>::from);
    let moved = old.is_none_or(|old| place(old) != place(&row) || old.project_id != row.project_id);
    // Most writes change a status, which nothing counts.
    if !moved && old.is_some_and(|old| old.size == row.size) {
        txn.upsert::<Volume>(row)?;
        return Ok(());
    }
    let mut changes = Changes::default();
    let snapshots = of_snapshots(txn, row.id);
    if let Some(old) = old {
        changes.add(old, Delta::volume(old).plus(snapshots).negative());
    }
    changes.add(&row, Delta::volume(&row).plus(snapshots));
    txn.upsert::<Volume>(row)?;
    changes.apply(txn)
}

/// Deletes a volume.
pub(crate) fn remove_volume(txn: &mut WriteTxn<'_>, id: Uuid) -> Result<(), WriteError> {
    let snapshots = of_snapshots(txn, id);
    let Some(old) = txn.delete::<Volume>(id)? else { return Ok(()) };
    let mut changes = Changes::default();
    changes.add(&old, Delta::volume(&old).plus(snapshots).negative());
    changes.apply(txn)
}

fn of_snapshots(view: &impl ReadView, volume: Uuid) -> Delta {
    snapshots_of(view, volume).map(|row| Delta::snapshot(row)).fold(Delta::default(), Delta::plus)
}

/// Writes a snapshot.
pub(crate) fn put_snapshot(txn: &mut WriteTxn<'_>, row: Snapshot) -> Result<(), WriteError> {
    let (volume, new) = (row.volume_id, Delta::snapshot(&row));
    let old = txn.upsert::<Snapshot>(row)?;
    // A snapshot never comes to belong to another volume.
    let old = old.map_or_else(Delta::default, |old| Delta::snapshot(&old));
    add_to_volume(txn, volume, new.plus(old.negative()))
}

/// Deletes a snapshot.
pub(crate) fn remove_snapshot(txn: &mut WriteTxn<'_>, id: Uuid) -> Result<(), WriteError> {
    let Some(old) = txn.delete::<Snapshot>(id)? else { return Ok(()) };
    add_to_volume(txn, old.volume_id, Delta::snapshot(&old).negative())
}

/// Adds to the scopes of a volume. One that is gone took the counts of its snapshots with it.
fn add_to_volume(txn: &mut WriteTxn<'_>, volume: Uuid, delta: Delta) -> Result<(), WriteError> {
    let Some(volume) = txn.get::<Volume>(volume).filter(|_| delta != Delta::default()) else {
        return Ok(());
    };
    let mut changes = Changes::default();
    changes.add(volume, delta);
    changes.apply(txn)
}

/// Counts the volumes and snapshots of each back end and project, from the rows: what the rows of
/// [`Total`] MUST be.
///
/// Cost: looks at all volumes and snapshots.
pub fn count_totals(view: &impl ReadView) -> BTreeMap<Scope, HostUsage> {
    let mut changes = Changes::default();
    for volume in view.scan::<Volume>(&KeyRange::all(), Order::Ascending) {
        changes.add(volume, Delta::volume(volume).plus(of_snapshots(view, volume.id)));
    }
    let usage = |delta: Delta| delta.applied(HostUsage::default());
    changes.0.into_iter().map(|(scope, delta)| (scope, usage(delta))).collect()
}

/// Counts all volumes and snapshots anew, and corrects the totals; returns how many were wrong.
///
/// Each start calls it, because directories of earlier releases have no totals, and restored or salvaged
/// ones may have other rows. Opening a store reads every row, so this costs a start little more.
pub(crate) fn restore_totals(txn: &mut WriteTxn<'_>) -> Result<usize, WriteError> {
    let mut counted = count_totals(txn);
    let noted: Vec<Scope> = txn
        .scan::<Total>(&KeyRange::all(), Order::Ascending)
        .map(|row| (row.host.clone(), row.project_id.clone()))
        .collect();
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
