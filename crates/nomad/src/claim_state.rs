//! The life of a claim on a volume, as a state machine on the volume's row and the claim's.
//!
//! ```text
//!   none   -- taken, to read or to write -->   active
//!   active -- any other state, or mode gc -->  active and releasing:
//!                                              unpublishing, node-detached, controller-detached
//!   any    -- ready-to-free -->                none
//! ```
//!
//! An active claim is in `active` of its row, a releasing one in `past` too. Only active claims take up
//! room: an allocation that has ended still blocks others until its claim is ready to free. The counts in
//! the volume's row are those of the rows of its claims; of other claims the state machine reads nothing.
//!
//! Invariant: the volume has current modes only while it has claims. Invariant: a refused claim
//! changes nothing. Nothing in here looks anything up: what the state machine has to know about the
//! world is in [`ClaimContext`].

use std::fmt;

use uuid::Uuid;

use crate::{
    modes::{Capability, ClaimMode, ClaimState, access_mode},
    rows::{Claim, CsiClaim, CsiVolume},
};

/// What a claim has to know about the world around the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClaimContext {
    /// Whether the volume's plugin is able to serve it.
    pub(crate) schedulable: bool,
    /// Whether the claiming allocation is known.
    pub(crate) allocation_known: bool,
    /// Whether it has ended, or is gone.
    pub(crate) allocation_over: bool,
}

/// Why a volume refused a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimRejection {
    /// The volume is attached in one way and the claim wants another.
    AttachmentModeChange,
    /// Nobody has heard of the allocation.
    AllocationMissing {
        /// Its ID.
        allocation: Uuid,
    },
    /// The plugin can't serve the volume now, or the volume is only for reading and the claim wants
    /// to write.
    Unschedulable,
    /// All claims that the access mode allows are taken.
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
    /// Whether there is a claim, active or being released; taken at `since`, if that is given.
    pub(crate) fn holds(&self, since: Option<i64>) -> bool {
        let mut claims = self.active.iter().chain(&self.past);
        claims.any(|claim| since.is_none_or(|since| claim.since == since))
    }

    /// Whether nothing is left, so that the row goes.
    pub(crate) fn is_free(&self) -> bool {
        self.active.is_none() && self.past.is_none()
    }
}

impl CsiVolume {
    /// Whether an allocation reads or writes it. Claims that are only being released don't count.
    pub fn is_in_use(&self) -> bool {
        self.claims.readers > 0 || self.claims.writers > 0
    }

    /// Whether its modes, or what was asked for while it has none, allow writing.
    fn is_writable(&self) -> bool {
        if self.access_mode.is_empty() {
            self.requested_capabilities.iter().any(|one| access_mode::writes(&one.access_mode))
        } else {
            access_mode::writes(&self.access_mode)
        }
    }

    fn has_free_read_claims(&self) -> bool {
        match &*self.access_mode {
            access_mode::SINGLE_NODE_READER => self.claims.readers == 0,
            access_mode::SINGLE_NODE_WRITER => !self.is_in_use(),
            _ => true,
        }
    }

    fn has_free_write_claims(&self) -> bool {
        match &*self.access_mode {
            access_mode::SINGLE_NODE_WRITER | access_mode::MULTI_NODE_SINGLE_WRITER => {
                self.claims.writers == 0
            }
            access_mode::MULTI_NODE_MULTI_WRITER | "" => true,
            _ => false,
        }
    }

    /// Counts a claim as `after` instead of as `before`.
    pub(crate) fn count_claim(&mut self, before: &CsiClaim, after: &CsiClaim) {
        let of = |row: &CsiClaim| {
            [row.reading().is_some(), row.writing().is_some(), row.past.is_some()].map(u64::from)
        };
        let counts =
            [&mut self.claims.readers, &mut self.claims.writers, &mut self.claims.releasing];
        for ((count, before), after) in counts.into_iter().zip(of(before)).zip(of(after)) {
            // A count never wraps: a wrong one of a damaged row must not become an enormous one.
            *count = count.saturating_add(after).saturating_sub(before);
        }
    }

    /// Applies `claim` to `row`, the claim of the same allocation: takes it, or takes it a step further
    /// on its way out.
    pub(crate) fn apply_claim(
        &mut self,
        row: &mut CsiClaim,
        claim: Claim,
        world: ClaimContext,
    ) -> Result<(), ClaimRejection> {
        if !self.attachment_mode.is_empty()
            && !claim.attachment_mode.is_empty()
            && self.attachment_mode != claim.attachment_mode
        {
            return Err(ClaimRejection::AttachmentModeChange);
        }
        if claim.state == ClaimState::Taken && claim.mode != ClaimMode::Gc {
            self.take(row, claim, world)?;
            self.complete_modes(row);
        } else {
            self.complete_modes(row);
            self.release(row, claim);
        }
        Ok(())
    }

