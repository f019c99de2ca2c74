//! Deletion of QoS specs and of single limits.

use statehold_store::WriteTxn;

use super::{associate::unbind, find_qos, types_of};
use crate::{
    caller::policy,
    context::Context,
    errors::{Error, Missing},
    rows::QosSpecs,
};

/// Deletes specs. With `force` also the references of types to them. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 if types refer to them and `force` is not set.
// Cinder: cinder/volume/qos_specs.py, delete.
pub fn delete_qos(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    force: bool,
) -> Result<(), Error> {
    cx.caller.check(policy::QOS_DELETE)?;
    let qos = find_qos(txn, id)?.id;
    let bound = types_of(txn, id)?.next().is_some();
    if bound && !force {
        return Err(Error::request("Qos specs still in use."));
    }
    unbind(txn, cx, id, None)?;
    txn.delete::<QosSpecs>(qos)?;
    Ok(())
}

/// Deletes limits: all of `keys`, or none if one of them is missing. Admins only.
///
/// # Errors
/// [`Error`]; [`Missing::QosKey`].
// Cinder: cinder/volume/qos_specs.py, delete_keys.
pub fn delete_qos_keys(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    keys: &[Box<str>],
) -> Result<(), Error> {
    // Cinder: cinder/api/contrib/qos_specs_manage.py, QoSSpecsController.delete_keys.
    cx.caller.check(policy::QOS_DELETE)?;
    let mut row = QosSpecs::clone(find_qos(txn, id)?);
    for key in keys {
        if row.specs.remove(key).is_none() {
            let qos = row.id.to_string().into();
            return Err(Missing::QosKey { qos, key: key.clone() }.into());
        }
    }
    row.updated_at = Some(cx.now);
    txn.upsert::<QosSpecs>(row)?;
    Ok(())
}
