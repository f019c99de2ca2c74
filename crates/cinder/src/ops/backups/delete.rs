//! Deleting backups.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};

use super::write_backup;
use crate::{
    caller::policy,
    context::{Context, find_backup},
    errors::{BackupRefusal, Error},
    rows::{Backup, Task, WorkTarget},
    status_machine::BackupOperation,
    work::{cancel, queue},
};

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
    let action = if force { BackupOperation::ForceDelete } else { BackupOperation::Delete };
    let status = action.check(&row)?;
    // Checked with `force` as well, because an incremental backup without its parent is lost.
    if has_dependents(txn, &row) {
        return Err(BackupRefusal::Dependents.into());
    }
    let target = (WorkTarget::Backup, row.id);
    cancel(txn, cx, target)?;
    row.status = status;
    write_backup(txn, cx, row)?;
    queue(txn, cx, target, Task::DeleteBackup, None)?;
    Ok(())
}
