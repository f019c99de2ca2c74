//! Placement of host volumes on nodes.
//!
//! Nomad: `nomad/host_volume_endpoint.go`, `placeHostVolume`.

use statehold_store::{KeyRange, Order, ReadView};
use uuid::Uuid;

use super::error::PlacementError;
use crate::rows::{
    ALL_NODE_POOL, Constraint, DEFAULT_NODE_POOL, HostVolume, HostVolumes, Node, Nodes,
};

/// Places `volume` on the node it names, else on the first feasible node.
///
/// Nodes are tried in the order of their IDs, also those that are down or ineligible.
pub(super) fn place_volume(
    view: &impl ReadView,
    volume: &mut HostVolume,
) -> Result<(), PlacementError> {
    let node = if volume.node_id.is_nil() {
        first_feasible(view, volume)?
    } else {
        let node = volume.node_id;
        let row = view.get::<Nodes>(node).ok_or(PlacementError::NoNode { node })?;
        if !is_feasible(row, volume) {
            return Err(PlacementError::Infeasible { node });
        }
        row
    };
    volume.node_id = node.id;
    volume.node_pool.clone_from(&node.node_pool);
    Ok(())
}

fn first_feasible<'v>(
    view: &'v impl ReadView,
    volume: &HostVolume,
) -> Result<&'v Node, PlacementError> {
    let (mut existing, mut infeasible) = (0, 0);
    // The pool `all` exists, but no node names it, so a request for it finds no node. Nomad:
    // nomad/host_volume_endpoint.go, placeHostVolume.
    let nodes = if volume.node_pool.is_empty() {
        view.scan::<Nodes>(&KeyRange::<Uuid>::all(), Order::Ascending)
    } else {
        let pool = KeyRange::<String>::exact(&volume.node_pool);
        view.scan_by(&Nodes::BY_POOL, &pool, Order::Ascending)
    };
    for node in nodes {
        if volume_on_node(view, node.id, &volume.name).is_some() {
            existing += 1;
        } else if !is_feasible(node, volume) {
            infeasible += 1;
        } else {
            return Ok(node);
        }
    }
    Err(PlacementError::NoneMeetsConstraints { existing, infeasible })
}

/// Returns the volume of that name on the node, in any namespace.
pub(super) fn volume_on_node<'v>(
    view: &'v impl ReadView,
    node: Uuid,
    name: &str,
) -> Option<&'v HostVolume> {
    view.find(&HostVolumes::BY_NAME_ON_NODE, (node, name)).map(|volume| &**volume)
}

/// Returns whether the node has the volume's plugin and satisfies its constraints.
fn is_feasible(node: &Node, volume: &HostVolume) -> bool {
    let has_plugin = Constraint {
        left: format!("${{attr.plugins.host_volume.{}.version}}", volume.plugin_id).into(),
        operator: "is_set".into(),
        ..Constraint::default()
    };
    has_plugin.holds(node) && volume.constraints.iter().all(|constraint| constraint.holds(node))
}

/// Returns whether a pool exists: it is predefined, or a node is in it.
pub(super) fn pool_exists(view: &impl ReadView, pool: &str) -> bool {
    matches!(pool, DEFAULT_NODE_POOL | ALL_NODE_POOL) || view.find(&Nodes::BY_POOL, pool).is_some()
}
