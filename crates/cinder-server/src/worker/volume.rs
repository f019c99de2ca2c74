//! Work with volumes.

use std::sync::Arc;

use statehold_cinder::{
    AttachStatus, Backup, Outcome, Snapshot, Task, Volume, VolumeSource, VolumeStatus, VolumeType,
    WorkItem, disabled_hosts, note_moving,
};
use statehold_store::{KeyRange, Order, ReadView};
use uuid::Uuid;

use crate::backend::scheduler::Backend;
use crate::state::CinderState;
use crate::worker::failure::{Failure, outcome_of};
use crate::worker::placement::{backend_of, choose, place};
use crate::worker::{refused, work, write};

/// Creates volumes without data, those of one back end together. Returns the outcomes in the order of the items.
pub(super) fn create_together(state: &CinderState, lot: &[WorkItem]) -> Vec<Outcome> {
    let view = state.core().store().snapshot();
    let placed = |(at, item): (usize, &WorkItem)| {
        let row = view.get::<Volume>(item.target)?;
        let backend = state.backends().of(row.host.as_deref()?)?;
        Some((backend.name(), at, (row.id, row.size)))
    };
    let placed: Vec<_> = lot.iter().enumerate().filter_map(placed).collect();
    let mut outcomes = vec![None; lot.len()];
    for backend in state.backends().all() {
        let own = placed.iter().filter(|(name, ..)| *name == backend.name());
        let (places, volumes): (Vec<usize>, Vec<(Uuid, u32)>) =
            own.map(|(_, at, volume)| (*at, *volume)).unzip();
        if volumes.is_empty() {
            continue;
        }
        let created = backend.driver.create_volumes(&volumes);
        let after = state.core().store().snapshot();
        for ((at, (id, _)), mut done) in places.into_iter().zip(volumes).zip(created) {
            // Its row may have been deleted meanwhile: no other work would delete the volume.
            if done.is_ok() && after.get::<Volume>(id).is_none() {
                done = backend.driver.delete_volume(id);
            }
            let done = done.map(|()| Outcome::DONE).map_err(Failure::Driver);
            outcomes[at] = Some(outcome_of(&lot[at], done));
        }
    }
    // The others have no back end yet, or one that is no longer served.
    let each = lot.iter().zip(outcomes);
    each.map(|(item, outcome)| outcome.unwrap_or_else(|| work(state, item))).collect()
}

/// Performs a work item of a volume.
pub(super) fn work_on_volume(state: &CinderState, item: &WorkItem) -> Result<Outcome, Failure> {
    let view = state.core().store().snapshot();
    let row = view.get::<Volume>(item.target).ok_or(Failure::RowDeleted)?;
    match &item.task {
        Task::CreateVolume { source } => create(state, &view, row, *source)?,
        // An unmanaged volume keeps its data, and its row goes.
        Task::DeleteVolume { keep_data: true } => {}
        Task::DeleteVolume { keep_data: false } => {
            // A volume that was never placed has no data.
            if row.host.is_some() {
                backend_of(state, row)?.driver.delete_volume(row.id)?;
            }
        }
        Task::ExtendVolume { size } => {
            let driver = &backend_of(state, row)?.driver;
            driver.extend_volume(row.id, *size)?;
            let is_used = row.previous_status == Some(VolumeStatus::InUse);
            if driver.host_completes_extension() && is_used {
                return Ok(Outcome::AwaitsHost);
            }
        }
        Task::RevertVolume { snapshot } => {
            backend_of(state, row)?.driver.revert_volume(row.id, *snapshot)?;
        }
        Task::RetypeVolume { volume_type, may_migrate } => {
            let new = view.get::<VolumeType>(*volume_type).ok_or(Failure::RowDeleted)?;
            if backend_of(state, row).is_ok_and(|own| own.fits(new)) {
                return Ok(Outcome::DONE);
            }
            let zone = &row.availability_zone;
            let to = state.backends().choose(zone, row.size, Some(new), &disabled_hosts(&view));
            let to = to.filter(|_| *may_migrate).ok_or(Failure::NoBackend)?;
            check_can_move(&view, row)?;
            // Only now is it known that the retype is a migration, which clients see in the row.
            let noted = write(state, |txn, now| note_moving(txn, now, item).map_err(refused));
            if noted != Some(true) {
                return Err(Failure::RowDeleted);
            }
            return migrate(state, &view, row, to);
        }
        Task::MigrateVolume { host, .. } => {
            let to = state.backends().of(host).ok_or(Failure::NoBackend)?;
            // Cinder: cinder/scheduler/filters/availability_zone_filter.py, which migrations pass too.
            if *to.zone() != *row.availability_zone {
                return Err(Failure::NoBackend);
            }
            return migrate(state, &view, row, to);
        }
        Task::ManageVolume { reference } => {
            let size = backend_of(state, row)?.driver.adopt_volume(row.id, reference)?;
            return Ok(Outcome::Managed { size, message: Uuid::new_v4() });
        }
        _ => return Err(Failure::RowDeleted),
    }
    Ok(Outcome::DONE)
}

/// Creates a volume: empty, a clone, or with the data of a backup.
fn create(
    state: &CinderState,
    view: &impl ReadView,
    row: &Volume,
    source: VolumeSource,
) -> Result<(), Failure> {
    let (backend, original) = choose(state, view, row, source)?;
    place(state, row, &backend)?;
    let driver = &backend.driver;
    match (source, original) {
        (VolumeSource::Backup(backup), _) => {
            let data = view.get::<Backup>(backup).ok_or(Failure::RowDeleted)?.data();
            driver.import_volume(row.id, row.size, &state.backups().open_backup(data)?)?;
        }
        (_, Some(original)) => driver.clone_volume(row.id, row.size, original)?,
        (_, None) => driver.create_volume(row.id, row.size)?,
    }
    // The row may have been deleted before the volume was placed: no other work would delete the volume.
    if state.core().store().snapshot().get::<Volume>(row.id).is_none() {
        driver.delete_volume(row.id)?;
    }
    Ok(())
}

/// Copies a volume to another back end. [`finish`](super::finish) deletes the original once the outcome is written:
/// until then the row names the old back end, so that a crash loses nothing.
fn migrate(
    state: &CinderState,
    view: &impl ReadView,
    row: &Volume,
    to: &Arc<Backend>,
) -> Result<Outcome, Failure> {
    let from = backend_of(state, row)?;
    if Arc::ptr_eq(&from, to) {
        return Ok(Outcome::DONE);
    }
    check_can_move(view, row)?;
    let source = from.driver.open_volume(row.id)?;
    // The copy of an earlier attempt is stale, and takes space.
    to.driver.delete_volume(row.id)?;
    to.driver.import_volume(row.id, row.size, &*source)?;
    Ok(Outcome::Done { moved: Some(to.placement()), provider_id: None })
}

/// Checks that a volume is not in use and has no snapshots.
fn check_can_move(view: &impl ReadView, row: &Volume) -> Result<(), Failure> {
    let snapshots = KeyRange::<(Uuid, i64)>::starting_with(row.id);
    let mut snapshots = view.scan_by(&Snapshot::BY_VOLUME, &snapshots, Order::Ascending);
    // Checked again here, because the row may have changed since the request.
    if row.attach_status != AttachStatus::Detached {
        return Err(Failure::Attached);
    }
    if snapshots.next().is_some() {
        return Err(Failure::HasSnapshots);
    }
    Ok(())
}
