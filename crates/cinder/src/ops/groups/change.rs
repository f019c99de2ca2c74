//! Changes of groups that need no back end: names, members, and statuses that an admin sets.

use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use super::{
    GroupApi, check_group_limit, find_group,
    refusal::{CantAdd, GroupRefusal},
    write_group,
};
use crate::{
    access::actions::Rule,
    caller::policy,
    context::Context,
    error::{Error, Missing},
    id::parse_id,
    rows::{Group, GroupStatus, GroupType, Transfer, Volume, VolumeStatus, WorkTarget},
    totals,
    work::cancel,
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
    if moves && group.status != GroupStatus::Available {
        let (allowed, status) = ("available", group.status);
        return Err(GroupRefusal::Status { allowed, status }.into());
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
    let free = matches!(
        row.status,
        VolumeStatus::Available
            | VolumeStatus::InUse
            | VolumeStatus::Error
            | VolumeStatus::ErrorDeleting
    );
    if free { Ok(Volume::clone(row)) } else { Err(refused(Some(row.status))) }
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
    let at_rest = matches!(row.status, VolumeStatus::Available | VolumeStatus::InUse);
    let why = if let Some(other) = row.group_id {
        CantAdd::InGroup(other)
    } else if !row.volume_type_id.is_some_and(|own| group.volume_types.contains(&own)) {
        CantAdd::Type(row.volume_type_id)
    } else if !at_rest {
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

/// Admin: sets a group's status unconditionally, and cancels its pending work.
///
/// # Errors
/// [`Error`] with the status 400 for an unknown status, 404 before 3.20.
// Cinder: cinder/group/api.py, API.reset_status.
pub fn reset_group_status(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    status: &str,
) -> Result<(), Error> {
    const SINCE: u16 = 20;
    require_version(cx, SINCE)?;
    let mut group = Group::clone(find_group(txn, cx, GroupApi::Groups, id)?);
    cx.caller.check_on(policy::GROUP_RESET_STATUS, &group)?;
    group.status = parse_status(status)?;
    cancel(txn, cx, (WorkTarget::Group, group.id))?;
    write_group(txn, cx.now, group)
}

fn parse_status(text: &str) -> Result<GroupStatus, Error> {
    if text.trim().is_empty() {
        return Err(Error::request("Invalid Group Status: The 'status' can not be empty."));
    }
    // `in-use` is rejected, although the message lists it: the reference compares with the statuses
    // of group snapshots. Cinder: cinder/api/validation/validators.py, _validate_group_status.
    GroupStatus::parse(&text.to_lowercase())
        .filter(|status| *status != GroupStatus::InUse)
        .ok_or_else(|| GroupRefusal::NoStatus { status: text.into() }.into())
}

pub(crate) fn check_group_status(text: &str) -> Result<(), Error> {
    parse_status(text).map(drop)
}

fn require_version(cx: &Context<'_>, minor: u16) -> Result<(), Error> {
    if cx.version.at_least(minor) { Ok(()) } else { Err(Missing::Operation.into()) }
}

/// An action on a group's replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Replication {
    /// Start replication.
    Enable,
    /// Stop replication.
    Disable,
    /// Fail over to the replica.
    Failover,
}

/// First version with replication of groups.
const REPLICATION_SINCE: u16 = 38;

/// Rejects every action on a group's replication, because no back end replicates.
///
/// # Errors
/// Always: [`GroupRefusal::NotReplicated`] or another [`Error`].
// Cinder: cinder/group/api.py, API.enable_replication and its siblings.
pub fn change_replication(
    view: &impl ReadView,
    cx: &Context<'_>,
    id: &str,
    action: Replication,
) -> Result<(), Error> {
    let rule = match action {
        Replication::Enable => policy::GROUP_ENABLE_REPLICATION,
        Replication::Disable => policy::GROUP_DISABLE_REPLICATION,
        Replication::Failover => policy::GROUP_FAILOVER_REPLICATION,
    };
    let group = find_replicated_group(view, cx, id, rule)?;
    Err(GroupRefusal::CantReplicate { group }.into())
}

/// Returns the replication targets of a group: none.
///
/// # Errors
/// [`GroupRefusal::NotReplicated`] if the group's type does not request replication.
pub fn replication_targets(
    view: &impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<[Uuid; 0], Error> {
    find_replicated_group(view, cx, id, policy::GROUP_REPLICATION_TARGETS)?;
    Ok([])
}

/// Returns a group whose type requests replication.
fn find_replicated_group(
    view: &impl ReadView,
    cx: &Context<'_>,
    id: &str,
    rule: Rule,
) -> Result<Uuid, Error> {
    require_version(cx, REPLICATION_SINCE)?;
    let group = find_group(view, cx, GroupApi::Groups, id)?;
    cx.caller.check_on(rule, &**group)?;
    let group_type = view.get::<GroupType>(group.group_type_id);
    let has_spec = |key: &str| {
        let spec = group_type.and_then(|row| row.group_specs.get(key));
        spec.is_some_and(|value| **value == *"<is> True")
    };
    let named =
        has_spec("group_replication_enabled") || has_spec("consistent_group_replication_enabled");
    if named { Ok(group.id) } else { Err(GroupRefusal::NotReplicated { group: group.id }.into()) }
}
