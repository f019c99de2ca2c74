//! Putting what was backed up on a volume, an old or a new one.

use statehold_store::{ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::BackupRefusal;
use crate::{
    caller::policy,
    context::{Context, find_backup, find_volume},
    error::Error,
    ops::{VolumeSpec, create_volume, refusal::check_placed},
    rows::{Backup, BackupStatus, Task, Volume, VolumeStatus, WorkTarget},
    totals,
    work::queue,
};

/// Where a backup is to be restored to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreSpec {
    /// The volume, or none for a new one.
    pub volume_id: Option<Box<str>>,
    /// The name of a new volume.
    pub name: Option<Box<str>>,
}

/// Restores a backup, and gives the volume's ID: that of the one that is named, which is
/// `restoring-backup`, or `new` of one that is made. The backup is `restoring` meanwhile.
///
/// # Errors
/// [`Error`]; [`BackupRefusal`] unless the backup is available, and the volume too and large enough.
pub fn restore_backup(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    new: Uuid,
    spec: RestoreSpec,
) -> Result<Uuid, Error> {
    let backup = Backup::clone(find_backup(txn, cx.caller, id)?);
    cx.caller.check_on(policy::BACKUP_RESTORE, &backup)?;
    if backup.status != BackupStatus::Available {
        return Err(BackupRefusal::Restore.into());
    }
    let Some(volume) = &spec.volume_id else {
        let name = spec.name.filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| name_meanwhile(backup.id));
        let volume = VolumeSpec {
            size: Some(backup.size),
            name: Some(name),
            description: backup.volume_description.or(backup.description),
            backup_id: Some(id.into()),
            ..VolumeSpec::default()
        };
        create_volume(txn, cx, new, volume)?;
        return Ok(new);
    };
    let mut volume = Volume::clone(find_volume(txn, cx.caller, volume)?);
    if volume.status != VolumeStatus::Available {
        return Err(BackupRefusal::RestoreVolume.into());
    }
    check_placed(&volume)?;
    if volume.size < backup.size {
        let (volume, backup) = (volume.size, backup.size);
        return Err(BackupRefusal::TooSmall { volume, backup }.into());
    }
    let to = volume.id;
    volume.status = VolumeStatus::RestoringBackup;
    volume.updated_at = Some(cx.now);
    totals::put_volume(txn, volume)?;
    hold(txn, cx.now, backup.id)?;
    let task = Task::RestoreBackup { volume: to };
    queue(txn, cx, (WorkTarget::Backup, backup.id), task, None)?;
    Ok(to)
}

/// What a new volume is called until its data is there and it gets the name of the old one.
pub(crate) fn name_meanwhile(backup: Uuid) -> Box<str> {
    format!("restore_backup_{backup}").into()
}

/// Notes that the data of a backup is being read: it can't be deleted meanwhile.
pub(crate) fn hold(txn: &mut WriteTxn<'_>, now: i64, backup: Uuid) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Backup>(backup) else { return Ok(()) };
    let mut row = Backup::clone(row);
    row.status = BackupStatus::Restoring;
    row.updated_at = Some(now);
    txn.upsert::<Backup>(row)?;
    Ok(())
}
