//! Allocations of nodes that are down or were removed.
//!
//! Such a node never reports that its allocations have ended, so their claims and host volumes would be
//! held for ever. Nomad: scheduler/reconcile, where allocations on tainted nodes become `lost`. Here
//! they do a grace period after the node was lost, and everything that waits for their end follows.

use std::time::Duration;

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::allocations::upsert_allocation;
use crate::rows::{Allocation, Allocations, LostNode, LostNodes, Nodes};

/// How long allocations of a lost node count as running, by default: a node that was cut off may still
/// write to its volumes.
pub const LOST_AFTER_DEFAULT: Duration = Duration::from_secs(5 * 60);

/// Nomad: nomad/structs/structs.go, `allocLost`.
const LOST_DESCRIPTION: &str = "alloc is lost since its node is down";

/// Notes that a node is lost, or is back.
pub(super) fn follow_loss(
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
        // A node that is down and then removed has been lost since it went down.
        _ => {}
    }
    Ok(())
}

/// Notes the nodes that are down and that an earlier version left without such a note. A server calls
/// it once after it has opened its store; their grace period begins `now`.
pub fn record_lost_nodes(txn: &mut WriteTxn<'_>, now: i64) -> Result<(), WriteError> {
    let nodes = txn.scan::<Nodes>(&KeyRange::<Uuid>::all(), Order::Ascending);
    let down: Vec<Uuid> = nodes.filter(|node| node.is_down()).map(|node| node.id).collect();
    for node in down {
        follow_loss(txn, now, node, true)?;
    }
    Ok(())
}

/// The allocations that have not ended on nodes which were lost `after` or longer ago.
///
/// Cost: reads each node that is lost, and these allocations.
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

/// Marks the [`overdue_allocations`] as `lost`; their IDs.
///
/// From then on their claims are released as those of allocations that have ended, and their host
/// volumes can be changed and deleted.
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
        // Only new allocations claim sticky volumes, for which IDs are needed.
        upsert_allocation(txn, now, allocation, None, &mut Uuid::nil)?;
    }
    Ok(overdue)
}
