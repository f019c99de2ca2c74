//! What is done with backups.

mod create;
mod record;
mod refusal;
mod restore;

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};

pub(crate) use self::restore::{hold, name_meanwhile};
pub use self::{
    create::{BackupSpec, create_backup},
    record::{BackupRecord, export_backup, import_backup},
    refusal::BackupRefusal,
    restore::{RestoreSpec, restore_backup},
};
use crate::{
    Pairs,
    caller::policy,
    context::{Context, find_backup},
    error::Error,
    rows::{Backup, BackupStatus, Task, WorkTarget},
    work::{cancel, queue},
};

/// What is to be changed of a backup. What is none stays; an inner none takes the text away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupChange {
    /// Its name.
    pub name: Option<Option<Box<str>>>,
    /// Human-readable description.
    pub description: Option<Option<Box<str>>>,
    /// User-defined key/value metadata.
    pub metadata: Option<Pairs>,
}

/// Changes what people call a backup and say about it.
///
/// # Errors
/// [`Error`] with the status 403 or 404.
pub fn update_backup(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    change: BackupChange,
) -> Result<(), Error> {
    let mut row = Backup::clone(find_backup(txn, cx.caller, id)?);
    cx.caller.check_on(policy::BACKUP_UPDATE, &row)?;
    if let Some(name) = change.name {
        row.name = name;
    }
    if let Some(description) = change.description {
        row.description = description;
    }
    if let Some(metadata) = change.metadata {
        row.metadata = metadata;
    }
    write(txn, cx, row)
}

fn write(txn: &mut WriteTxn<'_>, cx: &Context<'_>, mut row: Backup) -> Result<(), Error> {
    row.updated_at = Some(cx.now);
    txn.upsert::<Backup>(row)?;
    Ok(())
}

/// Whether other backups hold only what has changed since this one.
pub(crate) fn has_dependents(view: &impl ReadView, backup: &Backup) -> bool {
    let range = KeyRange::exact(backup.id);
    view.scan_by(&Backup::BY_PARENT, &range, Order::Ascending).next().is_some()
}

/// Deletes a backup: it is `deleting`, and a worker has to delete it. With `force`, which takes an
/// admin, its status doesn't count.
///
/// # Errors
/// [`Error`]; [`BackupRefusal::Dependents`] while others are built upon it.
pub fn delete_backup(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    force: bool,
) -> Result<(), Error> {
    let rule = if force { policy::BACKUP_FORCE_DELETE } else { policy::BACKUP_DELETE };
    let mut row = Backup::clone(find_backup(txn, cx.caller, id)?);
    cx.caller.check_on(rule, &row)?;
    let over = matches!(row.status, BackupStatus::Available | BackupStatus::Error);
    if !over && !force {
        return Err(BackupRefusal::Delete.into());
    }
    if has_dependents(txn, &row) {
        return Err(BackupRefusal::Dependents.into());
    }
    let target = (WorkTarget::Backup, row.id);
    cancel(txn, cx, target)?;
    row.status = BackupStatus::Deleting;
    write(txn, cx, row)?;
    queue(txn, cx, target, Task::DeleteBackup, None)?;
    Ok(())
}

/// Sets what a backup is doing, whatever it is doing; work on it is given up. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 for another status than `available` and `error`.
pub fn reset_backup_status(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    status: &str,
) -> Result<(), Error> {
    cx.caller.check(policy::BACKUP_RESET_STATUS)?;
    let parsed = parse_status(status)?;
    let row = find_backup(txn, cx.caller, id)?;
    cx.caller.check_on(policy::BACKUP_RESET_STATUS, &**row)?;
    let id = row.id;
    cancel(txn, cx, (WorkTarget::Backup, id))?;
    let Some(row) = txn.get::<Backup>(id) else { return Ok(()) };
    let mut row = Backup::clone(row);
    row.status = parsed;
    write(txn, cx, row)
}

fn parse_status(text: &str) -> Result<BackupStatus, Error> {
    match &*text.to_lowercase() {
        "available" => Ok(BackupStatus::Available),
        "error" => Ok(BackupStatus::Error),
        _ => Err(Error::request(format!(
            "Backup status: {text} is invalid, valid statuses are: ['available', 'error']."
        ))),
    }
}

pub(crate) fn check_backup_status(text: &str) -> Result<(), Error> {
    parse_status(text).map(drop)
}
