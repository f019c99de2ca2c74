//! Changes of a volume that need no back end: names, flags, and statuses that an operator sets.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};

use super::write;
use crate::{
    Pairs,
    caller::policy,
    context::{Context, find_volume},
    error::Error,
    ops::refusal::VolumeRefusal,
    rows::{AttachStatus, Attachment, MigrationStatus, Volume, VolumeStatus, WorkTarget},
    work::cancel,
};

/// The statuses that an operator may set, as refusals tell them.
const RESET_STATUSES: &str = "('creating', 'available', 'deleting', 'error', 'error_deleting', \
                              'error_managing', 'managing', 'attaching', 'in-use', 'detaching', \
                              'maintenance', 'restoring-backup', 'error_restoring', 'reserved', \
                              'awaiting-transfer', 'backing-up', 'error_backing-up', \
                              'error_extending', 'downloading', 'uploading', 'retyping', \
                              'extending')";

/// What is to be changed of a volume. What is none stays; an inner none takes the text away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeChange {
    /// Its name.
    pub name: Option<Option<Box<str>>>,
    /// Human-readable description.
    pub description: Option<Option<Box<str>>>,
    /// All of its metadata.
    pub metadata: Option<Pairs>,
}

/// Changes what people call a volume and say about it.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Maintenance`] while it is being moved.
pub fn update_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    change: VolumeChange,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_UPDATE, &row)?;
    if row.status == VolumeStatus::Maintenance {
        return Err(VolumeRefusal::Maintenance.into());
    }
    if let Some(name) = change.name {
        row.name = name;
    }
    if let Some(description) = change.description {
        row.description = description;
    }
    if let Some(metadata) = change.metadata {
        row.metadata = metadata;
    }
    Ok(write(txn, cx.now, row)?)
}

/// Says whether a machine can be started from a volume.
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
    if row.status == VolumeStatus::Maintenance {
        return Err(VolumeRefusal::Maintenance.into());
    }
    row.bootable = bootable;
    Ok(write(txn, cx.now, row)?)
}

/// Says whether a volume may only be read.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::ReadOnlyFlag`] unless it is available.
pub fn set_readonly(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    readonly: bool,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_UPDATE_READONLY, &row)?;
    if row.status != VolumeStatus::Available {
        let (volume, status) = (row.id, row.status);
        return Err(VolumeRefusal::ReadOnlyFlag { volume, status }.into());
    }
    let value = if readonly { "True" } else { "False" };
    row.admin_metadata.insert("readonly".into(), value.into());
    Ok(write(txn, cx.now, row)?)
}

/// What an operator sets, as it was sent. What is none stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusReset {
    /// The status.
    pub status: Option<Box<str>>,
    /// Whether somebody uses it.
    pub attach_status: Option<Box<str>>,
    /// How far it has come on its way; `none` is on no way.
    pub migration_status: Option<Box<str>>,
}

/// Sets what a volume is doing, whatever it is doing. Admins only.
///
/// Work that was to bring the volume out of its status is given up, with what was set aside for it.
///
/// # Errors
/// [`Error`] with the status 400 for what no operator may set, such as `deleting`.
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
            // What was locked for the move is free again.
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
    Ok(write(txn, cx.now, row)?)
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

// The reference takes the empty string for none.
pub(crate) fn check_volume_status(text: &str) -> Result<(), Error> {
    if text.is_empty() { Ok(()) } else { parse_status(text).map(drop) }
}

pub(crate) fn check_attach_status(text: &str) -> Result<(), Error> {
    if text.is_empty() { Ok(()) } else { parse_attach(text).map(drop) }
}

pub(crate) fn check_migration_status(text: &str) -> Result<(), Error> {
    if text.is_empty() { Ok(()) } else { parse_migration(text).map(drop) }
}
