//! The state of a volume after work.

use statehold_store::{ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::{
    message::add_message,
    outcome::{FailureCause, Outcome, Placement},
    release::{delete_hints, name_restored, release_backup, release_snapshot},
};
use crate::{
    config::Config,
    errors::Error,
    quota,
    rows::{
        Backup, MigrationStatus, QuotaKind, Task, Volume, VolumeSource, VolumeStatus, WorkItem,
    },
    status_machine::WorkEnd,
    totals,
};

/// Records the back end of a volume before the volume is created there, so that a worker that repeats the work after a
/// crash finds the data. Returns `false` if the volume does not exist.
// Cinder: cinder/scheduler/driver.py, volume_update_db, which also writes the time.
pub fn place_volume(
    txn: &mut WriteTxn<'_>,
    now: i64,
    volume: Uuid,
    placement: Placement,
) -> Result<bool, WriteError> {
    let Some(row) = txn.get::<Volume>(volume) else { return Ok(false) };
    let mut row = Volume::clone(row);
    place(&mut row, placement);
    row.updated_at = Some(now);
    totals::put_volume(txn, row)?;
    Ok(true)
}

fn place(volume: &mut Volume, placement: Placement) {
    volume.host = Some(placement.host);
    volume.service_uuid = placement.service;
    volume.shared_targets = placement.shared_targets;
    if let Some(zone) = placement.zone {
        volume.availability_zone = zone;
    }
}

pub(super) fn finish_volume(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    item: &WorkItem,
    outcome: &Outcome,
) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Volume>(item.target) else { return Ok(()) };
    let mut row = Volume::clone(row);
    let mut done = outcome.is_done();
    let busy = matches!(outcome, Outcome::Busy);
    // Before the row changes, because usage that is not recorded yet is counted from the rows.
    if let Some(reservation) = item.reservation {
        if done {
            quota::commit(txn, config, reservation)?;
        } else {
            quota::roll_back(txn, config, reservation)?;
        }
    }
    delete_hints(txn, row.id)?;
    row.admin_metadata.remove(EXTEND_SIZE);
    let before = row.take_previous_status();
    row.updated_at = Some(now);
    if let Task::CreateVolume { source: VolumeSource::Backup(backup) } = &item.task {
        if let Some(backup) = txn.get::<Backup>(*backup).filter(|_| done) {
            name_restored(&mut row, backup);
        }
        release_backup(txn, now, *backup, WorkEnd::of(done))?;
    }
    let mut over_quota = None;
    if let Outcome::Managed { size, message } = outcome {
        done = count_managed(txn, config, &mut row, *size)?;
        over_quota =
            (!done).then_some(Outcome::Failed { cause: FailureCause::Quota, message: *message });
    }
    let end = if busy { WorkEnd::Busy } else { WorkEnd::of(done) };
    let Some(mut status) = row.status.after(item.task.name(), end, before) else {
        if row.consumes_quota {
            let deltas = quota::of_volume(row.volume_type_id, -1, row.size);
            quota::apply(txn, config, &row.project_id, &deltas)?;
        }
        totals::remove_volume(txn, row.id)?;
        return Ok(());
    };
    match &item.task {
        // After a failure the back end may have extended the volume; the next extension corrects it.
        Task::ExtendVolume { size } if done => row.size = *size,
        Task::RetypeVolume { volume_type, .. } => {
            if done {
                row.volume_type_id = Some(*volume_type);
                let new = txn.get::<crate::rows::VolumeType>(*volume_type);
                row.multiattach = new.is_some_and(|new| new.is_multiattach());
            }
            // A retype that moves the volume is a migration, and clients wait for its end
            // (Cinder: cinder/volume/manager.py, VolumeManager.retype calls migrate_volume).
            let moved = matches!(outcome, Outcome::Done { moved: Some(_), .. });
            if moved || !row.is_settled() {
                let (success, error) = (MigrationStatus::Success, MigrationStatus::Error);
                row.migration_status = Some(if done { success } else { error });
            }
        }
        Task::MigrateVolume { .. } => {
            let (success, error) = (MigrationStatus::Success, MigrationStatus::Error);
            row.migration_status = Some(if done { success } else { error });
            // An unlocked volume keeps a status that it got meanwhile, which the table cannot know; one in use may
            // have been detached.
            if !matches!(row.status, VolumeStatus::Maintenance | VolumeStatus::InUse) {
                status = row.status;
            }
        }
        Task::RevertVolume { snapshot } => release_snapshot(txn, now, *snapshot, end)?,
        _ => {}
    }
    row.status = status;
    if let Outcome::Done { moved, provider_id } = outcome {
        if let Some(placement) = moved {
            place(&mut row, placement.clone());
        }
        if let Some(provider_id) = provider_id {
            row.provider_id = Some(provider_id.clone());
        }
    }
    add_message(txn, now, &row.project_id, item, over_quota.as_ref().unwrap_or(outcome))?;
    totals::put_volume(txn, row)?;
    Ok(())
}

/// Sets the size of an adopted volume. Returns `false` if it exceeds the quota of the project.
fn count_managed(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    row: &mut Volume,
    size: u32,
) -> Result<bool, WriteError> {
    let mut deltas = quota::Deltas::new();
    quota::add(&mut deltas, QuotaKind::Gigabytes, row.volume_type_id, i64::from(size));
    let charged = quota::check_size(txn, config, &row.project_id, size)
        .and_then(|()| quota::charge(txn, config, &row.project_id, &deltas));
    match charged {
        Ok(()) => {
            row.size = size;
            Ok(true)
        }
        // Only a failure of the store aborts the transaction: the adoption itself succeeded.
        Err(Error::Store(error)) => Err(error),
        Err(_) => Ok(false),
    }
}

/// The key of admin metadata with the new size in GiB of a volume whose extension waits for its host.
// Cinder: cinder/volume/api.py, API.extend_volume_completion.
pub(crate) const EXTEND_SIZE: &str = "extend_new_size";

/// Records that the extension of a volume waits for its host.
pub(super) fn note_awaited(
    txn: &mut WriteTxn<'_>,
    now: i64,
    item: &WorkItem,
) -> Result<(), WriteError> {
    let Task::ExtendVolume { size } = item.task else { return Ok(()) };
    let Some(row) = txn.get::<Volume>(item.target) else { return Ok(()) };
    let mut row = Volume::clone(row);
    row.admin_metadata.insert(EXTEND_SIZE.into(), size.to_string().into());
    row.updated_at = Some(now);
    totals::put_volume(txn, row)?;
    Ok(())
}

/// Returns whether the work is an extension that waits for the host of the volume.
pub(crate) fn awaits_host(view: &impl ReadView, item: &WorkItem) -> bool {
    let Task::ExtendVolume { size } = item.task else { return false };
    let row = view.get::<Volume>(item.target);
    let awaited = row.and_then(|row| row.admin_metadata.get(EXTEND_SIZE));
    item.started_at.is_some() && awaited.is_some_and(|own| **own == *size.to_string())
}
