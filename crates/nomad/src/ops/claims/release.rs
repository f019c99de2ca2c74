//! Releasing claims: finds those that are overdue, detaches their volumes, and records the outcome.
//!
//! The server's loop calls [`overdue_releases`] on a view, [`detach_with_provider`] for each
//! outside of any transaction, and [`record_release`] in one. Nodes are never called: a node counts
//! as detached if it is down or deleted, if it reports that the allocation has ended, or if a
//! client reports so with [`unpublish`](crate::unpublish) or [`plan_detach`].
//!
//! Invariant: a release never touches a claim that the same allocation took after the release was
//! planned.

use std::fmt;

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::{
    claim::stamp_volume,
    rows::{move_claims, write_claims},
};
use crate::{
    controller::{ControllerOperation, call_controller},
    health::VolumeHealth,
    modes::ClaimState,
    provider::{DetachVolume, Providers},
    release::{ReleaseBlocker, claim_row, claims_on_node, controller_blocker, is_node_detached},
    rows::{Allocations, Claim, CsiClaim, CsiClaims, CsiVolume, CsiVolumes, VolumeKey},
};

/// A claim to be released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingRelease {
    volume: VolumeKey,
    claim: Claim,
    is_node_detached: bool,
}

impl PendingRelease {
    /// Returns the key of the volume.
    pub fn volume(&self) -> &VolumeKey {
        &self.volume
    }

    /// Returns the claim as of the view it was planned on.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }
}

/// Returns the claims whose release has begun or must begin, because their allocations have ended
/// or were deleted.
///
/// Cost: reads those claims, their allocations and their nodes.
pub fn overdue_releases(view: &impl ReadView) -> Vec<PendingRelease> {
    overdue_in(view, &KeyRange::<(String, String)>::all())
}

/// Like [`overdue_releases`], for one volume.
pub fn overdue_releases_of(view: &impl ReadView, volume: &VolumeKey) -> Vec<PendingRelease> {
    overdue_in(view, &KeyRange::<(String, String)>::exact((&volume.namespace, &volume.id)))
}

fn overdue_in(view: &impl ReadView, volumes: &KeyRange<(String, String)>) -> Vec<PendingRelease> {
    let (begun, due) = (&CsiClaims::RELEASING, &CsiClaims::OVERDUE);
    let rows = view.scan_by(begun, volumes, Order::Ascending);
    let rows = rows.chain(view.scan_by(due, volumes, Order::Ascending));
    let mut releases: Vec<PendingRelease> = rows.filter_map(|row| release_of(view, row)).collect();
    releases.sort_by(|a, b| {
        let key = |release: &PendingRelease| (release.volume.clone(), release.claim.allocation_id);
        key(a).cmp(&key(b))
    });
    releases
}

/// Returns the release of a claim, from the state that it has reached.
fn release_of(view: &impl ReadView, row: &CsiClaim) -> Option<PendingRelease> {
    let begin = |active: &Claim| Claim { state: ClaimState::Unpublishing, ..active.clone() };
    let claim = row.past.clone().or_else(|| row.active.as_ref().map(begin))?;
    let is_node_detached = is_node_detached(view, &claim);
    let volume = VolumeKey { namespace: row.namespace.clone(), id: row.volume_id.clone() };
    Some(PendingRelease { volume, claim, is_node_detached })
}

/// Returns the release of one claim, if it has begun.
pub fn plan_release(
    view: &impl ReadView,
    namespace: &str,
    id: &str,
    allocation: Uuid,
) -> Option<PendingRelease> {
    let row = view.get::<CsiClaims>((namespace, id, allocation))?;
    row.past.as_ref()?;
    release_of(view, row)
}

/// Detaches the volume with its provider, as far as the claim's release requires. May block as long
/// as the provider does.
///
/// Without a registered provider for the plugin the claim stays blocked.
pub fn detach_with_provider(
    view: &impl ReadView,
    providers: &Providers,
    release: &PendingRelease,
) -> Result<(), ReleaseBlocker> {
    let claim = &release.claim;
    if matches!(claim.state, ClaimState::ControllerDetached | ClaimState::ReadyToFree) {
        return Ok(());
    }
    if !release.is_node_detached {
        return Err(ReleaseBlocker::Node { allocation: claim.allocation_id });
    }
    let key = (&*release.volume.namespace, &*release.volume.id);
    // A deleted volume has no claim left; recording the release returns `Superseded`.
    let Some(volume) = view.get::<CsiVolumes>(key) else { return Ok(()) };
    let Some(blocker) = controller_blocker(view, volume, claim) else { return Ok(()) };
    let ReleaseBlocker::Controller { plugin, external_node_id } = &blocker else {
        return Err(blocker);
    };
    if providers.get(plugin).is_none() {
        return Err(blocker);
    }
    let request = DetachVolume {
        external_id: volume.remote_id(),
        external_node_id,
        secrets: &volume.secrets,
    };
    let detach = ControllerOperation::Detach;
    call_controller(providers, plugin, detach, |provider| provider.detach_volume(&request))
        .map_err(|error| ReleaseBlocker::Failed { error })
}

