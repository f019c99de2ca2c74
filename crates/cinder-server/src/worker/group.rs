//! Work with groups: the choice of a back end that takes volumes of all of their types.
//!
//! All other work of a group is work with its volumes and snapshots.

use statehold_cinder::{Group, Outcome, Task, VolumeType, WorkItem, disabled_hosts};
use statehold_store::ReadView;

use crate::state::CinderState;
use crate::worker::failure::Failure;

/// Performs a work item of a group.
pub(super) fn work_on_group(state: &CinderState, item: &WorkItem) -> Result<Outcome, Failure> {
    if item.task != Task::CreateGroup {
        return Ok(Outcome::DONE);
    }
    let view = state.core().store().snapshot();
    let row = view.get::<Group>(item.target).ok_or(Failure::RowDeleted)?;
    let types = row.volume_types.iter().map(|id| view.get::<VolumeType>(*id));
    let types: Option<Vec<&VolumeType>> = types.map(|found| found.map(|row| &**row)).collect();
    let types = types.ok_or(Failure::RowDeleted)?;
    let disabled = disabled_hosts(&view);
    // A group has no size: any free space will do.
    let zone = &row.availability_zone;
    let chosen = state.backends().choose_for(zone, 0, &types, &disabled, |_| true);
    let placement = chosen.ok_or(Failure::NoBackend)?.placement();
    Ok(Outcome::Done { moved: Some(placement), provider_id: None })
}
