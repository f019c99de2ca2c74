//! What a backup, and what it is made from or put on, is after work.

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::outcome::{FailureCause, Outcome, tell};
use crate::{
    config::Config,
    quota,
    rows::{Backup, BackupStatus, Snapshot, SnapshotStatus, Task, Volume, VolumeStatus, WorkItem},
    totals,
};

/// What a backup that failed says of it.
const FAILED: &str = "The back end could not do it; its operator finds the reason in the log.";

/// The same when no service is in the zone that the request names.
/// Cinder: `cinder/scheduler/manager.py`, `SchedulerManager.create_backup`.
const NO_SERVICE: &str = "Service not found for creating backup.";

pub(super) fn finish_backup(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    item: &WorkItem,
    outcome: &Outcome,
) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Backup>(item.target) else { return Ok(()) };
    let mut row = Backup::clone(row);
    let done = outcome.is_done();
    row.updated_at = Some(now);
    if let Outcome::BackedUp { objects } = outcome {
        row.object_count = *objects;
    }
    row.status = match &item.task {
        Task::DeleteBackup if done => {
            quota::apply(txn, config, &row.project_id, &quota::of_backup(-1, row.size))?;
            txn.delete::<Backup>(row.id)?;
            return Ok(());
        }
        Task::DeleteBackup => BackupStatus::ErrorDeleting,
        Task::RestoreBackup { volume } => {
            let after = if done { VolumeStatus::Available } else { VolumeStatus::ErrorRestoring };
            end_restore(txn, now, *volume, after)?;
            BackupStatus::Available
        }
        _ if done => BackupStatus::Available,
        _ => BackupStatus::Error,
    };
    if row.status != BackupStatus::Available {
        let unscheduled =
            matches!(outcome, Outcome::Failed { cause: FailureCause::NoBackupService, .. });
        row.fail_reason = Some(if unscheduled { NO_SERVICE } else { FAILED }.into());
    }
    let (project, made) = (row.project_id.clone(), row.clone());
    txn.upsert::<Backup>(row)?;
    if matches!(item.task, Task::CreateBackup) {
        release_source(txn, now, &made)?;
    }
    tell(txn, now, &project, item, outcome)
}

/// What a backup was made from can be used again.
pub(super) fn release_source(
    txn: &mut WriteTxn<'_>,
    now: i64,
    backup: &Backup,
) -> Result<(), WriteError> {
    if let Some(id) = backup.snapshot_id {
        let row = txn.get::<Snapshot>(id);
        let Some(row) = row.filter(|row| row.status == SnapshotStatus::BackingUp) else {
            return Ok(());
        };
        let mut row = Snapshot::clone(row);
        row.status = SnapshotStatus::Available;
        row.updated_at = Some(now);
        totals::put_snapshot(txn, row)?;
        return Ok(());
    }
    let row = txn.get::<Volume>(backup.volume_id);
    let Some(row) = row.filter(|row| row.status == VolumeStatus::BackingUp) else { return Ok(()) };
    // An operator may have let another one begin.
    let range = KeyRange::<(Uuid, i64)>::starting_with(row.id);
    let other = txn.scan_by(&Backup::BY_VOLUME, &range, Order::Ascending).any(|other| {
        other.id != backup.id
            && other.snapshot_id.is_none()
            && other.status == BackupStatus::Creating
    });
    if other {
        return Ok(());
    }
    let mut row = Volume::clone(row);
    row.status = row.take_previous_status();
    row.updated_at = Some(now);
    totals::put_volume(txn, row)?;
    Ok(())
}

/// A volume that got a backup's data, or not; one whose status an operator changed stays.
pub(super) fn end_restore(
    txn: &mut WriteTxn<'_>,
    now: i64,
    volume: Uuid,
    after: VolumeStatus,
) -> Result<(), WriteError> {
    let row = txn.get::<Volume>(volume);
    let Some(row) = row.filter(|row| row.status == VolumeStatus::RestoringBackup) else {
        return Ok(());
    };
    let mut row = Volume::clone(row);
    row.status = after;
    row.updated_at = Some(now);
    totals::put_volume(txn, row)?;
    Ok(())
}

/// A backup whose data was read for a new volume can be used again.
pub(super) fn release_backup(
    txn: &mut WriteTxn<'_>,
    now: i64,
    backup: Uuid,
) -> Result<(), WriteError> {
    let row = txn.get::<Backup>(backup);
    let Some(row) = row.filter(|row| row.status == BackupStatus::Restoring) else { return Ok(()) };
    let mut row = Backup::clone(row);
    row.status = BackupStatus::Available;
    row.updated_at = Some(now);
    txn.upsert::<Backup>(row)?;
    Ok(())
}
