//! Operations on snapshots.

use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use crate::{
    Pairs,
    access::actions::Rule,
    caller::policy,
    context::{Context, find_snapshot, find_volume},
    error::Error,
    ops::refusal::{SnapshotRefusal, VolumeRefusal, check_placed},
    quota,
    rows::{Snapshot, SnapshotStatus, Task, Volume, VolumeStatus, WorkTarget},
    totals,
    work::{cancel, queue},
};

/// First version that creates snapshots of volumes in use without `force`.
const IN_USE_SINCE: u16 = 66;

/// The statuses that an admin may set, as error messages list them.
const RESET_STATUSES: &str = "('error', 'available', 'creating', 'deleting', 'deleted', \
                              'updating', 'error_deleting', 'unmanaging', 'backing-up', \
                              'restoring')";

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
/// [`Error`]; [`VolumeRefusal::Snapshot`] if the volume's status does not allow it.
// Cinder: cinder/api/v3/snapshots.py, SnapshotsController.create; cinder/volume/api.py,
// API.create_snapshot_in_db.
pub fn create_snapshot(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: SnapshotSpec,
) -> Result<(), Error> {
    let in_use_allowed = cx.version.at_least(IN_USE_SINCE);
    if in_use_allowed && spec.force == Some(false) {
        return Err(Error::request(
            "Since microversion 3.66 the 'force' flag is invalid for this request.  For backward \
             compatability, however, when the 'force' flag is passed with a value evaluating to \
             True, it is silently ignored.",
        ));
    }
    let volume = Volume::clone(find_volume(txn, cx.caller, &spec.volume_id)?);
    cx.caller.check_on(policy::SNAPSHOT_CREATE, &volume)?;
    let forced = in_use_allowed || spec.force == Some(true);
    let allowed = match volume.status {
        VolumeStatus::Available => true,
        VolumeStatus::InUse => forced,
        _ => false,
    };
    if !allowed {
        let (volume, status) = (volume.id, volume.status);
        return Err(VolumeRefusal::Snapshot { volume, status, in_use_allowed }.into());
    }
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
pub(super) fn create_group_member(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    volume: &Volume,
    group_snapshot: Uuid,
    (name, description): (Option<Box<str>>, Option<Box<str>>),
) -> Result<(), Error> {
    let at_rest = matches!(volume.status, VolumeStatus::Available | VolumeStatus::InUse);
    if !at_rest {
        let (volume, status) = (volume.id, volume.status);
        return Err(VolumeRefusal::Snapshot { volume, status, in_use_allowed: true }.into());
    }
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

/// A change of a snapshot. `None` keeps a field; `Some(None)` removes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotChange {
    /// Its name.
    pub name: Option<Option<Box<str>>>,
    /// Human-readable description.
    pub description: Option<Option<Box<str>>>,
}

/// Updates a snapshot's name or description.
///
/// # Errors
/// [`Error`] with the status 403 or 404.
pub fn update_snapshot(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    change: SnapshotChange,
) -> Result<(), Error> {
    let mut row = Snapshot::clone(find_snapshot(txn, cx.caller, id)?);
    cx.caller.check_on(policy::SNAPSHOT_UPDATE, &row)?;
    if let Some(name) = change.name {
        row.name = name;
    }
    if let Some(description) = change.description {
        row.description = description;
    }
    write_snapshot(txn, cx.now, row)
}

fn write_snapshot(txn: &mut WriteTxn<'_>, now: i64, mut row: Snapshot) -> Result<(), Error> {
    row.updated_at = Some(now);
    totals::put_snapshot(txn, row)?;
    Ok(())
}

/// Deletes a snapshot. Its row is `deleting`, and a worker deletes the data. With `force`, which
/// requires an admin, the status is ignored.
///
/// # Errors
/// [`Error`]; [`SnapshotRefusal::Delete`] if it is in use or part of a group snapshot.
// Cinder: cinder/volume/api.py, API.delete_snapshot.
pub fn delete_snapshot(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    force: bool,
) -> Result<(), Error> {
    let rule = if force { policy::SNAPSHOT_FORCE_DELETE } else { policy::SNAPSHOT_DELETE };
    queue_deletion(txn, cx, id, force, rule, SnapshotStatus::Deleting)
}

/// Removes a snapshot's record and keeps its data. Admins only.
///
/// # Errors
/// As [`delete_snapshot`].
// Cinder: cinder/volume/api.py, API.delete_snapshot with `unmanage_only`.
pub fn unmanage_snapshot(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    queue_deletion(txn, cx, id, false, policy::SNAPSHOT_UNMANAGE, SnapshotStatus::Unmanaging)
}

fn queue_deletion(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    force: bool,
    rule: Rule,
    status: SnapshotStatus,
) -> Result<(), Error> {
    let mut row = Snapshot::clone(find_snapshot(txn, cx.caller, id)?);
    cx.caller.check_on(rule, &row)?;
    let over = matches!(row.status, SnapshotStatus::Available | SnapshotStatus::Error);
    // A snapshot in `restoring` is released by the work item of its volume, even with `force`.
    let held = row.group_snapshot_id.is_some() || row.status == SnapshotStatus::Restoring;
    if held || !(over || force) {
        return Err(SnapshotRefusal::Delete.into());
    }
    let target = (WorkTarget::Snapshot, row.id);
    row.status = status;
    write_snapshot(txn, cx.now, row)?;
    let keep_data = status == SnapshotStatus::Unmanaging;
    queue(txn, cx, target, Task::DeleteSnapshot { keep_data }, None)?;
    Ok(())
}

/// Admin: sets a snapshot's status unconditionally, and cancels its pending work.
///
/// # Errors
/// [`Error`] with the status 400 for an unknown status.
// Cinder: cinder/api/contrib/admin_actions.py, SnapshotAdminController.
pub fn reset_snapshot_status(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    status: &str,
) -> Result<(), Error> {
    cx.caller.check(policy::SNAPSHOT_RESET_STATUS)?;
    let parsed = parse_status(status)?;
    let mut row = Snapshot::clone(find_snapshot(txn, cx.caller, id)?);
    cx.caller.check_on(policy::SNAPSHOT_RESET_STATUS, &row)?;
    cancel(txn, cx, (WorkTarget::Snapshot, row.id))?;
    row.status = parsed;
    write_snapshot(txn, cx.now, row)
}

fn parse_status(text: &str) -> Result<SnapshotStatus, Error> {
    SnapshotStatus::parse(&text.to_lowercase()).ok_or_else(|| {
        Error::request(format!(
            "Snapshot status: {text} is invalid, valid statuses are: {RESET_STATUSES}."
        ))
    })
}

pub(crate) fn check_snapshot_status(text: &str) -> Result<(), Error> {
    parse_status(text).map(drop)
}

/// Records the progress that an external snapshot creator or deleter reports; `progress` in
/// percent.
///
/// # Errors
/// [`Error`]; [`SnapshotRefusal`] if the snapshot is neither being created nor deleted, or the new
/// status cannot follow.
// Cinder: cinder/api/contrib/snapshot_actions.py,
// SnapshotActionsController._update_snapshot_status.
pub fn report_snapshot_status(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    status: &str,
    progress: Option<u8>,
) -> Result<(), Error> {
    let mut row = Snapshot::clone(find_snapshot(txn, cx.caller, id)?);
    cx.caller.check_on(policy::SNAPSHOT_UPDATE_STATUS, &row)?;
    let current = row.status;
    let allowed: &[SnapshotStatus] = match current {
        SnapshotStatus::Creating => {
            &[SnapshotStatus::Creating, SnapshotStatus::Available, SnapshotStatus::Error]
        }
        SnapshotStatus::Deleting => &[SnapshotStatus::Deleting, SnapshotStatus::ErrorDeleting],
        _ => return Err(SnapshotRefusal::NoReport { current }.into()),
    };
    let new = SnapshotStatus::parse(status)
        .filter(|new| allowed.contains(new))
        .ok_or_else(|| SnapshotRefusal::StatusNotAllowed { status: status.into(), current })?;
    if let Some(progress) = progress {
        row.progress = progress;
    }
    // The reporter has finished the operation, so the worker's item is obsolete.
    if new != current {
        cancel(txn, cx, (WorkTarget::Snapshot, row.id))?;
    }
    row.status = new;
    write_snapshot(txn, cx.now, row)
}

/// Returns the value of a key of a snapshot's metadata.
///
/// # Errors
/// [`crate::Missing::Snapshot`] or [`crate::Missing::SnapshotMetadata`].
pub fn snapshot_metadata_item<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<&'v str, Error> {
    let row = find_snapshot(view, cx.caller, id)?;
    cx.caller.check_on(policy::SNAPSHOT_METADATA_GET, &**row)?;
    let missing = || {
        let snapshot = row.id.to_string().into();
        Error::from(crate::Missing::SnapshotMetadata { snapshot, key: key.into() })
    };
    row.metadata.get(key).map(|value| &**value).ok_or_else(missing)
}
