//! The status of a volume's claims: the condition that releases each.

use std::fmt;

use serde::{Serialize, Serializer};
use statehold_store::{Entry, ReadView};
use uuid::Uuid;

use crate::{
    health::claims_on,
    modes::ClaimState,
    release::{ReleaseBlocker, controller_blocker, is_node_detached},
    rows::{Allocation, Allocations, Claim, CsiVolume, LostNodes, Nodes},
};

/// The condition that a claim waits for before it is released. `Display` tells an operator the
/// remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimStatus {
    /// Its allocation uses the volume.
    Running {
        /// The allocation.
        allocation: Uuid,
    },
    /// Its allocation has to stop, and the node has not reported its end.
    Stopping {
        /// The allocation.
        allocation: Uuid,
        /// The node, if it is known.
        node: Option<Uuid>,
    },
    /// Its allocation has not ended, and its node is down or was removed.
    NodeLost {
        /// The allocation.
        allocation: Uuid,
        /// The node.
        node: Uuid,
    },
    /// No condition is left: the next run of the release loop frees it.
    Due,
    /// A step of its release is blocked.
    Blocked(ReleaseBlocker),
}

impl ClaimStatus {
    /// Returns the status as a stable name for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            // Stable: dashboards and scripts match on these names.
            Self::Running { .. } => "allocation-running",
            Self::Stopping { .. } => "allocation-stopping",
            Self::NodeLost { .. } => "node-lost",
            Self::Due => "due",
            Self::Blocked(ReleaseBlocker::Node { .. }) => "node-detach",
            // To a program both require the same remedy; the message differs.
            Self::Blocked(ReleaseBlocker::Controller { .. } | ReleaseBlocker::Failed { .. }) => {
                "controller-detach"
            }
            Self::Blocked(ReleaseBlocker::NoPlugin { .. }) => "plugin-missing",
            Self::Blocked(ReleaseBlocker::NoExternalNode { .. }) => "node-unknown-to-provider",
        }
    }
}

impl fmt::Display for ClaimStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running { allocation } => write!(
                f,
                "allocation {allocation} uses the volume: stop it, and the claim goes when its \
                 node reports that it has ended"
            ),
            Self::Stopping { allocation, node: Some(node) } => write!(
                f,
                "allocation {allocation} is to stop: the claim goes when node {node} reports that \
                 it has ended; if the node is lost, mark it down"
            ),
            Self::Stopping { allocation, node: None } => write!(
                f,
                "allocation {allocation} is to stop: the claim goes when it is reported as ended"
            ),
            Self::NodeLost { allocation, node } => write!(
                f,
                "node {node} is down or was removed: unless it comes back, allocation {allocation} \
                 counts as lost after the grace period, and the claim goes"
            ),
            Self::Due => f.write_str("nothing holds the claim: it is released within moments"),
            Self::Blocked(ReleaseBlocker::Node { allocation }) => write!(
                f,
                "its release was asked for while allocation {allocation} has not ended: stop the \
                 allocation, or detach the volume from the node"
            ),
            Self::Blocked(ReleaseBlocker::Controller { plugin, external_node_id }) => write!(
                f,
                "the controller of plugin {plugin} has to detach the volume from node \
                 {external_node_id}: it is asked again and again; bring the plugin back, or report \
                 the claim as controller-detached once that is done by hand"
            ),
            Self::Blocked(ReleaseBlocker::NoPlugin { plugin }) => write!(
                f,
                "a controller has to detach the volume and plugin {plugin} is gone: bring it back, \
                 or deregister the volume with force"
            ),
            Self::Blocked(ReleaseBlocker::NoExternalNode { node, plugin }) => write!(
                f,
                "the provider's ID of node {node} is unknown: have plugin {plugin} report \
                 from there, or delete the node"
            ),
            // The provider's own message says most about the remedy.
            Self::Blocked(blocker @ ReleaseBlocker::Failed { .. }) => blocker.fmt(f),
        }
    }
}

/// Serialises the status as its name and its message.
impl Serialize for ClaimStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct StatusJson {
            kind: &'static str,
            text: String,
        }
        StatusJson { kind: self.kind(), text: self.to_string() }.serialize(serializer)
    }
}

