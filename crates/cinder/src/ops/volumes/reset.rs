//! The statuses that an operator sets.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};

use super::write_volume;
use crate::{
    caller::policy,
    context::{Context, find_volume},
    errors::Error,
    rows::{AttachStatus, Attachment, MigrationStatus, Volume, VolumeStatus, WorkTarget},
    work::cancel,
};

/// The statuses that an admin may set, as error messages list them.
const RESET_STATUSES: &str = "('creating', 'available', 'deleting', 'error', 'error_deleting', \
                              'error_managing', 'managing', 'attaching', 'in-use', 'detaching', \
                              'maintenance', 'restoring-backup', 'error_restoring', 'reserved', \
                              'awaiting-transfer', 'backing-up', 'error_backing-up', \
                              'error_extending', 'downloading', 'uploading', 'retyping', \
                              'extending')";

/// The statuses that an admin sets, as sent. `None` keeps a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusReset {
    /// The status.
    pub status: Option<Box<str>>,
    /// The attachment status.
    pub attach_status: Option<Box<str>>,
    /// The migration status; `none` is no migration.
    pub migration_status: Option<Box<str>>,
}

/// Admin: sets a volume's statuses unconditionally.
///
/// Cancels the pending work that would end the present status, and releases its quota reservation.
///
/// # Errors
/// [`Error`] with the status 400 for a status that no admin may set, such as `deleting`.
// Cinder: cinder/api/contrib/admin_actions.py, VolumeAdminController.
pub fn reset_volume_status(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    reset: &StatusReset,
) -> Result<(), Error> {
    cx.caller.check(policy::VOLUME_RESET_STATUS)?;
    if reset.status.is_none() && reset.attach_status.is_none() && reset.migration_status.is_none() {
        return Err(Error::request(
            "Must specify 'status', 'attach_status' or 'migration_status' for update.",
        ));
    }
    let status = reset.status.as_deref().map(parse_status).transpose()?;
    let attach_status = reset.attach_status.as_deref().map(parse_attach).transpose()?;
    let migration_status = reset.migration_status.as_deref().map(parse_migration).transpose()?;
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_RESET_STATUS, &row)?;
    // No worker would delete the data.
    if status == Some(VolumeStatus::Deleting) {
        return Err(Error::request("Cannot reset-state to deleting"));
    }
    let range = KeyRange::exact(row.id);
    let attachments: Vec<_> = txn
        .scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending)
        .map(|attachment| attachment.id)
        .collect();
    if status == Some(VolumeStatus::InUse) && attachments.is_empty() {
        return Err(Error::request(
            "Cannot reset-state to in-use because volume does not have any attachments.",
        ));
    }
    let moving = !row.is_settled();
    if status.is_some() || (moving && migration_status.is_some()) {
        cancel(txn, cx, (WorkTarget::Volume, row.id))?;
        let before = row.take_previous_status();
        if moving {
            row.migration_status = Some(MigrationStatus::Error);
            // The migration had locked the volume.
            if row.status == VolumeStatus::Maintenance {
                row.status = before;
            }
        }
    }
    if let Some(status) = status {
        row.status = status;
    }
    if let Some(migration_status) = migration_status {
        row.migration_status = migration_status;
    }
    if let Some(attach_status) = attach_status {
        row.attach_status = attach_status;
        if attach_status == AttachStatus::Detached {
            row.admin_metadata.remove("attached_mode");
            for id in attachments {
                txn.delete::<Attachment>(id)?;
            }
        }
    }
    Ok(write_volume(txn, cx.now, row)?)
}

fn invalid(text: &str, what: &str, valid: &str) -> Error {
    Error::request(format!("{what} status: {text} is invalid, valid statuses are: {valid}."))
}

fn parse_status(text: &str) -> Result<VolumeStatus, Error> {
    let lower = text.to_lowercase();
    VolumeStatus::parse(&lower)
        .filter(|_| RESET_STATUSES.contains(&format!("'{lower}'")))
        .ok_or_else(|| invalid(text, "Volume", RESET_STATUSES))
}

fn parse_attach(text: &str) -> Result<AttachStatus, Error> {
    match &*text.to_lowercase() {
        "attached" => Ok(AttachStatus::Attached),
        "detached" => Ok(AttachStatus::Detached),
        _ => Err(invalid(text, "Volume attach", "['attached', 'detached']")),
    }
}

fn parse_migration(text: &str) -> Result<Option<MigrationStatus>, Error> {
    let valid = "('migrating', 'error', 'success', 'completing', 'none', 'starting')";
    let lower = text.to_lowercase();
    match &*lower {
        "none" => Ok(None),
        "deleting" => Err(invalid(text, "Volume migration", valid)),
        lower => match MigrationStatus::parse(lower) {
            Some(status) => Ok(Some(status)),
            None => Err(invalid(text, "Volume migration", valid)),
        },
    }
}

// The reference ignores an empty string.
pub(crate) fn check_volume_status(text: &str) -> Result<(), Error> {
    if text.is_empty() { Ok(()) } else { parse_status(text).map(drop) }
}

pub(crate) fn check_attach_status(text: &str) -> Result<(), Error> {
    if text.is_empty() { Ok(()) } else { parse_attach(text).map(drop) }
}

pub(crate) fn check_migration_status(text: &str) -> Result<(), Error> {
    if text.is_empty() { Ok(()) } else { parse_migration(text).map(drop) }
}
