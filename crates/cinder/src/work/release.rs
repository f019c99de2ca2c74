//! Cancelling work, and releasing rows that wait for finished or cancelled work.

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::group::{self, resolve_group};
use crate::{
    context::Context,
    ops::temporary_volume_name,
    quota,
    rows::{
        Backup, BackupStatus, SchedulerHints, Snapshot, SnapshotStatus, Task, Volume, VolumeSource,
        VolumeStatus, WorkItem, WorkTarget,
    },
    status_machine::WorkEnd,
    totals,
};

// The names of tasks that end the statuses of other rows than their own.
const CREATE: &str = "create_volume";
const DELETE: &str = "delete_volume";
const REVERT: &str = "revert_volume";
const BACK_UP: &str = "create_backup";
const RESTORE: &str = "restore_backup";

/// Removes work from the queue, because an operator reset the status of its target or a deletion replaces it. Rolls its
/// reservation back. A worker that has begun the work finds it removed, and its outcome is discarded.
pub(crate) fn cancel(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    (kind, target): (WorkTarget, Uuid),
) -> Result<(), WriteError> {
    let Some(item) = txn.get::<WorkItem>((kind.as_str(), target)).cloned() else { return Ok(()) };
    txn.delete::<WorkItem>((kind.as_str(), target))?;
    delete_hints(txn, target)?;
    if let Some(reservation) = item.reservation {
        quota::roll_back(txn, cx.config, reservation)?;
    }
    // The parent would wait for this work for ever.
    if let Some(parent) = group::parent_of(txn, &item) {
        group::fail_parent(txn, cx.now, parent)?;
    }
    let failed = WorkEnd::Failed;
    match item.task {
        Task::RevertVolume { snapshot } => release_snapshot(txn, cx.now, snapshot, failed),
        Task::DeleteSnapshot { .. } => {
            let volume = txn.get::<Snapshot>(target).map(|row| row.volume_id);
            volume.map_or(Ok(()), |volume| keep_volume(txn, cx.now, volume))
        }
        Task::CreateVolume { source: VolumeSource::Backup(backup) } => {
            release_backup(txn, cx.now, backup, failed)
        }
        Task::CreateBackup => {
            let backup = txn.get::<Backup>(target).map(|row| Backup::clone(row));
            backup.map_or(Ok(()), |backup| release_source(txn, cx.now, &backup, failed))
        }
        // The restore may have written a part of the backup.
        Task::RestoreBackup { volume } => {
            let backup = txn.get::<Backup>(target).map(|row| Backup::clone(row));
            backup.map_or(Ok(()), |backup| end_restore(txn, cx.now, (volume, failed), &backup))
        }
        _ => Ok(()),
    }
}

/// Makes a snapshot available after its volume was reverted to it, or failed to be.
pub(super) fn release_snapshot(
    txn: &mut WriteTxn<'_>,
    now: i64,
    id: Uuid,
    end: WorkEnd,
) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Snapshot>(id) else { return Ok(()) };
    if row.status != SnapshotStatus::Restoring {
        return Ok(());
    }
    release(txn, now, Snapshot::clone(row), (REVERT, end))
}

/// Sets the status of a snapshot that the work on another row read.
fn release(
    txn: &mut WriteTxn<'_>,
    now: i64,
    mut row: Snapshot,
    (task, end): (&str, WorkEnd),
) -> Result<(), WriteError> {
    // No such work deletes the snapshot.
    row.status = row.status.after(task, end, SnapshotStatus::Available).unwrap_or(row.status);
    row.updated_at = Some(now);
    totals::put_snapshot(txn, row)?;
    Ok(())
}

