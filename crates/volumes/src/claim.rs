//! The life of a claim on a volume, as a state machine on the volume's row.
//!
//! ```text
//!   none   -- taken, to read or to write -->   active
//!   active -- any other state, or mode gc -->  active and releasing:
//!                                              unpublishing, node-detached, controller-detached
//!   any    -- ready-to-free -->                none
//! ```
//!
//! An active claim is in `read_claims` or `write_claims`, never in both; a releasing one is in
//! `past_claims` too. Only active claims take up room: an allocation that has ended still blocks
//! others until its claim is ready to free.
//!
//! Invariant: the volume has current modes only while it has claims. Invariant: a refused claim
//! changes nothing. Nothing in here looks anything up: what the state machine has to know about the
//! world is in [`World`].

use std::{collections::BTreeMap, fmt, mem};

use uuid::Uuid;

use crate::{
    modes::{Capability, ClaimMode, ClaimState, access_mode},
    rows::{Claim, CsiVolume},
};

/// What a claim has to know about the world around the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct World {
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
pub enum ClaimRefusal {
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

impl fmt::Display for ClaimRefusal {
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

impl std::error::Error for ClaimRefusal {}

impl CsiVolume {
    /// Whether somebody reads or writes it. Claims that are only being released don't count.
    pub fn is_in_use(&self) -> bool {
        !self.read_claims.is_empty() || !self.write_claims.is_empty()
    }

    /// Whether the allocation has a claim on it, or one that is being released; taken at `since`,
    /// if that is given.
    pub(crate) fn holds(&self, allocation: Uuid, since: Option<i64>) -> bool {
        let claims = [&self.read_claims, &self.write_claims, &self.past_claims];
        claims
            .into_iter()
            .filter_map(|claims| claims.get(&allocation))
            .any(|claim| since.is_none_or(|since| claim.since == since))
    }

    /// The claims that take up room, readers first.
    pub fn active_claims(&self) -> impl Iterator<Item = &Claim> {
        self.read_claims.values().chain(self.write_claims.values())
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
            access_mode::SINGLE_NODE_READER => self.read_claims.is_empty(),
            access_mode::SINGLE_NODE_WRITER => !self.is_in_use(),
            _ => true,
        }
    }

    fn has_free_write_claims(&self) -> bool {
        match &*self.access_mode {
            access_mode::SINGLE_NODE_WRITER | access_mode::MULTI_NODE_SINGLE_WRITER => {
                self.write_claims.is_empty()
            }
            access_mode::MULTI_NODE_MULTI_WRITER | "" => true,
            _ => false,
        }
    }

    /// Applies `claim`: takes it, or takes it a step further on its way out.
    pub(crate) fn apply_claim(&mut self, claim: Claim, world: World) -> Result<(), ClaimRefusal> {
        if !self.attachment_mode.is_empty()
            && !claim.attachment_mode.is_empty()
            && self.attachment_mode != claim.attachment_mode
        {
            return Err(ClaimRefusal::AttachmentModeChange);
        }
        if claim.state == ClaimState::Taken && claim.mode != ClaimMode::Gc {
            return self.take(claim, world);
        }
        self.release(claim);
        Ok(())
    }

    fn take(&mut self, claim: Claim, world: World) -> Result<(), ClaimRefusal> {
        let id = claim.allocation_id;
        let writes = claim.mode == ClaimMode::Write;
        if self.claims_for(writes).contains_key(&id) {
            return self.take_back(claim, world);
        }
        if !world.allocation_known {
            return Err(ClaimRefusal::AllocationMissing { allocation: id });
        }
        if !world.schedulable || (writes && !self.is_writable()) {
            return Err(ClaimRefusal::Unschedulable);
        }
        let free = if writes { self.has_free_write_claims() } else { self.has_free_read_claims() };
        if !free {
            return Err(ClaimRefusal::MaxClaims);
        }
        self.remember_modes_as_capability();
        self.past_claims.remove(&id);
        self.claims_for(!writes).remove(&id);
        if self.attachment_mode.is_empty() {
            self.attachment_mode.clone_from(&claim.attachment_mode);
        }
        if self.access_mode.is_empty() {
            self.access_mode.clone_from(&claim.access_mode);
        }
        self.claims_for(writes).insert(id, claim);
        Ok(())
    }

    /// Takes a claim that is there already. If it is on its way out, it is a new one from now on,
    /// and whoever still releases the old one is too late.
    fn take_back(&mut self, claim: Claim, world: World) -> Result<(), ClaimRefusal> {
        let id = claim.allocation_id;
        if world.allocation_over || !self.past_claims.contains_key(&id) {
            return Ok(());
        }
        if !world.schedulable {
            return Err(ClaimRefusal::Unschedulable);
        }
        self.past_claims.remove(&id);
        self.claims_for(claim.mode == ClaimMode::Write).insert(id, claim);
        Ok(())
    }

    fn claims_for(&mut self, writes: bool) -> &mut BTreeMap<Uuid, Claim> {
        if writes { &mut self.write_claims } else { &mut self.read_claims }
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
    pub(crate) fn release(&mut self, mut claim: Claim) {
        let id = claim.allocation_id;
        // Nothing is held, so there is nothing that anybody would ever finish releasing.
        if [&self.read_claims, &self.write_claims, &self.past_claims]
            .iter()
            .all(|claims| !claims.contains_key(&id))
        {
            return;
        }
        self.remember_modes_as_capability();
        if claim.state != ClaimState::ReadyToFree {
            self.complete_from_active(&mut claim);
            self.past_claims.insert(id, claim);
            return;
        }
        self.read_claims.remove(&id);
        self.write_claims.remove(&id);
        self.past_claims.remove(&id);
        if !self.is_in_use() && self.past_claims.is_empty() {
            self.access_mode = Box::default();
            self.attachment_mode = Box::default();
        }
    }

    /// A release often says no more than whose claim it is; the rest is known from when it was
    /// taken.
    fn complete_from_active(&self, claim: &mut Claim) {
        let id = claim.allocation_id;
        let known = [&self.past_claims, &self.read_claims, &self.write_claims];
        let Some(known) = known.into_iter().find_map(|claims| claims.get(&id)) else { return };
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

    /// Starts the release of claims whose allocation is over, and completes records that lack the
    /// modes.
    ///
    /// `is_over` says whether an allocation is gone, or has ended on its node.
    pub(crate) fn start_overdue_releases(&mut self, is_over: impl Fn(Uuid) -> bool) {
        let mut past = mem::take(&mut self.past_claims);
        for claim in self.read_claims.values().chain(self.write_claims.values()) {
            if !past.contains_key(&claim.allocation_id) && is_over(claim.allocation_id) {
                let release = Claim { state: ClaimState::Unpublishing, ..claim.clone() };
                past.insert(claim.allocation_id, release);
            }
        }
        self.past_claims = past;
        for claim in self.read_claims.values_mut().chain(self.write_claims.values_mut()) {
            if claim.access_mode.is_empty() || claim.attachment_mode.is_empty() {
                claim.access_mode.clone_from(&self.access_mode);
                claim.attachment_mode.clone_from(&self.attachment_mode);
            }
        }
    }
}

#[cfg(test)]
mod tests;
