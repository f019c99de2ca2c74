//! What groups need of back ends: one that takes volumes of all of their types.
//!
//! Everything else about groups is work with their volumes and snapshots.

use statehold_cinder::{Group, Outcome, Task, VolumeType, WorkItem, disabled_hosts};
use statehold_store::ReadView;

use crate::state::CinderState;
use crate::worker::failure::Failure;

/// Does work with a group.
pub(super) fn work_on_group(cloud: &CinderState, item: &WorkItem) -> Result<Outcome, Failure> {
    if item.task != Task::CreateGroup {
        return Ok(Outcome::DONE);
    }
    let view = cloud.app().store().snapshot();
    let row = view.get::<Group>(item.target).ok_or(Failure::Gone)?;
    let types = row.volume_types.iter().map(|id| view.get::<VolumeType>(*id));
    let types: Option<Vec<&VolumeType>> = types.map(|found| found.map(|row| &**row)).collect();
    let types = types.ok_or(Failure::Gone)?;
    let off = disabled_hosts(&view);
    let chosen = cloud.backends().choose_for(&row.availability_zone, 0, &types, &off, |_| true);
    let placement = chosen.ok_or(Failure::NoBackend)?.placement();
    Ok(Outcome::Done { moved: Some(placement), provider_id: None })
}
