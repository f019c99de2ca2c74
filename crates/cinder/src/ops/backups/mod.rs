//! Operations on backups.

mod create;
mod record;
mod refusal;
mod restore;

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};

pub(crate) use self::restore::{mark_restoring, temporary_volume_name};
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

/// A change of a backup. `None` keeps a field; `Some(None)` removes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupChange {
    /// Its name.
    pub name: Option<Option<Box<str>>>,
    /// Human-readable description.
    pub description: Option<Option<Box<str>>>,
    /// User-defined key/value metadata.
    pub metadata: Option<Pairs>,
}

/// Updates a backup's name, description or metadata.
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
    write_backup(txn, cx, row)
}

fn write_backup(txn: &mut WriteTxn<'_>, cx: &Context<'_>, mut row: Backup) -> Result<(), Error> {
    row.updated_at = Some(cx.now);
    txn.upsert::<Backup>(row)?;
    Ok(())
}

/// Returns whether other backups are incremental to this one.
pub(crate) fn has_dependents(view: &impl ReadView, backup: &Backup) -> bool {
    let range = KeyRange::exact(backup.id);
    view.scan_by(&Backup::BY_PARENT, &range, Order::Ascending).next().is_some()
}

/// Deletes a backup. Its row is `deleting`, and a worker deletes the data. With `force`, which
/// requires an admin, the status is ignored.
///
/// # Errors
/// [`Error`]; [`BackupRefusal::Dependents`] while other backups are incremental to it.
// Cinder: cinder/backup/api.py, API.delete.
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
    // Checked with `force` as well, because an incremental backup without its parent is lost.
    if has_dependents(txn, &row) {
        return Err(BackupRefusal::Dependents.into());
    }
    let target = (WorkTarget::Backup, row.id);
    cancel(txn, cx, target)?;
    row.status = BackupStatus::Deleting;
    write_backup(txn, cx, row)?;
    queue(txn, cx, target, Task::DeleteBackup, None)?;
    Ok(())
}

/// Admin: sets a backup's status unconditionally, and cancels its pending work.
///
/// # Errors
/// [`Error`] with the status 400 for any status but `available` and `error`.
// Cinder: cinder/backup/api.py, API.reset_status.
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
    write_backup(txn, cx, row)
}

// Other statuses would claim work that no worker has.
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
