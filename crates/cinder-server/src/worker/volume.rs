//! Work with volumes.

use std::fs::File;
use std::sync::Arc;

use statehold_cinder::{
    AttachStatus, Backup, Outcome, Snapshot, Task, Volume, VolumeSource, VolumeStatus, VolumeType,
    WorkItem, disabled_hosts, note_moving,
};
use statehold_store::{KeyRange, Order, ReadView};
use uuid::Uuid;

use crate::backend::driver::Source;
use crate::backend::scheduler::Backend;
use crate::state::CinderState;
use crate::worker::failure::{Failure, outcome_of};
use crate::worker::placement::{backend_of, choose, place};
use crate::worker::{refused, work, write};

/// Creates volumes without data, those of one back end together.
pub(super) fn create_together(cloud: &CinderState, lot: &[WorkItem]) -> Vec<Outcome> {
    let view = cloud.app().store().snapshot();
    let placed = |(at, item): (usize, &WorkItem)| {
        let row = view.get::<Volume>(item.target)?;
        let backend = cloud.backends().of(row.host.as_deref()?)?;
        Some((backend.name(), at, (row.id, row.size)))
    };
    let placed: Vec<_> = lot.iter().enumerate().filter_map(placed).collect();
    let mut outcomes = vec![None; lot.len()];
    for backend in cloud.backends().all() {
        let own = placed.iter().filter(|(name, ..)| *name == backend.name());
        let (places, volumes): (Vec<usize>, Vec<(Uuid, u32)>) =
            own.map(|(_, at, volume)| (*at, *volume)).unzip();
        if volumes.is_empty() {
            continue;
        }
        let created = backend.driver.create_empty_volumes(&volumes);
        let after = cloud.app().store().snapshot();
        for ((at, (id, _)), mut done) in places.into_iter().zip(volumes).zip(created) {
            // Its row may have been deleted meanwhile.
            if done.is_ok() && after.get::<Volume>(id).is_none() {
                done = backend.driver.delete_volume(id);
            }
            let done = done.map(|()| Outcome::DONE).map_err(Failure::Io);
            outcomes[at] = Some(outcome_of(&lot[at], done));
        }
    }
    // The others have no back end yet, or one that is not served any more.
    let each = lot.iter().zip(outcomes);
    each.map(|(item, outcome)| outcome.unwrap_or_else(|| work(cloud, item))).collect()
}

pub(super) fn work_on_volume(cloud: &CinderState, item: &WorkItem) -> Result<Outcome, Failure> {
    let view = cloud.app().store().snapshot();
    let row = view.get::<Volume>(item.target).ok_or(Failure::Gone)?;
    match &item.task {
        Task::CreateVolume { source: from } => {
            let (backend, source) = choose(cloud, &view, row, *from)?;
            place(cloud, row, &backend)?;
            match from {
                VolumeSource::Backup(backup) => {
                    let data = view.get::<Backup>(*backup).ok_or(Failure::Gone)?.data();
                    let mut fill = |file: &File| cloud.vault().restore(data, file);
                    backend.driver.fill_volume(row.id, row.size, &mut fill)?;
                }
                _ => backend.driver.create_volume(row.id, row.size, &source)?,
            }
            // Its row may have been deleted before it was placed.
            if cloud.app().store().snapshot().get::<Volume>(row.id).is_none() {
                backend.driver.delete_volume(row.id)?;
            }
        }
        Task::DeleteVolume { keep_data: true } => {}
        Task::DeleteVolume { keep_data: false } => {
            // One that was placed nowhere was never made.
            if row.host.is_some() {
                backend_of(cloud, row)?.driver.delete_volume(row.id)?;
            }
        }
        Task::ExtendVolume { size } => {
            let backend = backend_of(cloud, row)?;
            backend.driver.extend_volume(row.id, *size)?;
            // A host that mounts the file goes on with the old size until it looks again.
            if backend.is_exported() && row.previous_status == Some(VolumeStatus::InUse) {
                return Ok(Outcome::AwaitsHost);
            }
        }
        Task::RevertVolume { snapshot } => {
            backend_of(cloud, row)?.driver.revert_volume(row.id, *snapshot)?;
        }
        Task::RetypeVolume { volume_type, may_migrate } => {
            let new = view.get::<VolumeType>(*volume_type).ok_or(Failure::Gone)?;
            if backend_of(cloud, row).is_ok_and(|own| own.fits(new)) {
                return Ok(Outcome::DONE);
            }
            let zone = &row.availability_zone;
            let to = cloud.backends().choose(zone, row.size, Some(new), &disabled_hosts(&view));
            let to = to.filter(|_| *may_migrate).ok_or(Failure::NoBackend)?;
            check_free(&view, row)?;
            let noted = write(cloud, |txn, now| note_moving(txn, now, item).map_err(refused));
            if noted != Some(true) {
                return Err(Failure::Gone);
            }
            return move_volume(cloud, &view, row, to);
        }
        Task::MigrateVolume { host, .. } => {
            let to = cloud.backends().of(host).ok_or(Failure::NoBackend)?;
            // Cinder: cinder/scheduler/filters/availability_zone_filter.py, which migrations pass too.
            if *to.zone() != *row.availability_zone {
                return Err(Failure::NoBackend);
            }
            return move_volume(cloud, &view, row, to);
        }
        Task::ManageVolume { reference } => {
            let size = backend_of(cloud, row)?.driver.manage_volume(row.id, reference)?;
            return Ok(Outcome::Managed { size, message: Uuid::new_v4() });
        }
        _ => return Err(Failure::Gone),
    }
    Ok(Outcome::DONE)
}

/// Copies a volume to another back end. Its file at the old one goes when the new one is whole: until
/// the outcome is written the old place counts, so the old file stays should the server die.
fn move_volume(
    cloud: &CinderState,
    view: &impl ReadView,
    row: &Volume,
    to: &Arc<Backend>,
) -> Result<Outcome, Failure> {
    let from = backend_of(cloud, row)?;
    if Arc::ptr_eq(&from, to) {
        return Ok(Outcome::DONE);
    }
    check_free(view, row)?;
    // What an earlier attempt copied may be older than what is on the volume now.
    to.driver.delete_volume(row.id)?;
    to.driver.create_volume(row.id, row.size, &Source::File(from.driver.path(row.id)))?;
    Ok(Outcome::Done { moved: Some(to.placement()), provider_id: None })
}

/// Refuses to move a volume in use, or with snapshots.
fn check_free(view: &impl ReadView, row: &Volume) -> Result<(), Failure> {
    let snapshots = KeyRange::<(Uuid, i64)>::starting_with(row.id);
    let mut snapshots = view.scan_by(&Snapshot::BY_VOLUME, &snapshots, Order::Ascending);
    if row.attach_status != AttachStatus::Detached || snapshots.next().is_some() {
        return Err(Failure::Held);
    }
    Ok(())
}
