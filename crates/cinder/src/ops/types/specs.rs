//! The extra specs of volume types.

use statehold_store::{ReadView, WriteTxn};

use super::{create::check_specs, has_volumes, known_type, write_type};
use crate::{
    Pairs,
    access::actions::Rule,
    caller::policy,
    context::Context,
    errors::{Error, Missing},
    rows::VolumeType,
    view::is_shown,
};

/// Adds or replaces extra specs of a type. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 while volumes have the type.
// Cinder: cinder/api/contrib/types_extra_specs.py, VolumeTypeExtraSpecsController.create.
pub fn set_extra_specs(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    specs: Pairs,
) -> Result<(), Error> {
    put_specs(txn, cx, policy::TYPE_SPEC_CREATE, id, specs)
}

/// Like [`set_extra_specs`], for callers with the permission to update extra specs.
///
/// # Errors
/// As [`set_extra_specs`].
pub fn update_extra_specs(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    specs: Pairs,
) -> Result<(), Error> {
    put_specs(txn, cx, policy::TYPE_SPEC_UPDATE, id, specs)
}

fn put_specs(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    rule: Rule,
    id: &str,
    specs: Pairs,
) -> Result<(), Error> {
    let mut row = find_unused_type(txn, cx, rule, id)?;
    row.extra_specs.extend(specs);
    check_specs(&row.extra_specs)?;
    write_type(txn, cx.now, row)
}

/// Returns one extra spec of a type.
///
/// # Errors
/// [`Missing::VolumeType`] or [`Missing::ExtraSpec`], the latter also for a spec that is hidden
/// from the caller.
pub fn get_extra_spec<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<&'v str, Error> {
    cx.caller.check(policy::TYPE_SPEC_GET)?;
    let row = known_type(view, cx.caller, id)?;
    let sensitive = cx.caller.allows(policy::TYPE_SPEC_SENSITIVE);
    let value = row.extra_specs.get(key).filter(|_| sensitive || is_shown(key));
    let missing = || {
        let volume_type = row.id.to_string().into();
        Error::from(Missing::ExtraSpec { volume_type, key: key.into() })
    };
    value.map(|value| &**value).ok_or_else(missing)
}

/// Deletes an extra spec of a type. Admins only.
///
/// # Errors
/// As [`set_extra_specs`], and [`Missing::ExtraSpec`].
pub fn delete_extra_spec(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<(), Error> {
    let mut row = find_unused_type(txn, cx, policy::TYPE_SPEC_DELETE, id)?;
    if row.extra_specs.remove(key).is_none() {
        let volume_type = row.id.to_string().into();
        return Err(Missing::ExtraSpec { volume_type, key: key.into() }.into());
    }
    write_type(txn, cx.now, row)
}

fn find_unused_type(
    view: &impl ReadView,
    cx: &Context<'_>,
    rule: Rule,
    id: &str,
) -> Result<VolumeType, Error> {
    cx.caller.check(rule)?;
    let row = VolumeType::clone(known_type(view, cx.caller, id)?);
    // Volumes were placed by the old specs, which a change would break.
    if has_volumes(view, row.id) {
        return Err(Error::request("Volume Type is currently in use."));
    }
    Ok(row)
}
