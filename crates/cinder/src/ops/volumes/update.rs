//! Changes of a volume that need no back end: its name, description, metadata and flags.

use statehold_store::WriteTxn;

use super::write_volume;
use crate::{
    Pairs,
    caller::policy,
    context::{Context, find_volume},
    errors::Error,
    rows::Volume,
    status_machine::VolumeOperation,
};

/// A change of a volume. `None` keeps a field; `Some(None)` removes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeChange {
    /// Its name.
    pub name: Option<Option<Box<str>>>,
    /// Human-readable description.
    pub description: Option<Option<Box<str>>>,
    /// Its metadata, which is replaced as a whole.
    pub metadata: Option<Pairs>,
}

/// Updates a volume's name, description or metadata.
///
/// # Errors
/// [`Error`]; [`crate::VolumeRefusal::Maintenance`] during a locked migration.
// Cinder: cinder/volume/api.py, API.update.
pub fn update_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    change: VolumeChange,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_UPDATE, &row)?;
    VolumeOperation::Update.check(&row)?;
    if let Some(name) = change.name {
        row.name = name;
    }
    if let Some(description) = change.description {
        row.description = description;
    }
    if let Some(metadata) = change.metadata {
        row.metadata = metadata;
    }
    Ok(write_volume(txn, cx.now, row)?)
}

/// Sets whether a machine can boot from a volume.
///
/// # Errors
/// As [`update_volume`].
pub fn set_bootable(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    bootable: bool,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_SET_BOOTABLE, &row)?;
    VolumeOperation::Update.check(&row)?;
    row.bootable = bootable;
    Ok(write_volume(txn, cx.now, row)?)
}

/// Sets whether a volume is read-only.
///
/// # Errors
/// [`Error`]; [`crate::VolumeRefusal::ReadOnlyFlag`] unless it is available.
// Cinder: cinder/volume/api.py, API.update_readonly_flag.
pub fn set_readonly(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    readonly: bool,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_UPDATE_READONLY, &row)?;
    VolumeOperation::SetReadonly.check(&row)?;
    // The values are Python's, because clients read the flag from the metadata.
    let value = if readonly { "True" } else { "False" };
    row.admin_metadata.insert("readonly".into(), value.into());
    Ok(write_volume(txn, cx.now, row)?)
}