    fn take(
        &mut self,
        row: &mut CsiClaim,
        claim: Claim,
        world: ClaimContext,
    ) -> Result<(), ClaimRejection> {
        let writes = claim.mode == ClaimMode::Write;
        let same = if writes { row.writing() } else { row.reading() };
        if same.is_some() {
            return self.take_back(row, claim, world);
        }
        if !world.allocation_known {
            return Err(ClaimRejection::AllocationMissing { allocation: claim.allocation_id });
        }
        if !world.schedulable || (writes && !self.is_writable()) {
            return Err(ClaimRejection::Unschedulable);
        }
        let free = if writes { self.has_free_write_claims() } else { self.has_free_read_claims() };
        if !free {
            return Err(ClaimRejection::MaxClaims);
        }
        self.remember_modes_as_capability();
        if self.attachment_mode.is_empty() {
            self.attachment_mode.clone_from(&claim.attachment_mode);
        }
        if self.access_mode.is_empty() {
            self.access_mode.clone_from(&claim.access_mode);
        }
        self.activate(row, claim, world);
        Ok(())
    }

    /// Takes a claim that is there already. If it is on its way out, it is a new one from now on, and a
    /// release of the old one comes too late.
    fn take_back(
        &mut self,
        row: &mut CsiClaim,
        claim: Claim,
        world: ClaimContext,
    ) -> Result<(), ClaimRejection> {
        if world.allocation_over || row.past.is_none() {
            return Ok(());
        }
        if !world.schedulable {
            return Err(ClaimRejection::Unschedulable);
        }
        self.activate(row, claim, world);
        Ok(())
    }

    /// Makes `claim` the active one, instead of any other of its allocation.
    fn activate(&mut self, row: &mut CsiClaim, claim: Claim, world: ClaimContext) {
        let before = row.clone();
        (row.active, row.past) = (Some(claim), None);
        row.allocation_over = world.allocation_over;
        self.count_claim(&before, row);
    }

    /// Volumes of old had their modes set at registration instead of a list of capabilities.
    fn remember_modes_as_capability(&mut self) {
        let set = !self.access_mode.is_empty() && !self.attachment_mode.is_empty();
        if set && self.requested_capabilities.is_empty() {
            self.requested_capabilities.push(Capability {
                attachment_mode: self.attachment_mode.clone(),
                access_mode: self.access_mode.clone(),
            });
        }
    }

    /// Takes a claim a step further on its way out. One that isn't there is released already.
    pub(crate) fn release(&mut self, row: &mut CsiClaim, mut claim: Claim) {
        // Nothing is held, so there is nothing that anybody would ever finish releasing.
        if row.is_free() {
            return;
        }
        self.remember_modes_as_capability();
        let before = row.clone();
        if claim.state == ClaimState::ReadyToFree {
            (row.active, row.past) = (None, None);
        } else {
            complete(&mut claim, &before);
            row.past = Some(claim);
        }
        self.count_claim(&before, row);
        if !self.is_in_use() && self.claims.releasing == 0 {
            self.access_mode = Box::default();
            self.attachment_mode = Box::default();
        }
    }

    /// Starts the release of a claim whose allocation is over. One that has begun stays where it is.
    pub(crate) fn start_release(&mut self, row: &mut CsiClaim) {
        let before = row.clone();
        if let (Some(active), None) = (&row.active, &row.past) {
            row.past = Some(Claim { state: ClaimState::Unpublishing, ..active.clone() });
        }
        self.complete_modes(row);
        self.count_claim(&before, row);
    }

    /// Completes an active claim that was taken without modes by those of the volume.
    pub(crate) fn complete_modes(&self, row: &mut CsiClaim) {
        let Some(claim) = &mut row.active else { return };
        if claim.access_mode.is_empty() || claim.attachment_mode.is_empty() {
            claim.access_mode.clone_from(&self.access_mode);
            claim.attachment_mode.clone_from(&self.attachment_mode);
        }
    }
}

/// A release often has no more than the allocation of its claim; the rest is known from when it was
/// taken.
fn complete(claim: &mut Claim, row: &CsiClaim) {
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
