//! Keeping host volumes in step with what their nodes report, in the transaction of the report.

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

/// The state of a volume on its node, from the one that it has.
pub(super) fn state_on(view: &impl ReadView, node: &Node, volume: &HostVolume) -> HostVolumeState {
    let reported = ReportedHostVolumes::BY_KEY.contains(view, (node.id, &*volume.name));
    match volume.state {
        _ if reported && node.is_ready() => HostVolumeState::Ready,
        _ if reported && node.is_down() => HostVolumeState::Unavailable,
        HostVolumeState::Ready if !reported => HostVolumeState::Unavailable,
        state => state,
    }
}

/// Which volumes of a node may have another state or pool now.
#[derive(Clone, Debug)]
pub(in crate::ops) enum Followed {
    /// All of them.
    All,
    /// Those of these names.
    Named(Vec<Box<str>>),
}

/// Adopts the reports of `node`, for the volumes on it that are named.
pub(in crate::ops) fn follow_host_volumes(
    txn: &mut WriteTxn<'_>,
    node: &Node,
    followed: Followed,
) -> Result<(), WriteError> {
    let volumes = match followed {
        Followed::All => on_node(txn, node.id),
        Followed::Named(names) => {
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

/// Replaces the volumes that a node reports; the names of those that changed.
pub(in crate::ops) fn replace_reports(
    txn: &mut WriteTxn<'_>,
    node_id: Uuid,
    reported: BTreeMap<Box<str>, NodeHostVolume>,
) -> Result<Vec<Box<str>>, WriteError> {
    let gone = reported_host_volumes(txn, node_id)
        .filter(|row| !reported.contains_key(&row.volume.name))
        .map(|row| row.volume.name.clone());
    let mut changed: Vec<Box<str>> = gone.collect();
    for name in &changed {
        txn.delete::<ReportedHostVolumes>((node_id, name))?;
    }
    for (name, volume) in reported {
        let row = ReportedHostVolume { node_id, volume: NodeHostVolume { name, ..volume } };
        let name = row.volume.name.clone();
        let known = txn.get::<ReportedHostVolumes>((node_id, &name));
        if known.is_none_or(|known| **known != row) {
            txn.upsert::<ReportedHostVolumes>(row)?;
            changed.push(name);
        }
    }
    Ok(changed)
}

/// Moves the volumes that an earlier version kept in the node's row to rows of their own. The caller
/// writes the node without them.
pub(in crate::ops) fn move_reports(txn: &mut WriteTxn<'_>, node: &Node) -> Result<(), WriteError> {
    for volume in &node.unmoved_host_volumes {
        let volume = volume.clone();
        txn.upsert::<ReportedHostVolumes>(ReportedHostVolume { node_id: node.id, volume })?;
    }
    Ok(())
}

/// Forgets the reports of a node that is gone.
pub(in crate::ops) fn forget_reports(
    txn: &mut WriteTxn<'_>,
    node_id: Uuid,
) -> Result<(), WriteError> {
    let names = reported_host_volumes(txn, node_id).map(|row| row.volume.name.clone());
    for name in names.collect::<Vec<_>>() {
        txn.delete::<ReportedHostVolumes>((node_id, &name))?;
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
///
/// Cost: the same whatever else the node has.
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

/// Takes a volume out of what a node reports, as if the node had reported again.
///
/// Cost: the same whatever else the node has.
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
    follow_host_volumes(txn, &node, Followed::Named(vec![name]))?;
    // A node's index covers its reports: clients wait on it.
    node.modify_time = now;
    txn.upsert::<Nodes>(node)?;
    Ok(())
}
