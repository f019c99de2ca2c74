//! Letting go of a claim, for whoever knows that its node has.

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
pub enum UnpublishOutcome {
    /// The claim is gone.
    Released,
    /// The claim stays, as one that its node has let go of.
    Held(ReleaseBlocker),
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
    if !known.holds(request.since) {
        return Ok(UnpublishOutcome::Released);
    }
    let facts = VolumeHealth::for_claim(txn, stored);
    let mut volume = CsiVolume::clone(stored);
    let mut step = request.into_claim(allocation, now);
    step.mode = ClaimMode::Gc;
    let detached = matches!(step.state, ClaimState::ControllerDetached | ClaimState::ReadyToFree);
    // First as one that its node has let go of: what was known of the claim comes along.
    step.state = ClaimState::NodeDetached;
    let mut own = known.clone();
    volume.release(&mut own, step.clone());
    let noted = own.past.as_ref().unwrap_or(&step);
    let holdup = if detached { None } else { controller_blocker(txn, &volume, noted) };
    if holdup.is_none() {
        step.state = ClaimState::ReadyToFree;
        volume.release(&mut own, step);
    }
    // Of its own claim the release has begun, or is done.
    let mut rows = Vec::new();
    if own != known {
        rows.push(own);
    }
    rows.extend(start_overdue_releases(txn, &mut volume, Some(allocation)));
    if volume != **stored || !rows.is_empty() {
        let volume = stamp_volume(volume, now, facts);
        write_claims(txn, volume, rows)?;
    }
    Ok(holdup.map_or(UnpublishOutcome::Released, UnpublishOutcome::Held))
}
