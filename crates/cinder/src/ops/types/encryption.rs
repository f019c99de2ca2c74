//! The encryption of volume types.

use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use super::{has_pending_retype, has_volumes, known_type, write_type};
use crate::{
    caller::policy,
    context::Context,
    errors::{Error, Missing},
    rows::{Encryption, VolumeType},
};

/// Sets the encryption of a type's volumes and returns the type's ID. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 if it is set already, or volumes have the type.
// Cinder: cinder/api/contrib/volume_type_encryption.py, VolumeTypeEncryptionController.create.
pub fn set_encryption(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    encryption: Encryption,
) -> Result<Uuid, Error> {
    cx.caller.check(policy::TYPE_ENCRYPTION_CREATE)?;
    let mut row = VolumeType::clone(known_type(txn, cx.caller, id)?);
    if row.encryption.is_some() {
        let id = row.id;
        return Err(Error::request(format!(
            "Volume type encryption for type {id} already exists."
        )));
    }
    check_encryption(txn, &row, "create")?;
    row.encryption = Some(encryption);
    let id = row.id;
    write_type(txn, cx.now, row)?;
    Ok(id)
}

fn check_encryption(view: &impl ReadView, row: &VolumeType, verb: &str) -> Result<(), Error> {
    // A volume with a pending retype would get the type after its own request was checked.
    if has_volumes(view, row.id) || has_pending_retype(view, row.id) {
        return Err(Error::request(format!("Cannot {verb} encryption specs. Volume type in use.")));
    }
    Ok(())
}

/// A change of a type's encryption. `None` keeps a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncryptionChange {
    /// The encryption provider.
    pub provider: Option<Box<str>>,
    /// `front-end` or `back-end`.
    pub control_location: Option<Box<str>>,
    /// The cipher.
    pub cipher: Option<Box<str>>,
    /// The key size in bits.
    pub key_size: Option<i64>,
}

/// Updates the encryption of a type. Admins only.
///
/// # Errors
/// As [`delete_encryption`].
pub fn update_encryption(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    change: EncryptionChange,
) -> Result<(), Error> {
    cx.caller.check(policy::TYPE_ENCRYPTION_UPDATE)?;
    let mut row = VolumeType::clone(known_type(txn, cx.caller, id)?);
    check_encryption(txn, &row, "update")?;
    let Some(own) = row.encryption.as_mut() else {
        return Err(Missing::Encryption { volume_type: row.id.to_string().into() }.into());
    };
    own.provider = change.provider.unwrap_or_else(|| own.provider.clone());
    own.control_location = change.control_location.unwrap_or_else(|| own.control_location.clone());
    own.cipher = change.cipher.or_else(|| own.cipher.take());
    own.key_size = change.key_size.or(own.key_size);
    own.updated_at = Some(cx.now);
    write_type(txn, cx.now, row)
}

/// Deletes the encryption of a type. Admins only.
///
/// # Errors
/// [`Missing::Encryption`], or [`Error`] with the status 400 while volumes have the type.
pub fn delete_encryption(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    cx.caller.check(policy::TYPE_ENCRYPTION_DELETE)?;
    let mut row = VolumeType::clone(known_type(txn, cx.caller, id)?);
    check_encryption(txn, &row, "delete")?;
    if row.encryption.take().is_none() {
        return Err(Missing::Encryption { volume_type: row.id.to_string().into() }.into());
    }
    write_type(txn, cx.now, row)
}