/// A claim on a volume, with its allocation, its age and its status.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ClaimView<'v> {
    #[serde(rename = "AllocationID")]
    allocation_id: Uuid,
    /// None once the allocation is deleted.
    allocation_name: Option<&'v str>,
    #[serde(rename = "JobID")]
    job_id: Option<&'v str>,
    task_group: Option<&'v str>,
    desired_status: Option<&'v str>,
    client_status: Option<&'v str>,
    #[serde(rename = "NodeID")]
    node_id: Option<Uuid>,
    /// None once the node is deleted.
    node_name: Option<&'v str>,
    node_status: Option<&'v str>,
    #[serde(rename = "ExternalNodeID")]
    external_node_id: &'v str,
    mode: &'static str,
    access_mode: &'v str,
    attachment_mode: &'v str,
    state: &'static str,
    /// In unix nanoseconds, 0 if unknown.
    since: i64,
    released_by: ClaimStatus,
}

impl ClaimView<'_> {
    /// Returns the condition that releases the claim.
    pub fn status(&self) -> &ClaimStatus {
        &self.released_by
    }
}

/// Returns the claims on a volume as of `view`, ordered by allocation. Each allocation is listed
/// once, with the state of its claim's release.
pub fn volume_claims<'v, V: ReadView>(
    view: &'v V,
    volume: &'v Entry<CsiVolume>,
) -> Vec<ClaimView<'v>> {
    let views = claims_on(view, volume).filter_map(|row| {
        let (active, past) = (row.active.as_ref(), row.past.as_ref());
        // The active claim has the fields it was taken with; a release may lack some.
        Some(claim_view(view, volume, active.or(past)?, past))
    });
    views.collect()
}

fn claim_view<'v, V: ReadView>(
    view: &'v V,
    volume: &'v CsiVolume,
    claim: &'v Claim,
    past: Option<&'v Claim>,
) -> ClaimView<'v> {
    let allocation = view.get::<Allocations>(claim.allocation_id);
    let node = claim.node_id.and_then(|node| view.get::<Nodes>(node));
    ClaimView {
        allocation_id: claim.allocation_id,
        allocation_name: allocation.map(|row| &*row.name),
        job_id: allocation.map(|row| &*row.job_id),
        task_group: allocation.map(|row| &*row.task_group),
        desired_status: allocation.map(|row| &*row.desired_status),
        client_status: allocation.map(|row| &*row.client_status),
        node_id: claim.node_id,
        node_name: node.map(|node| &*node.name),
        node_status: node.map(|node| &*node.status),
        external_node_id: &claim.external_node_id,
        mode: claim.mode.as_str(),
        access_mode: &claim.access_mode,
        attachment_mode: &claim.attachment_mode,
        state: past.unwrap_or(claim).state.as_str(),
        since: claim.since,
        released_by: claim_status(view, volume, claim, past, allocation.map(|row| &**row)),
    }
}

fn claim_status<V: ReadView>(
    view: &V,
    volume: &CsiVolume,
    claim: &Claim,
    past: Option<&Claim>,
    allocation: Option<&Allocation>,
) -> ClaimStatus {
    let id = claim.allocation_id;
    let over = allocation.is_none_or(Allocation::is_client_terminal);
    let Some(past) = past else {
        // A claim without a release is released by the end of its allocation alone.
        let lost = allocation.and_then(|row| row.node_id);
        // The grace period applies only to an allocation that has not ended.
        let lost = lost.filter(|node| !over && view.get::<LostNodes>(*node).is_some());
        if let Some(node) = lost {
            return ClaimStatus::NodeLost { allocation: id, node };
        }
        return match allocation {
            // The scheduler has stopped it, but its node may still write to the volume.
            Some(row) if !over && row.is_server_terminal() => {
                ClaimStatus::Stopping { allocation: id, node: claim.node_id }
            }
            Some(_) if !over => ClaimStatus::Running { allocation: id },
            _ => controller_status(view, volume, claim),
        };
    };
    // Both steps outside of this server are done; only the row is left.
    if matches!(past.state, ClaimState::ControllerDetached | ClaimState::ReadyToFree) {
        return ClaimStatus::Due;
    }
    // The order is fixed: a controller MUST NOT detach while the node still has the volume mounted.
    if !is_node_detached(view, past) {
        return ClaimStatus::Blocked(ReleaseBlocker::Node { allocation: id });
    }
    controller_status(view, volume, past)
}

fn controller_status<V: ReadView>(view: &V, volume: &CsiVolume, claim: &Claim) -> ClaimStatus {
    controller_blocker(view, volume, claim).map_or(ClaimStatus::Due, ClaimStatus::Blocked)
}
