//! Creating snapshots, alone or as members of a group snapshot.

use crate::{
    Pairs,
    caller::policy,
    context::{Context, find_volume},
    errors::Error,
    quota,
    rows::{Snapshot, SnapshotStatus, Task, Volume, WorkTarget},
    status_machine::{VolumeOperation, check_placed},
    totals,
    work::queue,
};
use statehold_store::WriteTxn;
use uuid::Uuid;

/// First version that creates snapshots of volumes in use without `force`.
const IN_USE_SINCE: u16 = 66;

/// A request for a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotSpec {
    /// The volume.
    pub volume_id: Box<str>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Whether to allow a volume that is in use.
    pub force: Option<bool>,
    /// User-defined key/value metadata.
    pub metadata: Pairs,
}

/// Creates a snapshot with the ID `id`. Its row is `creating`, and a worker creates the data.
///
/// # Errors
/// [`Error`]; [`crate::VolumeRefusal::Snapshot`] if the volume's status does not allow it.
// Cinder: cinder/api/v3/snapshots.py, SnapshotsController.create; cinder/volume/api.py,
// API.create_snapshot_in_db.
pub fn create_snapshot(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: SnapshotSpec,
) -> Result<(), Error> {
    let in_use_allowed = cx.version.at_least(IN_USE_SINCE);
    // An unknown volume goes before the flag, as in the reference.
    let volume = Volume::clone(find_volume(txn, cx.caller, &spec.volume_id)?);
    if in_use_allowed && spec.force == Some(false) {
        return Err(Error::request(
            "Since microversion 3.66 the 'force' flag is invalid for this request.  For backward \
             compatability, however, when the 'force' flag is passed with a value evaluating to \
             True, it is silently ignored.",
        ));
    }
    cx.caller.check_on(policy::SNAPSHOT_CREATE, &volume)?;
    let action = match (in_use_allowed, spec.force) {
        (true, _) => VolumeOperation::SnapshotInUse,
        (false, Some(true)) => VolumeOperation::SnapshotForced,
        (false, _) => VolumeOperation::Snapshot,
    };
    action.check(&volume)?;
    check_placed(&volume)?;
    let project = &cx.caller.project;
    let deltas = quota::of_snapshot(cx.config, volume.volume_type_id, 1, volume.size);
    quota::charge(txn, cx.config, project, &deltas)?;
    totals::put_snapshot(
        txn,
        Snapshot {
            name: spec.name,
            description: spec.description,
            metadata: spec.metadata,
            ..new_row(cx, id, project, &volume)
        },
    )?;
    queue(txn, cx, (WorkTarget::Snapshot, id), Task::CreateSnapshot, None)?;
    Ok(())
}

/// Returns the row of a new snapshot of a volume.
fn new_row(cx: &Context<'_>, id: Uuid, project: &str, volume: &Volume) -> Snapshot {
    Snapshot {
        id,
        project_id: project.into(),
        user_id: cx.caller.user.clone(),
        volume_id: volume.id,
        volume_type_id: volume.volume_type_id,
        name: None,
        description: None,
        size: volume.size,
        status: SnapshotStatus::Creating,
        progress: 0,
        created_at: cx.now,
        updated_at: None,
        group_snapshot_id: None,
        consumes_quota: true,
        metadata: Pairs::new(),
    }
}

/// Creates a snapshot that is part of a group snapshot. The caller has charged its quota.
pub(in crate::ops) fn create_group_member(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    volume: &Volume,
    group_snapshot: Uuid,
    (name, description): (Option<Box<str>>, Option<Box<str>>),
) -> Result<(), Error> {
    VolumeOperation::SnapshotInUse.check(volume)?;
    check_placed(volume)?;
    totals::put_snapshot(
        txn,
        Snapshot {
            name,
            description,
            group_snapshot_id: Some(group_snapshot),
            ..new_row(cx, id, &volume.project_id, volume)
        },
    )?;
    queue(txn, cx, (WorkTarget::Snapshot, id), Task::CreateSnapshot, None)?;
    Ok(())
}
