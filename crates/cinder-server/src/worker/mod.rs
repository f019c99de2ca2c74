//! Takes what operations queue to the back ends.
//!
//! Work is noted as begun before it is, and its outcome when it is done. What the server dies over is
//! begun again at the next start, so a driver may find things done already.
//!
//! Invariant: at most one thing is done with a volume or snapshot at a time, also when an operator
//! replaced the work that was under way.
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
use crate::worker::queue::{Room, about, begin, is_short, lots};
use crate::worker::snapshot::work_on_snapshot;
use crate::worker::volume::{create_together, work_on_volume};

/// The maximum number of lots that are worked on at a time.
const JOBS_MAX: usize = 4;

/// How often the queue is looked at if nobody tells that there is something.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often quota is given back that was set aside for what never came to an end.
const EXPIRE_EVERY: Duration = Duration::from_secs(5 * 60);

/// A lot under way.
#[derive(Debug)]
struct Job {
    id: Id,
    lot: Vec<WorkItem>,
    begun: Instant,
}

impl Job {
    /// Returns `true` if later short items gain by waiting for its end: a commit is cheaper for many. A job that takes
    /// long, for example on a file system that hangs, holds none of them up.
    fn is_short_and_new(&self) -> bool {
        self.lot.iter().all(is_short) && self.begun.elapsed() < LOOK_EVERY
    }
}

/// Does work until the server is to stop.
pub async fn run(cloud: CinderState, mut stopped: watch::Receiver<bool>) {
    let mut jobs = JoinSet::new();
    let mut under_way: Vec<Job> = Vec::new();
    let mut expire = Instant::now();
    loop {
        if expire <= Instant::now() {
            expire_quota(&cloud);
            expire = Instant::now() + EXPIRE_EVERY;
        }
        let free = if *stopped.borrow() { 0 } else { JOBS_MAX - jobs.len() };
        let busy = under_way.iter().flat_map(|job| job.lot.iter().flat_map(about)).collect();
        let room = Room { lots: free, full_lots_only: under_way.iter().any(Job::is_short_and_new) };
        for lot in lots(begin(&cloud, room, &busy)) {
            let (job, of) = (lot.clone(), cloud.clone());
            let handle =
                jobs.spawn_blocking(move || finish_lot(&of, &job, &work_on_lot(&of, &job)));
            under_way.push(Job { id: handle.id(), lot, begun: Instant::now() });
        }
        tokio::select! {
            Some(done) = jobs.join_next_with_id() => {
                let (id, died) = match done {
                    Ok((id, ())) => (id, None),
                    Err(error) => (error.id(), Some(error)),
                };
                let at = under_way.iter().position(|job| job.id == id);
                let ended = at.map(|at| under_way.swap_remove(at));
                if let (Some(Job { lot, .. }), Some(error)) = (ended, died) {
                    tracing::error!(%error, "work with a volume ended in the middle");
                    for item in &lot {
                        finish(&cloud, item, &failed(FailureCause::Unknown));
                    }
                }
            }
            () = cloud.queued().notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// Gives back quota that was set aside for what never came to an end.
fn expire_quota(cloud: &CinderState) {
    let overdue = |txn: &mut WriteTxn<'_>, now| {
        expire_reservations(txn, cloud.config(), now).map_err(refused)
    };
    if let Some(expired @ 1..) = write(cloud, overdue) {
        tracing::warn!(expired, "quota that was set aside for nothing is given back");
    }
}

/// Runs a transaction; `None` when the store refuses, which is logged.
fn write<T>(
    cloud: &CinderState,
    change: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<T, Rejection>,
) -> Option<T> {
    let written = tokio::task::block_in_place(|| cloud.app().write_blocking(change));
    written.ok().map(|(_, done)| done)
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn refused(error: statehold_store::WriteError) -> Rejection {
    Rejection::internal(&error)
}

/// Does the work of a lot; returns the outcomes in the order of the items.
fn work_on_lot(cloud: &CinderState, lot: &[WorkItem]) -> Vec<Outcome> {
    match lot {
        [item] => vec![work(cloud, item)],
        _ => create_together(cloud, lot),
    }
}

/// Does work; it may take a while.
fn work(cloud: &CinderState, item: &WorkItem) -> Outcome {
    let done = match item.kind {
        WorkTarget::Volume => work_on_volume(cloud, item),
        WorkTarget::Snapshot => work_on_snapshot(cloud, item),
        WorkTarget::Backup => work_on_backup(cloud, item),
        WorkTarget::Group => work_on_group(cloud, item),
    };
    outcome_of(item, done)
}
