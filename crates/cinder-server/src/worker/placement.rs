//! The back end that work takes place at.

use std::sync::Arc;

use statehold_cinder::{
    Group, Snapshot, Volume, VolumeSource, VolumeType, disabled_hosts, place_volume,
};
use statehold_store::{ReadView, WriteTxn};

use crate::backend::CloneSource;
use crate::backend::hints::allow;
use crate::backend::scheduler::Backend;
use crate::state::CinderState;
use crate::worker::failure::Failure;
use crate::worker::{refused, write};

/// Returns the back end of a volume.
pub(super) fn backend_of(state: &CinderState, row: &Volume) -> Result<Arc<Backend>, Failure> {
    let backend = row.host.as_deref().and_then(|host| state.backends().of(host));
    backend.cloned().ok_or(Failure::NoBackend)
}

/// Records the back end of a volume before the volume is created there, unless it is recorded: a crash must not leave
/// data that no row leads to.
pub(super) fn place(state: &CinderState, row: &Volume, backend: &Backend) -> Result<(), Failure> {
    if row.host.as_deref() == Some(backend.host()) {
        return Ok(());
    }
    let place = |txn: &mut WriteTxn<'_>, now| {
        place_volume(txn, now, row.id, backend.placement()).map_err(refused)
    };
    if write(state, place) == Some(true) { Ok(()) } else { Err(Failure::RowDeleted) }
}

/// Returns the back end for a new volume, and the original if it is a clone.
pub(super) fn choose(
    state: &CinderState,
    view: &impl ReadView,
    row: &Volume,
    source: VolumeSource,
) -> Result<(Arc<Backend>, Option<CloneSource>), Failure> {
    let (original, source) = match source {
        VolumeSource::Empty | VolumeSource::Backup(_) => {
            return Ok((choose_for_new_data(state, view, row)?, None));
        }
        VolumeSource::Snapshot(id) => {
            let snapshot = view.get::<Snapshot>(id).ok_or(Failure::RowDeleted)?;
            (snapshot.volume_id, CloneSource::Snapshot(id))
        }
        VolumeSource::Volume(id) => (id, CloneSource::Volume(id)),
    };
    let original = view.get::<Volume>(original).ok_or(Failure::RowDeleted)?;
    let own = backend_of(state, original)?;
    // A clone is at the back end of its original: hints can only reject it. They accepted a volume that is placed
    // already, when its work began.
    if row.host.is_none() && !allow(state, view, row, &own) {
        return Err(Failure::NoBackend);
    }
    Ok((own, Some(source)))
}

/// Returns the back end for a volume that is no clone.
fn choose_for_new_data(
    state: &CinderState,
    view: &impl ReadView,
    row: &Volume,
) -> Result<Arc<Backend>, Failure> {
    if row.host.is_some() {
        return backend_of(state, row);
    }
    let disabled = disabled_hosts(view);
    if let Some(host) = host_of_group(view, row) {
        let own = state.backends().of(&host?).cloned();
        let own = own.filter(|own| !disabled.contains(own.service_host()));
        let own = own.filter(|own| allow(state, view, row, own));
        return own.ok_or(Failure::NoBackend);
    }
    let volume_type = row.volume_type_id.and_then(|id| view.get::<VolumeType>(id));
    let volume_type = volume_type.map(|volume_type| &**volume_type);
    let (zone, types) = (&row.availability_zone, volume_type.as_slice());
    let allow = |own: &Backend| allow(state, view, row, own);
    let chosen = state.backends().choose_for(zone, row.size, types, &disabled, allow);
    chosen.cloned().ok_or(Failure::NoBackend)
}

/// Returns the back end of a volume's group as `host@backend#pool`: group snapshots need all volumes at one back end.
fn host_of_group(view: &impl ReadView, row: &Volume) -> Option<Result<Box<str>, Failure>> {
    let group = view.get::<Group>(row.group_id?)?;
    Some(group.host.clone().ok_or(Failure::NoBackend))
}
