//! Recording: what a node answered, checked against what is so by now.

use statehold_store::{ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::{
    error::{CreatedHostVolume, HostOperation, HostProviderError, HostVolumeError},
    placement::has_volume,
    plan::{HostDeletePlan, HostVolumePlan, known},
    reports::state_on,
};
use crate::{
    health::host_volume_users,
    rows::{HostVolume, HostVolumes, Namespaces, Nodes},
};

/// Records a volume that its node made or took over.
///
/// The volume is ready at once when its node reports it already. An answer that is an error is
/// given back and writes nothing; so does a volume whose namespace, node or name is no longer
/// there to be had, or that allocations use by now.
pub fn record_host_volume(
    txn: &mut WriteTxn<'_>,
    plan: HostVolumePlan,
    answer: Result<CreatedHostVolume, HostProviderError>,
) -> Result<(), HostVolumeError> {
    let HostVolumePlan { mut volume, spec, operation, .. } = plan;
    let made = answer.map_err(|error| HostVolumeError::Node { operation, error })?;
    if operation == HostOperation::Create {
        volume.host_path = made.host_path;
        volume.capacity = made.capacity;
    }
    let (id, node) = (volume.id, volume.node_id);
    if let Some(known) = known(txn, &spec)? {
        volume.create_time = known.create_time;
    }
    if txn.get::<Namespaces>(&volume.namespace).is_none() {
        return Err(HostVolumeError::NamespaceGone { id, namespace: volume.namespace });
    }
    let Some(node) = txn.get::<Nodes>(node) else {
        return Err(HostVolumeError::NodeGone { id, node });
    };
    if has_volume(txn, node.id, &volume.name).is_some_and(|other| other.id != id) {
        return Err(HostVolumeError::NameTaken);
    }
    volume.node_pool.clone_from(&node.node_pool);
    volume.state = state_on(txn, node, &volume);
    txn.upsert::<HostVolumes>(volume)?;
    Ok(())
}

/// Records where a volume is that was moved with the directory around it; `now` is in unix
/// nanoseconds. False when there is no such volume.
pub fn move_host_volume(
    txn: &mut WriteTxn<'_>,
    now: i64,
    namespace: &str,
    id: Uuid,
    host_path: &str,
) -> Result<bool, WriteError> {
    let volume = txn.get::<HostVolumes>((namespace, id)).map(|row| HostVolume::clone(row));
    let Some(volume) = volume else { return Ok(false) };
    let host_path = host_path.into();
    txn.upsert::<HostVolumes>(HostVolume { host_path, modify_time: now, ..volume })?;
    Ok(true)
}

/// Forgets a volume that its node removed, or that nobody can remove any more and `force` was
/// asked for. False when it was gone already.
pub fn record_host_delete(
    txn: &mut WriteTxn<'_>,
    plan: &HostDeletePlan,
    answer: Result<(), HostProviderError>,
) -> Result<bool, HostVolumeError> {
    match answer {
        Err(error) if error.is_unreachable() => {
            if !plan.force {
                return Err(HostVolumeError::NeedsForce);
            }
        }
        Err(error) => {
            return Err(HostVolumeError::Node { operation: HostOperation::Delete, error });
        }
        Ok(()) => {}
    }
    let (namespace, id) = (&plan.volume.namespace, plan.volume.id);
    let Some(volume) = txn.get::<HostVolumes>((namespace, id)) else { return Ok(false) };
    if let Some(allocation) = host_volume_users(txn, volume).next() {
        return Err(HostVolumeError::InUseBy { id, allocation: allocation.id });
    }
    Ok(txn.delete::<HostVolumes>((namespace, id))?.is_some())
}
