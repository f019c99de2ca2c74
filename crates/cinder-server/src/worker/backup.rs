//! Work with backups.

use std::fs::File;
use std::io;

use statehold_cinder::{Backup, Outcome, Task, Volume, VolumeSource, VolumeStatus, WorkItem};
use statehold_server_core::fs::regular;
use statehold_store::ReadView;
use uuid::Uuid;

use crate::state::CinderState;
use crate::worker::failure::Failure;
use crate::worker::placement::{backend_of, choose, place};

pub(super) fn work_on_backup(cloud: &CinderState, item: &WorkItem) -> Result<Outcome, Failure> {
    let view = cloud.app().store().snapshot();
    let row = view.get::<Backup>(item.target).ok_or(Failure::Gone)?;
    match &item.task {
        Task::CreateBackup => {
            // Cinder: cinder/backup/api.py, API._az_matched.
            let zone = row.availability_zone.as_deref();
            if zone.is_some_and(|zone| *zone != *cloud.backends().default_zone()) {
                return Err(Failure::NoBackupService);
            }
            let objects = back_up(cloud, &view, row)?;
            return Ok(Outcome::BackedUp { objects });
        }
        Task::RestoreBackup { volume } => {
            let to = view.get::<Volume>(*volume).ok_or(Failure::Gone)?;
            // A new volume has no back end yet.
            let (backend, _) = choose(cloud, &view, to, VolumeSource::Empty)?;
            place(cloud, to, &backend)?;
            let mut fill = |file: &File| {
                cloud.vault().restore(row.data(), file)?;
                // An operator may have called it off.
                let view = cloud.app().store().snapshot();
                let to = view.get::<Volume>(*volume);
                match to.filter(|to| to.status == VolumeStatus::RestoringBackup) {
                    Some(_) => Ok(()),
                    None => Err(io::Error::other("the restoring was called off")),
                }
            };
            backend.driver.fill_volume(to.id, to.size, &mut fill)?;
        }
        // The data stays for a backup that was imported under another ID.
        Task::DeleteBackup if row.shares_data(&view) => {}
        Task::DeleteBackup => cloud.vault().delete(row.data())?,
        Task::CheckBackup => cloud.vault().check(row.data(), parent_data(&view, row))?,
        _ => return Err(Failure::Gone),
    }
    Ok(Outcome::DONE)
}

/// Backs up a snapshot, or a volume. Of a volume that is used a copy is made first, so that what is
/// backed up is of one moment.
fn back_up(cloud: &CinderState, view: &impl ReadView, row: &Backup) -> Result<u32, Failure> {
    let volume = view.get::<Volume>(row.volume_id).ok_or(Failure::Gone)?;
    let driver = &backend_of(cloud, volume)?.driver;
    let from = match row.snapshot_id {
        Some(snapshot) => regular::open(&driver.snapshot_path(snapshot))?,
        None if volume.previous_status == Some(VolumeStatus::InUse) => {
            driver.still(volume.id, row.id)?
        }
        None => regular::open(&driver.path(volume.id))?,
    };
    Ok(cloud.vault().create(row.data(), parent_data(view, row), &from)?)
}

/// Returns the ID that the data of a backup's parent goes by.
fn parent_data(view: &impl ReadView, row: &Backup) -> Option<Uuid> {
    let parent = row.parent_id?;
    Some(view.get::<Backup>(parent).map_or(parent, |parent| parent.data()))
}
