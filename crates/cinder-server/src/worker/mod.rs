//! The worker: carries out the work items that operations queue, at the back ends and in the backup repository.
//!
//! The worker records the start of an item before the work, and its outcome after it. An item that was in progress when
//! the server died starts again, so a driver may find its effect done already.
//!
//! Invariant: the worker does at most one thing with a volume or snapshot at a time, even if an operator reset its
//! status and queued other work meanwhile.
//! Invariant: no transaction is open while a back end works.

mod backup;
mod failure;
mod finish;
mod group;
mod placement;
mod queue;
mod snapshot;
mod volume;

use std::time::{Duration, Instant};

use statehold_cinder::{FailureCause, Outcome, WorkItem, WorkTarget, expire_reservations};
use statehold_server_core::rejection::Rejection;
use statehold_store::WriteTxn;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};

use crate::state::CinderState;
use crate::worker::backup::work_on_backup;
use crate::worker::failure::{failed, outcome_of};
use crate::worker::finish::{finish, finish_lot};
use crate::worker::group::work_on_group;
use crate::worker::queue::{LotLimits, begin, is_short, lots, targets_of};
use crate::worker::snapshot::work_on_snapshot;
use crate::worker::volume::{create_together, work_on_volume};

/// The maximum number of lots in progress.
const JOBS_MAX: usize = 4;

/// How often the worker looks at the queue without a notification.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// How often the worker releases expired quota reservations.
const EXPIRE_EVERY: Duration = Duration::from_secs(5 * 60);

/// A lot in progress.
#[derive(Debug)]
struct Job {
    id: Id,
    lot: Vec<WorkItem>,
    begun: Instant,
}

impl Job {
    /// Returns whether later short items should wait for its end, because a commit is cheaper for many. A job that
    /// takes long, for example on a file system that hangs, delays none of them.
    fn is_short_and_new(&self) -> bool {
        self.lot.iter().all(is_short) && self.begun.elapsed() < POLL_EVERY
    }
}

/// Carries out queued work until `stopped` is true. Jobs in progress are abandoned then: the next start repeats them.
pub async fn run(state: CinderState, mut stopped: watch::Receiver<bool>) {
    let mut jobs = JoinSet::new();
    let mut running: Vec<Job> = Vec::new();
    let mut expire = Instant::now();
    loop {
        if expire <= Instant::now() {
            expire_quota(&state);
            expire = Instant::now() + EXPIRE_EVERY;
        }
        let free = if *stopped.borrow() { 0 } else { JOBS_MAX - jobs.len() };
        let busy = running.iter().flat_map(|job| job.lot.iter().flat_map(targets_of)).collect();
        let limits =
            LotLimits { lots: free, full_lots_only: running.iter().any(Job::is_short_and_new) };
        for lot in lots(begin(&state, limits, &busy)) {
            let (job, shared) = (lot.clone(), state.clone());
            let carry_out = move || finish_lot(&shared, &job, &work_on_lot(&shared, &job));
            let handle = jobs.spawn_blocking(carry_out);
            running.push(Job { id: handle.id(), lot, begun: Instant::now() });
        }
        tokio::select! {
            // Without jobs the branch is disabled.
            Some(done) = jobs.join_next_with_id() => {
                let (id, panicked) = match done {
                    Ok((id, ())) => (id, None),
                    Err(error) => (error.id(), Some(error)),
                };
                let at = running.iter().position(|job| job.id == id);
                let ended = at.map(|at| running.swap_remove(at));
                if let (Some(Job { lot, .. }), Some(error)) = (ended, panicked) {
                    tracing::error!(%error, "worker task panicked");
                    // Otherwise the next start would repeat the panic.
                    for item in &lot {
                        finish(&state, item, &failed(FailureCause::Unknown));
                    }
                }
            }
            () = state.queued().notified() => {}
            () = tokio::time::sleep(POLL_EVERY) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// Releases expired quota reservations.
fn expire_quota(state: &CinderState) {
    let overdue = |txn: &mut WriteTxn<'_>, now| {
        expire_reservations(txn, state.config(), now).map_err(refused)
    };
    if let Some(expired @ 1..) = write(state, overdue) {
        tracing::warn!(expired, "released expired quota reservations");
    }
}

/// Runs a transaction, and returns its result, or `None` if the store rejects it.
fn write<T>(
    state: &CinderState,
    change: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<T, Rejection>,
) -> Option<T> {
    // The failure is logged already, and the worker MUST go on: an operator may free space on the disk.
    let written = tokio::task::block_in_place(|| state.core().write_blocking(change));
    written.ok().map(|(_, done)| done)
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn refused(error: statehold_store::WriteError) -> Rejection {
    Rejection::internal(&error)
}

/// Carries out the work of a lot. Returns the outcomes in the order of the items.
fn work_on_lot(state: &CinderState, lot: &[WorkItem]) -> Vec<Outcome> {
    match lot {
        [item] => vec![work(state, item)],
        _ => create_together(state, lot),
    }
}

/// Carries out a work item. Blocks until the back end is done.
fn work(state: &CinderState, item: &WorkItem) -> Outcome {
    let done = match item.kind {
        WorkTarget::Volume => work_on_volume(state, item),
        WorkTarget::Snapshot => work_on_snapshot(state, item),
        WorkTarget::Backup => work_on_backup(state, item),
        WorkTarget::Group => work_on_group(state, item),
    };
    outcome_of(item, done)
}
