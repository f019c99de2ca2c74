//! What a snapshot is after work.

use statehold_store::{ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::{
    outcome::{Outcome, tell},
    volume::keep_volume,
};
use crate::{
    config::Config,
    quota,
    rows::{Snapshot, SnapshotStatus, Task, WorkItem},
    totals,
};

/// A snapshot to which a volume went back, or not, can be used again in either case.
pub(super) fn release_snapshot(
    txn: &mut WriteTxn<'_>,
    now: i64,
    id: Uuid,
) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Snapshot>(id) else { return Ok(()) };
    if row.status != SnapshotStatus::Restoring {
        return Ok(());
    }
    let mut row = Snapshot::clone(row);
    row.status = SnapshotStatus::Available;
    row.updated_at = Some(now);
    totals::put_snapshot(txn, row)?;
    Ok(())
}

pub(super) fn finish_snapshot(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    item: &WorkItem,
    outcome: &Outcome,
) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Snapshot>(item.target) else { return Ok(()) };
    let mut row = Snapshot::clone(row);
    let done = outcome.is_done();
    let busy = matches!(outcome, Outcome::Busy);
    row.updated_at = Some(now);
    let deletes = matches!(item.task, Task::DeleteSnapshot { .. });
    row.status = match (deletes, done) {
        (true, true) => {
            if row.consumes_quota {
                let deltas = quota::of_snapshot(config, row.volume_type_id, -1, row.size);
                quota::apply(txn, config, &row.project_id, &deltas)?;
            }
            totals::remove_snapshot(txn, row.id)?;
            return Ok(());
        }
        (true, false) if busy => SnapshotStatus::Available,
        (true, false) => SnapshotStatus::ErrorDeleting,
        (false, true) => {
            row.progress = 100;
            SnapshotStatus::Available
        }
        (false, false) => SnapshotStatus::Error,
    };
    tell(txn, now, &row.project_id, item, outcome)?;
    // A volume that was to go with all its snapshots can't go when one of them stays.
    if deletes {
        keep_volume(txn, now, row.volume_id)?;
    }
    totals::put_snapshot(txn, row)?;
    Ok(())
}
