//! The projects that may use a private type.

use statehold_store::{Order, ReadView, Scan, Table as _, WriteTxn};

use super::{known_type, write_type};
use crate::{
    caller::policy,
    context::Context,
    errors::{Error, Missing},
    rows::{TypeAccess, VolumeType},
};

/// Returns the projects with access to a private type, in order. Admins only.
///
/// # Errors
/// [`Missing::AccessList`] for a public type.
pub fn type_access<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<Scan<'v, TypeAccess>, Error> {
    cx.caller.check(policy::TYPE_ACCESS_GET)?;
    let row = known_type(view, cx.caller, id)?;
    if row.is_public {
        return Err(Missing::AccessList.into());
    }
    Ok(view.scan::<TypeAccess>(&TypeAccess::BY_KEY.starting_with(row.id), Order::Ascending))
}

/// Grants a project access to a private type, or revokes it. Admins only.
///
/// # Errors
/// [`Error`]: 400 for a public type, 409 if the project has access already, 404 if it has none to
/// revoke.
// Cinder: cinder/volume/volume_types.py, add_volume_type_access and remove_volume_type_access.
pub fn set_type_access(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    project: &str,
    allowed: bool,
) -> Result<(), Error> {
    let rule = if allowed { policy::TYPE_ACCESS_ADD } else { policy::TYPE_ACCESS_REMOVE };
    cx.caller.check(rule)?;
    let row = VolumeType::clone(known_type(txn, cx.caller, id)?);
    if row.is_public {
        return Err(Error::request(
            "Invalid volume type: Type access modification is not applicable to public volume type.",
        ));
    }
    let has = txn.get::<TypeAccess>((row.id, project)).is_some();
    if allowed && has {
        let text =
            format!("Volume type access for {} / {project} combination already exists.", row.id);
        return Err(Error::Conflict(text.into()));
    }
    if !allowed && !has {
        let (volume_type, project) = (row.id.to_string().into(), project.into());
        return Err(Missing::TypeAccess { volume_type, project }.into());
    }
    if allowed {
        let (volume_type_id, project_id) = (row.id, project.into());
        txn.upsert::<TypeAccess>(TypeAccess { volume_type_id, project_id })?;
    } else {
        txn.delete::<TypeAccess>((row.id, project))?;
    }
    write_type(txn, cx.now, row)
}