/// Returns the volume or snapshot that was backed up to its previous status.
pub(super) fn release_source(
    txn: &mut WriteTxn<'_>,
    now: i64,
    backup: &Backup,
    end: WorkEnd,
) -> Result<(), WriteError> {
    if let Some(id) = backup.snapshot_id {
        let row = txn.get::<Snapshot>(id);
        let Some(row) = row.filter(|row| row.status == SnapshotStatus::BackingUp) else {
            return Ok(());
        };
        return release(txn, now, Snapshot::clone(row), (BACK_UP, end));
    }
    let row = txn.get::<Volume>(backup.volume_id);
    let Some(row) = row.filter(|row| row.status == VolumeStatus::BackingUp) else { return Ok(()) };
    // After an operator reset the volume, another backup of it may be running.
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
    let before = row.take_previous_status();
    row.status = row.status.after(BACK_UP, end, before).unwrap_or(before);
    row.updated_at = Some(now);
    totals::put_volume(txn, row)?;
    Ok(())
}

/// Sets the status of a volume after a restore. A volume whose status an operator reset keeps it.
pub(super) fn end_restore(
    txn: &mut WriteTxn<'_>,
    now: i64,
    (volume, end): (Uuid, WorkEnd),
    backup: &Backup,
) -> Result<(), WriteError> {
    let row = txn.get::<Volume>(volume);
    let Some(row) = row.filter(|row| row.status == VolumeStatus::RestoringBackup) else {
        return Ok(());
    };
    let mut row = Volume::clone(row);
    let is_new = row.is_new_of_restore();
    let before = row.take_previous_status();
    row.status = row.status.after(RESTORE, end, before).unwrap_or(before);
    if is_new && end == WorkEnd::Done {
        name_restored(&mut row, backup);
    }
    row.updated_at = Some(now);
    totals::put_volume(txn, row)?;
    Ok(())
}

/// Sets the name of a volume that was created from a backup to that of the backed-up volume, unless
/// the request named it, and records the backup in its metadata.
pub(super) fn name_restored(row: &mut Volume, backup: &Backup) {
    row.metadata.insert("src_backup_id".into(), backup.id.to_string().into());
    let meanwhile = temporary_volume_name(backup.id);
    if row.name.as_ref().is_none_or(|name| *name == meanwhile)
        && let Some(name) = &backup.volume_name
    {
        row.name = Some(name.clone());
    }
}

/// Makes a backup available after its data was copied to a new volume.
pub(super) fn release_backup(
    txn: &mut WriteTxn<'_>,
    now: i64,
    backup: Uuid,
    end: WorkEnd,
) -> Result<(), WriteError> {
    let row = txn.get::<Backup>(backup);
    let Some(row) = row.filter(|row| row.status == BackupStatus::Restoring) else { return Ok(()) };
    let mut row = Backup::clone(row);
    row.status = row.status.after(CREATE, end, BackupStatus::Available).unwrap_or(row.status);
    row.updated_at = Some(now);
    txn.upsert::<Backup>(row)?;
    Ok(())
}

/// Cancels the deletion of a volume whose snapshot could not be deleted.
pub(super) fn keep_volume(txn: &mut WriteTxn<'_>, now: i64, id: Uuid) -> Result<(), WriteError> {
    let kind = WorkTarget::Volume.as_str();
    let waits = txn.get::<WorkItem>((kind, id)).is_some_and(|item| {
        matches!(item.task, Task::DeleteVolume { .. }) && item.started_at.is_none()
    });
    let Some(row) = txn.get::<Volume>(id).filter(|_| waits) else { return Ok(()) };
    let mut row = Volume::clone(row);
    let before = row.status;
    row.status = row.status.after(DELETE, WorkEnd::Failed, before).unwrap_or(before);
    row.updated_at = Some(now);
    let group = row.group_id;
    totals::put_volume(txn, row)?;
    txn.delete::<WorkItem>((kind, id))?;
    group.map_or(Ok(()), |group| resolve_group(txn, now, group))
}

/// Deletes the scheduler hints of a volume, if any.
pub(super) fn delete_hints(txn: &mut WriteTxn<'_>, volume: Uuid) -> Result<(), WriteError> {
    if txn.get::<SchedulerHints>(volume).is_some() {
        txn.delete::<SchedulerHints>(volume)?;
    }
    Ok(())
}
