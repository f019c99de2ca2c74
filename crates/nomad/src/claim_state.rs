//! The state machine of a claim on a volume, applied to the volume's row and the claim's row.
//!
//! ```text
//!   none   -- taken, to read or to write -->   active
//!   active -- any other state, or mode gc -->  active and releasing:
//!                                              unpublishing, node-detached, controller-detached
//!   any    -- ready-to-free -->                none
//! ```
//!
//! An active claim is in `active` of its row, a claim that is being released in `past` too. A claim
//! occupies its slot until it is ready to free: an allocation that has ended still blocks others
//! until then. The counts in the volume's row MUST equal those of its claim rows, because the state
//! machine reads no other claim.
//!
//! Invariant: the volume has current modes only while it has claims. Invariant: a rejected claim
//! changes nothing. Nothing here reads the store: the caller passes the surrounding state as
//! [`ClaimContext`].
//!
//! Nomad: `nomad/structs/csi.go`, `CSIVolume.Claim` and `claimRelease`.

use std::fmt;

use uuid::Uuid;

use crate::{
    modes::{Capability, ClaimMode, ClaimState, access_mode},
    rows::{Claim, CsiClaim, CsiVolume},
};

/// The state around a volume that decides whether a claim is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClaimContext {
    /// Whether the volume's plugin can serve it.
    pub(crate) schedulable: bool,
    /// Whether the claiming allocation is known.
    pub(crate) allocation_known: bool,
    /// Whether the allocation has ended or was deleted.
    pub(crate) allocation_over: bool,
}

/// Why a claim on a volume was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimRejection {
    /// The volume is attached in one mode and the claim requests another.
    AttachmentModeChange,
    /// The allocation does not exist.
    AllocationMissing {
        /// Its ID.
        allocation: Uuid,
    },
    /// The plugin cannot serve the volume now, or the volume is read-only and the claim requests to
    /// write.
    Unschedulable,
    /// All claims that the access mode allows are in use.
    MaxClaims,
}

impl fmt::Display for ClaimRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AttachmentModeChange => {
                f.write_str("cannot change attachment mode of claimed volume")
            }
            Self::AllocationMissing { allocation } => write!(f, "allocation missing: {allocation}"),
            Self::Unschedulable => f.write_str("volume is currently unschedulable"),
            Self::MaxClaims => f.write_str("volume max claims reached"),
        }
    }
}

impl std::error::Error for ClaimRejection {}

impl CsiClaim {
    /// Returns whether the row holds a claim, active or being released. With `since`, only a claim
    /// taken at that time counts.
    pub(crate) fn holds(&self, since: Option<i64>) -> bool {
        let mut claims = self.active.iter().chain(&self.past);
        claims.any(|claim| since.is_none_or(|since| claim.since == since))
    }

    /// Returns whether the row holds no claim, so that it should be deleted.
    pub(crate) fn is_free(&self) -> bool {
        self.active.is_none() && self.past.is_none()
    }
}

impl CsiVolume {
    /// Returns whether an allocation reads or writes it. A claim that is only being released does
    /// not count.
    pub fn is_in_use(&self) -> bool {
        self.claims.readers > 0 || self.claims.writers > 0
    }

    /// Returns whether its current modes allow writing; without current modes, whether a requested
    /// capability does.
    fn is_writable(&self) -> bool {
        // Nomad: nomad/structs/csi.go, CSIVolume.WriteSchedulable.
        if self.access_mode.is_empty() {
            self.requested_capabilities.iter().any(|one| access_mode::writes(&one.access_mode))
        } else {
            access_mode::writes(&self.access_mode)
        }
    }

    fn has_free_read_claims(&self) -> bool {
        // Nomad: nomad/structs/csi.go, CSIVolume.HasFreeReadClaims.
        match &*self.access_mode {
            access_mode::SINGLE_NODE_READER => self.claims.readers == 0,
            access_mode::SINGLE_NODE_WRITER => !self.is_in_use(),
            _ => true,
        }
    }

    fn has_free_write_claims(&self) -> bool {
        // Nomad: nomad/structs/csi.go, CSIVolume.HasFreeWriteClaims. An unclaimed volume has the
        // mode "".
        match &*self.access_mode {
            access_mode::SINGLE_NODE_WRITER | access_mode::MULTI_NODE_SINGLE_WRITER => {
                self.claims.writers == 0
            }
            access_mode::MULTI_NODE_MULTI_WRITER | "" => true,
            _ => false,
        }
    }

    /// Replaces the claim `before` by `after` in the volume's counts.
    pub(crate) fn count_claim(&mut self, before: &CsiClaim, after: &CsiClaim) {
        let of = |row: &CsiClaim| {
            [row.reading().is_some(), row.writing().is_some(), row.past.is_some()].map(u64::from)
        };
        let counts =
            [&mut self.claims.readers, &mut self.claims.writers, &mut self.claims.releasing];
        for ((count, before), after) in counts.into_iter().zip(of(before)).zip(of(after)) {
            // A count never wraps: a wrong count in a damaged row must not become enormous.
            *count = count.saturating_add(after).saturating_sub(before);
        }
    }

