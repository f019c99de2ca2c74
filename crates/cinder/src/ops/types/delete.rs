//! Deleting volume types.

use statehold_store::{KeyRange, Order, ReadView, Table as _, WriteTxn};

use super::{has_pending_retype, has_volumes, known_type};
use crate::{
    caller::policy,
    context::Context,
    errors::Error,
    quota::forget_type,
    rows::{DefaultType, Group, TypeAccess, VolumeType},
};

/// Deletes a type and its limits. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 while volumes have the type, and for the default and the last
/// type.
// Cinder: cinder/volume/volume_types.py, destroy.
pub fn delete_type(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    cx.caller.check(policy::TYPE_DELETE)?;
    let row = VolumeType::clone(known_type(txn, cx.caller, id)?);
    if row.name == cx.config.default_type || txn.count::<VolumeType>() == 1 {
        return Err(Error::request(format!(
            "The volume type {} is a default volume type and cannot be deleted.",
            row.id
        )));
    }
    let range = KeyRange::exact(row.id);
    let grouped = txn.scan_by(&Group::BY_VOLUME_TYPE, &range, Order::Ascending).next().is_some();
    if grouped || has_volumes(txn, row.id) || has_pending_retype(txn, row.id) {
        return Err(Error::request("Target volume type is still in use."));
    }
    let projects: Vec<Box<str>> = txn
        .scan_by(&DefaultType::BY_OF_TYPE, &range, Order::Ascending)
        .map(|default| default.project_id.clone())
        .collect();
    for project in projects {
        txn.delete::<DefaultType>(&project)?;
    }
    TypeAccess::BY_KEY.delete_range(txn, &TypeAccess::BY_KEY.starting_with(row.id))?;
    forget_type(txn, row.id)?;
    txn.delete::<VolumeType>(row.id)?;
    Ok(())
}
