//! Keeping host volumes in step with what their nodes report, in the transaction of the report.

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use crate::{
    facts::host_volume_users,
    ops::nodes::{NodeError, upsert_node},
    rows::{HostVolume, HostVolumeState, HostVolumes, Node, NodeHostVolume, Nodes},
};

/// The state of a volume on its node, from the one that it has.
pub(super) fn state_on(node: &Node, volume: &HostVolume) -> HostVolumeState {
    let reported = node.host_volumes.contains_key(&volume.name);
    match volume.state {
        _ if reported && node.is_ready() => HostVolumeState::Ready,
        _ if reported && node.is_down() => HostVolumeState::Unavailable,
        HostVolumeState::Ready if !reported => HostVolumeState::Unavailable,
        state => state,
    }
}

/// Takes over what `node` reports, for every volume on it.
pub(in crate::ops) fn follow_host_volumes(
    txn: &mut WriteTxn<'_>,
    node: &Node,
) -> Result<(), WriteError> {
    for volume in on_node(txn, node.id) {
        let mut next = volume.clone();
        next.state = state_on(node, &volume);
        next.node_pool.clone_from(&node.node_pool);
        if next != volume {
            txn.upsert::<HostVolumes>(next)?;
        }
    }
    Ok(())
}

/// What becomes of the volumes of a node that is gone: they go with it if it said so, else nobody
/// can use them until it is back.
///
/// A volume that may still be used keeps its node from being forgotten together with it.
pub(in crate::ops) fn forget_host_volumes(
    txn: &mut WriteTxn<'_>,
    node: &Node,
) -> Result<(), NodeError> {
    let volumes = on_node(txn, node.id);
    if node.gc_volumes_on_node_gc {
        for volume in &volumes {
            if let Some(allocation) = host_volume_users(txn, volume).next() {
                let (volume, allocation) = (volume.id, allocation.id);
                return Err(NodeError::VolumeInUse { volume, allocation });
            }
        }
    }
    for mut volume in volumes {
        if node.gc_volumes_on_node_gc {
            txn.delete::<HostVolumes>((&volume.namespace, volume.id))?;
        } else if volume.state == HostVolumeState::Ready {
            volume.state = HostVolumeState::Unavailable;
            txn.upsert::<HostVolumes>(volume)?;
        }
    }
    Ok(())
}

fn on_node(view: &impl ReadView, node: Uuid) -> Vec<HostVolume> {
    let on_node = KeyRange::<Uuid>::exact(node);
    let volumes = view.scan_by(&HostVolumes::BY_NODE, &on_node, Order::Ascending);
    volumes.map(|volume| HostVolume::clone(volume)).collect()
}

/// Adds a volume to what a node reports, as if the node had reported again.
pub fn report_host_volume(
    txn: &mut WriteTxn<'_>,
    now: i64,
    node: Uuid,
    volume: NodeHostVolume,
) -> Result<(), NodeError> {
    change_report(txn, now, node, |node| {
        node.host_volumes.insert(volume.name.clone(), volume);
    })
}

/// Takes a volume out of what a node reports, as if the node had reported again.
pub fn withdraw_host_volume(
    txn: &mut WriteTxn<'_>,
    now: i64,
    node: Uuid,
    name: &str,
) -> Result<(), NodeError> {
    change_report(txn, now, node, |node| {
        node.host_volumes.remove(name);
    })
}

fn change_report(
    txn: &mut WriteTxn<'_>,
    now: i64,
    id: Uuid,
    change: impl FnOnce(&mut Node),
) -> Result<(), NodeError> {
    let node = txn.get::<Nodes>(id).map(|entry| Node::clone(entry));
    let Some(mut node) = node else { return Err(NodeError::NotFound { id }) };
    change(&mut node);
    upsert_node(txn, now, node)
}
