//! The status of a backup that an operator sets.

use statehold_store::{ReadView, WriteTxn};

use super::write_backup;
use crate::{
    caller::policy,
    context::{Context, find_backup},
    errors::Error,
    rows::{Backup, BackupStatus, WorkTarget},
    work::cancel,
};

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
