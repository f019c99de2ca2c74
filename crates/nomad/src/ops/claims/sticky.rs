//! Sticky claims of task groups: created when an allocation is placed on the node of its group's
//! volume, kept when it ends, and deleted with the job or on request.
//!
//! Nomad: `nomad/state/state_store.go`, `upsertAllocsImpl`, for allocations with sticky volumes.

use std::fmt;

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use crate::rows::{
    Allocation, Allocations, Nodes, ReportedHostVolumes, RequestKind, TaskGroupClaim,
    TaskGroupClaims,
};

/// Why a sticky claim could not be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupClaimError {
    /// No claim has that ID in the namespace.
    NotFound,
    /// The store failed.
    Store(WriteError),
}

impl fmt::Display for GroupClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("task group volume claim does not exist"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for GroupClaimError {}

impl From<WriteError> for GroupClaimError {
    fn from(error: WriteError) -> Self {
        Self::Store(error)
    }
}

/// Creates claims, for the group of a new allocation, on the sticky volumes that its node has.
///
/// A claim of an ended allocation is handed to the new one and keeps its ID. A claim of an
/// allocation that runs or was deleted is replaced by a claim with a new ID.
pub(in crate::ops) fn claim_sticky_volumes(
    txn: &mut WriteTxn<'_>,
    allocation: &Allocation,
    fresh: &mut dyn FnMut() -> Uuid,
) -> Result<(), WriteError> {
    let Some(node) = allocation.node_id.and_then(|node| txn.get::<Nodes>(node)) else {
        return Ok(());
    };
    let sticky = allocation
        .volumes
        .iter()
        .filter(|request| request.sticky && request.kind == RequestKind::Host);
    // A volume of the node's configuration has no ID that a later allocation could return to.
    let wanted: Vec<(Uuid, Box<str>)> = sticky
        .filter_map(|request| {
            let reported = txn.get::<ReportedHostVolumes>((node.id, &request.source))?;
            Some((reported.volume.id?, request.source.clone()))
        })
        .collect();
    for (volume_id, volume_name) in wanted {
        let (namespace, job, group) =
            (&allocation.namespace, &allocation.job_id, &allocation.task_group);
        let known = txn.get::<TaskGroupClaims>((namespace, (job, group, volume_id)));
        let id = match known {
            // The allocation was written before; its claim is current.
            Some(known) if known.alloc_id == allocation.id => continue,
            Some(known) if has_ended(txn, known.alloc_id) => known.id,
            _ => fresh(),
        };
        txn.upsert::<TaskGroupClaims>(TaskGroupClaim {
            id,
            namespace: namespace.clone(),
            job_id: job.clone(),
            task_group: group.clone(),
            alloc_id: allocation.id,
            volume_id,
            volume_name,
        })?;
    }
    Ok(())
}

fn has_ended(view: &impl ReadView, allocation: Uuid) -> bool {
    view.get::<Allocations>(allocation).is_some_and(|allocation| allocation.is_terminal())
}

/// Deletes all claims of a job's groups.
pub(in crate::ops) fn delete_group_claims(
    txn: &mut WriteTxn<'_>,
    namespace: &str,
    job: &str,
) -> Result<(), WriteError> {
    let range = KeyRange::<(String, String)>::exact((namespace, job));
    let claims = txn.scan_by(&TaskGroupClaims::BY_JOB, &range, Order::Ascending);
    let keys: Vec<(Box<str>, Uuid)> =
        // Collected first: the table cannot change while it is scanned.
        claims.map(|claim| (claim.task_group.clone(), claim.volume_id)).collect();
    for (group, volume) in keys {
        txn.delete::<TaskGroupClaims>((namespace, (job, &group, volume)))?;
    }
    Ok(())
}

/// Deletes a claim by its complete ID, so that the scheduler may place the group anywhere again.
pub fn delete_group_claim(
    txn: &mut WriteTxn<'_>,
    namespace: &str,
    id: Uuid,
) -> Result<(), GroupClaimError> {
    let claim = txn.find(&TaskGroupClaims::BY_ID, id).map(|entry| TaskGroupClaim::clone(entry));
    // The ID is unique across namespaces, but the caller's rights are not.
    let Some(claim) = claim.filter(|claim| *claim.namespace == *namespace) else {
        return Err(GroupClaimError::NotFound);
    };
    let key = (&*claim.namespace, (&*claim.job_id, &*claim.task_group, claim.volume_id));
    txn.delete::<TaskGroupClaims>(key)?;
    Ok(())
}
