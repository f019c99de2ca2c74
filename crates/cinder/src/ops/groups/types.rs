//! Group types.

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::CONSISTENCY_TYPE;
use crate::{
    Pairs,
    access::actions::Rule,
    caller::{Caller, policy},
    context::Context,
    errors::{Error, GroupRefusal, Missing},
    id::parse_id,
    rows::{Group, GroupType},
};

/// Returns the group type with the ID or name `text`, if the caller may use it.
///
/// # Errors
/// [`Missing::GroupType`] or [`Missing::GroupTypeName`].
pub(crate) fn find_group_type<'v>(
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

/// Creates the type of consistency groups with the ID `id`, unless it exists. Returns whether it
/// was created.
///
/// # Errors
/// [`Error::Store`].
// Cinder: cinder/volume/group_types.py, DEFAULT_CGSNAPSHOT_TYPE; a database migration creates it.
pub fn bootstrap_groups(txn: &mut WriteTxn<'_>, now: i64, id: Uuid) -> Result<bool, Error> {
    if txn.find(&GroupType::BY_NAME, CONSISTENCY_TYPE).is_some() {
        return Ok(false);
    }
    let spec = ("consistent_group_snapshot_enabled".into(), "<is> True".into());
    txn.upsert::<GroupType>(GroupType {
        id,
        name: CONSISTENCY_TYPE.into(),
        description: Some("Default group type for migrating cgsnapshot".into()),
        is_public: true,
        group_specs: Pairs::from([spec]),
        created_at: now,
        updated_at: None,
    })?;
    Ok(true)
}

/// A request for a group type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupTypeSpec {
    /// Its name.
    pub name: Box<str>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Whether all projects may use it.
    pub is_public: bool,
    /// Properties that its groups require.
    pub group_specs: Pairs,
}

/// Creates a group type with the ID `id`. Admins only.
///
/// # Errors
/// [`Error`]; [`Error::Conflict`] if the name is taken.
// Cinder: cinder/volume/group_types.py, create.
pub fn create_group_type(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: GroupTypeSpec,
) -> Result<(), Error> {
    cx.caller.check(policy::GROUP_TYPE_CREATE)?;
    check_name(txn, &spec.name, id)?;
    txn.upsert::<GroupType>(GroupType {
        id,
        name: spec.name,
        description: spec.description,
        is_public: spec.is_public,
        group_specs: spec.group_specs,
        created_at: cx.now,
        updated_at: None,
    })?;
    Ok(())
}

fn check_name(view: &impl ReadView, name: &str, own: Uuid) -> Result<(), Error> {
    match view.find(&GroupType::BY_NAME, name) {
        Some(other) if other.id != own => {
            Err(Error::Conflict(format!("Group Type {name} already exists.").into()))
        }
        _ => Ok(()),
    }
}

/// A change of a group type. `None` keeps a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupTypeChange {
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Whether all projects may use it.
    pub is_public: Option<bool>,
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

/// Updates a group type. Admins only.
///
/// # Errors
/// [`Error`] with the status 400, 404 or 409.
// Cinder: cinder/api/v3/group_types.py, GroupTypesController.update.
pub fn update_group_type(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    change: GroupTypeChange,
) -> Result<(), Error> {
    let mut row = find_changeable_type(txn, cx, policy::GROUP_TYPE_UPDATE, id)?;
    if change == GroupTypeChange::default() {
        return Err(Error::request(
            "Specify group type name, description or a combination thereof.",
        ));
    }
    // The reference rejects blanks, but accepts the empty string.
    let blank = |name: &str| !name.is_empty() && name.trim().is_empty();
    if change.name.as_deref().is_some_and(blank) {
        return Err(Error::request("Group type name can not be empty."));
    }
    if let Some(name) = change.name {
        check_name(txn, &name, row.id)?;
        row.name = name;
    }
    if change.description.is_some() {
        row.description = change.description;
    }
    if let Some(is_public) = change.is_public {
        row.is_public = is_public;
    }
    write_type(txn, cx.now, row)
}

fn write_type(txn: &mut WriteTxn<'_>, now: i64, mut row: GroupType) -> Result<(), Error> {
    row.updated_at = Some(now);
    txn.upsert::<GroupType>(row)?;
    Ok(())
}

/// Deletes a group type. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 while groups have the type.
pub fn delete_group_type(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let row = find_changeable_type(txn, cx, policy::GROUP_TYPE_DELETE, id)?;
    let range = KeyRange::exact(row.id);
    if txn.scan_by(&Group::BY_OF_TYPE, &range, Order::Ascending).next().is_some() {
        return Err(Error::request("Target group type is still in use."));
    }
    txn.delete::<GroupType>(row.id)?;
    Ok(())
}

/// Returns the specs of a group type. Admins only.
///
/// # Errors
/// [`Missing::GroupType`].
pub fn get_group_specs<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<&'v Pairs, Error> {
    cx.caller.check(policy::GROUP_SPEC_GET_ALL)?;
    Ok(&get_group_type(view, cx.caller, id)?.group_specs)
}

/// Returns one spec of a group type. Admins only.
///
/// # Errors
/// [`Missing::GroupType`] or [`Missing::GroupSpec`].
pub fn get_group_spec<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<&'v str, Error> {
    cx.caller.check(policy::GROUP_SPEC_GET)?;
    let row = get_group_type(view, cx.caller, id)?;
    let value = row.group_specs.get(key).map(|value| &**value);
    value.ok_or_else(|| no_spec(row.id, key))
}

fn no_spec(group_type: Uuid, key: &str) -> Error {
    Missing::GroupSpec { group_type: group_type.to_string().into(), key: key.into() }.into()
}

/// Adds or replaces specs of a group type. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 or 404.
pub fn set_group_specs(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    specs: Pairs,
) -> Result<(), Error> {
    put_specs(txn, cx, policy::GROUP_SPEC_CREATE, id, specs)
}

/// Like [`set_group_specs`], for callers with the permission to update specs.
///
/// # Errors
/// As [`set_group_specs`].
pub fn update_group_specs(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    specs: Pairs,
) -> Result<(), Error> {
    put_specs(txn, cx, policy::GROUP_SPEC_UPDATE, id, specs)
}

fn put_specs(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    rule: Rule,
    id: &str,
    specs: Pairs,
) -> Result<(), Error> {
    let mut row = find_changeable_type(txn, cx, rule, id)?;
    row.group_specs.extend(specs);
    write_type(txn, cx.now, row)
}

/// Deletes a spec of a group type. Admins only.
///
/// # Errors
/// As [`set_group_specs`], and [`Missing::GroupSpec`].
pub fn delete_group_spec(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<(), Error> {
    let mut row = find_changeable_type(txn, cx, policy::GROUP_SPEC_DELETE, id)?;
    if row.group_specs.remove(key).is_none() {
        return Err(no_spec(row.id, key));
    }
    write_type(txn, cx.now, row)
}
