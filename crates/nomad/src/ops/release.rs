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

use std::{fmt, iter};

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::{
    claim_rows::{claim_row, is_over, move_claims, write_claims},
    claims::stamped,
    controller::{ControllerError, ControllerOperation, ask, can},
    register::VolumeKey,
};
use crate::{
    facts::VolumeFacts,
    modes::ClaimState,
    provider::{DetachVolume, Providers},
    rows::{Allocations, Claim, CsiClaim, CsiClaims, CsiPlugins, CsiVolume, CsiVolumes, Nodes},
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
/// Cost: reads those claims, and their allocations and nodes; no others.
pub fn overdue_releases(view: &impl ReadView) -> Vec<Release> {
    overdue_in(view, &KeyRange::<(String, String)>::all())
}

/// Like [`overdue_releases`], of one volume.
pub fn overdue_releases_of(view: &impl ReadView, volume: &VolumeKey) -> Vec<Release> {
    overdue_in(view, &KeyRange::<(String, String)>::exact((&volume.namespace, &volume.id)))
}

fn overdue_in(view: &impl ReadView, volumes: &KeyRange<(String, String)>) -> Vec<Release> {
    let (begun, due) = (&CsiClaims::RELEASING, &CsiClaims::OVERDUE);
    let rows = view.scan_by(begun, volumes, Order::Ascending);
    let rows = rows.chain(view.scan_by(due, volumes, Order::Ascending));
    let mut releases: Vec<Release> = rows.filter_map(|row| release_of(view, row)).collect();
    releases.sort_by(|a, b| {
        let key = |release: &Release| (release.volume.clone(), release.claim.allocation_id);
        key(a).cmp(&key(b))
    });
    releases
}

/// The release of a claim: as far as it has come, or from its beginning.
fn release_of(view: &impl ReadView, row: &CsiClaim) -> Option<Release> {
    let begin = |active: &Claim| Claim { state: ClaimState::Unpublishing, ..active.clone() };
    let claim = row.past.clone().or_else(|| row.active.as_ref().map(begin))?;
    let node_let_go = node_let_go(view, &claim);
    let volume = VolumeKey { namespace: row.namespace.clone(), id: row.volume_id.clone() };
    Some(Release { volume, claim, node_let_go })
}

/// The release of one claim, if it has begun: how far it has come is in the claim.
pub fn plan_release(
    view: &impl ReadView,
    namespace: &str,
    id: &str,
    allocation: Uuid,
) -> Option<Release> {
    let row = view.get::<CsiClaims>((namespace, id, allocation))?;
    row.past.as_ref()?;
    release_of(view, row)
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
    move_claims(txn, &release.volume.namespace, &release.volume.id)?;
    let (recorded, changed) = outcome(txn, release, answer);
    if let Some((volume, row)) = changed {
        let volume = stamped(volume.clone(), now, VolumeFacts::for_claim(txn, &volume));
        write_claims(txn, volume, vec![row])?;
    }
    Ok(recorded)
}

/// Whether [`record_release`] would change nothing: the claim is held, and it is noted how far its
/// release has come. Who looks at many claims again and again needs no transaction for these.
pub fn is_recorded(view: &impl ReadView, release: &Release, answer: &Result<(), Holdup>) -> bool {
    outcome(view, release, answer).1.is_none()
}

/// What comes of an answer, and the volume and the claim with that, if they change.
fn outcome(
    view: &impl ReadView,
    release: &Release,
    answer: &Result<(), Holdup>,
) -> (Recorded, Option<(CsiVolume, CsiClaim)>) {
    let key = (&*release.volume.namespace, &*release.volume.id);
    let claim = &release.claim;
    let Some(stored) = view.get::<CsiVolumes>(key) else { return (Recorded::Superseded, None) };
    let known = claim_row(view, stored, claim.allocation_id);
    if !known.holds(Some(claim.since)) {
        return (Recorded::Superseded, None);
    }
    let (state, recorded) = match answer {
        Ok(()) => (ClaimState::ReadyToFree, Recorded::Released),
        Err(Holdup::Node { .. }) => (claim.state, Recorded::Held),
        Err(_) => (ClaimState::NodeDetached, Recorded::Held),
    };
    let (mut volume, mut row) = (CsiVolume::clone(stored), known.clone());
    volume.release(&mut row, Claim { state, ..claim.clone() });
    let changed = volume != **stored || row != known;
    (recorded, changed.then_some((volume, row)))
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
    if view.get::<CsiVolumes>((namespace, id)).is_none() {
        return Err(DetachError::NoVolume);
    }
    let here = |claim: &Option<Claim>| claim.as_ref().is_some_and(|it| it.node_id == Some(node));
    let mut releases = Vec::new();
    for row in claims_on_node(view, namespace, id, node) {
        if here(&row.active) {
            let allocation = row.allocation_id;
            // An allocation that is to end is not asked about: the caller is.
            if view.get::<Allocations>(allocation).is_some_and(|row| !row.is_terminal()) {
                return Err(DetachError::InUse { volume: id.into(), node, allocation });
            }
        } else if !here(&row.past) {
            continue;
        }
        let release = release_of(view, row).filter(|it| it.claim.node_id == Some(node));
        releases.extend(release.map(|release| Release { node_let_go: true, ..release }));
    }
    Ok(releases)
}

/// The claims on a volume that are on a node, or whose release is.
fn claims_on_node<'v>(
    view: &'v impl ReadView,
    namespace: &str,
    id: &str,
    node: Uuid,
) -> impl Iterator<Item = &'v CsiClaim> {
    let range = KeyRange::<(Uuid, String, String)>::exact((node, namespace, id));
    view.scan_by(&CsiClaims::BY_NODE, &range, Order::Ascending).map(|row| &**row)
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
    match external_node(view, volume, node, claim) {
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

/// Finds out what the volume's provider calls the node of `claim`: from the claim, from others there, or
/// from the node.
pub(super) fn external_node(
    view: &impl ReadView,
    volume: &CsiVolume,
    node: Uuid,
    claim: &Claim,
) -> ExternalNode {
    let others = claims_on_node(view, &volume.namespace, &volume.id, node);
    let others = others.flat_map(|row| row.active.iter().chain(&row.past));
    // The claim itself may have been changed in this transaction, and not be written yet.
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

/// Whether another allocation on the node, one that hasn't ended there, has the volume too. That it
/// shall stop is not enough: it may still write. Its own release asks the controller.
///
/// Cost: reads the allocations on the node that have not ended, not the claims on the volume.
fn is_used_by_others(view: &impl ReadView, volume: &CsiVolume, claim: &Claim, node: Uuid) -> bool {
    let on_node = KeyRange::<Uuid>::exact(node);
    let mut others = view
        .scan_by(&Allocations::UNENDED, &on_node, Order::Ascending)
        .filter(|other| other.id != claim.allocation_id);
    others.any(|other| claim_row(view, volume, other.id).active.is_some())
}
