//! Finding a node for a host volume.

use statehold_store::{KeyRange, Order, ReadView};
use uuid::Uuid;

use super::error::PlacementError;
use crate::rows::{
    ALL_NODE_POOL, Constraint, DEFAULT_NODE_POOL, HostVolume, HostVolumes, Node, Nodes,
};

/// Puts `volume` on the node it names, else on the first one that has what it asks for.
///
/// Nodes are tried in the order of their IDs. Whether a node is up, or takes new allocations,
/// doesn't matter.
pub(super) fn place(view: &impl ReadView, volume: &mut HostVolume) -> Result<(), PlacementError> {
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
    // Nomad: nomad/host_volume_endpoint.go, placeHostVolume. The pool `all` exists, and no node names
    // it: asked for by name, it has none.
    let nodes = if volume.node_pool.is_empty() {
        view.scan::<Nodes>(&KeyRange::<Uuid>::all(), Order::Ascending)
    } else {
        let pool = KeyRange::<String>::exact(&volume.node_pool);
        view.scan_by(&Nodes::BY_POOL, &pool, Order::Ascending)
    };
    for node in nodes {
        if has_volume(view, node.id, &volume.name).is_some() {
            existing += 1;
        } else if !is_feasible(node, volume) {
            infeasible += 1;
        } else {
            return Ok(node);
        }
    }
    Err(PlacementError::NoneMeetsConstraints { existing, infeasible })
}

/// The volume of that name on the node, if there is one, in whatever namespace.
pub(super) fn has_volume<'v>(
    view: &'v impl ReadView,
    node: Uuid,
    name: &str,
) -> Option<&'v HostVolume> {
    view.find(&HostVolumes::BY_NAME_ON_NODE, (node, name)).map(|volume| &**volume)
}

/// Whether the node has the volume's plugin and is as its constraints say.
fn is_feasible(node: &Node, volume: &HostVolume) -> bool {
    let has_plugin = Constraint {
        left: format!("${{attr.plugins.host_volume.{}.version}}", volume.plugin_id).into(),
        operator: "is_set".into(),
        ..Constraint::default()
    };
    has_plugin.holds(node) && volume.constraints.iter().all(|constraint| constraint.holds(node))
}

/// Whether a pool exists: it is one of those that always do, or some node is in it.
pub(super) fn pool_exists(view: &impl ReadView, pool: &str) -> bool {
    matches!(pool, DEFAULT_NODE_POOL | ALL_NODE_POOL) || view.find(&Nodes::BY_POOL, pool).is_some()
}
