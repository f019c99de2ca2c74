//! Writes the outcomes of work, and deletes the file that a volume which moved no longer needs.

use statehold_cinder::{Outcome, Volume, WorkItem, finish_work};
use statehold_store::ReadView;

use crate::state::CinderState;
use crate::worker::{refused, write};

/// Writes what came of work, unless an operator settled the matter in the meantime.
pub(super) fn finish(cloud: &CinderState, item: &WorkItem, outcome: &Outcome) {
    let before = cloud.app().store().snapshot();
    let written = write(cloud, |txn, now| {
        finish_work(txn, cloud.config(), now, item, outcome).map_err(refused)
    });
    if let Some(written) = written {
        note_finished(cloud, item, outcome, written);
    }
    let Outcome::Done { moved: Some(to), .. } = outcome else { return };
    let Some(row) = before.get::<Volume>(item.target) else { return };
    // The file that doesn't count; when it is not known which, the next start finds out.
    let left = match written {
        Some(true) => row.host.as_deref(),
        Some(false) => Some(&*to.host),
        None => None,
    };
    // Before anything else is done with the volume: it may be about to come back.
    if let Some(backend) = left.and_then(|host| cloud.backends().of(host))
        && let Err(error) = backend.driver.delete_volume(item.target)
    {
        tracing::error!(%error, volume = %item.target, "the other file of a volume that moved is left");
    }
}

/// Writes the outcomes of a lot in one transaction.
pub(super) fn finish_lot(cloud: &CinderState, lot: &[WorkItem], outcomes: &[Outcome]) {
    let each = || lot.iter().zip(outcomes);
    let moved = |outcome: &Outcome| matches!(outcome, Outcome::Done { moved: Some(_), .. });
    // A file may have to go after the outcome of a volume that moved.
    if lot.len() < 2 || outcomes.iter().any(moved) {
        return each().for_each(|(item, outcome)| finish(cloud, item, outcome));
    }
    let written = write(cloud, |txn, now| {
        let finish = |(item, outcome)| finish_work(txn, cloud.config(), now, item, outcome);
        each().map(finish).collect::<Result<Vec<bool>, _>>().map_err(refused)
    });
    match written {
        Some(written) => {
            each().zip(written).for_each(|((item, outcome), written)| {
                note_finished(cloud, item, outcome, written);
            });
        }
        // One outcome that can't be written must not hold up the others.
        None => each().for_each(|(item, outcome)| finish(cloud, item, outcome)),
    }
}

/// Logs and counts an outcome; `written` is `false` if an operator settled the matter in the meantime.
fn note_finished(cloud: &CinderState, item: &WorkItem, outcome: &Outcome, written: bool) {
    if !written {
        tracing::info!(target = %item.target, "work was settled by an operator while it was done");
    } else if let Outcome::Failed { .. } = outcome {
        cloud.metrics().count_failed(item.task.name());
    }
}
