//! Allocations of nodes that are down or were deleted.
//!
//! Such a node never reports the end of its allocations, so their claims and host volumes would
//! never be released. Nomad: `scheduler/reconcile`, where allocations on tainted nodes become
//! `lost`. Here they become lost a grace period after their node, and everything that waits for
//! their end is released.

use std::time::Duration;

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::allocations::upsert_allocation;
use crate::rows::{Allocation, Allocations, LostNode, LostNodes, Nodes};

/// Default grace period during which allocations of a lost node count as running, because a node
/// that was cut off may still write to its volumes.
pub const LOST_AFTER_DEFAULT: Duration = Duration::from_secs(5 * 60);

/// Nomad: `nomad/structs/structs.go`, `allocLost`.
const LOST_DESCRIPTION: &str = "alloc is lost since its node is down";

/// Records that a node is lost, or is back.
pub(super) fn update_lost_node(
    txn: &mut WriteTxn<'_>,
    now: i64,
    node_id: Uuid,
    is_lost: bool,
) -> Result<(), WriteError> {
    match (is_lost, txn.get::<LostNodes>(node_id).is_some()) {
        (true, false) => {
            txn.upsert::<LostNodes>(LostNode { node_id, since: now })?;
        }
        (false, true) => {
            txn.delete::<LostNodes>(node_id)?;
        }
        // A node that was down before it was deleted has been lost since it went down.
        _ => {}
    }
    Ok(())
}

/// Records the nodes that are down and that an earlier version did not record as lost. A server
/// MUST call this once after it has opened its store; the grace period of such nodes begins `now`.
pub fn record_lost_nodes(txn: &mut WriteTxn<'_>, now: i64) -> Result<(), WriteError> {
    let nodes = txn.scan::<Nodes>(&KeyRange::<Uuid>::all(), Order::Ascending);
    let down: Vec<Uuid> = nodes.filter(|node| node.is_down()).map(|node| node.id).collect();
    for node in down {
        update_lost_node(txn, now, node, true)?;
    }
    Ok(())
}

/// Returns the allocations that have not ended on nodes that were lost at least `after` ago.
///
/// Cost: reads each lost node, and these allocations.
pub fn overdue_allocations(view: &impl ReadView, now: i64, after: Duration) -> Vec<Uuid> {
    let after = i64::try_from(after.as_nanos()).unwrap_or(i64::MAX);
    let lost = view.scan::<LostNodes>(&KeyRange::<Uuid>::all(), Order::Ascending);
    let overdue = lost.filter(|node| now.saturating_sub(node.since) >= after);
    let allocations = overdue.flat_map(|node| {
        let on_node = KeyRange::<Uuid>::exact(node.node_id);
        view.scan_by(&Allocations::UNENDED, &on_node, Order::Ascending)
    });
    allocations.map(|allocation| allocation.id).collect()
}

/// Marks the [`overdue_allocations`] as `lost`. Returns their IDs.
///
/// Their claims are then released as those of ended allocations, and their host volumes can be
/// changed and deleted.
pub fn mark_lost_allocations(
    txn: &mut WriteTxn<'_>,
    now: i64,
    after: Duration,
) -> Result<Vec<Uuid>, WriteError> {
    let overdue = overdue_allocations(txn, now, after);
    for id in &overdue {
        let row = txn.get::<Allocations>(*id).map(|row| Allocation::clone(row));
        let Some(mut allocation) = row else { continue };
        allocation.client_status = "lost".into();
        allocation.client_description = LOST_DESCRIPTION.into();
        // Only new allocations create sticky claims, so no ID is needed.
        upsert_allocation(txn, now, allocation, None, &mut Uuid::nil)?;
    }
    Ok(overdue)
}
