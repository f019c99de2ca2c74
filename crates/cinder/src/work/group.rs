//! The statuses of groups and group snapshots after their own work and that of their members.
//!
//! A group snapshot, and a group that is copied from another, have no work of their own: they become available with
//! the last of their members.

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::{message::add_message, outcome::Outcome};
use crate::{
    config::Config,
    quota,
    rows::{
        Group, GroupSnapshot, GroupSnapshotStatus, GroupStatus, Snapshot, SnapshotStatus, Task,
        Volume, VolumeStatus, WorkItem, WorkTarget,
    },
    status_machine::WorkEnd,
};

// The names of the tasks that end the statuses of groups and group snapshots.
const CREATE_MEMBER: &str = "create_volume";
const DELETE_GROUP: &str = "delete_group";
const CREATE_SNAPSHOT: &str = "create_snapshot";
const DELETE_SNAPSHOT: &str = "delete_snapshot";

/// The group or group snapshot that the target of work is a member of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Parent {
    Group(Uuid),
    Snapshot(Uuid),
}

/// Returns the parent of the target of work, if any.
pub(super) fn parent_of(view: &impl ReadView, item: &WorkItem) -> Option<Parent> {
    match item.kind {
        WorkTarget::Volume => view.get::<Volume>(item.target)?.group_id.map(Parent::Group),
        WorkTarget::Snapshot => {
            view.get::<Snapshot>(item.target)?.group_snapshot_id.map(Parent::Snapshot)
        }
        WorkTarget::Group | WorkTarget::Backup => None,
    }
}

/// Resolves the status of a parent after the work on a member ended.
pub(super) fn resolve_parent(
    txn: &mut WriteTxn<'_>,
    now: i64,
    parent: Parent,
) -> Result<(), WriteError> {
    match parent {
        Parent::Group(id) => resolve_group(txn, now, id),
        Parent::Snapshot(id) => resolve_group_snapshot(txn, now, id),
    }
}

/// Returns whether work of the group itself is queued.
fn has_work(view: &impl ReadView, group: Uuid) -> bool {
    view.get::<WorkItem>((WorkTarget::Group.as_str(), group)).is_some()
}

/// Returns whether no back end was chosen for the group yet.
pub(super) fn is_unplaced(view: &impl ReadView, group: Uuid) -> bool {
    let creating = |row: &Group| row.status == GroupStatus::Creating;
    view.get::<Group>(group).is_some_and(|row| creating(row)) && has_work(view, group)
}

/// Returns whether the group has no volumes.
pub(super) fn is_empty(view: &impl ReadView, group: Uuid) -> bool {
    members(view, group).next().is_none()
}

fn members(view: &impl ReadView, group: Uuid) -> statehold_store::Scan<'_, Volume> {
    view.scan_by(&Volume::BY_GROUP, &KeyRange::exact(group), Order::Ascending)
}

/// Ends `creating` once no volume of the group is being created, and `deleting` if a volume of the group stays.
pub(crate) fn resolve_group(txn: &mut WriteTxn<'_>, now: i64, id: Uuid) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Group>(id) else { return Ok(()) };
    let all = |status| members(txn, id).all(|volume| volume.status == status);
    let any = |status| members(txn, id).any(|volume| volume.status == status);
    let status = match row.status {
        GroupStatus::Creating if !has_work(txn, id) && !any(VolumeStatus::Creating) => {
            row.status.after(CREATE_MEMBER, WorkEnd::of(!any(VolumeStatus::Error)), row.status)
        }
        GroupStatus::Deleting if !all(VolumeStatus::Deleting) => {
            row.status.after(DELETE_GROUP, WorkEnd::Failed, row.status)
        }
        _ => return Ok(()),
    };
    status.map_or(Ok(()), |status| set_group_status(txn, now, id, status))
}

/// Sets the status of a group and removes its own work.
fn set_group_status(
    txn: &mut WriteTxn<'_>,
    now: i64,
    id: Uuid,
    status: GroupStatus,
) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Group>(id) else { return Ok(()) };
    let mut row = Group::clone(row);
    row.status = status;
    row.updated_at = Some(now);
    txn.upsert::<Group>(row)?;
    txn.delete::<WorkItem>((WorkTarget::Group.as_str(), id))?;
    Ok(())
}

