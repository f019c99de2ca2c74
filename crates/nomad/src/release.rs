//! The release of claims as a view shows it: the step that was reached, and the blocker of the next
//! one.
//!
//! A claim is released in three steps: the node detaches the volume, then the provider's controller
//! does, then the claim's row is deleted. This module only reads; the operations on claims plan and
//! record the steps.
//!
//! Nomad: `nomad/volumewatcher/volume_watcher.go`, `volumeReapImpl`; `nomad/csi_endpoint.go`,
//! `CSIVolume.nodeUnpublishVolume` and `controllerUnpublishVolume`.

use std::{fmt, iter};

use statehold_store::{KeyRange, Order, ReadView};
use uuid::Uuid;

use crate::{
    controller::{ControllerError, any_controller},
    fmt::Quoted,
    health::VolumeHealth,
    modes::ClaimState,
    rows::{Allocations, Claim, CsiClaim, CsiClaims, CsiPlugins, CsiVolume, Nodes},
};

/// The reason that a claim cannot be released yet. `Display` is the message for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReleaseBlocker {
    /// The allocation has not ended on its node, as far as the server knows. An operator or the
    /// node MUST report that the node has detached the volume.
    Node {
        /// The allocation.
        allocation: Uuid,
    },
    /// A controller must detach the volume from the node. A client that does this by itself reports
    /// the claim as `controller-detached`.
    Controller {
        /// The plugin's ID.
        plugin: Box<str>,
        /// The provider's ID of the node.
        external_node_id: Box<str>,
    },
    /// A controller failed to detach the volume.
    Failed {
        /// The controller's error.
        error: ControllerError,
    },
    /// A controller must detach the volume, and the plugin does not exist.
    NoPlugin {
        /// Its ID.
        plugin: Box<str>,
    },
    /// A controller must detach the volume, and the provider's ID of the node is unknown.
    NoExternalNode {
        /// The node.
        node: Uuid,
        /// The plugin's ID.
        plugin: Box<str>,
    },
}

impl fmt::Display for ReleaseBlocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Controller { .. } => f.write_str(
                "could not detach from controller: controller detach volume: No path to node",
            ),
            Self::Node { allocation } => {
                write!(f, "could not detach from node: allocation {allocation} has not ended there")
            }
            Self::Failed { error } => {
                write!(f, "could not detach from controller: {error}")
            }
            Self::NoPlugin { plugin } => write!(f, "no such plugin: {}", Quoted(plugin)),
            Self::NoExternalNode { node, plugin } => write!(
                f,
                "missing external node ID: failed to find storage provider info for client \
                 \"{node}\", node plugin {} is not running or has not fingerprinted on this client",
                Quoted(plugin)
            ),
        }
    }
}

/// Returns whether an allocation has ended on its node or was deleted. A desired status of `stop`
/// is not enough, because it may still write.
pub(crate) fn is_allocation_over(view: &impl ReadView, allocation: Uuid) -> bool {
    view.get::<Allocations>(allocation).is_none_or(|allocation| allocation.is_client_terminal())
}

/// Returns the claim of an allocation on a volume, a free one if it has none.
pub(crate) fn claim_row(view: &impl ReadView, volume: &CsiVolume, allocation: Uuid) -> CsiClaim {
    let (namespace, id) = (&volume.namespace, &volume.id);
    let row = view.get::<CsiClaims>((namespace, id, allocation));
    let new = || CsiClaim {
        namespace: namespace.clone(),
        volume_id: id.clone(),
        allocation_id: allocation,
        ..CsiClaim::default()
    };
    row.map_or_else(new, |row| CsiClaim::clone(row))
}

/// Returns whether the claim's node has detached the volume, or never will report again.
pub(crate) fn is_node_detached(view: &impl ReadView, claim: &Claim) -> bool {
    let gone = || {
        let node = claim.node_id.and_then(|node| view.get::<Nodes>(node));
        node.is_none_or(|node| node.is_down())
    };
    match claim.state {
        ClaimState::NodeDetached | ClaimState::ControllerDetached | ClaimState::ReadyToFree => true,
        ClaimState::Taken | ClaimState::Unpublishing => {
            is_allocation_over(view, claim.allocation_id) || gone()
        }
    }
}

