//! Work with backups.

use std::ops::Range;

use statehold_cinder::{Backup, Outcome, Task, Volume, VolumeSource, VolumeStatus, WorkItem};
use statehold_store::ReadView;
use uuid::Uuid;

use crate::backend::{DriverError, ReadExtents};
use crate::state::CinderState;
use crate::worker::failure::Failure;
use crate::worker::placement::{backend_of, choose, place};

/// Performs a work item of a backup.
pub(super) fn work_on_backup(state: &CinderState, item: &WorkItem) -> Result<Outcome, Failure> {
    let view = state.core().store().snapshot();
    let row = view.get::<Backup>(item.target).ok_or(Failure::RowDeleted)?;
    match &item.task {
        Task::CreateBackup => {
            // Cinder: cinder/backup/api.py, API._az_matched.
            let zone = row.availability_zone.as_deref();
            if zone.is_some_and(|zone| *zone != *state.backends().default_zone()) {
                return Err(Failure::NoBackupService);
            }
            let objects = back_up(state, &view, row)?;
            return Ok(Outcome::BackedUp { objects });
        }
        Task::RestoreBackup { volume } => {
            let to = view.get::<Volume>(*volume).ok_or(Failure::RowDeleted)?;
            // A new volume has no back end yet.
            let (backend, _) = choose(state, &view, to, VolumeSource::Empty)?;
            place(state, to, &backend)?;
            let backup = state.backups().open_backup(row.data())?;
            let source = WhileRestoring { state, volume: to.id, backup: &backup };
            backend.driver.import_volume(to.id, to.size, &source)?;
        }
        // A backup that was imported under another ID needs the data.
        Task::DeleteBackup if row.shares_data(&view) => {}
        Task::DeleteBackup => state.backups().delete(row.data())?,
        Task::CheckBackup => {
            state.backups().open_backup(row.data())?.verify(parent_data(&view, row))?;
        }
        _ => return Err(Failure::RowDeleted),
    }
    Ok(Outcome::DONE)
}

/// Backs up a snapshot or a volume, and returns the number of files of blocks.
fn back_up(state: &CinderState, view: &impl ReadView, row: &Backup) -> Result<u32, Failure> {
    let volume = view.get::<Volume>(row.volume_id).ok_or(Failure::RowDeleted)?;
    let driver = &backend_of(state, volume)?.driver;
    let source = match row.snapshot_id {
        Some(snapshot) => driver.open_snapshot(snapshot)?,
        // A host writes while the backup is created, but the backup must be of one moment.
        None if volume.previous_status == Some(VolumeStatus::InUse) => {
            driver.open_frozen_copy(volume.id, row.id)?
        }
        None => driver.open_volume(volume.id)?,
    };
    Ok(state.backups().create(row.data(), parent_data(view, row), &*source)?)
}

/// Returns the ID under which the data of a backup's parent is stored.
fn parent_data(view: &impl ReadView, row: &Backup) -> Option<Uuid> {
    let parent = row.parent_id?;
    Some(view.get::<Backup>(parent).map_or(parent, |parent| parent.data()))
}

/// The data of a backup, as long as the status of its volume is `restoring-backup`.
struct WhileRestoring<'a> {
    state: &'a CinderState,
    volume: Uuid,
    backup: &'a dyn ReadExtents,
}

impl ReadExtents for WhileRestoring<'_> {
    fn size(&self) -> u64 {
        self.backup.size()
    }

    fn next_extent(&self, from: u64) -> Result<Option<Range<u64>>, DriverError> {
        let view = self.state.core().store().snapshot();
        let row = view.get::<Volume>(self.volume);
        // An operator may reset the status meanwhile, and the user write to the volume: a driver publishes the restored
        // data only after it has read the last extent.
        if row.is_none_or(|row| row.status != VolumeStatus::RestoringBackup) {
            return Err(DriverError::Cancelled);
        }
        self.backup.next_extent(from)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), DriverError> {
        self.backup.read_at(buffer, offset)
    }
}
