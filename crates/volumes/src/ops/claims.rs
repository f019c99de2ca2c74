//! Taking claims on volumes, and letting go of them step by step.
//!
//! The rules are the state machine's; here is what it needs from the store, and the order of the
//! steps of a release: first the node lets go, then the provider's controller, then the claim is
//! gone. Nothing in here talks to a node or to a provider: whoever does tells the outcome with the
//! claim's state.

use std::fmt;

use statehold_store::{ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use crate::{
    claim::{ClaimRefusal, World},
    facts::VolumeFacts,
    modes::{ClaimMode, ClaimState},
    rows::{Allocations, Claim, CsiPlugin, CsiPlugins, CsiVolume, CsiVolumes, Nodes},
    text::Quoted,
};

/// A claim on a volume, as somebody sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimRequest {
    /// For which allocation. None only to have overdue releases started.
    pub allocation_id: Option<Uuid>,
    /// On which node; by default the allocation's.
    pub node_id: Option<Uuid>,
    /// The provider's own ID of the node, if known.
    pub external_node_id: Box<str>,
    /// What for.
    pub mode: ClaimMode,
    /// How the volume is to be accessed.
    pub access_mode: Box<str>,
    /// How the volume is to be attached.
    pub attachment_mode: Box<str>,
    /// How far the claim has come.
    pub state: ClaimState,
}

impl ClaimRequest {
    fn into_claim(self, allocation_id: Uuid, now: i64) -> Claim {
        Claim {
            allocation_id,
            node_id: self.node_id,
            external_node_id: self.external_node_id,
            mode: self.mode,
            access_mode: self.access_mode,
            attachment_mode: self.attachment_mode,
            state: self.state,
            since: now,
        }
    }
}

/// Why a volume couldn't be claimed, or a claim not be taken further.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimError {
    /// The request names no volume.
    MissingVolumeId,
    /// A new claim names no allocation, or one that nobody has heard of.
    UnknownAllocation {
        /// Its ID, if it has one.
        allocation: Option<Uuid>,
    },
    /// There is no such volume.
    VolumeNotFound {
        /// Its ID.
        volume: Box<str>,
    },
    /// The volume can't be claimed in this way now.
    Refused {
        /// The allocation.
        allocation: Uuid,
        /// The volume's ID.
        volume: Box<str>,
        /// Why.
        cause: ClaimRefusal,
    },
    /// The store refused.
    Store(WriteError),
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingVolumeId => f.write_str("missing volume ID"),
            Self::UnknownAllocation { allocation: Some(id) } => {
                write!(f, "Unknown allocation: {id}")
            }
            Self::UnknownAllocation { allocation: None } => f.write_str("Unknown allocation"),
            Self::VolumeNotFound { volume } => write!(f, "volume not found: {volume}"),
            Self::Refused { allocation, volume, cause } => write!(
                f,
                "alloc \"{allocation}\" failed to claim volume {}: {cause}",
                Quoted(volume)
            ),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ClaimError {}

impl From<WriteError> for ClaimError {
    fn from(error: WriteError) -> Self {
        Self::Store(error)
    }
}

