//! The status of a group snapshot that an operator sets.

use statehold_store::WriteTxn;

use super::find_group_snapshot;
use crate::{
    caller::policy,
    context::Context,
    errors::{Error, GroupRefusal},
    ops::groups::{GroupApi, require_version},
    rows::{GroupSnapshot, GroupSnapshotStatus},
};

/// Admin: sets a group snapshot's status unconditionally.
///
/// # Errors
/// [`Error`] with the status 400 for an unknown status, 404 before 3.19.
// Cinder: cinder/group/api.py, API.reset_group_snapshot_status.
pub fn reset_group_snapshot_status(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    status: &str,
) -> Result<(), Error> {
    const SINCE: u16 = 19;
    require_version(cx, SINCE)?;
    let mut row = GroupSnapshot::clone(find_group_snapshot(txn, cx, GroupApi::Groups, id)?);
    cx.caller.check_on(policy::GROUP_SNAPSHOT_RESET_STATUS, &row)?;
    row.status = parse_status(status)?;
    row.updated_at = Some(cx.now);
    txn.upsert::<GroupSnapshot>(row)?;
    Ok(())
}

fn parse_status(text: &str) -> Result<GroupSnapshotStatus, Error> {
    if text.trim().is_empty() {
        let text = "Invalid GroupSnapshot Status: The 'status' can not be empty.";
        return Err(Error::request(text));
    }
    GroupSnapshotStatus::parse(&text.to_lowercase())
        .ok_or_else(|| GroupRefusal::NoSnapshotStatus { status: text.into() }.into())
}

pub(crate) fn check_group_snapshot_status(text: &str) -> Result<(), Error> {
    parse_status(text).map(drop)
}
