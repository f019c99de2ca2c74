//! Registers, updates and deletes nodes. Their plugins and host volumes are updated in the same
//! transaction.

use std::collections::BTreeMap;

use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use super::lost::update_lost_node;
use crate::{
    ops::{
        NodeError,
        csi::update_node_plugins,
        host::{
            AffectedVolumes, delete_reports, detach_host_volumes, move_reports, replace_reports,
            update_host_volumes,
        },
    },
    rows::{ALL_NODE_POOL, DEFAULT_NODE_POOL, Node, NodeHostVolume, Nodes, node_status},
};

/// The report of a node: its row, and the host volumes that allocations can mount, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeReport {
    /// The node.
    pub node: Node,
    /// All its host volumes, by name.
    pub host_volumes: BTreeMap<Box<str>, NodeHostVolume>,
}

/// Registers a node, or updates it with its new report. The host volumes that it reported before
/// stay reported: see [`report_node`].
///
/// A node without a status is ready; one without a pool is in the default pool. The times in `node`
/// are ignored.
///
/// Cost: reads the host volumes on the node if its status or its pool changes, else none.
pub fn upsert_node(txn: &mut WriteTxn<'_>, now: i64, node: Node) -> Result<(), NodeError> {
    write(txn, now, node, None)
}

/// Like [`upsert_node`], and replaces the host volumes that the node reports.
///
/// Cost: reads every volume that the node reported or reports now; writes those that changed.
pub fn report_node(txn: &mut WriteTxn<'_>, now: i64, report: NodeReport) -> Result<(), NodeError> {
    write(txn, now, report.node, Some(report.host_volumes))
}

fn write(
    txn: &mut WriteTxn<'_>,
    now: i64,
    mut node: Node,
    host_volumes: Option<BTreeMap<Box<str>, NodeHostVolume>>,
) -> Result<(), NodeError> {
    match &*node.status {
        "" => node.status = node_status::READY.into(),
        node_status::INITIALIZING
        | node_status::READY
        | node_status::DOWN
        | node_status::DISCONNECTED => {}
        _ => return Err(NodeError::InvalidStatus { status: node.status }),
    }
    if node.node_pool.is_empty() {
        node.node_pool = DEFAULT_NODE_POOL.into();
    }
    if &*node.node_pool == ALL_NODE_POOL {
        return Err(NodeError::AllPool);
    }
    let before = txn.get::<Nodes>(node.id).map(|entry| Node::clone(entry));
    node.create_time = before.as_ref().map_or(now, |before| before.create_time);
    node.modify_time = now;
    update_node_plugins(txn, now, node.id, before.as_ref(), Some(&node))?;
    if let Some(before) = &before {
        move_reports(txn, before)?;
    }
    node.unmoved_host_volumes.clear();
    let changed = match host_volumes {
        Some(reported) => replace_reports(txn, node.id, reported)?,
        None => Vec::new(),
    };
    let same = |before: &Node| before.status == node.status && before.node_pool == node.node_pool;
    // A volume's state is derived from its node's status and from the report of the volume itself.
    let affected = if before.as_ref().is_some_and(same) {
        AffectedVolumes::Named(changed)
    } else {
        AffectedVolumes::All
    };
    update_host_volumes(txn, &node, affected)?;
    update_lost_node(txn, now, node.id, node.is_down())?;
    txn.upsert::<Nodes>(node)?;
    Ok(())
}

/// Deletes a node, its reports, and its plugin instances. Its host volumes are deleted if the
/// node's row requests it, else they become unavailable until the node is back.
pub fn delete_node(txn: &mut WriteTxn<'_>, now: i64, id: Uuid) -> Result<(), NodeError> {
    let before = txn.get::<Nodes>(id).map(|entry| Node::clone(entry));
    let Some(before) = before else { return Err(NodeError::NotFound { id }) };
    detach_host_volumes(txn, &before)?;
    delete_reports(txn, id)?;
    update_lost_node(txn, now, id, true)?;
    txn.delete::<Nodes>(id)?;
    Ok(update_node_plugins(txn, now, id, Some(&before), None)?)
}
