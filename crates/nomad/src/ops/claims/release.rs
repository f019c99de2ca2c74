//! Releasing claims: finds those that are overdue, detaches their volumes, and records the outcome.
//!
//! A server's loop calls [`overdue_releases`] on a view, [`detach_with_provider`] for each outside of any
//! transaction, and [`record_release`] in one. Nobody here talks to nodes: one has let go when it is down or
//! gone, when it says that the allocation has ended, or when somebody says so for it with
//! [`unpublish`](crate::unpublish) or [`plan_detach`].
//!
//! Invariant: what is released is the claim that was seen to be overdue. One that the same
//! allocation took since stays.

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

/// A claim that is to be released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingRelease {
    volume: VolumeKey,
    claim: Claim,
    is_node_detached: bool,
}

impl PendingRelease {
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
pub fn overdue_releases(view: &impl ReadView) -> Vec<PendingRelease> {
    overdue_in(view, &KeyRange::<(String, String)>::all())
}

/// Like [`overdue_releases`], of one volume.
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

/// The release of a claim: as far as it has come, or from its beginning.
fn release_of(view: &impl ReadView, row: &CsiClaim) -> Option<PendingRelease> {
    let begin = |active: &Claim| Claim { state: ClaimState::Unpublishing, ..active.clone() };
    let claim = row.past.clone().or_else(|| row.active.as_ref().map(begin))?;
    let is_node_detached = is_node_detached(view, &claim);
    let volume = VolumeKey { namespace: row.namespace.clone(), id: row.volume_id.clone() };
    Some(PendingRelease { volume, claim, is_node_detached })
}

/// The release of one claim, if it has begun: how far it has come is in the claim.
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

/// Asks whoever has to let go of the volume before the claim can go. May block, for as long as the
/// provider does.
///
/// A controller is asked through `providers`; without one for the plugin the claim is held.
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
    let Some(volume) = view.get::<CsiVolumes>(key) else { return Ok(()) };
    let Some(holdup) = controller_blocker(view, volume, claim) else { return Ok(()) };
    let ReleaseBlocker::Controller { plugin, external_node_id } = &holdup else {
        return Err(holdup);
    };
    if providers.get(plugin).is_none() {
        return Err(holdup);
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

/// What [`record_release`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReleaseOutcome {
    /// The claim is gone.
    Released,
    /// The claim stays, and how far its release has come is noted.
    Held,
    /// There is no such claim any more: nothing was written.
    Superseded,
}

/// Records what [`detach_with_provider`] answered: the claim is gone, or it is noted how far it has come.
///
/// A claim that the same allocation took after `release` was made isn't touched.
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

/// Whether [`record_release`] would change nothing: the claim is held, and it is noted how far its
/// release has come. Who looks at many claims again and again needs no transaction for these.
pub fn is_recorded(
    view: &impl ReadView,
    release: &PendingRelease,
    answer: &Result<(), ReleaseBlocker>,
) -> bool {
    outcome(view, release, answer).1.is_none()
}

/// What comes of an answer, and the volume and the claim with that, if they change.
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
        Err(ReleaseBlocker::Node { .. }) => (claim.state, ReleaseOutcome::Held),
        Err(_) => (ClaimState::NodeDetached, ReleaseOutcome::Held),
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
/// [`detach_with_provider`] and [`record_release`]. None is a success.
///
/// Who detaches says that the node has let go. An allocation there that hasn't ended, and isn't
/// meant to, keeps the volume.
pub fn plan_detach(
    view: &impl ReadView,
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
            // An allocation that is to end is not asked about: the caller is.
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
