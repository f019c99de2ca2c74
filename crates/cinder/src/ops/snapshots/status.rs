//! Statuses of snapshots that operators set and back ends report.

use statehold_store::WriteTxn;

use super::write_snapshot;
use crate::{
    caller::policy,
    context::{Context, find_snapshot},
    errors::{Error, SnapshotRefusal},
    rows::{Snapshot, SnapshotStatus, WorkTarget},
    status_machine::SnapshotOperation,
    work::cancel,
};

/// The statuses that an admin may set, as error messages list them.
const RESET_STATUSES: &str = "('error', 'available', 'creating', 'deleting', 'deleted', \
                              'updating', 'error_deleting', 'unmanaging', 'backing-up', \
                              'restoring')";

/// Admin: sets a snapshot's status unconditionally, and cancels its pending work.
///
/// # Errors
/// [`Error`] with the status 400 for an unknown status.
// Cinder: cinder/api/contrib/admin_actions.py, SnapshotAdminController.
pub fn reset_snapshot_status(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    status: &str,
) -> Result<(), Error> {
    cx.caller.check(policy::SNAPSHOT_RESET_STATUS)?;
    let parsed = parse_status(status)?;
    let mut row = Snapshot::clone(find_snapshot(txn, cx.caller, id)?);
    cx.caller.check_on(policy::SNAPSHOT_RESET_STATUS, &row)?;
    cancel(txn, cx, (WorkTarget::Snapshot, row.id))?;
    row.status = parsed;
    write_snapshot(txn, cx.now, row)
}

fn parse_status(text: &str) -> Result<SnapshotStatus, Error> {
    SnapshotStatus::parse(&text.to_lowercase()).ok_or_else(|| {
        Error::request(format!(
            "Snapshot status: {text} is invalid, valid statuses are: {RESET_STATUSES}."
        ))
    })
}

pub(crate) fn check_snapshot_status(text: &str) -> Result<(), Error> {
    parse_status(text).map(drop)
}

/// Records the progress that an external snapshot creator or deleter reports; `progress` in
/// percent.
///
/// # Errors
/// [`Error`]; [`SnapshotRefusal`] if the snapshot is neither being created nor deleted, or the new
/// status cannot follow.
// Cinder: cinder/api/contrib/snapshot_actions.py,
// SnapshotActionsController._update_snapshot_status.
pub fn report_snapshot_status(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    status: &str,
    progress: Option<u8>,
) -> Result<(), Error> {
    let mut row = Snapshot::clone(find_snapshot(txn, cx.caller, id)?);
    cx.caller.check_on(policy::SNAPSHOT_UPDATE_STATUS, &row)?;
    let current = row.status;
    let allowed =
        SnapshotOperation::reports(current).ok_or(SnapshotRefusal::NoReport { current })?;
    let new = SnapshotStatus::parse(status)
        .filter(|new| allowed.contains(new))
        .ok_or_else(|| SnapshotRefusal::StatusNotAllowed { status: status.into(), current })?;
    if let Some(progress) = progress {
        row.progress = progress;
    }
    // The reporter has finished the operation, so the worker's item is obsolete.
    if new != current {
        cancel(txn, cx, (WorkTarget::Snapshot, row.id))?;
    }
    row.status = new;
    write_snapshot(txn, cx.now, row)
}
