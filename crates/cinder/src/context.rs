//! What every operation is told about the request that it serves.

use statehold_store::{Entry, ReadView};
use uuid::Uuid;

use crate::{
    access::actions::Rule,
    caller::{Caller, policy},
    config::Config,
    error::{Error, Missing},
    id::parse_id,
    rows::{Backup, Snapshot, Volume},
    version::Microversion,
};

/// Who asks, when, in which version, and how the cloud is set up.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    /// How the cloud is set up.
    pub config: &'c Config,
    /// Who asks.
    pub caller: &'c Caller,
    /// The version that the request speaks.
    pub version: Microversion,
    /// The time, in unix nanoseconds.
    pub now: i64,
    /// The request's ID, which messages about its work tell.
    pub request_id: &'c str,
}

/// The volume that a client calls `id`, if the caller sees it.
///
/// # Errors
/// [`Error::Policy`] without a role; [`Missing::Volume`], also for a volume of another project: that it
/// is there is told to nobody.
pub fn find_volume<'v>(
    view: &'v impl ReadView,
    caller: &Caller,
    id: &str,
) -> Result<&'v Entry<Volume>, Error> {
    let row = parse_id(id).and_then(|id| view.get::<Volume>(id));
    let row = row.filter(|row| caller.sees(&row.project_id));
    caller.check_found(policy::VOLUME_GET, row.map(|row| &**row))?;
    Ok(row.ok_or_else(|| Missing::Volume(id.into()))?)
}

/// Refuses an action that the policy does not allow with a volume, for rows that belong to the owner of their
/// volume: attachments and offers. `id` is absent where the row is.
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

/// The snapshot that a client calls `id`, if the caller sees it.
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

/// The backup that a client calls `id`, if the caller sees it.
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
