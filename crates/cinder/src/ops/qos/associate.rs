//! Association of QoS specs with volume types.

use statehold_store::WriteTxn;

use super::{find_qos, types_of};
use crate::{
    caller::policy, context::Context, errors::Error, ops::types::known_type, rows::VolumeType,
};

/// Associates a type with specs. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 if the type has other specs, or none is named.
// Cinder: cinder/volume/qos_specs.py, associate_qos_with_type.
pub fn bind_type(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    volume_type: Option<&str>,
) -> Result<(), Error> {
    cx.caller.check(policy::QOS_UPDATE)?;
    let volume_type = volume_type.ok_or_else(no_type)?;
    let qos = find_qos(txn, id)?.id;
    let mut row = VolumeType::clone(known_type(txn, cx.caller, volume_type)?);
    if row.qos_specs_id.is_some_and(|other| other != qos) {
        return Err(Error::request(format!(
            "Type {} is already associated with another qos specs: {}",
            row.id,
            row.qos_specs_id.unwrap_or_default()
        )));
    }
    row.qos_specs_id = Some(qos);
    txn.upsert::<VolumeType>(row)?;
    Ok(())
}

fn no_type() -> Error {
    Error::request("Volume Type id must not be None.")
}

/// Removes the association of a type with specs, or of all types if none is named. Admins only.
///
/// # Errors
/// [`Error`] with the status 403 or 404.
// Cinder: cinder/volume/qos_specs.py, disassociate_qos_specs and disassociate_all.
pub fn unbind_types(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    volume_type: Option<&str>,
) -> Result<(), Error> {
    cx.caller.check(policy::QOS_UPDATE)?;
    unbind(txn, cx, id, volume_type)
}

/// Like [`unbind_types`], for callers whose permission has been checked.
pub(super) fn unbind(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    volume_type: Option<&str>,
) -> Result<(), Error> {
    let mut rows: Vec<VolumeType> = types_of(txn, id)?.map(|row| VolumeType::clone(row)).collect();
    if let Some(volume_type) = volume_type {
        let only = known_type(txn, cx.caller, volume_type)?.id;
        rows.retain(|row| row.id == only);
    }
    for mut row in rows {
        row.qos_specs_id = None;
        txn.upsert::<VolumeType>(row)?;
    }
    Ok(())
}
