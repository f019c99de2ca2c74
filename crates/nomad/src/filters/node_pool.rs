//! The filter fields of node pools.

use std::collections::BTreeMap;

use serde::Serialize;
use statehold_filter::Filterable;
use statehold_store::{KeyRange, Order, ReadView};

use crate::rows::{ALL_NODE_POOL, DEFAULT_NODE_POOL, Nodes};

/// A node pool: a predefined one, or one that a node names.
#[derive(Clone, Debug, PartialEq, Eq, Filterable, Serialize)]
#[serde(rename_all = "PascalCase")]
#[filterable(rename_all = "PascalCase")]
pub struct NodePool {
    /// Its name.
    pub name: Box<str>,
    /// Human-readable description.
    pub description: &'static str,
    /// User-defined metadata: never set.
    #[filterable(skip)]
    meta: (),
    /// Scheduler settings: never set.
    #[filterable(skip)]
    scheduler_configuration: (),
    /// The lowest creation index of its nodes; 1 for a predefined pool.
    pub create_index: u64,
    /// Equals `create_index`, because a pool never changes.
    pub modify_index: u64,
}

impl NodePool {
    fn new(name: &str, description: &'static str, index: u64) -> Self {
        Self {
            name: name.into(),
            description,
            meta: (),
            scheduler_configuration: (),
            create_index: index,
            modify_index: index,
        }
    }
}

/// Lists the node pools, ordered by name. Cost: reads every node.
pub fn list_node_pools<V: ReadView>(view: &V) -> Vec<NodePool> {
    let mut pools = BTreeMap::from([
        (
            Box::from(ALL_NODE_POOL),
            NodePool::new(ALL_NODE_POOL, "Node pool with all nodes in the cluster.", 1),
        ),
        (Box::from(DEFAULT_NODE_POOL), NodePool::new(DEFAULT_NODE_POOL, "Default node pool.", 1)),
    ]);
    for node in view.scan::<Nodes>(&KeyRange::all(), Order::Ascending) {
        let index = node.create_index();
        let pool = pools
            .entry(node.node_pool.clone())
            .or_insert_with(|| NodePool::new(&node.node_pool, "", index));
        if index < pool.create_index {
            (pool.create_index, pool.modify_index) = (index, index);
        }
    }
    pools.into_values().collect()
}
