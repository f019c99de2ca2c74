//! Group types: what kinds of groups there are.

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::{CONSISTENCY_TYPE, refusal::GroupRefusal};
use crate::{
    Pairs,
    access::actions::Rule,
    caller::{Caller, policy},
    context::Context,
    error::{Error, Missing},
    id::parse_id,
    rows::{Group, GroupType},
};

/// The group type that a client calls `text`, by ID or by name, if the caller may use it.
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

/// The group type that a client calls by its ID `text`, if the caller may use it.
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

fn is_open(row: &GroupType, caller: &Caller) -> bool {
    row.is_public || caller.is_admin()
}

/// The type of groups that name none.
///
/// # Errors
/// [`Missing::DefaultGroupType`] when the cloud has none.
pub fn default_group_type<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
) -> Result<&'v Entry<GroupType>, Error> {
    let name = cx.config.default_group_type.as_deref();
    let row = name.and_then(|name| view.find(&GroupType::BY_NAME, name));
    Ok(row.ok_or(Missing::DefaultGroupType)?)
}

/// Makes sure that there is the type of consistency groups; with the ID `id` if it has to be made.
///
/// # Errors
/// [`Error::Store`].
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

/// A group type as somebody asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupTypeSpec {
    /// Its name.
    pub name: Box<str>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Whether all projects may use it.
    pub is_public: bool,
    /// What its groups have to be like.
    pub group_specs: Pairs,
}

/// Makes a group type with the ID `id`. Admins only.
///
/// # Errors
/// [`Error`]; [`Error::Conflict`] when there is one of this name.
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

/// What is to be changed of a group type. What is none stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupTypeChange {
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Whether all projects may use it.
    pub is_public: Option<bool>,
}

/// The type that is to be changed. That of consistency groups stays as it is.
fn to_change(
    view: &impl ReadView,
    cx: &Context<'_>,
    rule: Rule,
    id: &str,
) -> Result<GroupType, Error> {
    cx.caller.check(rule)?;
    let row = GroupType::clone(get_group_type(view, cx.caller, id)?);
    if *row.name == *CONSISTENCY_TYPE {
        return Err(GroupRefusal::Reserved { group_type: row.id }.into());
    }
    Ok(row)
}

/// Changes a group type. Admins only.
///
/// # Errors
/// [`Error`] with the status 400, 404 or 409.
pub fn update_group_type(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    change: GroupTypeChange,
) -> Result<(), Error> {
    let mut row = to_change(txn, cx, policy::GROUP_TYPE_UPDATE, id)?;
    if change == GroupTypeChange::default() {
        return Err(Error::request(
            "Specify group type name, description or a combination thereof.",
        ));
    }
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
    write(txn, cx.now, row)
}

fn write(txn: &mut WriteTxn<'_>, now: i64, mut row: GroupType) -> Result<(), Error> {
    row.updated_at = Some(now);
    txn.upsert::<GroupType>(row)?;
    Ok(())
}

/// Deletes a group type. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 when groups have the type.
pub fn delete_group_type(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let row = to_change(txn, cx, policy::GROUP_TYPE_DELETE, id)?;
    let range = KeyRange::exact(row.id);
    if txn.scan_by(&Group::BY_OF_TYPE, &range, Order::Ascending).next().is_some() {
        return Err(Error::request("Target group type is still in use."));
    }
    txn.delete::<GroupType>(row.id)?;
    Ok(())
}

/// All that the groups of a type have to be like. Admins only.
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

/// What the groups of a type have to be like in one respect. Admins only.
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

/// Adds to what the groups of a type have to be like. Admins only.
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

/// Like [`set_group_specs`], for callers that may change specs.
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
    let mut row = to_change(txn, cx, rule, id)?;
    row.group_specs.extend(specs);
    write(txn, cx.now, row)
}

/// Takes away something that the groups of a type had to be like. Admins only.
///
/// # Errors
/// As [`set_group_specs`], and [`Missing::GroupSpec`].
pub fn delete_group_spec(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<(), Error> {
    let mut row = to_change(txn, cx, policy::GROUP_SPEC_DELETE, id)?;
    if row.group_specs.remove(key).is_none() {
        return Err(no_spec(row.id, key));
    }
    write(txn, cx.now, row)
}
