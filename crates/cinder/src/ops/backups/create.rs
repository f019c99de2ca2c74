//! Making backups: of a volume or a snapshot, whole or what has changed.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::BackupRefusal;
use crate::{
    Pairs,
    caller::policy,
    context::{Context, find_snapshot, find_volume},
    error::Error,
    id::parse_id,
    ops::refusal::check_settled,
    quota,
    rows::{
        Backup, BackupStatus, Snapshot, SnapshotStatus, Task, Volume, VolumeStatus, WorkTarget,
    },
    totals,
    work::queue,
};

/// A backup as somebody asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupSpec {
    /// The volume that it is of.
    pub volume_id: Box<str>,
    /// The snapshot of that volume from which it is made, if not from the volume.
    pub snapshot_id: Option<Box<str>>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// What users call the place where it is kept.
    pub container: Option<Box<str>>,
    /// Whether only what has changed since the newest backup is kept.
    pub incremental: bool,
    /// Whether the volume may be used meanwhile.
    pub force: bool,
    /// Its availability zone.
    pub availability_zone: Option<Box<str>>,
    /// User-defined key/value metadata.
    pub metadata: Pairs,
}

/// Makes a backup with the ID `id`: its row is `creating`, what it is made from `backing-up`, and a
/// worker has to make it.
///
/// # Errors
/// [`Error`]; [`BackupRefusal`] when what it is to be made from is in no state for it.
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
    check(&volume, snapshot.as_ref(), spec.force)?;
    let (size, data_timestamp) = match &snapshot {
        Some(snapshot) => (snapshot.size, snapshot.created_at),
        None => (volume.size, cx.now),
    };
    let project = &cx.caller.project;
    let parent = if spec.incremental {
        Some(newest(txn, volume.id, project, data_timestamp)?)
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
        container: spec.container.unwrap_or_else(|| place(id)),
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
        volume_description: volume.description.clone(),
        volume_metadata: volume.metadata.clone(),
    };
    txn.upsert::<Backup>(row)?;
    if let Some(mut snapshot) = snapshot {
        snapshot.status = SnapshotStatus::BackingUp;
        snapshot.updated_at = Some(cx.now);
        totals::put_snapshot(txn, snapshot)?;
    } else {
        let mut volume = volume;
        volume.previous_status = Some(volume.status);
        volume.status = VolumeStatus::BackingUp;
        volume.updated_at = Some(cx.now);
        totals::put_volume(txn, volume)?;
    }
    queue(txn, cx, (WorkTarget::Backup, id), Task::CreateBackup, None)?;
    Ok(())
}

fn check(volume: &Volume, snapshot: Option<&Snapshot>, force: bool) -> Result<(), Error> {
    if let Some(snapshot) = snapshot {
        if snapshot.volume_id != volume.id {
            let (volume, of_snapshot) = (volume.id, snapshot.volume_id);
            return Err(BackupRefusal::OtherVolume { volume, of_snapshot }.into());
        }
        return match snapshot.status {
            SnapshotStatus::Available => Ok(()),
            status => Err(BackupRefusal::Snapshot { status }.into()),
        };
    }
    match volume.status {
        VolumeStatus::Available => {}
        VolumeStatus::InUse if force => {}
        VolumeStatus::InUse => return Err(BackupRefusal::InUse.into()),
        status => return Err(BackupRefusal::Volume { status }.into()),
    }
    // What moves elsewhere can't be read for long where it is.
    Ok(check_settled(volume)?)
}

/// The newest backup of a volume in a project, of data that is older than `before`.
fn newest(
    view: &impl ReadView,
    volume: Uuid,
    project: &str,
    before: i64,
) -> Result<Uuid, BackupRefusal> {
    let range = KeyRange::<(Uuid, i64)>::starting_with(volume);
    let newest = view
        .scan_by(&Backup::BY_VOLUME, &range, Order::Descending)
        .find(|row| *row.project_id == *project && row.data_timestamp < before);
    match newest {
        None => Err(BackupRefusal::NoParent),
        Some(parent) if parent.status == BackupStatus::Available => Ok(parent.id),
        Some(_) => Err(BackupRefusal::ParentStatus),
    }
}

/// Where a backup is kept, below the directory of backups: `55/b0/55b0e944-..`.
pub(super) fn place(id: Uuid) -> Box<str> {
    let id = id.to_string();
    format!("{}/{}/{id}", &id[..2], &id[2..4]).into()
}

/// Returns the backup whose data is at a place that [`place`] returned; none for another container.
pub(super) fn id_at(container: &str) -> Option<Uuid> {
    let id = parse_id(container.rsplit('/').next()?)?;
    (*place(id) == *container).then_some(id)
}
