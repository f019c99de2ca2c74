//! Deletion of group snapshots.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};

use super::find_group_snapshot;
use crate::{
    caller::policy,
    context::Context,
    errors::{Error, GroupRefusal},
    ops::groups::GroupApi,
    rows::{Group, GroupSnapshot, GroupStatus, Snapshot, SnapshotStatus, Task, WorkTarget},
    status_machine::{GroupSnapshotOperation, SnapshotOperation},
    totals,
    work::{queue, resolve_group_snapshot},
};

/// Deletes a group snapshot and its snapshots. They are `deleting`, and workers delete them. One
/// without snapshots is deleted at once.
///
/// # Errors
/// [`Error`]; [`GroupRefusal::DeleteSnapshot`] while it or one of its snapshots is in use.
// Cinder: cinder/group/api.py, API.delete_group_snapshot.
pub fn delete_group_snapshot(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    api: GroupApi,
    id: &str,
) -> Result<(), Error> {
    let mut row = GroupSnapshot::clone(find_group_snapshot(txn, cx, api, id)?);
    cx.caller.check_on(policy::GROUP_SNAPSHOT_DELETE, &row)?;
    let range = KeyRange::exact(row.id);
    let status = GroupSnapshotOperation::Delete.check(&row)?;
    // A group that is being created from it still reads its snapshots.
    let used = txn
        .scan_by(&Group::BY_SNAPSHOT, &range, Order::Ascending)
        .any(|copy| copy.status == GroupStatus::Creating);
    let parts: Vec<Snapshot> = txn
        .scan_by(&Snapshot::BY_GROUP_SNAPSHOT, &range, Order::Ascending)
        .map(|part| Snapshot::clone(part))
        .collect();
    let busy = parts.iter().any(|part| !SnapshotOperation::DeleteWithGroup.allows(part.status));
    if used || busy {
        return Err(GroupRefusal::DeleteSnapshot.into());
    }
    for mut part in parts {
        // Its work item is queued already.
        if part.status == SnapshotStatus::Deleting {
            continue;
        }
        let target = (WorkTarget::Snapshot, part.id);
        part.status = SnapshotOperation::DeleteWithGroup.next(part.status);
        part.updated_at = Some(cx.now);
        totals::put_snapshot(txn, part)?;
        queue(txn, cx, target, Task::DeleteSnapshot { keep_data: false }, None)?;
    }
    let id = row.id;
    row.status = status;
    row.updated_at = Some(cx.now);
    txn.upsert::<GroupSnapshot>(row)?;
    Ok(resolve_group_snapshot(txn, cx.now, id)?)
}
