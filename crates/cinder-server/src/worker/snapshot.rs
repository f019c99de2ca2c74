//! Work with snapshots.

use statehold_cinder::{Outcome, Snapshot, Task, Volume, WorkItem};
use statehold_store::ReadView;

use crate::state::CinderState;
use crate::worker::failure::Failure;
use crate::worker::placement::backend_of;

/// Performs a work item of a snapshot.
pub(super) fn work_on_snapshot(state: &CinderState, item: &WorkItem) -> Result<Outcome, Failure> {
    let view = state.core().store().snapshot();
    let row = view.get::<Snapshot>(item.target).ok_or(Failure::RowDeleted)?;
    let volume = view.get::<Volume>(row.volume_id).ok_or(Failure::RowDeleted)?;
    match &item.task {
        Task::CreateSnapshot => {
            backend_of(state, volume)?.driver.create_snapshot(row.id, volume.id)?;
        }
        // An unmanaged snapshot keeps its data, and its row goes.
        Task::DeleteSnapshot { keep_data: true } => {}
        Task::DeleteSnapshot { keep_data: false } => {
            backend_of(state, volume)?.driver.delete_snapshot(row.id)?;
        }
        Task::ManageSnapshot { reference } => {
            backend_of(state, volume)?.driver.adopt_snapshot(row.id, volume.id, reference)?;
        }
        _ => return Err(Failure::RowDeleted),
    }
    Ok(Outcome::DONE)
}
