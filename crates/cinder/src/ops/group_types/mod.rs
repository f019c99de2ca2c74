//! Operations on group types.

mod bootstrap;
mod create;
mod delete;
mod specs;
mod update;

use statehold_store::{Entry, ReadView, WriteTxn};
use uuid::Uuid;

use crate::{
    access::actions::Rule,
    caller::Caller,
    context::Context,
    errors::{Error, GroupRefusal, Missing},
    id::parse_id,
    ops::groups::CONSISTENCY_TYPE,
    rows::GroupType,
};

pub use self::{
    bootstrap::bootstrap_groups,
    create::{GroupTypeSpec, create_group_type},
    delete::delete_group_type,
    specs::{
        delete_group_spec, get_group_spec, get_group_specs, set_group_specs, update_group_specs,
    },
    update::{GroupTypeChange, update_group_type},
};

/// Returns the group type with the ID or name `text`, if the caller may use it.
///
/// # Errors
/// [`Missing::GroupType`] or [`Missing::GroupTypeName`].
pub(super) fn find_group_type<'v>(
    view: &'v impl ReadView,
    caller: &Caller,
    text: &str,
) -> Result<&'v Entry<GroupType>, Error> {
    if parse_id(text).is_some() {
        return get_group_type(view, caller, text);
    }
    let row = view.find(&GroupType::BY_NAME, text).filter(|row| is_open(row, caller));
    Ok(row.ok_or_else(|| Missing::GroupTypeName(text.into()))?)
}

/// Returns the group type with the ID `text`, if the caller may use it.
///
/// # Errors
/// [`Missing::GroupType`].
pub fn get_group_type<'v>(
    view: &'v impl ReadView,
    caller: &Caller,
    text: &str,
) -> Result<&'v Entry<GroupType>, Error> {
    let row = parse_id(text).and_then(|id| view.get::<GroupType>(id));
    let row = row.filter(|row| is_open(row, caller));
    Ok(row.ok_or_else(|| Missing::GroupType(text.into()))?)
}

// A group type has no access list, unlike a volume type: a private one is for admins.
fn is_open(row: &GroupType, caller: &Caller) -> bool {
    row.is_public || caller.is_admin()
}

/// Returns the type of groups that are created without one.
///
/// # Errors
/// [`Missing::DefaultGroupType`] if none is configured.
pub fn default_group_type<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
) -> Result<&'v Entry<GroupType>, Error> {
    let name = cx.config.default_group_type.as_deref();
    let row = name.and_then(|name| view.find(&GroupType::BY_NAME, name));
    Ok(row.ok_or(Missing::DefaultGroupType)?)
}

/// Returns a group type to change, and rejects the one of consistency groups.
fn find_changeable_type(
    view: &impl ReadView,
    cx: &Context<'_>,
    rule: Rule,
    id: &str,
) -> Result<GroupType, Error> {
    cx.caller.check(rule)?;
    let row = GroupType::clone(get_group_type(view, cx.caller, id)?);
    // Both APIs identify consistency groups by this name.
    if *row.name == *CONSISTENCY_TYPE {
        return Err(GroupRefusal::Reserved { group_type: row.id }.into());
    }
    Ok(row)
}

fn check_name(view: &impl ReadView, name: &str, own: Uuid) -> Result<(), Error> {
    match view.find(&GroupType::BY_NAME, name) {
        Some(other) if other.id != own => {
            Err(Error::Conflict(format!("Group Type {name} already exists.").into()))
        }
        _ => Ok(()),
    }
}

fn write_type(txn: &mut WriteTxn<'_>, now: i64, mut row: GroupType) -> Result<(), Error> {
    row.updated_at = Some(now);
    txn.upsert::<GroupType>(row)?;
    Ok(())
}
