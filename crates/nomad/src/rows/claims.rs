//! Claims on CSI volumes, each in its own row, because any number of allocations may read a volume.

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{Index, IndexSet, Table};
use uuid::Uuid;

use crate::modes::{ClaimMode, ClaimState};

/// The holder of a claim, its node, and the progress of its release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct Claim {
    /// The allocation.
    #[filterable(rename = "AllocationID")]
    pub allocation_id: Uuid,
    /// Its node.
    #[filterable(rename = "NodeID")]
    pub node_id: Option<Uuid>,
    /// The provider's ID of that node.
    #[filterable(rename = "ExternalNodeID")]
    pub external_node_id: Box<str>,
    /// Its purpose.
    pub mode: ClaimMode,
    /// The access mode of the volume.
    pub access_mode: Box<str>,
    /// The attachment mode of the volume.
    pub attachment_mode: Box<str>,
    /// The progress of its release.
    pub state: ClaimState,
    /// The time it was taken, in unix nanoseconds; 0 if unknown.
    pub since: i64,
}

/// The claim of an allocation on a volume: active, being released, or both.
///
/// Each change of a claim also writes the volume's row, whose index covers its claims, because
/// clients wait on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsiClaim {
    /// The namespace of the volume, first part of the key.
    pub namespace: Box<str>,
    /// The ID of the volume, second part of the key.
    pub volume_id: Box<str>,
    /// The allocation, last part of the key.
    pub allocation_id: Uuid,
    /// The claim that occupies a slot of the access mode. It writes if its mode is
    /// [`ClaimMode::Write`], else it reads.
    pub active: Option<Claim>,
    /// The claim while it is being released.
    pub past: Option<Claim>,
    /// Whether the allocation was deleted or has ended on its node. The transactions that write the
    /// allocation MUST keep it, so that the claims to release are found without a scan of all
    /// others.
    pub allocation_over: bool,
}

impl CsiClaim {
    /// Returns the active claim if it reads.
    pub fn reading(&self) -> Option<&Claim> {
        self.active.as_ref().filter(|claim| claim.mode != ClaimMode::Write)
    }

    /// Returns the active claim if it writes.
    pub fn writing(&self) -> Option<&Claim> {
        self.active.as_ref().filter(|claim| claim.mode == ClaimMode::Write)
    }
}

/// Table of the claims on CSI volumes, by namespace, volume and allocation.
#[derive(Clone, Copy, Debug)]
pub struct CsiClaims;

impl CsiClaims {
    /// Claims by their node and their volume.
    pub const BY_NODE: Index<Self, (Uuid, String, String)> =
        Self::INDEX.non_unique("node", |row, keys| {
            let node = |claim: &Option<Claim>| claim.as_ref().and_then(|claim| claim.node_id);
            let (active, past) = (node(&row.active), node(&row.past));
            // A release may name a different node than its claim.
            let other = past.filter(|past| Some(*past) != active);
            for node in active.into_iter().chain(other) {
                keys.add((node, &row.namespace, &row.volume_id));
            }
        });

    /// Claims by their allocation.
    pub const BY_ALLOCATION: Index<Self, Uuid> =
        Self::INDEX.non_unique("allocation", |row, keys| keys.add(row.allocation_id));

    /// Claims whose release must begin because their allocation has ended, by volume.
    pub const OVERDUE: Index<Self, (String, String)> =
        Self::INDEX.non_unique("overdue", |row, keys| {
            if row.allocation_over && row.past.is_none() {
                keys.add((&row.namespace, &row.volume_id));
            }
        });

    /// Claims that are being released, by volume.
    pub const RELEASING: Index<Self, (String, String)> =
        Self::INDEX.non_unique("releasing", |row, keys| {
            if row.past.is_some() {
                keys.add((&row.namespace, &row.volume_id));
            }
        });
}

impl Table for CsiClaims {
    const NAME: &'static str = "csi_claims";
    const VERSION: u16 = 1;
    type Key = (String, String, Uuid);
    type Row = CsiClaim;

    fn key(row: &CsiClaim) -> (&str, &str, Uuid) {
        (&row.namespace, &row.volume_id, row.allocation_id)
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&Self::BY_NODE).add(&Self::BY_ALLOCATION);
        set.add(&Self::OVERDUE).add(&Self::RELEASING);
    }
}
