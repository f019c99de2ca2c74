//! Releases a claim for a client that reports its node as detached.
//!
//! Nomad: `nomad/csi_endpoint.go`, `CSIVolume.Unpublish`.

use std::fmt;

use statehold_store::{ReadView, WriteError, WriteTxn};

use super::{
    claim::{ClaimRequest, stamp_volume},
    rows::{move_claims, start_overdue_releases, write_claims},
};
use crate::{
    health::VolumeHealth,
    modes::{ClaimMode, ClaimState},
    release::{ReleaseBlocker, claim_row, controller_blocker},
    rows::{CsiVolume, CsiVolumes},
};

/// Why a claim could not be released.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnpublishError {
    /// The request names no volume.
    MissingVolumeId,
    /// The request names no allocation.
    MissingClaim,
    /// The volume does not exist.
    NoVolume,
    /// The store failed.
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

/// The outcome of [`unpublish`]. Both MUST be committed, because the progress is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnpublishOutcome {
    /// The claim is deleted.
    Released,
    /// The claim stays in the state `node-detached`.
    Held(ReleaseBlocker),
}

/// Releases a claim as far as the server can without a provider.
///
/// By calling this, the client asserts that the node has detached the volume, or never will because
/// it is down or deleted. A state of `controller-detached` or `ready-to-free` asserts that the
/// provider has detached it, too. Without that, the claim is deleted at once if no controller is
/// involved: the plugin requires none or does not attach, another allocation on the node still uses
/// the volume, or the node is unknown. Otherwise the claim stays as `node-detached`. Releasing a
/// claim that does not exist succeeds.
pub fn unpublish(
    txn: &mut WriteTxn<'_>,
    now: i64,
    namespace: &str,
    id: &str,
    request: ClaimRequest,
) -> Result<UnpublishOutcome, UnpublishError> {
    if id.is_empty() {
        return Err(UnpublishError::MissingVolumeId);
    }
    let Some(allocation) = request.allocation_id else { return Err(UnpublishError::MissingClaim) };
    move_claims(txn, namespace, id)?;
    let Some(stored) = txn.get::<CsiVolumes>((namespace, id)) else {
        return Err(UnpublishError::NoVolume);
    };
    let known = claim_row(txn, stored, allocation);
    // A repeated request finds no claim, and MUST succeed.
    if !known.holds(request.since) {
        return Ok(UnpublishOutcome::Released);
    }
    let health = VolumeHealth::for_claim(txn, stored);
    let mut volume = CsiVolume::clone(stored);
    let mut step = request.into_claim(allocation, now);
    step.mode = ClaimMode::Gc;
    let detached = matches!(step.state, ClaimState::ControllerDetached | ClaimState::ReadyToFree);
    // First recorded as `node-detached`, which fills in the fields that are known from the claim.
    step.state = ClaimState::NodeDetached;
    let mut own = known.clone();
    volume.release(&mut own, step.clone());
    let noted = own.past.as_ref().unwrap_or(&step);
    let blocker = if detached { None } else { controller_blocker(txn, &volume, noted) };
    if blocker.is_none() {
        step.state = ClaimState::ReadyToFree;
        volume.release(&mut own, step);
    }
    // The release of its own claim has begun or is complete, so it is excepted.
    let mut rows = Vec::new();
    if own != known {
        rows.push(own);
    }
    rows.extend(start_overdue_releases(txn, &mut volume, Some(allocation)));
    if volume != **stored || !rows.is_empty() {
        let volume = stamp_volume(volume, now, health);
        write_claims(txn, volume, rows)?;
    }
    Ok(blocker.map_or(UnpublishOutcome::Released, UnpublishOutcome::Held))
}
