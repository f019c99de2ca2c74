//! Nodes that are lost, and since when.

use serde::{Deserialize, Serialize};
use statehold_store::Table;
use uuid::Uuid;

/// A node that is down or was removed. Its allocations count as lost a grace period after that.
///
/// A row of its own, because a node that was removed has none, and other writes of a node that is down
/// MUST NOT begin its grace period anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostNode {
    /// The node, the key.
    pub node_id: Uuid,
    /// When it went down or was removed, whichever came first, in unix nanoseconds.
    pub since: i64,
}

/// Table of the nodes that are lost, by ID.
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
