//! Deletion of group types.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};

use super::find_changeable_type;
use crate::{
    caller::policy,
    context::Context,
    errors::Error,
    rows::{Group, GroupType},
};

/// Deletes a group type. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 while groups have the type.
// Cinder: cinder/volume/group_types.py, destroy.
pub fn delete_group_type(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let row = find_changeable_type(txn, cx, policy::GROUP_TYPE_DELETE, id)?;
    let range = KeyRange::exact(row.id);
    if txn.scan_by(&Group::BY_OF_TYPE, &range, Order::Ascending).next().is_some() {
        return Err(Error::request("Target group type is still in use."));
    }
    txn.delete::<GroupType>(row.id)?;
    Ok(())
}
