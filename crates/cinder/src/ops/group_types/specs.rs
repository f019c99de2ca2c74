//! The specs of group types.

use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use super::{find_changeable_type, get_group_type, write_type};
use crate::{
    Pairs,
    access::actions::Rule,
    caller::policy,
    context::Context,
    errors::{Error, Missing},
};

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

fn no_spec(group_type: Uuid, key: &str) -> Error {
    Missing::GroupSpec { group_type: group_type.to_string().into(), key: key.into() }.into()
}
