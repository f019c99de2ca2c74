//! The actions that reserve a volume before it is attached, and mark it before it is detached.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};

use super::write_volume;
use crate::{
    caller::policy,
    context::{Context, find_volume},
    errors::{Error, VolumeRefusal},
    rows::{AttachStatus, Attachment, Volume, VolumeStatus},
    status_machine::{VolumeOperation, check_settled},
};

/// Reserves a volume for an attachment.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Reserve`] unless it is free.
// Cinder: cinder/volume/api.py, API.reserve_volume.
pub fn reserve_volume(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_RESERVE, &row)?;
    let action =
        if row.multiattach { VolumeOperation::ReserveShared } else { VolumeOperation::Reserve };
    let status = action.check(&row)?;
    // Writes during a migration would be lost.
    check_settled(&row)?;
    row.status = status;
    Ok(write_volume(txn, cx.now, row)?)
}

/// Cancels a reservation. Has no effect on a volume without one.
///
/// # Errors
/// [`Error`] with the status 403 or 404.
// Cinder: cinder/volume/api.py, API.unreserve_volume.
pub fn unreserve_volume(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_UNRESERVE, &row)?;
    if !VolumeOperation::Unreserve.allows(row.status) {
        return Ok(());
    }
    let range = KeyRange::exact(row.id);
    let used = txn
        .scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending)
        .any(|attachment| attachment.attach_status != AttachStatus::Detached);
    // Another attachment of a shared volume keeps it in use.
    row.status = if used { VolumeStatus::InUse } else { VolumeStatus::Available };
    Ok(write_volume(txn, cx.now, row)?)
}

/// Marks a volume as about to be detached.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::BeginDetaching`] unless it is attached. Ignores a migrating volume,
/// because the migration detaches it.
// Cinder: cinder/volume/api.py, API.begin_detaching.
pub fn begin_detaching(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_BEGIN_DETACHING, &row)?;
    if !row.is_settled() {
        return Ok(());
    }
    let status = VolumeOperation::BeginDetaching.check(&row)?;
    if row.attach_status != AttachStatus::Attached {
        return Err(VolumeRefusal::BeginDetaching.into());
    }
    row.status = status;
    Ok(write_volume(txn, cx.now, row)?)
}

/// Reverts [`begin_detaching`]. Has no effect on a volume that is not about to be detached.
///
/// # Errors
/// [`Error`] with the status 403 or 404.
// Cinder: cinder/volume/api.py, API.roll_detaching.
pub fn roll_detaching(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_ROLL_DETACHING, &row)?;
    if !VolumeOperation::RollDetaching.allows(row.status) {
        return Ok(());
    }
    row.status = VolumeOperation::RollDetaching.next(row.status);
    Ok(write_volume(txn, cx.now, row)?)
}
