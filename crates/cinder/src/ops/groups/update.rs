//! Changing the name, description and volumes of a group.

use statehold_store::{ReadView, WriteTxn};

use super::{GroupApi, check_group_limit, find_group, write_group};
use crate::{
    caller::policy,
    context::Context,
    errors::{CantAdd, Error, GroupRefusal},
    id::parse_id,
    rows::{Group, Transfer, Volume},
    status_machine::{GroupOperation, VolumeOperation},
    totals,
};

/// A change of a group. `None` keeps a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupChange {
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// The IDs of the volumes to add.
    pub add_volumes: Vec<Box<str>>,
    /// The IDs of the volumes to remove.
    pub remove_volumes: Vec<Box<str>>,
}

/// Updates a group's name, description and members. The change is complete at once, because no back
/// end takes part.
///
/// # Errors
/// [`Error`]; [`GroupRefusal`] if a volume cannot be added or removed, or nothing would change.
// Cinder: cinder/group/api.py, API.update, _validate_remove_volumes and _validate_add_volumes.
pub fn update_group(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    api: GroupApi,
    id: &str,
    change: GroupChange,
) -> Result<(), Error> {
    let mut group = Group::clone(find_group(txn, cx, api, id)?);
    cx.caller.check_on(policy::GROUP_UPDATE, &group)?;
    // An equal value is no change, so that a request with nothing else is rejected.
    let name = change.name.filter(|name| group.name.as_ref() != Some(name));
    let description = change.description.filter(|text| group.description.as_ref() != Some(text));
    let (add, remove) = (change.add_volumes, change.remove_volumes);
    let both: Vec<Box<str>> = add.iter().filter(|id| remove.contains(id)).cloned().collect();
    if !both.is_empty() {
        return Err(GroupRefusal::AddAndRemove { volumes: both }.into());
    }
    let leaving = remove
        .iter()
        .map(|text| find_leaving_volume(txn, &group, text))
        .collect::<Result<Vec<_>, GroupRefusal>>()?;
    let joining = add
        .iter()
        .map(|text| find_joining_volume(txn, cx, &group, text))
        .collect::<Result<Vec<_>, GroupRefusal>>()?;
    let moves = !leaving.is_empty() || !joining.is_empty();
    if name.is_none() && description.is_none() && !moves {
        return Err(GroupRefusal::Unchanged { group: group.id }.into());
    }
    if moves {
        GroupOperation::ChangeVolumes.check(&group)?;
    }
    // Counts the leaving volumes as well, because they are still members.
    check_group_limit(txn, group.id, joining.len())?;
    for (mut volume, group_id) in leaving
        .into_iter()
        .map(|volume| (volume, None))
        .chain(joining.into_iter().map(|volume| (volume, Some(group.id))))
    {
        volume.group_id = group_id;
        volume.updated_at = Some(cx.now);
        totals::put_volume(txn, volume)?;
    }
    if name.is_some() {
        group.name = name;
    }
    if description.is_some() {
        group.description = description;
    }
    write_group(txn, cx.now, group)
}

/// Returns a volume to remove from a group.
fn find_leaving_volume(
    view: &impl ReadView,
    group: &Group,
    text: &str,
) -> Result<Volume, GroupRefusal> {
    let refused = |status| GroupRefusal::Remove { volume: text.into(), group: group.id, status };
    let row = parse_id(text).and_then(|id| view.get::<Volume>(id));
    let row = row.filter(|row| row.group_id == Some(group.id)).ok_or_else(|| refused(None))?;
    if VolumeOperation::RemoveFromGroup.allows(row.status) {
        Ok(Volume::clone(row))
    } else {
        Err(refused(Some(row.status)))
    }
}

/// Returns a volume to add to a group.
fn find_joining_volume(
    view: &impl ReadView,
    cx: &Context<'_>,
    group: &Group,
    text: &str,
) -> Result<Volume, GroupRefusal> {
    let refused = |why| GroupRefusal::Add { volume: text.into(), group: group.id, why };
    let row = parse_id(text).and_then(|id| view.get::<Volume>(id));
    let row = row.filter(|row| cx.caller.sees(&row.project_id));
    // An admin sees other projects' volumes, but a group's members share its project.
    let row = row.filter(|row| row.project_id == group.project_id);
    let row = row.ok_or_else(|| refused(CantAdd::Missing))?;
    let why = if let Some(other) = row.group_id {
        CantAdd::InGroup(other)
    } else if !row.volume_type_id.is_some_and(|own| group.volume_types.contains(&own)) {
        CantAdd::Type(row.volume_type_id)
    } else if !VolumeOperation::AddToGroup.allows(row.status) {
        CantAdd::Status(row.status)
    } else if !row.is_settled() {
        CantAdd::Migrating
    } else if view.find(&Transfer::BY_VOLUME, row.id).is_some() {
        CantAdd::Offered
    // A group is on one back end, and an addition moves no data.
    } else if row.host.is_none() || row.host != group.host {
        CantAdd::Elsewhere
    } else {
        return Ok(Volume::clone(row));
    };
    Err(refused(why))
}
