//! Creation of group snapshots.

use statehold_store::WriteTxn;
use uuid::Uuid;

use crate::{
    caller::policy,
    context::Context,
    errors::{Error, GroupRefusal},
    ops::{
        groups::{GroupApi, find_group, volumes_of},
        snapshots::create_group_member,
    },
    quota::{self, Deltas},
    rows::{Group, GroupSnapshot, GroupSnapshotStatus, Volume},
    status_machine::GroupOperation,
    work::resolve_group_snapshot,
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
