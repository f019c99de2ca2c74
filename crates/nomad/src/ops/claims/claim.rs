//! Taking claims on volumes, and noting how far others have come with letting go of them.
//!
//! The rules are the state machine's; here is what it needs from the store.

use std::fmt;

use statehold_store::{ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::rows::{complete_modes, move_claims, start_overdue_releases, write_claims};
use crate::{
    claim_state::{ClaimContext, ClaimRejection},
    fmt::Quoted,
    health::VolumeHealth,
    modes::{ClaimMode, ClaimState, access_mode, attachment_mode},
    release::{claim_row, is_allocation_over},
    rows::{Allocations, Claim, CsiVolume, CsiVolumes},
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
    /// Of a release: when the claim was taken that is meant, in unix nanoseconds. The same
    /// allocation may have taken another one since, which stays. None for whichever there is.
    pub since: Option<i64>,
}

impl ClaimRequest {
    /// Whether it takes a claim, and doesn't release one.
    pub fn is_new(&self) -> bool {
        self.state == ClaimState::Taken && self.mode != ClaimMode::Gc
    }

    /// The mode that no CSI volume can have, if the request has one; an empty one is none.
    fn unknown_mode(&self) -> Option<&str> {
        let (access, attachment) = (&*self.access_mode, &*self.attachment_mode);
        if !access.is_empty() && !access_mode::is_of_csi(access) {
            return Some(access);
        }
        Some(attachment).filter(|mode| !mode.is_empty() && !attachment_mode::is_known(mode))
    }

    pub(super) fn into_claim(self, allocation_id: Uuid, now: i64) -> Claim {
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
    /// A new claim has an access mode or an attachment mode that no CSI volume can have.
    UnknownMode {
        /// The mode.
        mode: Box<str>,
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
        cause: ClaimRejection,
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
            Self::UnknownMode { mode } => write!(
                f,
                "no CSI volume has the mode {}; leave it out for the volume's own",
                Quoted(mode)
            ),
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
///
/// Cost: the same for any number of other claims on the volume, but for those whose release it starts.
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
    let is_new = request.is_new();
    // Only of a new claim: a release never depends on the modes, and must not fail by them.
    if is_new && let Some(mode) = request.unknown_mode() {
        return Err(ClaimError::UnknownMode { mode: mode.into() });
    }
    let allocation = request.allocation_id.and_then(|id| txn.get::<Allocations>(id));
    if is_new && request.node_id.is_none() {
        let Some(allocation) = allocation else {
            return Err(ClaimError::UnknownAllocation { allocation: request.allocation_id });
        };
        request.node_id = allocation.node_id;
    }
    let allocation_known = allocation.is_some();
    move_claims(txn, namespace, id)?;
    let Some(stored) = txn.get::<CsiVolumes>((namespace, id)) else {
        return Err(ClaimError::VolumeNotFound { volume: id.into() });
    };
    if is_new && request.allocation_id.is_none() {
        return Err(ClaimError::UnknownAllocation { allocation: None });
    }
    let facts = VolumeHealth::for_claim(txn, stored);
    let mut volume = CsiVolume::clone(stored);
    let mut rows = start_overdue_releases(txn, &mut volume, None);
    if let Some(allocation) = request.allocation_id {
        let known = claim_row(txn, &volume, allocation);
        let started = rows.iter().position(|row| row.allocation_id == allocation);
        let mut own = started.map_or_else(|| known.clone(), |at| rows.swap_remove(at));
        if is_new || own.holds(request.since) {
            let world = ClaimContext {
                schedulable: facts.schedulable,
                allocation_known,
                allocation_over: is_allocation_over(txn, allocation),
            };
            volume
                .apply_claim(&mut own, request.into_claim(allocation, now), world)
                .map_err(|cause| ClaimError::Refused { allocation, volume: id.into(), cause })?;
        }
        if own != known {
            rows.push(own);
        }
    }
    let modes = |volume: &CsiVolume| (volume.access_mode.clone(), volume.attachment_mode.clone());
    if stored.is_in_use() && volume.is_in_use() && modes(stored) != modes(&volume) {
        complete_modes(txn, &volume, &mut rows);
    }
    if volume != **stored || !rows.is_empty() {
        let volume = stamp_volume(volume, now, facts);
        write_claims(txn, volume, rows)?;
    }
    Ok(())
}

/// What the volume remembers of its plugin, for when that is gone, and when it changed.
pub(super) fn stamp_volume(mut volume: CsiVolume, now: i64, facts: VolumeHealth<'_>) -> CsiVolume {
    volume.provider = facts.plugin.provider.into();
    volume.provider_version = facts.plugin.version.into();
    volume.controller_required = facts.plugin.controller_required;
    volume.modify_time = now;
    volume
}
