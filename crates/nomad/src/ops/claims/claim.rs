//! Takes claims on volumes, and records the progress of their release.
//!
//! The state machine holds the rules; this module reads its context from the store.
//!
//! Nomad: `nomad/csi_endpoint.go`, `CSIVolume.Claim`; `nomad/state/state_store.go`,
//! `CSIVolumeClaim`.

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

/// A request to claim a volume or to advance a release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimRequest {
    /// The allocation. None only starts overdue releases.
    pub allocation_id: Option<Uuid>,
    /// The node; by default the allocation's.
    pub node_id: Option<Uuid>,
    /// The provider's ID of the node, if known.
    pub external_node_id: Box<str>,
    /// The requested use of the volume.
    pub mode: ClaimMode,
    /// The requested access mode.
    pub access_mode: Box<str>,
    /// The requested attachment mode.
    pub attachment_mode: Box<str>,
    /// The state that the claim has reached.
    pub state: ClaimState,
    /// For a release: the time at which the claim was taken, in unix nanoseconds. A claim that the
    /// same allocation took at another time stays. None matches any.
    pub since: Option<i64>,
}

impl ClaimRequest {
    /// Returns whether it takes a claim, instead of releasing one.
    pub fn is_new(&self) -> bool {
        self.state == ClaimState::Taken && self.mode != ClaimMode::Gc
    }

    /// Returns the requested mode that CSI volumes do not support, if any. An empty mode is no
    /// request.
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

/// Why a volume could not be claimed, or a release not be advanced.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimError {
    /// The request names no volume.
    MissingVolumeId,
    /// A new claim names no allocation, or one that does not exist.
    UnknownAllocation {
        /// Its ID, if it has one.
        allocation: Option<Uuid>,
    },
    /// A new claim has an access mode or an attachment mode that CSI volumes do not support.
    UnknownMode {
        /// The mode.
        mode: Box<str>,
    },
    /// The volume does not exist.
    VolumeNotFound {
        /// Its ID.
        volume: Box<str>,
    },
    /// The state of the volume forbids the claim.
    Refused {
        /// The allocation.
        allocation: Uuid,
        /// The volume's ID.
        volume: Box<str>,
        /// The reason.
        cause: ClaimRejection,
    },
    /// The store failed.
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
            Self::UnknownMode { mode } => {
                write!(f, "unknown mode {}: leave it out to use the volume's mode", Quoted(mode))
            }
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

/// Takes a claim on a volume, or advances a release.
///
/// A claim with the state `taken` and the mode `read` or `write` is a new one; repeating it
/// succeeds without a change. Any other claim is a step of a release: its state is stored, and
/// `ready-to-free` deletes the claim. Every call also starts the release of the claims on the
/// volume whose allocations have ended; a request without an allocation that is not a new claim
/// does only that.
///
/// Cost: independent of the number of other claims on the volume, except for those whose release it
/// starts.
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
    // A release ignores the modes, so it MUST NOT fail because of them.
    if is_new && let Some(mode) = request.unknown_mode() {
        return Err(ClaimError::UnknownMode { mode: mode.into() });
    }
    let allocation = request.allocation_id.and_then(|id| txn.get::<Allocations>(id));
    if is_new && request.node_id.is_none() {
        let Some(allocation) = allocation else {
            return Err(ClaimError::UnknownAllocation { allocation: request.allocation_id });
        };
        // Nomad: nomad/csi_endpoint.go, CSIVolume.controllerPublishVolume does the same for old
        // clients.
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
    let health = VolumeHealth::for_claim(txn, stored);
    let mut volume = CsiVolume::clone(stored);
    let mut rows = start_overdue_releases(txn, &mut volume, None);
    if let Some(allocation) = request.allocation_id {
        let known = claim_row(txn, &volume, allocation);
        let started = rows.iter().position(|row| row.allocation_id == allocation);
        let mut own = started.map_or_else(|| known.clone(), |at| rows.swap_remove(at));
        // A release of a claim that does not exist, or was taken anew since, changes nothing.
        if is_new || own.holds(request.since) {
            let context = ClaimContext {
                schedulable: health.schedulable,
                allocation_known,
                allocation_over: is_allocation_over(txn, allocation),
            };
            volume
                .apply_claim(&mut own, request.into_claim(allocation, now), context)
                .map_err(|cause| ClaimError::Refused { allocation, volume: id.into(), cause })?;
        }
        if own != known {
            rows.push(own);
        }
    }
    let modes = |volume: &CsiVolume| (volume.access_mode.clone(), volume.attachment_mode.clone());
    // The first claims of a volume may lack the modes that this claim determines.
    if stored.is_in_use() && volume.is_in_use() && modes(stored) != modes(&volume) {
        complete_modes(txn, &volume, &mut rows);
    }
    if volume != **stored || !rows.is_empty() {
        let volume = stamp_volume(volume, now, health);
        write_claims(txn, volume, rows)?;
    }
    Ok(())
}

/// Stores the plugin's identity in a volume's row, for the time after the plugin is deleted, and
/// the modification time.
pub(super) fn stamp_volume(mut volume: CsiVolume, now: i64, health: VolumeHealth<'_>) -> CsiVolume {
    volume.provider = health.plugin.provider.into();
    volume.provider_version = health.plugin.version.into();
    volume.controller_required = health.plugin.controller_required;
    volume.modify_time = now;
    volume
}