/// The outcome of [`record_release`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReleaseOutcome {
    /// The claim is deleted.
    Released,
    /// The claim stays, with the state of its release.
    Held,
    /// The claim no longer exists: nothing was written.
    Superseded,
}

/// Records the result of [`detach_with_provider`]: deletes the claim, or stores the state of its
/// release.
///
/// A claim that the same allocation took after `release` was planned is not touched.
pub fn record_release(
    txn: &mut WriteTxn<'_>,
    now: i64,
    release: &PendingRelease,
    answer: &Result<(), ReleaseBlocker>,
) -> Result<ReleaseOutcome, WriteError> {
    move_claims(txn, &release.volume.namespace, &release.volume.id)?;
    let (recorded, changed) = outcome(txn, release, answer);
    if let Some((volume, row)) = changed {
        let volume = stamp_volume(volume.clone(), now, VolumeHealth::for_claim(txn, &volume));
        write_claims(txn, volume, vec![row])?;
    }
    Ok(recorded)
}

/// Returns whether [`record_release`] would change nothing, because the claim stays blocked in its
/// recorded state. A loop over many claims uses this to open no transaction for them.
pub fn is_recorded(
    view: &impl ReadView,
    release: &PendingRelease,
    answer: &Result<(), ReleaseBlocker>,
) -> bool {
    outcome(view, release, answer).1.is_none()
}

/// Returns the outcome of a result, and the changed rows of the volume and the claim, if they
/// change.
fn outcome(
    view: &impl ReadView,
    release: &PendingRelease,
    answer: &Result<(), ReleaseBlocker>,
) -> (ReleaseOutcome, Option<(CsiVolume, CsiClaim)>) {
    let key = (&*release.volume.namespace, &*release.volume.id);
    let claim = &release.claim;
    let Some(stored) = view.get::<CsiVolumes>(key) else {
        return (ReleaseOutcome::Superseded, None);
    };
    let known = claim_row(view, stored, claim.allocation_id);
    if !known.holds(Some(claim.since)) {
        return (ReleaseOutcome::Superseded, None);
    }
    let (state, recorded) = match answer {
        Ok(()) => (ClaimState::ReadyToFree, ReleaseOutcome::Released),
        // The node has not detached the volume, so its state is kept. Every other blocker comes
        // after that step.
        Err(ReleaseBlocker::Node { .. }) => (claim.state, ReleaseOutcome::Held),
        Err(_) => (ClaimState::NodeDetached, ReleaseOutcome::Held),
    };
    let (mut volume, mut row) = (CsiVolume::clone(stored), known.clone());
    volume.release(&mut row, Claim { state, ..claim.clone() });
    let changed = volume != **stored || row != known;
    (recorded, changed.then_some((volume, row)))
}

/// Why a volume could not be detached from a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DetachError {
    /// The volume does not exist.
    NoVolume,
    /// An allocation on the node still uses it.
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

/// Plans to detach a volume from a node: returns the releases of all its claims there, for
/// [`detach_with_provider`] and [`record_release`]. An empty list is a success.
///
/// By calling this, the caller asserts that the node has detached the volume. Fails if an
/// allocation there has neither ended nor been stopped.
pub fn plan_detach(
    view: &impl ReadView,
    // Nomad: nomad/csi_endpoint.go, CSIVolume.Unpublish serves `nomad volume detach`.
    namespace: &str,
    id: &str,
    node: Uuid,
) -> Result<Vec<PendingRelease>, DetachError> {
    if view.get::<CsiVolumes>((namespace, id)).is_none() {
        return Err(DetachError::NoVolume);
    }
    let here = |claim: &Option<Claim>| claim.as_ref().is_some_and(|it| it.node_id == Some(node));
    let mut releases = Vec::new();
    for row in claims_on_node(view, namespace, id, node) {
        if here(&row.active) {
            let allocation = row.allocation_id;
            // An allocation that is being stopped does not block, because the caller asserts its
            // detachment.
            if view.get::<Allocations>(allocation).is_some_and(|row| !row.is_terminal()) {
                return Err(DetachError::InUse { volume: id.into(), node, allocation });
            }
        } else if !here(&row.past) {
            continue;
        }
        let release = release_of(view, row).filter(|it| it.claim.node_id == Some(node));
        releases
            .extend(release.map(|release| PendingRelease { is_node_detached: true, ..release }));
    }
    Ok(releases)
}
