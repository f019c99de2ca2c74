//! Releasing claims: finding those that are overdue, asking whoever has to let go, and recording
//! what came of it.
//!
//! A server's loop calls [`overdue_releases`] on a view, [`ask_release`] for each outside of any
//! transaction, and [`record_release`] in one. First the node lets go, then the provider's
//! controller, then the claim is gone. Nobody here talks to nodes: one has let go when it is down or
//! gone, when it says that the allocation has ended, or when somebody says so for it with
//! [`unpublish`](super::unpublish) or [`plan_detach`].
//!
//! Invariant: what is released is the claim that was seen to be overdue. One that the same
//! allocation took since stays.

use std::fmt;

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::{
    claims::{is_over, stamped},
    controller::{ControllerError, ControllerOperation, ask, can},
    register::VolumeKey,
};
use crate::{
    facts::VolumeFacts,
    modes::ClaimState,
    provider::{DetachVolume, Providers},
    rows::{Allocations, Claim, CsiPlugins, CsiVolume, CsiVolumes, Nodes},
    text::Quoted,
};

/// What keeps a claim from being released. Its text is for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holdup {
    /// The allocation still runs on its node, as far as anybody knows. Once its node has let go of
    /// the volume, somebody has to say so.
    Node {
        /// The allocation.
        allocation: Uuid,
    },
    /// A controller has to detach the volume from the node. Whoever gets that done calls again with
    /// `controller-detached`.
    Controller {
        /// The plugin's ID.
        plugin: Box<str>,
        /// The provider's own ID of the node.
        external_node_id: Box<str>,
    },
    /// A controller was asked to detach the volume, and couldn't.
    Failed {
        /// What it answered.
        error: ControllerError,
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

/// A claim that is to be released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    volume: VolumeKey,
    claim: Claim,
    node_let_go: bool,
}

impl Release {
    /// The volume.
    pub fn volume(&self) -> &VolumeKey {
        &self.volume
    }

    /// The claim, as it was when it was seen.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }
}

/// The claims whose release has begun, or has to: their allocations have ended or are gone.
///
/// Cost: reads each volume that has claims, and their allocations; and the nodes of what it gives.
pub fn overdue_releases(view: &impl ReadView) -> Vec<Release> {
    let held = view.scan_by(&CsiVolumes::HELD, &KeyRange::<bool>::all(), Order::Ascending);
    held.flat_map(|volume| overdue_of(view, volume)).collect()
}

/// Like [`overdue_releases`], of one volume.
pub fn overdue_releases_of(view: &impl ReadView, volume: &VolumeKey) -> Vec<Release> {
    let volume = view.get::<CsiVolumes>((&volume.namespace, &volume.id));
    volume.map_or_else(Vec::new, |volume| overdue_of(view, volume))
}

fn overdue_of(view: &impl ReadView, volume: &CsiVolume) -> Vec<Release> {
    let over = |claim: &Claim| is_over(view, claim.allocation_id);
    // Most volumes with claims have none that is over: these are not copied.
    if volume.past_claims.is_empty() && !volume.active_claims().any(over) {
        return Vec::new();
    }
    let mut volume = volume.clone();
    volume.start_overdue_releases(|allocation| is_over(view, allocation));
    let key = VolumeKey { namespace: volume.namespace, id: volume.id };
    let release = |claim| {
        let node_let_go = node_let_go(view, &claim);
        Release { volume: key.clone(), claim, node_let_go }
    };
    volume.past_claims.into_values().map(release).collect()
}

/// The release of one claim, if it has begun: how far it has come is in the claim.
pub fn plan_release(
    view: &impl ReadView,
    namespace: &str,
    id: &str,
    allocation: Uuid,
) -> Option<Release> {
    let volume = view.get::<CsiVolumes>((namespace, id))?;
    let claim = volume.past_claims.get(&allocation)?.clone();
    let node_let_go = node_let_go(view, &claim);
    let volume = VolumeKey { namespace: namespace.into(), id: id.into() };
    Some(Release { volume, claim, node_let_go })
}

