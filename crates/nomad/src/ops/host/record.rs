//! Records the results of nodes, after repeating the checks of the plan.

use statehold_store::{ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::{
    error::{CreatedHostVolume, HostOperation, HostProviderError, HostVolumeError},
    placement::volume_on_node,
    plan::{HostDeletePlan, HostVolumePlan, updated_volume},
    reports::state_on,
};
use crate::{
    health::host_volume_users,
    rows::{HostVolume, HostVolumes, Namespaces, Nodes},
};

/// Records a volume that its node has created or adopted.
///
/// The volume is ready at once if its node reports it already. Returns an error of the node without
/// a write. Fails, too, if the namespace or the node was deleted, the name was taken, or an
/// allocation started to use the volume.
pub fn record_host_volume(
    txn: &mut WriteTxn<'_>,
    plan: HostVolumePlan,
    answer: Result<CreatedHostVolume, HostProviderError>,
) -> Result<(), HostVolumeError> {
    let HostVolumePlan { mut volume, spec, operation, .. } = plan;
    let made = answer.map_err(|error| HostVolumeError::Node { operation, error })?;
    // A registration brought the path and the capacity itself.
    if operation == HostOperation::Create {
        volume.host_path = made.host_path;
        volume.capacity = made.capacity;
    }
    let (id, node) = (volume.id, volume.node_id);
    if let Some(known) = updated_volume(txn, &spec)? {
        // The volume may have been created by another request after the plan.
        volume.create_time = known.create_time;
    }
    if txn.get::<Namespaces>(&volume.namespace).is_none() {
        return Err(HostVolumeError::NamespaceGone { id, namespace: volume.namespace });
    }
    let Some(node) = txn.get::<Nodes>(node) else {
        return Err(HostVolumeError::NodeGone { id, node });
    };
    // The plan could not reserve the name while the node worked.
    if volume_on_node(txn, node.id, &volume.name).is_some_and(|other| other.id != id) {
        return Err(HostVolumeError::NameTaken);
    }
    volume.node_pool.clone_from(&node.node_pool);
    // The node may have reported the volume before this commit.
    volume.state = state_on(txn, node, &volume);
    txn.upsert::<HostVolumes>(volume)?;
    Ok(())
}

/// Records the new path of a volume whose parent directory was moved; `now` is in unix nanoseconds.
/// Returns false if the volume does not exist.
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

/// Deletes the row of a volume that its node has deleted, or, with `force`, whose node cannot be
/// reached. Returns false if it was deleted already.
pub fn record_host_delete(
    txn: &mut WriteTxn<'_>,
    plan: &HostDeletePlan,
    answer: Result<(), HostProviderError>,
) -> Result<bool, HostVolumeError> {
    match answer {
        // Only a node that cannot be reached may be bypassed; its own failure is final.
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