/// Takes a claim on a volume, or takes one further on its way out.
///
/// A claim with the state `taken` and the mode `read` or `write` is a new one; repeating it is a
/// success without a change. Everything else releases: the state is noted, and at `ready-to-free`
/// the claim is gone. Every claim on a volume also starts the release of those claims on it whose
/// allocations are over; a request without an allocation that is not a new claim does only that.
pub fn claim(
    txn: &mut WriteTxn<'_>,
    now: i64,
    namespace: &str,
    id: &str,
    mut request: ClaimRequest,
) -> Result<(), ClaimError> {
    if id.is_empty() {
        return Err(ClaimError::MissingVolumeId);
    }
    let allocation = request.allocation_id.and_then(|id| txn.get::<Allocations>(id));
    let is_new = request.state == ClaimState::Taken && request.mode != ClaimMode::Gc;
    if is_new && request.node_id.is_none() {
        let Some(allocation) = allocation else {
            return Err(ClaimError::UnknownAllocation { allocation: request.allocation_id });
        };
        request.node_id = allocation.node_id;
    }
    let allocation_known = allocation.is_some();
    let Some(stored) = txn.get::<CsiVolumes>((namespace, id)) else {
        return Err(ClaimError::VolumeNotFound { volume: id.into() });
    };
    if is_new && request.allocation_id.is_none() {
        return Err(ClaimError::UnknownAllocation { allocation: None });
    }
    let facts = VolumeFacts::for_claim(txn, stored);
    let mut volume = CsiVolume::clone(stored);
    volume.start_overdue_releases(|id| is_over(txn, id));
    if let Some(allocation) = request.allocation_id {
        let world = World { schedulable: facts.schedulable, allocation_known };
        volume
            .apply_claim(request.into_claim(allocation, now), world)
            .map_err(|cause| ClaimError::Refused { allocation, volume: id.into(), cause })?;
    }
    if volume != **stored {
        let volume = stamped(volume, now, facts);
        txn.upsert::<CsiVolumes>(volume)?;
    }
    Ok(())
}

/// Whether an allocation is gone, or has ended on its node. That it shall stop is not enough: it
/// may still write.
fn is_over(view: &impl ReadView, allocation: Uuid) -> bool {
    view.get::<Allocations>(allocation).is_none_or(|allocation| allocation.is_client_terminal())
}

/// What the volume remembers of its plugin, for when that is gone, and when it changed.
fn stamped(mut volume: CsiVolume, now: i64, facts: VolumeFacts<'_>) -> CsiVolume {
    volume.provider = facts.plugin.provider.into();
    volume.provider_version = facts.plugin.version.into();
    volume.controller_required = facts.plugin.controller_required;
    volume.modify_time = now;
    volume
}

/// Why a claim couldn't be released.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnpublishError {
    /// The request names no volume.
    MissingVolumeId,
    /// The request names no allocation.
    MissingClaim,
    /// There is no such volume.
    NoVolume,
    /// The store refused.
    Store(WriteError),
}

impl fmt::Display for UnpublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingVolumeId => f.write_str("missing volume ID"),
            Self::MissingClaim => f.write_str("missing volume claim"),
            Self::NoVolume => f.write_str("no such volume"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for UnpublishError {}

impl From<WriteError> for UnpublishError {
    fn from(error: WriteError) -> Self {
        Self::Store(error)
    }
}

/// How far [`unpublish`] came. Both outcomes are to be committed: the way so far is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpublished {
    /// The claim is gone.
    Released,
    /// The claim stays, as one that its node has let go of.
    Held(Holdup),
}

/// What keeps a claim from being released. Its text is for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holdup {
    /// A controller has to detach the volume from the node. Whoever gets that done calls again with
    /// `controller-detached`.
    Controller {
        /// The plugin's ID.
        plugin: Box<str>,
        /// The provider's own ID of the node.
        external_node_id: Box<str>,
    },
    /// A controller has to detach the volume, and the plugin is gone.
    NoPlugin {
        /// Its ID.
        plugin: Box<str>,
    },
    /// A controller has to detach the volume, and nobody knows what the provider calls the node.
    NoExternalNode {
        /// The node.
        node: Uuid,
        /// The plugin's ID.
        plugin: Box<str>,
    },
}

impl fmt::Display for Holdup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Controller { .. } => f.write_str(
                "could not detach from controller: controller detach volume: No path to node",
            ),
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

