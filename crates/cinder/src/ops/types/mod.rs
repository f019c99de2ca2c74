//! Operations on volume types.

mod access;
mod bootstrap;
mod create;
mod defaults;
mod delete;
mod encryption;
mod specs;
mod update;

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

pub use self::{
    access::{set_type_access, type_access},
    bootstrap::bootstrap,
    create::{TypeSpec, create_type},
    defaults::{default_type, default_types, find_default_type, set_default_type},
    delete::delete_type,
    encryption::{EncryptionChange, delete_encryption, set_encryption, update_encryption},
    specs::{delete_extra_spec, get_extra_spec, set_extra_specs, update_extra_specs},
    update::{TypeChange, update_type},
};
use crate::{
    caller::{Caller, policy},
    errors::{Error, Missing},
    id::parse_id,
    rows::{Task, Volume, VolumeType, WorkItem},
};

/// Returns the type with the ID or name `text`, if the caller may use it.
///
/// # Errors
/// [`Missing::VolumeType`] or [`Missing::VolumeTypeName`].
pub fn find_type<'v>(
    view: &'v impl ReadView,
    caller: &Caller,
    text: &str,
) -> Result<&'v Entry<VolumeType>, Error> {
    let id = parse_id(text);
    let row = match id {
        Some(id) => view.get::<VolumeType>(id),
        None => view.find(&VolumeType::BY_NAME, text),
    };
    let row = row.filter(|row| caller.is_admin() || row.is_open_to(view, &caller.project));
    let missing = || match id {
        Some(_) => Missing::VolumeType(text.into()),
        None => Missing::VolumeTypeName(text.into()),
    };
    Ok(row.ok_or_else(missing)?)
}

/// Returns the type with the ID `text`, if the caller may use it.
///
/// # Errors
/// [`Missing::VolumeType`].
pub fn get_type<'v>(
    view: &'v impl ReadView,
    caller: &Caller,
    text: &str,
) -> Result<&'v Entry<VolumeType>, Error> {
    caller.check(policy::TYPE_GET)?;
    known_type(view, caller, text)
}

/// Like [`get_type`] for operations with an action of their own: the caller may lack the one that
/// shows types.
///
/// # Errors
/// [`Missing::VolumeType`].
// Cinder: cinder/api/contrib/types_manage.py and types_extra_specs.py authorize one action each.
pub fn known_type<'v>(
    view: &'v impl ReadView,
    caller: &Caller,
    text: &str,
) -> Result<&'v Entry<VolumeType>, Error> {
    let row = parse_id(text).and_then(|id| view.get::<VolumeType>(id));
    let row = row.filter(|row| caller.is_admin() || row.is_open_to(view, &caller.project));
    Ok(row.ok_or_else(|| Missing::VolumeType(text.into()))?)
}

fn write_type(txn: &mut WriteTxn<'_>, now: i64, mut row: VolumeType) -> Result<(), Error> {
    row.updated_at = Some(now);
    txn.upsert::<VolumeType>(row)?;
    Ok(())
}

fn has_volumes(view: &impl ReadView, id: Uuid) -> bool {
    let range = KeyRange::exact(id);
    view.scan_by(&Volume::BY_OF_TYPE, &range, Order::Ascending).next().is_some()
}

/// Returns whether a pending retype gives a volume this type.
fn has_pending_retype(view: &impl ReadView, id: Uuid) -> bool {
    view.scan::<WorkItem>(&KeyRange::all(), Order::Ascending).any(
        |item| matches!(item.task, Task::RetypeVolume { volume_type, .. } if volume_type == id),
    )
}