/// Whether the claim's node no longer has the volume, or never will have again.
pub(crate) fn node_let_go(view: &impl ReadView, claim: &Claim) -> bool {
    let gone = || {
        let node = claim.node_id.and_then(|node| view.get::<Nodes>(node));
        node.is_none_or(|node| node.is_down())
    };
    match claim.state {
        ClaimState::NodeDetached | ClaimState::ControllerDetached | ClaimState::ReadyToFree => true,
        ClaimState::Taken | ClaimState::Unpublishing => {
            is_over(view, claim.allocation_id) || gone()
        }
    }
}

/// Asks whoever has to let go of the volume before the claim can go. May block, for as long as the
/// provider does.
///
/// A controller is asked through `providers`; without one for the plugin the claim is held.
pub fn ask_release(
    view: &impl ReadView,
    providers: &Providers,
    release: &Release,
) -> Result<(), Holdup> {
    let claim = &release.claim;
    if matches!(claim.state, ClaimState::ControllerDetached | ClaimState::ReadyToFree) {
        return Ok(());
    }
    if !release.node_let_go {
        return Err(Holdup::Node { allocation: claim.allocation_id });
    }
    let key = (&*release.volume.namespace, &*release.volume.id);
    let Some(volume) = view.get::<CsiVolumes>(key) else { return Ok(()) };
    let Some(holdup) = controller_holdup(view, volume, claim) else { return Ok(()) };
    let Holdup::Controller { plugin, external_node_id } = &holdup else { return Err(holdup) };
    if providers.get(plugin).is_none() {
        return Err(holdup);
    }
    let request = DetachVolume {
        external_id: volume.remote_id(),
        external_node_id,
        secrets: &volume.secrets,
    };
    let detach = ControllerOperation::Detach;
    ask(providers, plugin, detach, |provider| provider.detach_volume(&request))
        .map_err(|error| Holdup::Failed { error })
}

/// What [`record_release`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recorded {
    /// The claim is gone.
    Released,
    /// The claim stays, and how far its release has come is noted.
    Held,
    /// There is no such claim any more: nothing was written.
    Superseded,
}

/// Records what [`ask_release`] answered: the claim is gone, or it is noted how far it has come.
///
/// A claim that the same allocation took after `release` was made isn't touched.
pub fn record_release(
    txn: &mut WriteTxn<'_>,
    now: i64,
    release: &Release,
    answer: &Result<(), Holdup>,
) -> Result<Recorded, WriteError> {
    let (recorded, volume) = outcome(txn, release, answer);
    if let Some(volume) = volume {
        let volume = stamped(volume.clone(), now, VolumeFacts::for_claim(txn, &volume));
        txn.upsert::<CsiVolumes>(volume)?;
    }
    Ok(recorded)
}

/// Whether [`record_release`] would change nothing: the claim is held, and it is noted how far its
/// release has come. Who looks at many claims again and again needs no transaction for these.
pub fn is_recorded(view: &impl ReadView, release: &Release, answer: &Result<(), Holdup>) -> bool {
    outcome(view, release, answer).1.is_none()
}

/// What comes of an answer, and the volume with that, if it changes.
fn outcome(
    view: &impl ReadView,
    release: &Release,
    answer: &Result<(), Holdup>,
) -> (Recorded, Option<CsiVolume>) {
    let key = (&*release.volume.namespace, &*release.volume.id);
    let claim = &release.claim;
    let stored = view.get::<CsiVolumes>(key);
    let Some(stored) = stored.filter(|row| row.holds(claim.allocation_id, Some(claim.since)))
    else {
        return (Recorded::Superseded, None);
    };
    let (state, recorded) = match answer {
        Ok(()) => (ClaimState::ReadyToFree, Recorded::Released),
        Err(Holdup::Node { .. }) => (claim.state, Recorded::Held),
        Err(_) => (ClaimState::NodeDetached, Recorded::Held),
    };
    let mut volume = CsiVolume::clone(stored);
    volume.release(Claim { state, ..claim.clone() });
    let changed = volume != **stored;
    (recorded, changed.then_some(volume))
}

/// Why a volume couldn't be detached from a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DetachError {
    /// There is no such volume.
    NoVolume,
    /// An allocation there still uses it.
    InUse {
        /// The volume's ID.
        volume: Box<str>,
        /// The node.
        node: Uuid,
        /// The first such allocation.
        allocation: Uuid,
    },
}

