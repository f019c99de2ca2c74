//! Attaches a volume to the node of a new claim.
//!
//! Nomad: `nomad/csi_endpoint.go`, `CSIVolume.controllerPublishVolume`.

use std::fmt;

use statehold_store::ReadView;
use uuid::Uuid;

use crate::{
    controller::{ControllerError, ControllerOperation, any_controller, call_controller},
    fmt::Quoted,
    health::VolumeHealth,
    modes::{Capability, ClaimMode},
    provider::{AttachVolume, ProviderErrorKind, Providers},
    release::{ExternalNode, external_node},
    rows::{CsiClaims, CsiVolumes, Labels},
};

/// Why a volume could not be attached. The claim stays: the client retries, or releases it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachError {
    /// The allocation has no claim on the volume, or the volume does not exist.
    NoClaim {
        /// The allocation.
        allocation: Uuid,
    },
    /// The node does not exist.
    UnknownNode {
        /// Its ID, if the claim has one.
        node: Option<Uuid>,
    },
    /// The provider's ID of the node is unknown.
    NoExternalNode {
        /// The node.
        node: Uuid,
        /// The plugin's ID.
        plugin: Box<str>,
    },
    /// The provider failed.
    Controller(ControllerError),
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("controller publish: ")?;
        match self {
            Self::NoClaim { allocation } => write!(f, "Unknown allocation: {allocation}"),
            Self::UnknownNode { node: Some(node) } => write!(f, "Unknown node {node}"),
            Self::UnknownNode { node: None } => f.write_str("Unknown node"),
            Self::NoExternalNode { node, plugin } => write!(
                f,
                "missing external node ID: failed to find storage provider info for client \
                 \"{node}\", node plugin {} is not running or has not fingerprinted on this client",
                Quoted(plugin)
            ),
            Self::Controller(error)
                // Nomad: nomad/structs/errors.go, ErrCSIClientRPCRetryable: clients match on this
                // prefix to retry.
                if error.error().kind() == ProviderErrorKind::FailedPrecondition =>
            {
                write!(f, "CSI client error (retryable): {error}")
            }
            Self::Controller(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AttachError {}

/// Attaches the volume to the node of the allocation's claim. Returns the publish context for the
/// node. May block as long as the provider does.
///
/// The call is skipped if the plugin does not attach volumes, or its provider cannot be reached.
/// Attaching again succeeds with the same result.
pub fn attach_with_provider(
    view: &impl ReadView,
    providers: &Providers,
    namespace: &str,
    id: &str,
    allocation: Uuid,
) -> Result<Labels, AttachError> {
    let volume = view.get::<CsiVolumes>((namespace, id));
    let row = view.get::<CsiClaims>((namespace, id, allocation));
    let claim = row.and_then(|row| row.active.as_ref());
    let Some((volume, claim)) = volume.zip(claim) else {
        return Err(AttachError::NoClaim { allocation });
    };
    let needed = VolumeHealth::for_claim(view, volume).plugin.controller_required
        && any_controller(view, &volume.plugin_id, |controller| controller.supports_attach_detach);
    if !needed || providers.get(&volume.plugin_id).is_none() {
        return Ok(Labels::new());
    }
    let Some(node) = claim.node_id else {
        return Err(AttachError::UnknownNode { node: None });
    };
    let external_node_id = match external_node(view, volume, node, claim) {
        ExternalNode::Known(id) => id,
        ExternalNode::Gone => return Err(AttachError::UnknownNode { node: Some(node) }),
        ExternalNode::Unknown => {
            return Err(AttachError::NoExternalNode { node, plugin: volume.plugin_id.clone() });
        }
    };
    let capability = Capability {
        attachment_mode: claim.attachment_mode.clone(),
        access_mode: claim.access_mode.clone(),
    };
    let request = AttachVolume {
        external_id: volume.remote_id(),
        external_node_id: &external_node_id,
        read_only: claim.mode == ClaimMode::Read,
        capability: &capability,
        context: &volume.context,
        secrets: &volume.secrets,
    };
    let attach = ControllerOperation::Attach;
    call_controller(providers, &volume.plugin_id, attach, |provider| {
        provider.attach_volume(&request)
    })
    .map_err(AttachError::Controller)
}
