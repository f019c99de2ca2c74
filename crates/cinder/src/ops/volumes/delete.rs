//! Deletion of volumes, optionally with their snapshots, and removal of their records.

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::write_volume;
use crate::{
    access::actions::Rule,
    caller::policy,
    context::{Context, find_volume},
    errors::{Error, SnapshotRefusal, VolumeRefusal},
    quota,
    rows::{AttachStatus, Attachment, Snapshot, Task, Transfer, Volume, VolumeStatus, WorkTarget},
    status_machine::{SnapshotOperation, VolumeOperation},
    totals,
    work::{cancel, queue, snapshots_of},
};

/// Options of a deletion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Whether to delete its snapshots as well.
    pub cascade: bool,
    /// Whether to ignore its status. Admins only.
    pub force: bool,
}

/// Deletes a volume. Its row is `deleting`, and a worker deletes the data. A volume without a back
/// end is deleted at once.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Delete`] while it is in use or has snapshots.
// Cinder: cinder/volume/api.py, API.delete.
pub fn delete_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    options: DeleteOptions,
) -> Result<(), Error> {
    delete_checked(txn, cx, id, options, policy::VOLUME_FORCE_DELETE)
}

/// Deletes a volume in any status, for callers with the permission of the action `os-force_delete`.
///
/// # Errors
/// As [`delete_volume`].
// Cinder: cinder/api/contrib/admin_actions.py, AdminController._force_delete.
pub fn force_delete_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
) -> Result<(), Error> {
    let options = DeleteOptions { cascade: false, force: true };
    delete_checked(txn, cx, id, options, policy::VOLUME_ADMIN_FORCE_DELETE)
}

/// Deletes a volume; `force` is the permission that a forced deletion requires.
fn delete_checked(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    options: DeleteOptions,
    force: Rule,
) -> Result<(), Error> {
    let row = Volume::clone(find_volume(txn, cx.caller, id)?);
    // The permission to force is checked first. Cinder: cinder/api/v3/volumes.py, VolumeController.delete.
    if options.force {
        cx.caller.check_on(force, &row)?;
    }
    cx.caller.check_on(policy::VOLUME_DELETE, &row)?;
    // A member is deleted only with its group.
    if row.host.is_none() && row.group_id.is_none() {
        cancel(txn, cx, (WorkTarget::Volume, row.id))?;
        if row.consumes_quota {
            let deltas = quota::of_volume(row.volume_type_id, -1, row.size);
            quota::apply(txn, cx.config, &row.project_id, &deltas)?;
        }
        delete_dependents(txn, row.id)?;
        totals::remove_volume(txn, row.id)?;
        return Ok(());
    }
    let action = if options.force { VolumeOperation::ForceDelete } else { VolumeOperation::Delete };
    let status = check_deletable(&row, action)?;
    if options.cascade {
        delete_snapshots(txn, cx, &row, options.force)?;
    } else if snapshots_of(txn, row.id).next().is_some() {
        return Err(VolumeRefusal::Delete { force: options.force }.into());
    }
    queue_deletion(txn, cx, row, status)
}

/// Removes a volume's record and keeps its data. Admins only.
///
/// # Errors
/// As [`delete_volume`], and [`VolumeRefusal::UnmanageEncrypted`].
// Cinder: cinder/api/contrib/volume_unmanage.py, VolumeUnmanageController.unmanage.
pub fn unmanage_volume(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_UNMANAGE, &row)?;
    // Without the record the key's ID is lost, and with it the data.
    if row.encryption_key_id.is_some() {
        return Err(VolumeRefusal::UnmanageEncrypted.into());
    }
    let status = check_deletable(&row, VolumeOperation::Unmanage)?;
    if snapshots_of(txn, row.id).next().is_some() {
        return Err(VolumeRefusal::Delete { force: false }.into());
    }
    queue_deletion(txn, cx, row, status)
}

/// Deletes a volume with its group. The caller has checked that it can be deleted.
pub(in crate::ops) fn delete_group_member(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    row: Volume,
) -> Result<(), Error> {
    let status = VolumeOperation::DeleteWithGroup.check(&row)?;
    queue_deletion(txn, cx, row, status)
}

/// Checks that a volume can be deleted, apart from its snapshots, and returns its next status.
fn check_deletable(row: &Volume, action: VolumeOperation) -> Result<VolumeStatus, Error> {
    let status = action.check(row)?;
    let free =
        row.attach_status != AttachStatus::Attached && row.is_settled() && row.group_id.is_none();
    let force = action == VolumeOperation::ForceDelete;
    if free { Ok(status) } else { Err(VolumeRefusal::Delete { force }.into()) }
}

fn queue_deletion(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    mut row: Volume,
    status: VolumeStatus,
) -> Result<(), Error> {
    // The data of an unmanaged volume stays, and a volume that was never adopted is not this
    // cloud's, so its data stays, too.
    let keep_data =
        matches!(status, VolumeStatus::Unmanaging | VolumeStatus::ErrorManagingDeleting);
    let id = row.id;
    // A forced deletion replaces the work in progress.
    cancel(txn, cx, (WorkTarget::Volume, id))?;
    // Attachments that only reserved the volume end with it.
    delete_dependents(txn, id)?;
    row.attach_status = AttachStatus::Detached;
    row.status = status;
    row.previous_status = None;
    write_volume(txn, cx.now, row)?;
    let task = Task::DeleteVolume { keep_data };
    queue(txn, cx, (WorkTarget::Volume, id), task, None)?;
    Ok(())
}

/// Deletes the attachments and the transfer of a volume.
fn delete_dependents(txn: &mut WriteTxn<'_>, volume: Uuid) -> Result<(), WriteError> {
    let range = KeyRange::exact(volume);
    let users: Vec<Uuid> = txn
        .scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending)
        .map(|attachment| attachment.id)
        .collect();
    if let Some(offer) = txn.find(&Transfer::BY_VOLUME, volume).map(|offer| offer.id) {
        txn.delete::<Transfer>(offer)?;
    }
    for user in users {
        txn.delete::<Attachment>(user)?;
    }
    Ok(())
}

/// Deletes all snapshots of a volume, or none.
fn delete_snapshots(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    volume: &Volume,
    force: bool,
) -> Result<(), Error> {
    let snapshots: Vec<Snapshot> =
        snapshots_of(txn, volume.id).map(|row| Snapshot::clone(row)).collect();
    for snapshot in &snapshots {
        let allowed = SnapshotOperation::DeleteWithVolume.allows(snapshot.status);
        let group = snapshot.group_snapshot_id;
        // A cascade must not delete a snapshot of another project, nor name it.
        if !cx.caller.sees(&snapshot.project_id) {
            return Err(VolumeRefusal::Delete { force }.into());
        }
        let (snapshot, status) = (snapshot.id, snapshot.status);
        if let Some(group_snapshot) = group {
            return Err(SnapshotRefusal::InGroupSnapshot { snapshot, group_snapshot }.into());
        }
        if !allowed {
            return Err(VolumeRefusal::CascadeSnapshot { snapshot, status }.into());
        }
    }
    for mut snapshot in snapshots {
        let target = (WorkTarget::Snapshot, snapshot.id);
        snapshot.status = SnapshotOperation::DeleteWithVolume.next(snapshot.status);
        snapshot.updated_at = Some(cx.now);
        totals::put_snapshot(txn, snapshot)?;
        queue(txn, cx, target, Task::DeleteSnapshot { keep_data: false }, None)?;
    }
    Ok(())
}
