//! Deleting volumes, with their snapshots if asked to, and forgetting them.

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::write;
use crate::{
    access::actions::Rule,
    caller::policy,
    context::{Context, find_volume},
    error::Error,
    ops::refusal::VolumeRefusal,
    quota,
    rows::{
        AttachStatus, Attachment, Snapshot, SnapshotStatus, Task, Transfer, Volume, VolumeStatus,
        WorkTarget,
    },
    totals,
    work::{cancel, queue, snapshots_of},
};

/// How a volume is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Its snapshots are deleted too.
    pub cascade: bool,
    /// Its status doesn't count. Admins only.
    pub force: bool,
}

/// Deletes a volume: it is `deleting`, and a worker has to delete it. One that no back end has heard
/// of is gone at once.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Delete`] while it is in use or has snapshots.
pub fn delete_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    options: DeleteOptions,
) -> Result<(), Error> {
    remove(txn, cx, id, options, policy::VOLUME_FORCE_DELETE)
}

/// Deletes a volume whatever its status, for callers that the policy allows the action `os-force_delete`.
///
/// # Errors
/// As [`delete_volume`].
pub fn force_delete_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
) -> Result<(), Error> {
    let options = DeleteOptions { cascade: false, force: true };
    remove(txn, cx, id, options, policy::VOLUME_ADMIN_FORCE_DELETE)
}

/// Deletes a volume; `force` is the action of doing so by force.
fn remove(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    options: DeleteOptions,
    force: Rule,
) -> Result<(), Error> {
    let row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_DELETE, &row)?;
    if options.force {
        cx.caller.check_on(force, &row)?;
    }
    // A member goes with its group alone.
    if row.host.is_none() && row.group_id.is_none() {
        cancel(txn, cx, (WorkTarget::Volume, row.id))?;
        if row.consumes_quota {
            let deltas = quota::of_volume(row.volume_type_id, -1, row.size);
            quota::apply(txn, cx.config, &row.project_id, &deltas)?;
        }
        forget_users(txn, row.id)?;
        totals::remove_volume(txn, row.id)?;
        return Ok(());
    }
    check(&row, options.force)?;
    if options.cascade {
        delete_snapshots(txn, cx, &row, options.force)?;
    } else if snapshots_of(txn, row.id).next().is_some() {
        return Err(VolumeRefusal::Delete { force: options.force }.into());
    }
    leave(txn, cx, row, false)
}

/// Forgets a volume without deleting its data. Admins only.
///
/// # Errors
/// As [`delete_volume`], and [`VolumeRefusal::UnmanageEncrypted`].
pub fn unmanage_volume(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_UNMANAGE, &row)?;
    if row.encryption_key_id.is_some() {
        return Err(VolumeRefusal::UnmanageEncrypted.into());
    }
    check(&row, false)?;
    if snapshots_of(txn, row.id).next().is_some() {
        return Err(VolumeRefusal::Delete { force: false }.into());
    }
    leave(txn, cx, row, true)
}

/// Deletes a volume together with its group, which was asked whether it can go.
pub(in crate::ops) fn delete_member(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    row: Volume,
) -> Result<(), Error> {
    leave(txn, cx, row, false)
}

/// What holds for a volume that is to go, whatever becomes of its snapshots.
fn check(row: &Volume, force: bool) -> Result<(), VolumeRefusal> {
    let over = matches!(
        row.status,
        VolumeStatus::Available
            | VolumeStatus::Error
            | VolumeStatus::ErrorRestoring
            | VolumeStatus::ErrorExtending
            | VolumeStatus::ErrorManaging
    );
    let free =
        row.attach_status != AttachStatus::Attached && row.is_settled() && row.group_id.is_none();
    if free && (over || force) { Ok(()) } else { Err(VolumeRefusal::Delete { force }) }
}

fn leave(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    mut row: Volume,
    keep_data: bool,
) -> Result<(), Error> {
    // What was never taken over is not this cloud's to delete.
    let not_own = matches!(
        row.status,
        VolumeStatus::Managing | VolumeStatus::ErrorManaging | VolumeStatus::ErrorManagingDeleting
    );
    let id = row.id;
    // A forced deletion takes the place of what was under way.
    cancel(txn, cx, (WorkTarget::Volume, id))?;
    // Whoever only waited for it waits in vain.
    forget_users(txn, id)?;
    row.attach_status = AttachStatus::Detached;
    row.status = match (keep_data, not_own) {
        (true, _) => VolumeStatus::Unmanaging,
        (false, true) => VolumeStatus::ErrorManagingDeleting,
        (false, false) => VolumeStatus::Deleting,
    };
    row.previous_status = None;
    write(txn, cx.now, row)?;
    let task = Task::DeleteVolume { keep_data: keep_data || not_own };
    queue(txn, cx, (WorkTarget::Volume, id), task, None)?;
    Ok(())
}

/// Drops the attachments of a volume that goes, and the offer of it.
fn forget_users(txn: &mut WriteTxn<'_>, volume: Uuid) -> Result<(), WriteError> {
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

/// Has all snapshots of a volume deleted, or none.
fn delete_snapshots(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    volume: &Volume,
    force: bool,
) -> Result<(), Error> {
    let snapshots: Vec<Snapshot> =
        snapshots_of(txn, volume.id).map(|row| Snapshot::clone(row)).collect();
    for snapshot in &snapshots {
        let over = matches!(snapshot.status, SnapshotStatus::Available | SnapshotStatus::Error);
        if !over || snapshot.group_snapshot_id.is_some() || !cx.caller.sees(&snapshot.project_id) {
            return Err(VolumeRefusal::Delete { force }.into());
        }
    }
    for mut snapshot in snapshots {
        let target = (WorkTarget::Snapshot, snapshot.id);
        snapshot.status = SnapshotStatus::Deleting;
        snapshot.updated_at = Some(cx.now);
        totals::put_snapshot(txn, snapshot)?;
        queue(txn, cx, target, Task::DeleteSnapshot { keep_data: false }, None)?;
    }
    Ok(())
}
