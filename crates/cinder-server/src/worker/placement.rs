//! The back end that work takes place on.

use std::sync::Arc;

use statehold_cinder::{
    Group, Snapshot, Volume, VolumeSource, VolumeType, disabled_hosts, place_volume,
};
use statehold_store::{ReadView, WriteTxn};

use crate::backend::driver::Source;
use crate::backend::hints::allow;
use crate::backend::scheduler::Backend;
use crate::state::CinderState;
use crate::worker::failure::Failure;
use crate::worker::{refused, write};

/// The back end of a volume.
pub(super) fn backend_of(cloud: &CinderState, row: &Volume) -> Result<Arc<Backend>, Failure> {
    let backend = row.host.as_deref().and_then(|host| cloud.backends().of(host));
    backend.cloned().ok_or(Failure::NoBackend)
}

/// Records the back end of a volume before its file is created there, unless it is recorded.
pub(super) fn place(cloud: &CinderState, row: &Volume, backend: &Backend) -> Result<(), Failure> {
    if row.host.as_deref() == Some(backend.host()) {
        return Ok(());
    }
    let place = |txn: &mut WriteTxn<'_>, now| {
        place_volume(txn, now, row.id, backend.placement()).map_err(refused)
    };
    if write(cloud, place) == Some(true) { Ok(()) } else { Err(Failure::Gone) }
}

/// Where a new volume is made, and of what. A copy is made where the original is.
pub(super) fn choose(
    cloud: &CinderState,
    view: &impl ReadView,
    row: &Volume,
    source: VolumeSource,
) -> Result<(Arc<Backend>, Source), Failure> {
    let (original, source) = match source {
        VolumeSource::Empty | VolumeSource::Backup(_) => {
            if row.host.is_some() {
                return Ok((backend_of(cloud, row)?, Source::Empty));
            }
            let off = disabled_hosts(view);
            if let Some(host) = host_of(view, row) {
                let own = cloud.backends().of(&host?).cloned();
                let own = own.filter(|own| !off.contains(own.service_host()));
                let own = own.filter(|own| allow(cloud, view, row, own));
                return Ok((own.ok_or(Failure::NoBackend)?, Source::Empty));
            }
            let named = row.volume_type_id.and_then(|id| view.get::<VolumeType>(id));
            let named = named.map(|named| &**named);
            let (zone, types) = (&row.availability_zone, named.as_slice());
            let allow = |own: &Backend| allow(cloud, view, row, own);
            let chosen = cloud.backends().choose_for(zone, row.size, types, &off, allow);
            return Ok((chosen.cloned().ok_or(Failure::NoBackend)?, Source::Empty));
        }
        VolumeSource::Snapshot(id) => {
            let snapshot = view.get::<Snapshot>(id).ok_or(Failure::Gone)?;
            (snapshot.volume_id, Source::Snapshot(id))
        }
        VolumeSource::Volume(id) => (id, Source::Volume(id)),
    };
    let original = view.get::<Volume>(original).ok_or(Failure::Gone)?;
    let own = backend_of(cloud, original)?;
    // The back end is that of the original, and hints can only refuse it. A copy that is there already
    // was allowed when it was begun.
    if row.host.is_none() && !allow(cloud, view, row, &own) {
        return Err(Failure::NoBackend);
    }
    Ok((own, source))
}

/// The back end that a volume has to be on because of its group, as `host@backend#pool`.
fn host_of(view: &impl ReadView, row: &Volume) -> Option<Result<Box<str>, Failure>> {
    let group = view.get::<Group>(row.group_id?)?;
    Some(group.host.clone().ok_or(Failure::NoBackend))
}
