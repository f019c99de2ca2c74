//! Deletion of groups, optionally with their volumes.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};

use super::{GroupApi, find_group, volumes_of, write_group};
use crate::{
    caller::policy,
    context::Context,
    errors::{Error, GroupRefusal},
    ops::volumes::delete_group_member,
    quota,
    rows::{
        AttachStatus, Group, GroupSnapshot, GroupStatus, Task, Volume, VolumeStatus, WorkTarget,
    },
    status_machine::{GroupOperation, VolumeOperation, check_settled},
    work::{cancel, queue, snapshots_of},
};

/// Deletes a group, and its volumes with `delete_volumes`. All are `deleting`, and workers delete
/// them. A group without volumes and back end is deleted at once.
///
/// # Errors
/// [`Error`]; [`GroupRefusal`] while it is in use, or has volumes or snapshots that would remain.
// Cinder: cinder/group/api.py, API.delete.
pub fn delete_group(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    api: GroupApi,
    id: &str,
    delete_volumes: bool,
) -> Result<(), Error> {
    let mut group = Group::clone(find_group(txn, cx, api, id)?);
    cx.caller.check_on(policy::GROUP_DELETE, &group)?;
    let range = KeyRange::exact(group.id);
    if txn.scan_by(&GroupSnapshot::BY_GROUP, &range, Order::Ascending).next().is_some() {
        return Err(GroupRefusal::HasSnapshots.into());
    }
    let volumes: Vec<Volume> =
        volumes_of(txn, group.id).map(|volume| Volume::clone(volume)).collect();
    // No back end knows the group, so no worker has anything to delete.
    if group.host.is_none() && volumes.is_empty() {
        cancel(txn, cx, (WorkTarget::Group, group.id))?;
        quota::apply(txn, cx.config, &group.project_id, &quota::of_groups(-1))?;
        txn.delete::<Group>(group.id)?;
        return Ok(());
    }
    let status = check_deletable(txn, &group, &volumes, delete_volumes)?;
    for volume in volumes {
        // Its work item is queued already.
        if volume.status != VolumeStatus::Deleting {
            delete_group_member(txn, cx, volume)?;
        }
    }
    let target = (WorkTarget::Group, group.id);
    // Last, because cancelling the work of a volume fails a group that is `deleting`.
    group.status = status;
    write_group(txn, cx.now, group)?;
    queue(txn, cx, target, Task::DeleteGroup, None)?;
    Ok(())
}

fn check_deletable(
    view: &impl ReadView,
    group: &Group,
    volumes: &[Volume],
    delete_volumes: bool,
) -> Result<GroupStatus, Error> {
    let id = group.id;
    let action =
        if delete_volumes { GroupOperation::DeleteWithVolumes } else { GroupOperation::Delete };
    let status = action.check(group)?;
    if !volumes.is_empty() && !delete_volumes {
        return Err(GroupRefusal::HasVolumes { group: id }.into());
    }
    for volume in volumes {
        if volume.attach_status == AttachStatus::Attached {
            return Err(GroupRefusal::Attached { group: id }.into());
        }
        if snapshots_of(view, volume.id).next().is_some() {
            return Err(GroupRefusal::VolumeSnapshots.into());
        }
        VolumeOperation::DeleteWithGroup.check(volume)?;
        check_settled(volume)?;
    }
    // A copy reads the volumes of its source until it is created.
    let mut copies = view.scan_by(&Group::BY_SOURCE, &KeyRange::exact(id), Order::Ascending);
    if copies.any(|copy| copy.status == GroupStatus::Creating) {
        return Err(GroupRefusal::Source { group: id }.into());
    }
    Ok(status)
}
