//! Changing the name, description and metadata of a backup.

use statehold_store::WriteTxn;

use super::write_backup;
use crate::{
    Pairs,
    caller::policy,
    context::{Context, find_backup},
    errors::Error,
    rows::Backup,
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
