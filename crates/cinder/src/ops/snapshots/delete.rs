//! Deleting and unmanaging snapshots.

use statehold_store::WriteTxn;

use super::write_snapshot;
use crate::{
    access::actions::Rule,
    caller::policy,
    context::{Context, find_snapshot},
    errors::{Error, SnapshotRefusal},
    rows::{Snapshot, SnapshotStatus, Task, WorkTarget},
    status_machine::SnapshotOperation,
    work::queue,
};

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
    let action = if force { SnapshotOperation::ForceDelete } else { SnapshotOperation::Delete };
    queue_deletion(txn, cx, id, rule, action)
}

/// Removes a snapshot's record and keeps its data. Admins only.
///
/// # Errors
/// As [`delete_snapshot`].
// Cinder: cinder/volume/api.py, API.delete_snapshot with `unmanage_only`.
pub fn unmanage_snapshot(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    queue_deletion(txn, cx, id, policy::SNAPSHOT_UNMANAGE, SnapshotOperation::Unmanage)
}

fn queue_deletion(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    rule: Rule,
    action: SnapshotOperation,
) -> Result<(), Error> {
    let mut row = Snapshot::clone(find_snapshot(txn, cx.caller, id)?);
    cx.caller.check_on(rule, &row)?;
    let status = action.check(&row)?;
    if row.group_snapshot_id.is_some() {
        return Err(SnapshotRefusal::Delete.into());
    }
    let target = (WorkTarget::Snapshot, row.id);
    row.status = status;
    write_snapshot(txn, cx.now, row)?;
    let keep_data = status == SnapshotStatus::Unmanaging;
    queue(txn, cx, target, Task::DeleteSnapshot { keep_data }, None)?;
    Ok(())
}
