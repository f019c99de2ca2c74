//! The state of a snapshot after work.

use statehold_store::{ReadView, WriteError, WriteTxn};

use super::{message::add_message, outcome::Outcome, release::keep_volume};
use crate::{
    config::Config,
    quota,
    rows::{Snapshot, SnapshotStatus, Task, WorkItem},
    status_machine::WorkEnd,
    totals,
};

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
    let end = if busy { WorkEnd::Busy } else { WorkEnd::of(done) };
    let Some(status) = row.status.after(item.task.name(), end, SnapshotStatus::Available) else {
        if row.consumes_quota {
            let deltas = quota::of_snapshot(config, row.volume_type_id, -1, row.size);
            quota::apply(txn, config, &row.project_id, &deltas)?;
        }
        totals::remove_snapshot(txn, row.id)?;
        return Ok(());
    };
    row.status = status;
    add_message(txn, now, &row.project_id, item, outcome)?;
    if matches!(item.task, Task::DeleteSnapshot { .. }) {
        // A cascading deletion of the volume waits for this snapshot, which stays.
        keep_volume(txn, now, row.volume_id)?;
    } else if done {
        row.progress = 100;
    }
    totals::put_snapshot(txn, row)?;
    Ok(())
}
