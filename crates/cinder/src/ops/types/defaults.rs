//! The default types of the cloud and of projects.

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};

use super::find_type;
use crate::{
    access::actions::Rule,
    caller::policy,
    config::Config,
    context::Context,
    errors::{Error, Missing},
    rows::{DefaultType, VolumeType},
};

/// Returns the type of a project's volumes that are created without one.
///
/// # Errors
/// [`Error::NoDefaultType`] before [`crate::bootstrap`].
pub fn default_type<'v>(
    view: &'v impl ReadView,
    config: &Config,
    project: &str,
) -> Result<&'v Entry<VolumeType>, Error> {
    view.get::<DefaultType>(project)
        .and_then(|row| view.get::<VolumeType>(row.volume_type_id))
        .or_else(|| view.find(&VolumeType::BY_NAME, &config.default_type))
        .ok_or(Error::NoDefaultType)
}

/// Sets the type of a project's volumes that are created without one; `None` removes it. Admins
/// only.
///
/// # Errors
/// [`Error`] with the status 400 if the type does not exist.
// Cinder: cinder/api/v3/default_types.py, DefaultTypesController.
pub fn set_default_type(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    project: &str,
    volume_type: Option<&str>,
) -> Result<(), Error> {
    let rule = match volume_type {
        Some(_) => policy::DEFAULT_TYPE,
        None => policy::DEFAULT_TYPE_UNSET,
    };
    check_default_policy(cx, rule, project)?;
    let Some(volume_type) = volume_type else {
        txn.delete::<DefaultType>(project)?;
        return Ok(());
    };
    let found = find_type(txn, cx.caller, volume_type);
    // The reference answers 400 here, not 404, because the type is part of the body.
    let volume_type_id = found.map_err(|error| Error::request(error.to_string()))?.id;
    let project_id = project.into();
    txn.upsert::<DefaultType>(DefaultType { project_id, volume_type_id })?;
    Ok(())
}

fn check_default_policy(cx: &Context<'_>, rule: Rule, project: &str) -> Result<(), Error> {
    const SINCE: u16 = 62;
    if !cx.version.at_least(SINCE) {
        return Err(Missing::Operation.into());
    }
    cx.caller.check_in(rule, project)
}

/// Returns a project's default type, if one is set. Admins only.
///
/// # Errors
/// [`Missing::DefaultType`].
pub fn find_default_type<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    project: &str,
) -> Result<&'v Entry<DefaultType>, Error> {
    check_default_policy(cx, policy::DEFAULT_TYPE_GET, project)?;
    let row = view.get::<DefaultType>(project);
    Ok(row.ok_or_else(|| Missing::DefaultType(project.into()))?)
}

/// Returns the default types of all projects. Admins only.
///
/// # Errors
/// [`Error::Policy`].
pub fn default_types<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
) -> Result<impl Iterator<Item = &'v Entry<DefaultType>>, Error> {
    check_default_policy(cx, policy::DEFAULT_TYPE_GET_ALL, &cx.caller.project)?;
    Ok(view.scan::<DefaultType>(&KeyRange::all(), Order::Ascending))
}
