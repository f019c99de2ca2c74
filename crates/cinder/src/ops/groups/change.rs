//! Changes of groups that need no back end: names, members, statuses that an operator sets.

use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use super::{
    GroupApi, check_room, find_group,
    refusal::{CantAdd, GroupRefusal},
    write,
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

/// What is to be changed of a group. What is none stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupChange {
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// The volumes that come into it, by ID.
    pub add_volumes: Vec<Box<str>>,
    /// The volumes that leave it, by ID.
    pub remove_volumes: Vec<Box<str>>,
}

/// Changes a group: its name, its description, which volumes are in it. All of it is done at once, as
/// nothing has to be done on back ends.
///
/// # Errors
/// [`Error`]; [`GroupRefusal`] when a volume can't come or go, or nothing would change.
pub fn update_group(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    api: GroupApi,
    id: &str,
    change: GroupChange,
) -> Result<(), Error> {
    let mut group = Group::clone(find_group(txn, cx, api, id)?);
    cx.caller.check_on(policy::GROUP_UPDATE, &group)?;
    let name = change.name.filter(|name| group.name.as_ref() != Some(name));
    let description = change.description.filter(|text| group.description.as_ref() != Some(text));
    let (add, remove) = (change.add_volumes, change.remove_volumes);
    let both: Vec<Box<str>> = add.iter().filter(|id| remove.contains(id)).cloned().collect();
    if !both.is_empty() {
        return Err(GroupRefusal::AddAndRemove { volumes: both }.into());
    }
    let leaving = remove
        .iter()
        .map(|text| leaver(txn, &group, text))
        .collect::<Result<Vec<_>, GroupRefusal>>()?;
    let coming = add
        .iter()
        .map(|text| comer(txn, cx, &group, text))
        .collect::<Result<Vec<_>, GroupRefusal>>()?;
    let moves = !leaving.is_empty() || !coming.is_empty();
    if name.is_none() && description.is_none() && !moves {
        return Err(GroupRefusal::Unchanged { group: group.id }.into());
    }
    if moves && group.status != GroupStatus::Available {
        let (allowed, status) = ("available", group.status);
        return Err(GroupRefusal::Status { allowed, status }.into());
    }
    check_room(txn, group.id, coming.len())?;
    for (mut volume, group_id) in leaving
        .into_iter()
        .map(|volume| (volume, None))
        .chain(coming.into_iter().map(|volume| (volume, Some(group.id))))
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
    write(txn, cx.now, group)
}

/// A volume that is to leave a group.
fn leaver(view: &impl ReadView, group: &Group, text: &str) -> Result<Volume, GroupRefusal> {
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

/// A volume that is to come into a group.
fn comer(
    view: &impl ReadView,
    cx: &Context<'_>,
    group: &Group,
    text: &str,
) -> Result<Volume, GroupRefusal> {
    let refused = |why| GroupRefusal::Add { volume: text.into(), group: group.id, why };
    let row = parse_id(text).and_then(|id| view.get::<Volume>(id));
    let row = row.filter(|row| cx.caller.sees(&row.project_id));
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
    } else if row.host.is_none() || row.host != group.host {
        CantAdd::Elsewhere
    } else {
        return Ok(Volume::clone(row));
    };
    Err(refused(why))
}

/// Sets what a group is doing, whatever it is doing; work on it is given up. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 for a status that there isn't, 404 before 3.20.
pub fn reset_group_status(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    status: &str,
) -> Result<(), Error> {
    const SINCE: u16 = 20;
    since(cx, SINCE)?;
    let mut group = Group::clone(find_group(txn, cx, GroupApi::Groups, id)?);
    cx.caller.check_on(policy::GROUP_RESET_STATUS, &group)?;
    group.status = parse_status(status)?;
    cancel(txn, cx, (WorkTarget::Group, group.id))?;
    write(txn, cx.now, group)
}

fn parse_status(text: &str) -> Result<GroupStatus, Error> {
    if text.trim().is_empty() {
        return Err(Error::request("Invalid Group Status: The 'status' can not be empty."));
    }
    // `in-use` is refused, although the refusal lists it: the reference compares with the statuses of
    // group snapshots. Cinder: cinder/api/validation/validators.py, _validate_group_status.
    GroupStatus::parse(&text.to_lowercase())
        .filter(|status| *status != GroupStatus::InUse)
        .ok_or_else(|| GroupRefusal::NoStatus { status: text.into() }.into())
}

pub(crate) fn check_group_status(text: &str) -> Result<(), Error> {
    parse_status(text).map(drop)
}

fn since(cx: &Context<'_>, minor: u16) -> Result<(), Error> {
    if cx.version.at_least(minor) { Ok(()) } else { Err(Missing::Operation.into()) }
}

/// What is to be done with the copies of a group elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Replication {
    /// They are to be made.
    Enable,
    /// They are to be made no longer.
    Disable,
    /// They are to be used.
    Failover,
}

/// The version in which replication of groups came.
const REPLICATION_SINCE: u16 = 38;

/// Refuses to do anything with the copies of a group elsewhere: no back end makes any.
///
/// # Errors
/// Always: [`GroupRefusal::NotReplicated`] or another [`Error`].
pub fn change_replication(
    view: &impl ReadView,
    cx: &Context<'_>,
    id: &str,
    what: Replication,
) -> Result<(), Error> {
    let rule = match what {
        Replication::Enable => policy::GROUP_ENABLE_REPLICATION,
        Replication::Disable => policy::GROUP_DISABLE_REPLICATION,
        Replication::Failover => policy::GROUP_FAILOVER_REPLICATION,
    };
    let group = replicated(view, cx, id, rule)?;
    Err(GroupRefusal::CantReplicate { group }.into())
}

/// Where copies of a group could be: nowhere.
///
/// # Errors
/// [`GroupRefusal::NotReplicated`] for a group whose type isn't for copies.
pub fn replication_targets(
    view: &impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<[Uuid; 0], Error> {
    replicated(view, cx, id, policy::GROUP_REPLICATION_TARGETS)?;
    Ok([])
}

/// A group whose type is for copies elsewhere.
fn replicated(view: &impl ReadView, cx: &Context<'_>, id: &str, rule: Rule) -> Result<Uuid, Error> {
    since(cx, REPLICATION_SINCE)?;
    let group = find_group(view, cx, GroupApi::Groups, id)?;
    cx.caller.check_on(rule, &**group)?;
    let group_type = view.get::<GroupType>(group.group_type_id);
    let says = |key: &str| {
        let spec = group_type.and_then(|row| row.group_specs.get(key));
        spec.is_some_and(|value| **value == *"<is> True")
    };
    let named = says("group_replication_enabled") || says("consistent_group_replication_enabled");
    if named { Ok(group.id) } else { Err(GroupRefusal::NotReplicated { group: group.id }.into()) }
}
