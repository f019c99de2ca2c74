//! Keeps host volumes consistent with the reports of their nodes, in the transaction of the report.
//!
//! Nomad: `nomad/state/state_store_host_volumes.go`, `upsertHostVolumeForNode`.

use std::collections::BTreeMap;

use statehold_store::{KeyRange, Order, ReadView, Table as _, WriteError, WriteTxn};
use uuid::Uuid;

use crate::{
    health::{host_volume_users, reported_host_volumes},
    ops::NodeError,
    rows::{
        HostVolume, HostVolumeState, HostVolumes, Node, NodeHostVolume, Nodes, ReportedHostVolume,
        ReportedHostVolumes,
    },
};

/// Returns the state of a volume, from its last state and its node's report.
pub(super) fn state_on(view: &impl ReadView, node: &Node, volume: &HostVolume) -> HostVolumeState {
    let reported = ReportedHostVolumes::BY_KEY.contains(view, (node.id, &*volume.name));
    match volume.state {
        // The states follow Nomad's upsertHostVolumeForNode; a disconnected node changes nothing.
        _ if reported && node.is_ready() => HostVolumeState::Ready,
        _ if reported && node.is_down() => HostVolumeState::Unavailable,
        // A pending volume stays pending, because its node may still be creating it.
        HostVolumeState::Ready if !reported => HostVolumeState::Unavailable,
        state => state,
    }
}

/// The volumes of a node whose state or pool may have changed.
#[derive(Clone, Debug)]
pub(in crate::ops) enum AffectedVolumes {
    /// All volumes on the node.
    All,
    /// The volumes of these names.
    Named(Vec<Box<str>>),
}

/// Updates the state and the pool of the affected volumes from the report of `node`.
pub(in crate::ops) fn update_host_volumes(
    txn: &mut WriteTxn<'_>,
    node: &Node,
    affected: AffectedVolumes,
) -> Result<(), WriteError> {
    let volumes = match affected {
        AffectedVolumes::All => on_node(txn, node.id),
        AffectedVolumes::Named(names) => {
            let found = names.iter().filter_map(|name| {
                txn.find(&HostVolumes::BY_NAME_ON_NODE, (node.id, name)).map(|row| (**row).clone())
            });
            found.collect()
        }
    };
    for volume in volumes {
        let mut next = volume.clone();
        next.state = state_on(txn, node, &volume);
        next.node_pool.clone_from(&node.node_pool);
        if next != volume {
            txn.upsert::<HostVolumes>(next)?;
        }
    }
    Ok(())
}

/// Replaces the volumes that a node reports. Returns the names of those that changed.
pub(in crate::ops) fn replace_reports(
    txn: &mut WriteTxn<'_>,
    node_id: Uuid,
    reported: BTreeMap<Box<str>, NodeHostVolume>,
) -> Result<Vec<Box<str>>, WriteError> {
    let gone = reported_host_volumes(txn, node_id)
        .filter(|row| !reported.contains_key(&row.volume.name))
        .map(|row| row.volume.name.clone());
    // A volume that is no longer reported has changed, too.
    let mut changed: Vec<Box<str>> = gone.collect();
    for name in &changed {
        txn.delete::<ReportedHostVolumes>((node_id, name))?;
    }
    for (name, volume) in reported {
        let row = ReportedHostVolume { node_id, volume: NodeHostVolume { name, ..volume } };
        let name = row.volume.name.clone();
        let known = txn.get::<ReportedHostVolumes>((node_id, &name));
        // Unchanged rows are not written, so that readers of them are not woken.
        if known.is_none_or(|known| **known != row) {
            txn.upsert::<ReportedHostVolumes>(row)?;
            changed.push(name);
        }
    }
    Ok(changed)
}

/// Moves the volumes that an earlier version stored in the node's row to rows of their own. The
/// caller writes the node without them.
pub(in crate::ops) fn move_reports(txn: &mut WriteTxn<'_>, node: &Node) -> Result<(), WriteError> {
    for volume in &node.unmoved_host_volumes {
        let volume = volume.clone();
        txn.upsert::<ReportedHostVolumes>(ReportedHostVolume { node_id: node.id, volume })?;
    }
    Ok(())
}

/// Deletes the reports of a node that is being deleted.
pub(in crate::ops) fn delete_reports(
    txn: &mut WriteTxn<'_>,
    node_id: Uuid,
) -> Result<(), WriteError> {
    let names = reported_host_volumes(txn, node_id).map(|row| row.volume.name.clone());
    for name in names.collect::<Vec<_>>() {
        txn.delete::<ReportedHostVolumes>((node_id, &name))?;
    }
    Ok(())
}

/// Deletes the volumes of a node that is being deleted if its row requests it, else marks them
/// unavailable until the node is back.
///
/// Fails if a volume to be deleted may still be in use, so that the node stays.
pub(in crate::ops) fn detach_host_volumes(
    txn: &mut WriteTxn<'_>,
    node: &Node,
) -> Result<(), NodeError> {
    let volumes = on_node(txn, node.id);
    if node.gc_volumes_on_node_gc {
        for volume in &volumes {
            // Checked for all volumes before any is deleted, because an error MUST leave nothing
            // written.
            if let Some(allocation) = host_volume_users(txn, volume).next() {
                let (volume, allocation) = (volume.id, allocation.id);
                return Err(NodeError::VolumeInUse { volume, allocation });
            }
        }
    }
    for mut volume in volumes {
        if node.gc_volumes_on_node_gc {
            txn.delete::<HostVolumes>((&volume.namespace, volume.id))?;
        // A pending volume was never usable, so its state is kept.
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

/// Adds a volume to the report of a node, as if the node had reported again.
///
/// Cost: independent of the node's other volumes.
pub fn report_host_volume(
    txn: &mut WriteTxn<'_>,
    now: i64,
    node: Uuid,
    volume: NodeHostVolume,
) -> Result<(), NodeError> {
    let name = volume.name.clone();
    change_report(txn, now, node, name, |txn| {
        txn.upsert::<ReportedHostVolumes>(ReportedHostVolume { node_id: node, volume })?;
        Ok(())
    })
}

/// Removes a volume from the report of a node, as if the node had reported again.
///
/// Cost: independent of the node's other volumes.
pub fn withdraw_host_volume(
    txn: &mut WriteTxn<'_>,
    now: i64,
    node: Uuid,
    name: &str,
) -> Result<(), NodeError> {
    change_report(txn, now, node, name.into(), |txn| {
        txn.delete::<ReportedHostVolumes>((node, name))?;
        Ok(())
    })
}

fn change_report(
    txn: &mut WriteTxn<'_>,
    now: i64,
    id: Uuid,
    name: Box<str>,
    change: impl FnOnce(&mut WriteTxn<'_>) -> Result<(), WriteError>,
) -> Result<(), NodeError> {
    let node = txn.get::<Nodes>(id).map(|entry| Node::clone(entry));
    let Some(mut node) = node else { return Err(NodeError::NotFound { id }) };
    move_reports(txn, &node)?;
    node.unmoved_host_volumes.clear();
    change(txn)?;
    update_host_volumes(txn, &node, AffectedVolumes::Named(vec![name]))?;
    // The node's index covers its reports, because clients wait on it.
    node.modify_time = now;
    txn.upsert::<Nodes>(node)?;
    Ok(())
}
