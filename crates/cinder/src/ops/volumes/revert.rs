//! Reverting a volume to its newest snapshot.

use statehold_store::WriteTxn;
use uuid::Uuid;

use super::write_volume;
use crate::{
    caller::policy,
    context::{Context, find_volume},
    errors::{Error, Missing},
    rows::{Snapshot, Task, Volume, WorkTarget},
    status_machine::{SnapshotOperation, VolumeOperation, check_settled},
    totals,
    work::{queue, snapshots_of},
};

/// Reverts a volume to its newest snapshot: both are in a transitional status, and a worker reverts
/// the data.
///
/// # Errors
/// [`Error`]; any other snapshot is rejected with the status 400, an unavailable volume or snapshot
/// with 409.
// Cinder: cinder/api/v3/volumes.py, VolumeController.revert; cinder/volume/api.py,
// API.revert_to_snapshot.
pub fn revert_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    snapshot: Uuid,
) -> Result<(), Error> {
    const SINCE: u16 = 40;
    if !cx.version.at_least(SINCE) {
        return Err(Missing::Operation.into());
    }
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_REVERT, &row)?;
    let volume = row.id;
    let Some(latest) = snapshots_of(txn, volume).last().map(|row| Snapshot::clone(row)) else {
        return Err(Error::request(format!("Volume {volume} doesn't have any snapshots.")));
    };
    if latest.id != snapshot {
        return Err(Error::request(format!(
            "Specified snapshot {snapshot} is None or not the latest one of volume {volume}."
        )));
    }
    if latest.size != row.size {
        return Err(Error::input(format!(
            "Can't revert volume {volume} to its latest snapshot {snapshot}. The volume size must \
             be equal to the snapshot size."
        )));
    }
    let status = VolumeOperation::Revert.check_with(&row, snapshot)?;
    check_settled(&row)?;
    let mut latest = latest;
    latest.status = SnapshotOperation::Revert.check(&latest)?;
    latest.updated_at = Some(cx.now);
    totals::put_snapshot(txn, latest)?;
    row.status = status;
    write_volume(txn, cx.now, row)?;
    let task = Task::RevertVolume { snapshot };
    queue(txn, cx, (WorkTarget::Volume, volume), task, None)?;
    Ok(())
}
