//! What every operation is told about the request that it serves.

use statehold_store::{Entry, ReadView};

use crate::{
    caller::Caller,
    config::Config,
    error::{Error, Missing},
    id::parse_id,
    rows::{Snapshot, Volume},
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
}

/// The volume that a client calls `id`, if the caller sees it.
///
/// # Errors
/// [`Missing::Volume`], also for a volume of another project: that it is there is told to nobody.
pub fn find_volume<'v>(
    view: &'v impl ReadView,
    caller: &Caller,
    id: &str,
) -> Result<&'v Entry<Volume>, Error> {
    let row = parse_id(id).and_then(|id| view.get::<Volume>(id));
    let row = row.filter(|row| caller.sees(&row.project_id));
    Ok(row.ok_or_else(|| Missing::Volume(id.into()))?)
}

/// The snapshot that a client calls `id`, if the caller sees it.
///
/// # Errors
/// [`Missing::Snapshot`].
pub fn find_snapshot<'v>(
    view: &'v impl ReadView,
    caller: &Caller,
    id: &str,
) -> Result<&'v Entry<Snapshot>, Error> {
    let row = parse_id(id).and_then(|id| view.get::<Snapshot>(id));
    let row = row.filter(|row| caller.sees(&row.project_id));
    Ok(row.ok_or_else(|| Missing::Snapshot(id.into()))?)
}
