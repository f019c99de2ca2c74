//! Snapshots of all volumes of a group.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::{GroupApi, find_group, find_group_snapshot, volumes_of};
use crate::{
    caller::policy,
    context::Context,
    errors::{Error, GroupRefusal, Missing},
    ops::snapshots::create_group_member,
    quota::{self, Deltas},
    rows::{
        Group, GroupSnapshot, GroupSnapshotStatus, GroupStatus, Snapshot, SnapshotStatus, Task,
        Volume, WorkTarget,
    },
    status_machine::{GroupOperation, GroupSnapshotOperation, SnapshotOperation},
    totals,
    work::{queue, resolve_group_snapshot},
};

/// A request for a group snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupSnapshotSpec {
    /// The group, by its ID.
    pub group_id: Box<str>,
    /// Its name, which its snapshots get as well.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
}

/// Creates a group snapshot with the ID `id`: a snapshot of each volume, with the IDs that `new_id`
/// returns. It is `creating` until all of them are created.
///
/// # Errors
/// [`Error`]; [`GroupRefusal::NothingToSnapshot`] for a group without volumes. The quota of all
/// snapshots is checked together.
// Cinder: cinder/group/api.py, API.create_group_snapshot.
pub fn create_group_snapshot(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    api: GroupApi,
    id: Uuid,
    spec: &GroupSnapshotSpec,
    mut new_id: impl FnMut() -> Uuid,
) -> Result<(), Error> {
    let group = Group::clone(find_group(txn, cx, api, &spec.group_id)?);
    cx.caller.check_on(policy::GROUP_SNAPSHOT_CREATE, &group)?;
    GroupOperation::Snapshot.check(&group)?;
    let volumes: Vec<Volume> =
        volumes_of(txn, group.id).map(|volume| Volume::clone(volume)).collect();
    // An empty group snapshot would block its group: no volume could be added and removed again.
    if volumes.is_empty() {
        return Err(GroupRefusal::NothingToSnapshot.into());
    }
    let mut deltas = Deltas::new();
    for volume in &volumes {
        let own = quota::of_snapshot(cx.config, volume.volume_type_id, 1, volume.size);
        for (resource, delta) in own {
            *deltas.entry(resource).or_default() += delta;
        }
    }
    // Charged to the group's project even if an admin calls, because the snapshots belong to it.
    quota::charge(txn, cx.config, &group.project_id, &deltas)?;
    txn.upsert::<GroupSnapshot>(GroupSnapshot {
        id,
        project_id: group.project_id.clone(),
        user_id: cx.caller.user.clone(),
        group_id: group.id,
        group_type_id: group.group_type_id,
        name: spec.name.clone(),
        description: spec.description.clone(),
        status: GroupSnapshotStatus::Creating,
        created_at: cx.now,
        updated_at: None,
    })?;
    for volume in &volumes {
        let texts = (spec.name.clone(), spec.description.clone());
        create_group_member(txn, cx, new_id(), volume, id, texts)?;
    }
    Ok(resolve_group_snapshot(txn, cx.now, id)?)
}

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

/// Admin: sets a group snapshot's status unconditionally.
///
/// # Errors
/// [`Error`] with the status 400 for an unknown status, 404 before 3.19.
// Cinder: cinder/group/api.py, API.reset_group_snapshot_status.
pub fn reset_group_snapshot_status(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    status: &str,
) -> Result<(), Error> {
    const SINCE: u16 = 19;
    if !cx.version.at_least(SINCE) {
        return Err(Missing::Operation.into());
    }
    let mut row = GroupSnapshot::clone(find_group_snapshot(txn, cx, GroupApi::Groups, id)?);
    cx.caller.check_on(policy::GROUP_SNAPSHOT_RESET_STATUS, &row)?;
    row.status = parse_status(status)?;
    row.updated_at = Some(cx.now);
    txn.upsert::<GroupSnapshot>(row)?;
    Ok(())
}

fn parse_status(text: &str) -> Result<GroupSnapshotStatus, Error> {
    if text.trim().is_empty() {
        let text = "Invalid GroupSnapshot Status: The 'status' can not be empty.";
        return Err(Error::request(text));
    }
    GroupSnapshotStatus::parse(&text.to_lowercase())
        .ok_or_else(|| GroupRefusal::NoSnapshotStatus { status: text.into() }.into())
}

pub(crate) fn check_group_snapshot_status(text: &str) -> Result<(), Error> {
    parse_status(text).map(drop)
}
