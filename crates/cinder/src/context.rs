//! The context of an operation, and the look-up of rows by the IDs that clients send.

use statehold_store::{Entry, ReadView};
use uuid::Uuid;

use crate::{
    access::actions::Rule,
    caller::{Caller, policy},
    config::Config,
    errors::{Error, Missing},
    id::parse_id,
    rows::{Backup, Snapshot, Volume},
    version::Microversion,
};

/// The request that an operation serves: its caller, version, time and ID, and the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    /// The configuration.
    pub config: &'c Config,
    /// The caller.
    pub caller: &'c Caller,
    /// The version of the request.
    pub version: Microversion,
    /// The time, in Unix nanoseconds.
    pub now: i64,
    /// The request's ID, which messages about its work contain.
    pub request_id: &'c str,
}

/// Returns the volume with the ID `id`, if the caller sees it.
///
/// # Errors
/// [`Error::Policy`] without a role; [`Missing::Volume`], also for a volume of another project,
/// because its existence MUST stay hidden.
pub fn find_volume<'v>(
    view: &'v impl ReadView,
    caller: &Caller,
    id: &str,
) -> Result<&'v Entry<Volume>, Error> {
    find_volume_for(view, caller, policy::VOLUME_GET, id)
}

/// Like [`find_volume`], by the policy for `rule`: for operations that take a volume without showing it.
pub(crate) fn find_volume_for<'v>(
    view: &'v impl ReadView,
    caller: &Caller,
    rule: Rule,
    id: &str,
) -> Result<&'v Entry<Volume>, Error> {
    let row = parse_id(id).and_then(|id| view.get::<Volume>(id));
    let row = row.filter(|row| caller.sees(&row.project_id));
    // The policy decides before a 404, so that a caller without a role cannot probe for IDs.
    caller.check_found(rule, row.map(|row| &**row))?;
    Ok(row.ok_or_else(|| Missing::Volume(id.into()))?)
}

/// Checks the policy for rows that belong to the owner of their volume: attachments and transfers.
/// `id` is absent if the row is.
///
/// # Errors
/// [`Error::Policy`].
pub(crate) fn check_volume(
    view: &impl ReadView,
    caller: &Caller,
    rule: Rule,
    id: Option<Uuid>,
) -> Result<(), Error> {
    let row = id.and_then(|id| view.get::<Volume>(id));
    caller.check_found(rule, row.map(|row| &**row))
}

/// Returns the snapshot with the ID `id`, if the caller sees it.
///
/// # Errors
/// [`Error::Policy`] without a role; [`Missing::Snapshot`].
pub fn find_snapshot<'v>(
    view: &'v impl ReadView,
    caller: &Caller,
    id: &str,
) -> Result<&'v Entry<Snapshot>, Error> {
    let row = parse_id(id).and_then(|id| view.get::<Snapshot>(id));
    let row = row.filter(|row| caller.sees(&row.project_id));
    caller.check_found(policy::SNAPSHOT_GET, row.map(|row| &**row))?;
    Ok(row.ok_or_else(|| Missing::Snapshot(id.into()))?)
}

/// Returns the backup with the ID `id`, if the caller sees it.
///
/// # Errors
/// [`Error::Policy`] without a role; [`Missing::Backup`].
pub fn find_backup<'v>(
    view: &'v impl ReadView,
    caller: &Caller,
    id: &str,
) -> Result<&'v Entry<Backup>, Error> {
    let row = parse_id(id).and_then(|id| view.get::<Backup>(id));
    let row = row.filter(|row| caller.sees(&row.project_id));
    caller.check_found(policy::BACKUP_GET, row.map(|row| &**row))?;
    Ok(row.ok_or_else(|| Missing::Backup(id.into()))?)
}
