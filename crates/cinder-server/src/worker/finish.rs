//! Writes the outcomes of work, and deletes the data that a migrated volume no longer needs.

use statehold_cinder::{Outcome, Volume, WorkItem, finish_work};
use statehold_store::ReadView;

use crate::state::CinderState;
use crate::worker::{refused, write};

/// Writes the outcome of work, unless an operator reset the status meanwhile.
pub(super) fn finish(state: &CinderState, item: &WorkItem, outcome: &Outcome) {
    let before = state.core().store().snapshot();
    let written = write(state, |txn, now| {
        finish_work(txn, state.config(), now, item, outcome).map_err(refused)
    });
    if let Some(written) = written {
        note_finished(state, item, outcome, written);
    }
    let Outcome::Done { moved: Some(to), .. } = outcome else { return };
    let Some(row) = before.get::<Volume>(item.target) else { return };
    // The copy that no row names. If the write failed, it is unknown which one that is: the next start finds out.
    let left = match written {
        Some(true) => row.host.as_deref(),
        Some(false) => Some(&*to.host),
        None => None,
    };
    // Before the next work with the volume, which may be a migration back.
    if let Some(backend) = left.and_then(|host| state.backends().of(host))
        && let Err(error) = backend.driver.delete_volume(item.target)
    {
        tracing::error!(%error, volume = %item.target, "can't delete stale data of a migrated volume");
    }
}

/// Writes the outcomes of a lot in one transaction.
pub(super) fn finish_lot(state: &CinderState, lot: &[WorkItem], outcomes: &[Outcome]) {
    let each = || lot.iter().zip(outcomes);
    let moved = |outcome: &Outcome| matches!(outcome, Outcome::Done { moved: Some(_), .. });
    // Each outcome of a migrated volume is followed by the deletion of its original.
    if lot.len() < 2 || outcomes.iter().any(moved) {
        return each().for_each(|(item, outcome)| finish(state, item, outcome));
    }
    let written = write(state, |txn, now| {
        let finish = |(item, outcome)| finish_work(txn, state.config(), now, item, outcome);
        each().map(finish).collect::<Result<Vec<bool>, _>>().map_err(refused)
    });
    match written {
        Some(written) => {
            each().zip(written).for_each(|((item, outcome), written)| {
                note_finished(state, item, outcome, written);
            });
        }
        // One outcome that can't be written MUST NOT hold up the others.
        None => each().for_each(|(item, outcome)| finish(state, item, outcome)),
    }
}

/// Logs and counts an outcome. `written` is `false` if an operator reset the status meanwhile.
fn note_finished(state: &CinderState, item: &WorkItem, outcome: &Outcome, written: bool) {
    if !written {
        tracing::info!(target = %item.target, "discarding result: an operator reset the status");
    } else if let Outcome::Failed { .. } = outcome {
        state.metrics().count_failed(item.task.name());
    }
}