/// Releases a claim as far as that needs nobody else.
///
/// Calling this says that the node has let go of the volume, or never will: it is down or gone. A
/// state of `controller-detached` or `ready-to-free` says that the provider has let go as well.
/// Without that, the claim is gone at once when no controller is involved: the plugin needs none or
/// doesn't attach, another allocation on the same node still uses the volume, or the node is
/// unknown. Else the claim stays as `node-detached`. Releasing what isn't held is a success.
pub fn unpublish(
    txn: &mut WriteTxn<'_>,
    now: i64,
    namespace: &str,
    id: &str,
    request: ClaimRequest,
) -> Result<Unpublished, UnpublishError> {
    if id.is_empty() {
        return Err(UnpublishError::MissingVolumeId);
    }
    let Some(allocation) = request.allocation_id else { return Err(UnpublishError::MissingClaim) };
    let Some(stored) = txn.get::<CsiVolumes>((namespace, id)) else {
        return Err(UnpublishError::NoVolume);
    };
    let claims = [&stored.read_claims, &stored.write_claims, &stored.past_claims];
    if !claims.into_iter().any(|claims| claims.contains_key(&allocation)) {
        return Ok(Unpublished::Released);
    }
    let facts = VolumeFacts::for_claim(txn, stored);
    let mut volume = CsiVolume::clone(stored);
    let mut step = request.into_claim(allocation, now);
    step.mode = ClaimMode::Gc;
    let detached = matches!(step.state, ClaimState::ControllerDetached | ClaimState::ReadyToFree);
    // First as one that its node has let go of: what was known of the claim comes along.
    step.state = ClaimState::NodeDetached;
    volume.release(step.clone());
    let noted = volume.past_claims.get(&allocation).unwrap_or(&step);
    let holdup = if detached { None } else { holdup(txn, &volume, noted, facts) };
    if holdup.is_none() {
        step.state = ClaimState::ReadyToFree;
        volume.release(step);
    }
    volume.start_overdue_releases(|id| is_over(txn, id));
    if volume != **stored {
        let volume = stamped(volume, now, facts);
        txn.upsert::<CsiVolumes>(volume)?;
    }
    Ok(holdup.map_or(Unpublished::Released, Unpublished::Held))
}

fn holdup(
    view: &impl ReadView,
    volume: &CsiVolume,
    claim: &Claim,
    facts: VolumeFacts<'_>,
) -> Option<Holdup> {
    let plugin_id = &volume.plugin_id;
    if !facts.plugin.controller_required {
        return None;
    }
    let Some(plugin) = view.get::<CsiPlugins>(plugin_id) else {
        return Some(Holdup::NoPlugin { plugin: plugin_id.clone() });
    };
    let node = claim.node_id?;
    if !attaches(plugin) || is_used_by_others(view, volume, claim, node) {
        return None;
    }
    let claims = volume.active_claims().chain(volume.past_claims.values());
    let mut here = claims.filter(|other| other.node_id == Some(node));
    let known = here.find(|other| !other.external_node_id.is_empty());
    let external_node_id = if let Some(known) = known {
        known.external_node_id.clone()
    } else {
        let node_row = view.get::<Nodes>(node)?;
        let info = node_row.node_plugins.get(plugin_id).and_then(|info| info.node.as_ref());
        let Some(info) = info else {
            return Some(Holdup::NoExternalNode { node, plugin: plugin_id.clone() });
        };
        info.id.clone()
    };
    Some(Holdup::Controller { plugin: plugin_id.clone(), external_node_id })
}

fn attaches(plugin: &CsiPlugin) -> bool {
    let mut controllers = plugin.controllers.values().filter_map(|info| info.controller);
    controllers.any(|controller| controller.supports_attach_detach)
}

/// Whether another allocation on the node, one that hasn't ended, has the volume too.
fn is_used_by_others(view: &impl ReadView, volume: &CsiVolume, claim: &Claim, node: Uuid) -> bool {
    let mut others =
        volume.active_claims().filter(|other| other.allocation_id != claim.allocation_id);
    others.any(|other| {
        let allocation = view.get::<Allocations>(other.allocation_id);
        allocation.is_some_and(|row| row.node_id == Some(node) && !row.is_terminal())
    })
}
