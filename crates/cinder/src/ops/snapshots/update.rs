//! Changing the name and description of a snapshot.

use statehold_store::WriteTxn;

use super::write_snapshot;
use crate::{
    caller::policy,
    context::{Context, find_snapshot},
    errors::Error,
    rows::Snapshot,
};

/// A change of a snapshot. `None` keeps a field; `Some(None)` removes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotChange {
    /// Its name.
    pub name: Option<Option<Box<str>>>,
    /// Human-readable description.
    pub description: Option<Option<Box<str>>>,
}

/// Updates a snapshot's name or description.
///
/// # Errors
/// [`Error`] with the status 403 or 404.
pub fn update_snapshot(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    change: SnapshotChange,
) -> Result<(), Error> {
    let mut row = Snapshot::clone(find_snapshot(txn, cx.caller, id)?);
    cx.caller.check_on(policy::SNAPSHOT_UPDATE, &row)?;
    if let Some(name) = change.name {
        row.name = name;
    }
    if let Some(description) = change.description {
        row.description = description;
    }
    write_snapshot(txn, cx.now, row)
}
