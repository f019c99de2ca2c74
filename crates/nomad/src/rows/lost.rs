//! Lost nodes, with the time they were lost.

use serde::{Deserialize, Serialize};
use statehold_store::Table;
use uuid::Uuid;

/// A node that is down or was deleted. Its allocations become lost a grace period later.
///
/// In its own row, because a deleted node has no row, and other writes of a node that is down MUST
/// NOT restart its grace period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostNode {
    /// The node, the key.
    pub node_id: Uuid,
    /// The time it went down or was deleted, whichever was first, in unix nanoseconds.
    pub since: i64,
}

/// Table of the lost nodes, by ID.
#[derive(Clone, Copy, Debug)]
pub struct LostNodes;

impl Table for LostNodes {
    const NAME: &'static str = "lost_nodes";
    const VERSION: u16 = 1;
    type Key = Uuid;
    type Row = LostNode;

    fn key(row: &LostNode) -> Uuid {
        row.node_id
    }
}
