//! The status of a group that an operator sets.

use statehold_store::WriteTxn;

use super::{GroupApi, find_group, write_group};
use crate::{
    caller::policy,
    context::Context,
    errors::{Error, GroupRefusal, Missing},
    rows::{Group, GroupStatus, WorkTarget},
    work::cancel,
};

/// Admin: sets a group's status unconditionally, and cancels its pending work.
///
/// # Errors
/// [`Error`] with the status 400 for an unknown status, 404 before 3.20.
// Cinder: cinder/group/api.py, API.reset_status.
pub fn reset_group_status(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    status: &str,
) -> Result<(), Error> {
    const SINCE: u16 = 20;
    require_version(cx, SINCE)?;
    let mut group = Group::clone(find_group(txn, cx, GroupApi::Groups, id)?);
    cx.caller.check_on(policy::GROUP_RESET_STATUS, &group)?;
    group.status = parse_status(status)?;
    cancel(txn, cx, (WorkTarget::Group, group.id))?;
    write_group(txn, cx.now, group)
}

fn parse_status(text: &str) -> Result<GroupStatus, Error> {
    if text.trim().is_empty() {
        return Err(Error::request("Invalid Group Status: The 'status' can not be empty."));
    }
    // `in-use` is rejected, although the message lists it: the reference compares with the statuses
    // of group snapshots. Cinder: cinder/api/validation/validators.py, _validate_group_status.
    GroupStatus::parse(&text.to_lowercase())
        .filter(|status| *status != GroupStatus::InUse)
        .ok_or_else(|| GroupRefusal::NoStatus { status: text.into() }.into())
}

pub(crate) fn check_group_status(text: &str) -> Result<(), Error> {
    parse_status(text).map(drop)
}

/// Rejects requests before 3.`minor`.
pub(in crate::ops) fn require_version(cx: &Context<'_>, minor: u16) -> Result<(), Error> {
    if cx.version.at_least(minor) { Ok(()) } else { Err(Missing::Operation.into()) }
}