    /// Applies `claim` to `row`, the claim row of the same allocation: takes the claim, or advances
    /// its release.
    pub(crate) fn apply_claim(
        &mut self,
        row: &mut CsiClaim,
        claim: Claim,
        context: ClaimContext,
    ) -> Result<(), ClaimRejection> {
        if !self.attachment_mode.is_empty()
            && !claim.attachment_mode.is_empty()
            && self.attachment_mode != claim.attachment_mode
        {
            return Err(ClaimRejection::AttachmentModeChange);
        }
        // The GC mode never takes a claim. Nomad creates such claims only to trigger a release.
        if claim.state == ClaimState::Taken && claim.mode != ClaimMode::Gc {
            self.take_claim(row, claim, context)?;
            self.complete_modes(row);
        } else {
            self.complete_modes(row);
            self.release(row, claim);
        }
        Ok(())
    }

    fn take_claim(
        &mut self,
        row: &mut CsiClaim,
        claim: Claim,
        context: ClaimContext,
    ) -> Result<(), ClaimRejection> {
        let writes = claim.mode == ClaimMode::Write;
        let same = if writes { row.writing() } else { row.reading() };
        if same.is_some() {
            return self.renew_claim(row, claim, context);
        }
        if !context.allocation_known {
            return Err(ClaimRejection::AllocationMissing { allocation: claim.allocation_id });
        }
        if !context.schedulable || (writes && !self.is_writable()) {
            return Err(ClaimRejection::Unschedulable);
        }
        let free = if writes { self.has_free_write_claims() } else { self.has_free_read_claims() };
        if !free {
            return Err(ClaimRejection::MaxClaims);
        }
        self.derive_capability();
        if self.attachment_mode.is_empty() {
            self.attachment_mode.clone_from(&claim.attachment_mode);
        }
        if self.access_mode.is_empty() {
            self.access_mode.clone_from(&claim.access_mode);
        }
        self.activate(row, claim, context);
        Ok(())
    }

    /// Renews a claim that the row holds already. If it is being released, it becomes a new claim,
    /// and the pending release is superseded.
    fn renew_claim(
        &mut self,
        row: &mut CsiClaim,
        claim: Claim,
        context: ClaimContext,
    ) -> Result<(), ClaimRejection> {
        // Nomad: nomad/structs/csi.go, CSIVolume.claimRead returns early for a claim that it holds.
        if context.allocation_over || row.past.is_none() {
            return Ok(());
        }
        if !context.schedulable {
            return Err(ClaimRejection::Unschedulable);
        }
        self.activate(row, claim, context);
        Ok(())
    }

    /// Replaces any claim of the allocation by `claim` as the active one.
    fn activate(&mut self, row: &mut CsiClaim, claim: Claim, context: ClaimContext) {
        let before = row.clone();
        (row.active, row.past) = (Some(claim), None);
        row.allocation_over = context.allocation_over;
        self.count_claim(&before, row);
    }

    /// Derives the capability of a volume that was registered with modes instead of a list of
    /// capabilities.
    fn derive_capability(&mut self) {
        // Nomad: nomad/structs/csi.go, CSIVolume.Claim, "COMPAT: volumes registered prior to
        // 1.1.0".
        let set = !self.access_mode.is_empty() && !self.attachment_mode.is_empty();
        if set && self.requested_capabilities.is_empty() {
            self.requested_capabilities.push(Capability {
                attachment_mode: self.attachment_mode.clone(),
                access_mode: self.access_mode.clone(),
            });
        }
    }

    /// Advances the release of a claim. A row without a claim is released already.
    pub(crate) fn release(&mut self, row: &mut CsiClaim, mut claim: Claim) {
        // An empty row holds nothing: a release recorded here would never be completed.
        if row.is_free() {
            return;
        }
        self.derive_capability();
        let before = row.clone();
        if claim.state == ClaimState::ReadyToFree {
            (row.active, row.past) = (None, None);
        } else {
            complete_release(&mut claim, &before);
            row.past = Some(claim);
        }
        self.count_claim(&before, row);
        // Nomad: nomad/structs/csi.go, CSIVolume.claimRelease resets the modes with the last claim.
        if !self.is_in_use() && self.claims.releasing == 0 {
            self.access_mode = Box::default();
            self.attachment_mode = Box::default();
        }
    }

    /// Starts the release of a claim whose allocation has ended. A release that has begun keeps its
    /// state.
    pub(crate) fn start_release(&mut self, row: &mut CsiClaim) {
        let before = row.clone();
        if let (Some(active), None) = (&row.active, &row.past) {
            row.past = Some(Claim { state: ClaimState::Unpublishing, ..active.clone() });
        }
        self.complete_modes(row);
        self.count_claim(&before, row);
    }

    /// Fills the modes of an active claim that was taken without them from those of the volume.
    pub(crate) fn complete_modes(&self, row: &mut CsiClaim) {
        let Some(claim) = &mut row.active else { return };
        if claim.access_mode.is_empty() || claim.attachment_mode.is_empty() {
            claim.access_mode.clone_from(&self.access_mode);
            claim.attachment_mode.clone_from(&self.attachment_mode);
        }
    }
}

/// Fills a release from the claim as it was taken, because clients often send only the allocation's
/// ID.
fn complete_release(claim: &mut Claim, row: &CsiClaim) {
    let Some(known) = row.past.as_ref().or(row.active.as_ref()) else { return };
    claim.since = known.since;
    claim.node_id = claim.node_id.or(known.node_id);
    for (text, known) in [
        (&mut claim.external_node_id, &known.external_node_id),
        (&mut claim.access_mode, &known.access_mode),
        (&mut claim.attachment_mode, &known.attachment_mode),
    ] {
        if text.is_empty() {
            text.clone_from(known);
        }
    }
}

#[cfg(test)]
mod tests;
