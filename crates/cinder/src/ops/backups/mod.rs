//! Operations on backups.

mod create;
mod delete;
mod record;
mod reset;
mod restore;
mod update;

use statehold_store::WriteTxn;

use crate::{context::Context, errors::Error, rows::Backup};

pub use self::{
    create::{BackupSpec, create_backup},
    delete::delete_backup,
    record::{BackupRecord, export_backup, import_backup},
    reset::reset_backup_status,
    restore::{RestoreSpec, restore_backup},
    update::{BackupChange, update_backup},
};
pub(crate) use self::{
    delete::has_dependents,
    reset::check_backup_status,
    restore::{mark_restoring, temporary_volume_name},
};

/// Writes a changed backup.
fn write_backup(txn: &mut WriteTxn<'_>, cx: &Context<'_>, mut row: Backup) -> Result<(), Error> {
    row.updated_at = Some(cx.now);
    txn.upsert::<Backup>(row)?;
    Ok(())
}