impl fmt::Display for DetachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVolume => f.write_str("no such volume"),
            Self::InUse { volume, node, allocation } => write!(
                f,
                "volume in use: {volume}: allocation {allocation} on node {node} has not ended"
            ),
        }
    }
}

impl std::error::Error for DetachError {}

/// Plans to detach a volume from a node: the releases of all claims from there, for
/// [`ask_release`] and [`record_release`]. None is a success.
///
/// Who detaches says that the node has let go. An allocation there that hasn't ended, and isn't
/// meant to, keeps the volume.
pub fn plan_detach(
    view: &impl ReadView,
    namespace: &str,
    id: &str,
    node: Uuid,
) -> Result<Vec<Release>, DetachError> {
    let Some(volume) = view.get::<CsiVolumes>((namespace, id)) else {
        return Err(DetachError::NoVolume);
    };
    let here = |claim: &&Claim| claim.node_id == Some(node);
    for claim in volume.active_claims().filter(here) {
        let allocation = claim.allocation_id;
        if view.get::<Allocations>(allocation).is_some_and(|row| !row.is_terminal()) {
            return Err(DetachError::InUse { volume: id.into(), node, allocation });
        }
    }
    let mut volume = CsiVolume::clone(volume);
    // Whoever hasn't ended is on another node.
    volume.start_overdue_releases(|allocation| {
        view.get::<Allocations>(allocation).is_none_or(|row| row.is_terminal())
    });
    let key = VolumeKey { namespace: volume.namespace, id: volume.id };
    let claims = volume.past_claims.into_values().filter(|claim| claim.node_id == Some(node));
    Ok(claims.map(|claim| Release { volume: key.clone(), claim, node_let_go: true }).collect())
}

/// What a claim that its node has let go of still waits for.
pub(crate) fn controller_holdup(
    view: &impl ReadView,
    volume: &CsiVolume,
    claim: &Claim,
) -> Option<Holdup> {
    let plugin_id = &volume.plugin_id;
    if !VolumeFacts::for_claim(view, volume).plugin.controller_required {
        return None;
    }
    if view.get::<CsiPlugins>(plugin_id).is_none() {
        return Some(Holdup::NoPlugin { plugin: plugin_id.clone() });
    }
    let node = claim.node_id?;
    if !can(view, plugin_id, |controller| controller.supports_attach_detach)
        || is_used_by_others(view, volume, claim, node)
    {
        return None;
    }
    match external_node(view, volume, node) {
        ExternalNode::Known(external_node_id) => {
            Some(Holdup::Controller { plugin: plugin_id.clone(), external_node_id })
        }
        ExternalNode::Gone => None,
        ExternalNode::Unknown => Some(Holdup::NoExternalNode { node, plugin: plugin_id.clone() }),
    }
}

/// What a volume's provider calls a node.
pub(super) enum ExternalNode {
    /// This.
    Known(Box<str>),
    /// Nobody says, and the node is gone.
    Gone,
    /// Nobody says: the plugin doesn't run there.
    Unknown,
}

/// Finds out what the volume's provider calls the node: from a claim there, or from the node.
pub(super) fn external_node(view: &impl ReadView, volume: &CsiVolume, node: Uuid) -> ExternalNode {
    let claims = volume.active_claims().chain(volume.past_claims.values());
    let mut here = claims.filter(|claim| claim.node_id == Some(node));
    if let Some(known) = here.find(|claim| !claim.external_node_id.is_empty()) {
        return ExternalNode::Known(known.external_node_id.clone());
    }
    let Some(row) = view.get::<Nodes>(node) else { return ExternalNode::Gone };
    match row.node_plugins.get(&volume.plugin_id).and_then(|info| info.node.as_ref()) {
        Some(info) => ExternalNode::Known(info.id.clone()),
        None => ExternalNode::Unknown,
    }
}

/// Whether another allocation on the node, one that hasn't ended there, has the volume too. That it
/// shall stop is not enough: it may still write. Its own release asks the controller.
fn is_used_by_others(view: &impl ReadView, volume: &CsiVolume, claim: &Claim, node: Uuid) -> bool {
    let mut others =
        volume.active_claims().filter(|other| other.allocation_id != claim.allocation_id);
    others.any(|other| {
        let allocation = view.get::<Allocations>(other.allocation_id);
        allocation.is_some_and(|row| row.node_id == Some(node) && !row.is_client_terminal())
    })
}
