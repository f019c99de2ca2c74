//! Creation of groups from group snapshots and from other groups: a copy of each of their volumes.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::{GroupApi, find_group, volumes_of};
use crate::{
    caller::policy,
    context::Context,
    errors::{Error, GroupRefusal, Missing},
    ops::{
        group_snapshots::find_group_snapshot,
        volumes::{VolumeSpec, create_volume},
    },
    quota,
    rows::{Group, GroupStatus, Snapshot},
    status_machine::GroupSnapshotOperation,
    work::resolve_group,
};

/// The source of a new group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupSource {
    /// A group snapshot, by its ID.
    Snapshot(Box<str>),
    /// A group, by its ID.
    Group(Box<str>),
}

/// A request for a group with a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSourceSpec {
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Its source.
    pub source: GroupSource,
}

/// Creates a group with the ID `id` from another group or from a group snapshot. It is `creating`
/// until all of its volumes, with the IDs that `new_id` returns, are created.
///
/// # Errors
/// [`Error`]: the source is empty, or its status does not allow it, or the quota is exceeded.
// Cinder: cinder/group/api.py, API.create_from_src.
pub fn create_group_from(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    api: GroupApi,
    id: Uuid,
    spec: GroupSourceSpec,
    mut new_id: impl FnMut() -> Uuid,
) -> Result<(), Error> {
    cx.caller.check(policy::GROUP_CREATE)?;
    let (origin, snapshot) = match &spec.source {
        GroupSource::Group(id) => (Group::clone(find_group(txn, cx, api, id)?), None),
        GroupSource::Snapshot(id) => {
            let row = find_group_snapshot(txn, cx, api, id)?;
            GroupSnapshotOperation::Copy.check(row)?;
            let missing = || Missing::Group(row.group_id.to_string().into());
            let group = txn.get::<Group>(row.group_id).ok_or_else(missing)?;
            (Group::clone(group), Some(row.id))
        }
    };
    let copies = volume_specs(txn, &origin, snapshot);
    if copies.is_empty() {
        return Err(match snapshot {
            Some(_) => GroupRefusal::EmptySnapshot.into(),
            None => GroupRefusal::EmptyGroup.into(),
        });
    }
    let project = &cx.caller.project;
    quota::charge(txn, cx.config, project, &quota::of_groups(1))?;
    txn.upsert::<Group>(Group {
        id,
        project_id: project.clone(),
        user_id: cx.caller.user.clone(),
        name: spec.name,
        description: spec.description,
        status: GroupStatus::Creating,
        created_at: cx.now,
        updated_at: None,
        source_group_id: snapshot.is_none().then_some(origin.id),
        group_snapshot_id: snapshot,
        ..origin
    })?;
    for copy in copies {
        let group_id = Some(id.to_string().into());
        create_volume(txn, cx, new_id(), VolumeSpec { group_id, ..copy })?;
    }
    Ok(resolve_group(txn, cx.now, id)?)
}

/// Returns requests for the volumes of the new group, with their types and sources.
fn volume_specs(view: &impl ReadView, origin: &Group, snapshot: Option<Uuid>) -> Vec<VolumeSpec> {
    let spec = |volume_type: Option<Uuid>, zone: &str| VolumeSpec {
        volume_type: volume_type.map(|id| id.to_string().into()),
        availability_zone: Some(zone.into()),
        ..VolumeSpec::default()
    };
    let zone = &origin.availability_zone;
    let Some(snapshot) = snapshot else {
        return volumes_of(view, origin.id)
            .map(|volume| VolumeSpec {
                source_volid: Some(volume.id.to_string().into()),
                ..spec(volume.volume_type_id, &volume.availability_zone)
            })
            .collect();
    };
    view.scan_by(&Snapshot::BY_GROUP_SNAPSHOT, &KeyRange::exact(snapshot), Order::Ascending)
        .map(|part| VolumeSpec {
            snapshot_id: Some(part.id.to_string().into()),
            ..spec(part.volume_type_id, zone)
        })
        .collect()
}
