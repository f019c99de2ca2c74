//! Cleanup of rows in a transitional status without a work item.
//!
//! No operation leaves such rows, but operators can: they may set any status.

use std::collections::BTreeSet;

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use crate::{
    caller::policy,
    context::Context,
    errors::{Error, Missing},
    rows::{
        Backup, MigrationStatus, Snapshot, SnapshotStatus, Task, Volume, VolumeStatus, WorkItem,
        WorkTarget,
    },
    status_machine::{SnapshotOperation, VolumeOperation},
    totals,
    work::{queue, resolve_group, resolve_group_snapshot},
};

/// First version with the cleanup.
const SINCE: u16 = 24;

/// A selection of rows. `None` selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StuckFilter {
    /// Volumes only, or snapshots only.
    pub kind: Option<WorkTarget>,
    /// One volume or snapshot.
    pub id: Option<Uuid>,
}

/// Returns whether the volume or snapshot of the filter's ID is in a transitional status.
// Cinder: cinder/api/v3/workers.py, WorkerController.cleanup, which looks for the worker of the
// resource.
pub fn is_pending(view: &impl ReadView, filter: &StuckFilter) -> bool {
    let Some(id) = filter.id else { return false };
    let selected = |kind| filter.kind.is_none_or(|own| own == kind);
    let volume = view.get::<Volume>(id).is_some_and(|row| row.status.is_transitional());
    let snapshot = view.get::<Snapshot>(id).is_some_and(|row| row.status.is_transitional());
    (volume && selected(WorkTarget::Volume)) || (snapshot && selected(WorkTarget::Snapshot))
}

/// Ends the transitional status of volumes and snapshots without a work item: deletions are queued
/// again, all other operations count as failed. Admins only. Returns the back ends of the rows.
///
/// `includes` returns whether to clean up rows of a back end, `host@backend`, or of none yet.
///
/// Cost: reads all volumes and snapshots in a transitional status.
///
/// # Errors
/// [`Error::Policy`]; [`Missing::Operation`] before 3.24.
// Cinder: cinder/api/v3/workers.py, WorkerController.cleanup.
pub fn clean_up_stuck(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    filter: &StuckFilter,
    includes: impl Fn(Option<&str>) -> bool,
) -> Result<BTreeSet<Box<str>>, Error> {
    if !cx.version.at_least(SINCE) {
        return Err(Missing::Operation.into());
    }
    cx.caller.check(policy::WORKERS_CLEANUP)?;
    let mut hosts = BTreeSet::new();
    let selected = |kind: WorkTarget, id: Uuid| {
        filter.kind.is_none_or(|own| own == kind) && filter.id.is_none_or(|own| own == id)
    };
    for mut row in stuck_volumes(txn) {
        let host = backend(&row);
        if !selected(WorkTarget::Volume, row.id) || !includes(host.as_deref()) {
            continue;
        }
        hosts.extend(host);
        let before = row.take_previous_status();
        let (id, deleting) = (row.id, row.status == VolumeStatus::Deleting);
        row.status = VolumeOperation::clean_up(row.status, before);
        // A migration without a work item cannot continue.
        if !row.is_settled() {
            row.migration_status = Some(MigrationStatus::Error);
        }
        row.updated_at = Some(cx.now);
        let group = row.group_id;
        totals::put_volume(txn, row)?;
        if let Some(group) = group {
            resolve_group(txn, cx.now, group)?;
        }
        if deleting {
            let task = Task::DeleteVolume { keep_data: false };
            queue(txn, cx, (WorkTarget::Volume, id), task, None)?;
        }
    }
    for mut row in stuck_snapshots(txn) {
        let host = txn.get::<Volume>(row.volume_id).and_then(|volume| backend(volume));
        if !selected(WorkTarget::Snapshot, row.id) || !includes(host.as_deref()) {
            continue;
        }
        hosts.extend(host);
        let (id, deleting) = (row.id, row.status == SnapshotStatus::Deleting);
        if !deleting {
            row.status = SnapshotOperation::CleanUp.next(row.status);
            row.updated_at = Some(cx.now);
        }
        let group_snapshot = row.group_snapshot_id;
        totals::put_snapshot(txn, row)?;
        if let Some(group_snapshot) = group_snapshot {
            resolve_group_snapshot(txn, cx.now, group_snapshot)?;
        }
        if deleting {
            let task = Task::DeleteSnapshot { keep_data: false };
            queue(txn, cx, (WorkTarget::Snapshot, id), task, None)?;
        }
    }
    Ok(hosts)
}

/// Returns the back end of a volume, without its pool.
fn backend(row: &Volume) -> Option<Box<str>> {
    let host = row.host.as_deref()?;
    Some(host.split_once('#').map_or(host, |(backend, _)| backend).into())
}

/// Returns all rows that wait for a work item, including items of other rows.
fn rows_with_work(view: &impl ReadView) -> BTreeSet<(WorkTarget, Uuid)> {
    let mut busy = BTreeSet::new();
    for item in view.scan::<WorkItem>(&KeyRange::all(), Order::Ascending) {
        busy.insert((item.kind, item.target));
        match item.task {
            Task::CreateBackup => {
                // A backup's item is the backup's, while its source is `backing-up`.
                let Some(backup) = view.get::<Backup>(item.target) else { continue };
                busy.insert((WorkTarget::Volume, backup.volume_id));
                busy.extend(backup.snapshot_id.map(|id| (WorkTarget::Snapshot, id)));
            }
            Task::RestoreBackup { volume } => {
                busy.insert((WorkTarget::Volume, volume));
            }
            Task::RevertVolume { snapshot } => {
                busy.insert((WorkTarget::Snapshot, snapshot));
            }
            _ => {}
        }
    }
    busy
}

fn stuck_volumes(view: &impl ReadView) -> Vec<Volume> {
    let busy = rows_with_work(view);
    let statuses = VolumeStatus::ALL.iter().filter(|status| status.is_transitional());
    let of = |status: &VolumeStatus| {
        view.scan_by(
            &Volume::BY_STATUS,
            &KeyRange::starting_with(status.as_str()),
            Order::Ascending,
        )
    };
    statuses
        .flat_map(of)
        .filter(|row| !busy.contains(&(WorkTarget::Volume, row.id)))
        .map(|row| Volume::clone(row))
        .collect()
}

fn stuck_snapshots(view: &impl ReadView) -> Vec<Snapshot> {
    let busy = rows_with_work(view);
    let statuses = SnapshotStatus::ALL.iter().filter(|status| status.is_transitional());
    let of = |status: &SnapshotStatus| {
        view.scan_by(
            &Snapshot::BY_STATUS,
            &KeyRange::starting_with(status.as_str()),
            Order::Ascending,
        )
    };
    statuses
        .flat_map(of)
        .filter(|row| !busy.contains(&(WorkTarget::Snapshot, row.id)))
        .map(|row| Snapshot::clone(row))
        .collect()
}