/// Ends `creating` once no snapshot of the group snapshot is being created. Deletes a group snapshot in `deleting` with
/// its last snapshot, and sets `error` if one of them stays.
pub(crate) fn resolve_group_snapshot(
    txn: &mut WriteTxn<'_>,
    now: i64,
    id: Uuid,
) -> Result<(), WriteError> {
    let Some(row) = txn.get::<GroupSnapshot>(id) else { return Ok(()) };
    let mut row = GroupSnapshot::clone(row);
    let statuses: Vec<SnapshotStatus> = txn
        .scan_by(&Snapshot::BY_GROUP_SNAPSHOT, &KeyRange::exact(id), Order::Ascending)
        .map(|part| part.status)
        .collect();
    let all = |status| statuses.iter().all(|own| *own == status);
    let (task, end) = match row.status {
        GroupSnapshotStatus::Creating if statuses.contains(&SnapshotStatus::Creating) => {
            return Ok(());
        }
        GroupSnapshotStatus::Creating => {
            (CREATE_SNAPSHOT, WorkEnd::of(all(SnapshotStatus::Available)))
        }
        GroupSnapshotStatus::Deleting if statuses.is_empty() => (DELETE_SNAPSHOT, WorkEnd::Done),
        GroupSnapshotStatus::Deleting if all(SnapshotStatus::Deleting) => return Ok(()),
        GroupSnapshotStatus::Deleting => (DELETE_SNAPSHOT, WorkEnd::Failed),
        _ => return Ok(()),
    };
    let Some(status) = row.status.after(task, end, row.status) else {
        txn.delete::<GroupSnapshot>(id)?;
        return Ok(());
    };
    row.status = status;
    row.updated_at = Some(now);
    txn.upsert::<GroupSnapshot>(row)?;
    Ok(())
}

/// Fails the creation or deletion of a parent, because the work on a member was cancelled.
pub(super) fn fail_parent(
    txn: &mut WriteTxn<'_>,
    now: i64,
    parent: Parent,
) -> Result<(), WriteError> {
    match parent {
        Parent::Group(id) => {
            let Some(row) = txn.get::<Group>(id) else { return Ok(()) };
            let task = match row.status {
                // A group without a back end has no members that its own work depends on.
                GroupStatus::Creating if !has_work(txn, id) => CREATE_MEMBER,
                GroupStatus::Deleting => DELETE_GROUP,
                _ => return Ok(()),
            };
            let status = row.status.after(task, WorkEnd::Failed, row.status);
            status.map_or(Ok(()), |status| set_group_status(txn, now, id, status))
        }
        Parent::Snapshot(id) => {
            let Some(row) = txn.get::<GroupSnapshot>(id) else { return Ok(()) };
            let task = match row.status {
                GroupSnapshotStatus::Creating => CREATE_SNAPSHOT,
                GroupSnapshotStatus::Deleting => DELETE_SNAPSHOT,
                _ => return Ok(()),
            };
            let mut row = GroupSnapshot::clone(row);
            row.status = row.status.after(task, WorkEnd::Failed, row.status).unwrap_or(row.status);
            row.updated_at = Some(now);
            txn.upsert::<GroupSnapshot>(row)?;
            Ok(())
        }
    }
}

pub(super) fn finish_group(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    item: &WorkItem,
    outcome: &Outcome,
) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Group>(item.target) else { return Ok(()) };
    let mut row = Group::clone(row);
    row.updated_at = Some(now);
    let done = match (&item.task, outcome) {
        // A deletion that left volumes in the group failed, too.
        (Task::DeleteGroup, Outcome::Done { .. }) => is_empty(txn, row.id),
        (Task::CreateGroup, Outcome::Done { moved, .. }) => {
            row.host = moved.as_ref().map(|placement| placement.host.clone());
            true
        }
        _ => false,
    };
    let Some(status) = row.status.after(item.task.name(), WorkEnd::of(done), row.status) else {
        quota::apply(txn, config, &row.project_id, &quota::of_groups(-1))?;
        txn.delete::<Group>(row.id)?;
        return Ok(());
    };
    row.status = status;
    add_message(txn, now, &row.project_id, item, outcome)?;
    txn.upsert::<Group>(row)?;
    Ok(())
}
