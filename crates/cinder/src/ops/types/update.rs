//! Changing volume types.

use statehold_store::WriteTxn;
use uuid::Uuid;

use super::{create::check_name, known_type, write_type};
use crate::{caller::policy, context::Context, errors::Error, rows::VolumeType};

/// A change of a type. `None` keeps a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeChange {
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Option<Box<str>>>,
    /// Whether all projects may use it.
    pub is_public: Option<bool>,
}

/// Updates a type and returns its ID. Admins only. Its quotas refer to its ID, and follow to the new name.
///
/// # Errors
/// [`Error`] with the status 400, 404 or 409.
// Cinder: cinder/api/contrib/types_manage.py, VolumeTypesManageController._update.
pub fn update_type(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    change: TypeChange,
) -> Result<Uuid, Error> {
    cx.caller.check(policy::TYPE_UPDATE)?;
    if change == TypeChange::default() {
        return Err(Error::request(
            "Specify volume type name, description, is_public or a combination thereof.",
        ));
    }
    if change.name.as_ref().is_some_and(|name| name.trim().is_empty()) {
        return Err(Error::request("Volume type name can not be empty."));
    }
    let mut row = VolumeType::clone(known_type(txn, cx.caller, id)?);
    if let Some(name) = change.name {
        check_name(txn, &name, row.id)?;
        row.name = name;
    }
    if let Some(description) = change.description {
        row.description = description;
    }
    if let Some(is_public) = change.is_public {
        row.is_public = is_public;
    }
    let id = row.id;
    write_type(txn, cx.now, row)?;
    Ok(id)
}
