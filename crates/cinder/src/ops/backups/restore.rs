//! Restoring backups to existing or new volumes.

use statehold_store::{ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use crate::{
    caller::policy,
    context::{Context, find_backup, find_volume},
    errors::{BackupRefusal, Error},
    ops::{VolumeSpec, volumes::create_restored},
    rows::{Backup, Task, Volume, WorkTarget},
    status_machine::{BackupOperation, VolumeOperation, check_placed},
    totals,
    work::queue,
};

/// A request to restore a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreSpec {
    /// The volume; none creates a new one.
    pub volume_id: Option<Box<str>>,
    /// The name of a new volume.
    pub name: Option<Box<str>>,
}

/// Restores a backup and returns the volume's ID: the named one, or `new`. The volume is
/// `restoring-backup` and the backup `restoring` until the end. If the restore fails, the volume is
/// `error_restoring`.
///
/// # Errors
/// [`Error`]; [`BackupRefusal`] unless the backup is available, and the volume available and large
/// enough.
// Cinder: cinder/backup/api.py, API.restore.
pub fn restore_backup(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    new: Uuid,
    spec: RestoreSpec,
) -> Result<Uuid, Error> {
    let backup = Backup::clone(find_backup(txn, cx.caller, id)?);
    cx.caller.check_on(policy::BACKUP_RESTORE, &backup)?;
    BackupOperation::Restore.check(&backup)?;
    let Some(volume) = &spec.volume_id else {
        let name = spec.name.filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| temporary_volume_name(backup.id));
        let volume = VolumeSpec {
            size: Some(backup.size),
            name: Some(name),
            description: backup.volume_description.or(backup.description),
            backup_id: Some(id.into()),
            ..VolumeSpec::default()
        };
        create_restored(txn, cx, new, volume)?;
        let task = Task::RestoreBackup { volume: new };
        queue(txn, cx, (WorkTarget::Backup, backup.id), task, None)?;
        return Ok(new);
    };
    let mut volume = Volume::clone(find_volume(txn, cx.caller, volume)?);
    let status = VolumeOperation::Restore.check(&volume)?;
    check_placed(&volume)?;
    if volume.size < backup.size {
        let (volume, backup) = (volume.size, backup.size);
        return Err(BackupRefusal::TooSmall { volume, backup }.into());
    }
    let to = volume.id;
    volume.status = status;
    // A status of an earlier operation would state that the volume is new.
    volume.previous_status = None;
    volume.updated_at = Some(cx.now);
    totals::put_volume(txn, volume)?;
    mark_restoring(txn, cx.now, backup.id)?;
    let task = Task::RestoreBackup { volume: to };
    queue(txn, cx, (WorkTarget::Backup, backup.id), task, None)?;
    Ok(to)
}

/// Returns the name of a new volume until its data is restored and it gets the name of the old one.
// Cinder: cinder/backup/api.py, API.restore.
pub(crate) fn temporary_volume_name(backup: Uuid) -> Box<str> {
    format!("restore_backup_{backup}").into()
}

/// Marks a backup as being read, so that it cannot be deleted.
pub(crate) fn mark_restoring(
    txn: &mut WriteTxn<'_>,
    now: i64,
    backup: Uuid,
) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Backup>(backup) else { return Ok(()) };
    let mut row = Backup::clone(row);
    row.status = BackupOperation::Restore.next(row.status);
    row.updated_at = Some(now);
    txn.upsert::<Backup>(row)?;
    Ok(())
}