/// Returns the claims on a volume whose active claim or release is on a node.
pub(crate) fn claims_on_node<'v>(
    view: &'v impl ReadView,
    namespace: &str,
    id: &str,
    node: Uuid,
) -> impl Iterator<Item = &'v CsiClaim> {
    let range = KeyRange::<(Uuid, String, String)>::exact((node, namespace, id));
    view.scan_by(&CsiClaims::BY_NODE, &range, Order::Ascending).map(|row| &**row)
}

/// Returns the blocker of a claim's release after its node has detached the volume.
pub(crate) fn controller_blocker(
    view: &impl ReadView,
    volume: &CsiVolume,
    claim: &Claim,
) -> Option<ReleaseBlocker> {
    let plugin_id = &volume.plugin_id;
    if !VolumeHealth::for_claim(view, volume).plugin.controller_required {
        return None;
    }
    if view.get::<CsiPlugins>(plugin_id).is_none() {
        return Some(ReleaseBlocker::NoPlugin { plugin: plugin_id.clone() });
    }
    let node = claim.node_id?;
    // Nomad: nomad/csi_endpoint.go, CSIVolume.controllerUnpublishVolume skips both cases.
    if !any_controller(view, plugin_id, |controller| controller.supports_attach_detach)
        || is_used_by_others(view, volume, claim, node)
    {
        return None;
    }
    match external_node(view, volume, node, claim) {
        ExternalNode::Known(external_node_id) => {
            Some(ReleaseBlocker::Controller { plugin: plugin_id.clone(), external_node_id })
        }
        // A node that was deleted has no attachment left to detach.
        ExternalNode::Gone => None,
        ExternalNode::Unknown => {
            Some(ReleaseBlocker::NoExternalNode { node, plugin: plugin_id.clone() })
        }
    }
}

/// The provider's ID of a node.
pub(crate) enum ExternalNode {
    /// The ID.
    Known(Box<str>),
    /// Unknown, and the node does not exist.
    Gone,
    /// Unknown, because the plugin does not run on the node.
    Unknown,
}

/// Looks up the provider's ID of a claim's node: in the claim, in other claims on the node, then in
/// the node's fingerprint.
pub(crate) fn external_node(
    view: &impl ReadView,
    volume: &CsiVolume,
    node: Uuid,
    claim: &Claim,
) -> ExternalNode {
    // Nomad: nomad/csi_endpoint.go, CSIVolume.lookupExternalNodeID.
    let others = claims_on_node(view, &volume.namespace, &volume.id, node);
    let others = others.flat_map(|row| row.active.iter().chain(&row.past));
    // The claim itself may have been changed in this transaction and not be written yet.
    let mut here = iter::once(claim).chain(others).filter(|claim| claim.node_id == Some(node));
    if let Some(known) = here.find(|claim| !claim.external_node_id.is_empty()) {
        return ExternalNode::Known(known.external_node_id.clone());
    }
    let Some(row) = view.get::<Nodes>(node) else { return ExternalNode::Gone };
    match row.node_plugins.get(&volume.plugin_id).and_then(|info| info.node.as_ref()) {
        Some(info) => ExternalNode::Known(info.id.clone()),
        None => ExternalNode::Unknown,
    }
}

/// Returns whether another allocation that has not ended on the node claims the volume, too. A
/// desired status of `stop` is not enough, because it may still write. The release of that claim
/// will call the controller.
///
/// Cost: reads the allocations on the node that have not ended, not the claims on the volume.
fn is_used_by_others(view: &impl ReadView, volume: &CsiVolume, claim: &Claim, node: Uuid) -> bool {
    let on_node = KeyRange::<Uuid>::exact(node);
    let mut others = view
        .scan_by(&Allocations::UNENDED, &on_node, Order::Ascending)
        .filter(|other| other.id != claim.allocation_id);
    others.any(|other| claim_row(view, volume, other.id).active.is_some())
}
