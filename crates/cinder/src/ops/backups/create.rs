//! Creation of backups: of a volume or a snapshot, full or incremental.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use crate::{
    Pairs,
    caller::policy,
    context::{Context, find_snapshot, find_volume},
    errors::{BackupRefusal, Error},
    id::parse_id,
    quota,
    rows::{Backup, BackupStatus, Snapshot, Task, Volume, WorkTarget},
    status_machine::{BackupOperation, SnapshotOperation, VolumeOperation, check_settled},
    totals,
    work::queue,
};

/// A request for a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupSpec {
    /// The volume.
    pub volume_id: Box<str>,
    /// A snapshot of the volume to read instead of the volume.
    pub snapshot_id: Option<Box<str>>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// The location's name, as users see it.
    pub container: Option<Box<str>>,
    /// Whether to store only the changes since the newest backup.
    pub incremental: bool,
    /// Whether to back up a volume that is in use.
    pub force: bool,
    /// Its availability zone.
    pub availability_zone: Option<Box<str>>,
    /// User-defined key/value metadata.
    pub metadata: Pairs,
}

/// Creates a backup with the ID `id`. Its row is `creating`, its source `backing-up`, and a worker
/// copies the data.
///
/// # Errors
/// [`Error`]; [`BackupRefusal`] if the source's status does not allow it.
// Cinder: cinder/backup/api.py, API.create.
pub fn create_backup(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: BackupSpec,
) -> Result<(), Error> {
    cx.caller.check(policy::BACKUP_CREATE)?;
    let volume = Volume::clone(find_volume(txn, cx.caller, &spec.volume_id)?);
    cx.caller.check_on(policy::BACKUP_CREATE, &volume)?;
    let snapshot = match &spec.snapshot_id {
        Some(id) => Some(Snapshot::clone(find_snapshot(txn, cx.caller, id)?)),
        None => None,
    };
    check_source(&volume, snapshot.as_ref(), spec.force)?;
    // A snapshot's data is as old as the snapshot.
    let (size, data_timestamp) = match &snapshot {
        Some(snapshot) => (snapshot.size, snapshot.created_at),
        None => (volume.size, cx.now),
    };
    let project = &cx.caller.project;
    let parent = if spec.incremental {
        Some(newest_backup(txn, volume.id, project, data_timestamp)?)
    } else {
        None
    };
    quota::charge(txn, cx.config, project, &quota::of_backup(1, size))?;
    let row = Backup {
        id,
        project_id: project.clone(),
        user_id: cx.caller.user.clone(),
        volume_id: volume.id,
        snapshot_id: snapshot.as_ref().map(|snapshot| snapshot.id),
        parent_id: parent,
        name: spec.name,
        description: spec.description,
        size,
        status: BackupStatus::Creating,
        availability_zone: spec.availability_zone,
        container: spec.container.unwrap_or_else(|| container_of(id)),
        object_count: 0,
        fail_reason: None,
        created_at: cx.now,
        updated_at: None,
        data_timestamp,
        metadata: spec.metadata,
        volume_name: volume.name.clone(),
        bootable: volume.bootable,
        image_metadata: volume.image_metadata.clone(),
        data_id: None,
        // A restore to a new volume sets them, although the volume may be deleted by then.
        volume_description: volume.description.clone(),
        volume_metadata: volume.metadata.clone(),
    };
    txn.upsert::<Backup>(row)?;
    if let Some(mut snapshot) = snapshot {
        snapshot.status = SnapshotOperation::BackUp.next(snapshot.status);
        snapshot.updated_at = Some(cx.now);
        totals::put_snapshot(txn, snapshot)?;
    } else {
        // A worker returns the volume to this status, because a volume in use stays in use.
        let mut volume = volume;
        volume.previous_status = Some(volume.status);
        // `force` allows more statuses, and sets the same one.
        volume.status = VolumeOperation::BackUpForced.next(volume.status);
        volume.updated_at = Some(cx.now);
        totals::put_volume(txn, volume)?;
    }
    queue(txn, cx, (WorkTarget::Backup, id), Task::CreateBackup, None)?;
    Ok(())
}

fn check_source(volume: &Volume, snapshot: Option<&Snapshot>, force: bool) -> Result<(), Error> {
    if let Some(snapshot) = snapshot {
        if snapshot.volume_id != volume.id {
            let (volume, of_snapshot) = (volume.id, snapshot.volume_id);
            return Err(BackupRefusal::OtherVolume { volume, of_snapshot }.into());
        }
        return SnapshotOperation::BackUp.check(snapshot).map(drop);
    }
    let action = if force { VolumeOperation::BackUpForced } else { VolumeOperation::BackUp };
    action.check(volume)?;
    // A migrating volume cannot be read: its data is about to move.
    Ok(check_settled(volume)?)
}

/// Returns the newest backup of a volume in a project whose data is older than `before`.
fn newest_backup(
    view: &impl ReadView,
    volume: Uuid,
    project: &str,
    before: i64,
) -> Result<Uuid, Error> {
    let range = KeyRange::<(Uuid, i64)>::starting_with(volume);
    let newest = view
        .scan_by(&Backup::BY_VOLUME, &range, Order::Descending)
        .find(|row| *row.project_id == *project && row.data_timestamp < before);
    match newest {
        None => Err(BackupRefusal::NoParent.into()),
        Some(parent) => BackupOperation::Extend.check(parent).map(|_| parent.id),
    }
}

/// Returns the location of a backup below the backup directory: `55/b0/55b0e944-..`.
// Cinder: cinder/backup/drivers/posix.py, PosixBackupDriver.update_container_name.
pub(super) fn container_of(id: Uuid) -> Box<str> {
    let id = id.to_string();
    format!("{}/{}/{id}", &id[..2], &id[2..4]).into()
}

/// Returns the ID in a location that [`container_of`] returned; none for any other container.
pub(super) fn id_of_container(container: &str) -> Option<Uuid> {
    let id = parse_id(container.rsplit('/').next()?)?;
    (*container_of(id) == *container).then_some(id)
}
