//! Operations on claims: claiming and releasing volumes, and the sticky claims of task groups.

mod claim;
mod release;
mod rows;
mod sticky;
mod unpublish;

pub use self::{
    claim::{ClaimError, ClaimRequest, claim},
    release::{
        DetachError, PendingRelease, ReleaseOutcome, detach_with_provider, is_recorded,
        overdue_releases, overdue_releases_of, plan_detach, plan_release, record_release,
    },
    sticky::{GroupClaimError, delete_group_claim},
    unpublish::{UnpublishError, UnpublishOutcome, unpublish},
};
pub(super) use self::{
    rows::{delete_claims, move_claims, update_allocation_claims},
    sticky::{claim_sticky_volumes, delete_group_claims},
};
