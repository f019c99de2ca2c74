//! What groups and group snapshots are after work, their own and that of what they consist of.
//!
//! A group snapshot, and a group that is made from another, have no work of their own: they are there
//! when all of their members are.

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::outcome::{Outcome, tell};
use crate::{
    config::Config,
    quota,
    rows::{
        Group, GroupSnapshot, GroupSnapshotStatus, GroupStatus, Snapshot, SnapshotStatus, Task,
        Volume, VolumeStatus, WorkItem, WorkTarget,
    },
};

/// What the target of work is part of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whole {
    Group(Uuid),
    Snapshot(Uuid),
}

/// What the target of work is part of, if anything.
pub(super) fn whole_of(view: &impl ReadView, item: &WorkItem) -> Option<Whole> {
    match item.kind {
        WorkTarget::Volume => view.get::<Volume>(item.target)?.group_id.map(Whole::Group),
        WorkTarget::Snapshot => {
            view.get::<Snapshot>(item.target)?.group_snapshot_id.map(Whole::Snapshot)
        }
        WorkTarget::Group | WorkTarget::Backup => None,
    }
}

/// Looks at a whole again, after something came of the work on a part of it.
pub(super) fn settle(txn: &mut WriteTxn<'_>, now: i64, whole: Whole) -> Result<(), WriteError> {
    match whole {
        Whole::Group(id) => settle_group(txn, now, id),
        Whole::Snapshot(id) => settle_group_snapshot(txn, now, id),
    }
}

/// Whether a group waits for work of its own.
fn has_work(view: &impl ReadView, group: Uuid) -> bool {
    view.get::<WorkItem>((WorkTarget::Group.as_str(), group)).is_some()
}

/// Whether a group doesn't know its back end yet.
pub(super) fn is_unplaced(view: &impl ReadView, group: Uuid) -> bool {
    let making = |row: &Group| row.status == GroupStatus::Creating;
    view.get::<Group>(group).is_some_and(|row| making(row)) && has_work(view, group)
}

/// Whether no volume is left in a group.
pub(super) fn is_empty(view: &impl ReadView, group: Uuid) -> bool {
    members(view, group).next().is_none()
}

fn members(view: &impl ReadView, group: Uuid) -> statehold_store::Scan<'_, Volume> {
    view.scan_by(&Volume::BY_GROUP, &KeyRange::exact(group), Order::Ascending)
}

/// Brings a group out of being made when all of its volumes are made, and out of being deleted when
/// one of them stays.
pub(crate) fn settle_group(txn: &mut WriteTxn<'_>, now: i64, id: Uuid) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Group>(id) else { return Ok(()) };
    let all = |status| members(txn, id).all(|volume| volume.status == status);
    let any = |status| members(txn, id).any(|volume| volume.status == status);
    let status = match row.status {
        GroupStatus::Creating if !has_work(txn, id) && !any(VolumeStatus::Creating) => {
            let whole = !any(VolumeStatus::Error);
            if whole { GroupStatus::Available } else { GroupStatus::Error }
        }
        GroupStatus::Deleting if !all(VolumeStatus::Deleting) => GroupStatus::Error,
        _ => return Ok(()),
    };
    bring_to(txn, now, id, status)
}

/// Gives a group a status, and drops work of its own that waits.
fn bring_to(
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

/// Brings a group snapshot out of being made when all of its snapshots are made; deletes it when none
/// is left, and keeps it when one of them stays.
pub(crate) fn settle_group_snapshot(
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
    row.status = match row.status {
        GroupSnapshotStatus::Creating if statuses.contains(&SnapshotStatus::Creating) => {
            return Ok(());
        }
        GroupSnapshotStatus::Creating if all(SnapshotStatus::Available) => {
            GroupSnapshotStatus::Available
        }
        GroupSnapshotStatus::Deleting if statuses.is_empty() => {
            txn.delete::<GroupSnapshot>(id)?;
            return Ok(());
        }
        GroupSnapshotStatus::Deleting if all(SnapshotStatus::Deleting) => return Ok(()),
        GroupSnapshotStatus::Creating | GroupSnapshotStatus::Deleting => GroupSnapshotStatus::Error,
        _ => return Ok(()),
    };
    row.updated_at = Some(now);
    txn.upsert::<GroupSnapshot>(row)?;
    Ok(())
}

/// Gives up making or deleting a whole, because an operator settled what was being done with a part.
pub(super) fn give_up(txn: &mut WriteTxn<'_>, now: i64, whole: Whole) -> Result<(), WriteError> {
    match whole {
        Whole::Group(id) => {
            let row = txn.get::<Group>(id);
            // What waits for its back end has lost nothing.
            let waits = row.is_some_and(|row| match row.status {
                GroupStatus::Creating => !has_work(txn, id),
                GroupStatus::Deleting => true,
                _ => false,
            });
            if waits { bring_to(txn, now, id, GroupStatus::Error) } else { Ok(()) }
        }
        Whole::Snapshot(id) => {
            let Some(row) = txn.get::<GroupSnapshot>(id) else { return Ok(()) };
            let under_way = [GroupSnapshotStatus::Creating, GroupSnapshotStatus::Deleting]
                .contains(&row.status);
            if !under_way {
                return Ok(());
            }
            let mut row = GroupSnapshot::clone(row);
            row.status = GroupSnapshotStatus::Error;
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
    row.status = match (&item.task, outcome) {
        (Task::DeleteGroup, Outcome::Done { .. }) if is_empty(txn, row.id) => {
            quota::apply(txn, config, &row.project_id, &quota::of_groups(-1))?;
            txn.delete::<Group>(row.id)?;
            return Ok(());
        }
        (Task::CreateGroup, Outcome::Done { moved, .. }) => {
            row.host = moved.as_ref().map(|placement| placement.host.clone());
            GroupStatus::Available
        }
        _ => GroupStatus::Error,
    };
    tell(txn, now, &row.project_id, item, outcome)?;
    txn.upsert::<Group>(row)?;
    Ok(())
}
