//! What filter expressions see of a volume and of a plugin: what lists show, and the rest of the
//! stored object.
//!
//! Items own what they need, so a filter compiled for them can be kept while rows come and go.
//! Secrets, mount flags and what the row remembers of its plugin are not selectable.

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

/// How many instances of a plugin are well, and how many jobs want.
#[derive(Clone, Copy, Debug, Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Counts {
    controllers_healthy: u64,
    controllers_expected: u64,
    nodes_healthy: u64,
    nodes_expected: u64,
}

impl Counts {
    fn new(facts: &PluginHealth<'_>) -> Self {
        Self {
            controllers_healthy: facts.controllers_healthy,
            controllers_expected: facts.controllers_expected,
            nodes_healthy: facts.nodes_healthy,
            nodes_expected: facts.nodes_expected,
        }
    }

    /// The facts of a plugin with these counts.
    fn facts<'v>(self, provider: &'v str, version: &'v str, required: bool) -> PluginHealth<'v> {
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
