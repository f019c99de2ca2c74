//! Recording the outcome of work, and resuming work that a crash interrupted.

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::{
    backup::finish_backup,
    group::{self, finish_group},
    outcome::{FailureCause, Outcome},
    queue::ATTEMPTS_MAX,
    snapshot::finish_snapshot,
    volume::{awaits_host, finish_volume, note_awaited},
};
use crate::{
    config::Config,
    rows::{Snapshot, Task, Volume, WorkItem, WorkTarget},
    status_machine::{SnapshotOperation, VolumeOperation},
    totals,
};

/// Records the outcome of work that [`start_work`](super::start_work) returned: the next status of the row, its quota,
/// and a message if the work failed.
///
/// Returns `false` if the work is not queued any more, because an operator reset the status or a request replaced it.
/// The outcome is then discarded, except that a completed deletion sets the status `error`.
pub fn finish_work(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    item: &WorkItem,
    outcome: &Outcome,
) -> Result<bool, WriteError> {
    let key = (item.kind.as_str(), item.target);
    match txn.get::<WorkItem>(key) {
        Some(current) if **current == *item => {}
        // A request replaced the work: its own worker records the outcome.
        Some(_) => return Ok(false),
        None => {
            if outcome.is_done() {
                note_lost(txn, now, item)?;
            }
            return Ok(false);
        }
    }
    if *outcome == Outcome::AwaitsHost {
        note_awaited(txn, now, item)?;
        return Ok(true);
    }
    // Before the target is deleted, because only its row names the parent.
    let parent = group::parent_of(txn, item);
    match item.kind {
        WorkTarget::Volume => finish_volume(txn, config, now, item, outcome)?,
        WorkTarget::Snapshot => finish_snapshot(txn, config, now, item, outcome)?,
        WorkTarget::Backup => finish_backup(txn, config, now, item, outcome)?,
        WorkTarget::Group => finish_group(txn, config, now, item, outcome)?,
    }
    txn.delete::<WorkItem>(key)?;
    if let Some(parent) = parent {
        group::resolve_parent(txn, now, parent)?;
    }
    Ok(true)
}

/// Marks a row `error` whose data was deleted after an operator had reset its status.
fn note_lost(txn: &mut WriteTxn<'_>, now: i64, item: &WorkItem) -> Result<(), WriteError> {
    match item.task {
        Task::DeleteVolume { keep_data: false } => {
            let Some(row) = txn.get::<Volume>(item.target) else { return Ok(()) };
            let mut row = Volume::clone(row);
            row.status = VolumeOperation::Lose.next(row.status);
            row.updated_at = Some(now);
            totals::put_volume(txn, row)?;
            Ok(())
        }
        Task::DeleteSnapshot { keep_data: false } => {
            let Some(row) = txn.get::<Snapshot>(item.target) else { return Ok(()) };
            let mut row = Snapshot::clone(row);
            row.status = SnapshotOperation::Lose.next(row.status);
            row.updated_at = Some(now);
            totals::put_snapshot(txn, row)?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Queues work again that a crash interrupted, or fails it after [`ATTEMPTS_MAX`] attempts. Returns the number of
/// interrupted work items. `message` returns a new ID for each message.
///
/// Servers MUST call it before the first worker begins.
pub fn resume_work(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    mut message: impl FnMut() -> Uuid,
) -> Result<usize, WriteError> {
    let begun: Vec<WorkItem> = txn
        .scan::<WorkItem>(&KeyRange::all(), Order::Ascending)
        // An extension that waits for its host needs no worker, so a restart costs it no attempt.
        .filter(|item| item.started_at.is_some() && !awaits_host(txn, item))
        .map(|item| WorkItem::clone(item))
        .collect();
    let count = begun.len();
    for mut item in begun {
        if item.attempts >= ATTEMPTS_MAX {
            let outcome = Outcome::Failed { cause: FailureCause::Unknown, message: message() };
            finish_work(txn, config, now, &item, &outcome)?;
        } else {
            item.started_at = None;
            txn.upsert::<WorkItem>(item)?;
        }
    }
    Ok(count)
}
