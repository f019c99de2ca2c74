//! Changes of group types.

use statehold_store::WriteTxn;

use super::{check_name, find_changeable_type, write_type};
use crate::{caller::policy, context::Context, errors::Error};

/// A change of a group type. `None` keeps a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupTypeChange {
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Whether all projects may use it.
    pub is_public: Option<bool>,
}

/// Updates a group type. Admins only.
///
/// # Errors
/// [`Error`] with the status 400, 404 or 409.
// Cinder: cinder/api/v3/group_types.py, GroupTypesController.update.
pub fn update_group_type(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    change: GroupTypeChange,
) -> Result<(), Error> {
    let mut row = find_changeable_type(txn, cx, policy::GROUP_TYPE_UPDATE, id)?;
    if change == GroupTypeChange::default() {
        return Err(Error::request(
            "Specify group type name, description or a combination thereof.",
        ));
    }
    // The reference rejects blanks, but accepts the empty string.
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
    write_type(txn, cx.now, row)
}
