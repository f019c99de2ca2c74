//! The objects that filter expressions are evaluated on: the fields of list entries, and the other
//! fields of the stored row.
//!
//! Items own their data, so that a compiled filter can be cached independently of any snapshot.
//! Secrets, mount flags and the plugin fields stored in a volume's row MUST NOT be selectable.

mod host_volume;
mod node;
mod node_pool;
mod plugin;
mod volume;
mod workload;

use statehold_filter::Filterable;

pub use self::{
    host_volume::{HostVolumeItem, TaskGroupClaimItem},
    node::NodeItem,
    node_pool::{NodePool, list_node_pools},
    plugin::PluginItem,
    volume::VolumeItem,
    workload::{AllocationItem, JobItem},
};
use crate::health::PluginHealth;

/// The healthy and expected instances of a plugin.
#[derive(Clone, Copy, Debug, Filterable)]
#[filterable(rename_all = "PascalCase")]
struct HealthCounts {
    controllers_healthy: u64,
    controllers_expected: u64,
    nodes_healthy: u64,
    nodes_expected: u64,
}

impl HealthCounts {
    fn new(health: &PluginHealth<'_>) -> Self {
        Self {
            controllers_healthy: health.controllers_healthy,
            controllers_expected: health.controllers_expected,
            nodes_healthy: health.nodes_healthy,
            nodes_expected: health.nodes_expected,
        }
    }

    /// Returns the health of a plugin with these counts.
    fn health<'v>(self, provider: &'v str, version: &'v str, required: bool) -> PluginHealth<'v> {
        PluginHealth {
            provider,
            version,
            controller_required: required,
            controllers_healthy: self.controllers_healthy,
            controllers_expected: self.controllers_expected,
            nodes_healthy: self.nodes_healthy,
            nodes_expected: self.nodes_expected,
        }
    }
}
