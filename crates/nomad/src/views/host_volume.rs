//! The views of a host volume.

use serde::Serialize;
use statehold_store::{Entry, ReadView};
use uuid::Uuid;

use super::AllocationStub;
use crate::{
    health::host_volume_users,
    modes::Capability,
    rows::{Constraint, HostVolume, Labels},
};

/// A host volume in a list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/host_volumes.go, HostVolumeStub.
pub struct HostVolumeStub<'v> {
    namespace: &'v str,
    #[serde(rename = "ID")]
    id: Uuid,
    name: &'v str,
    #[serde(rename = "PluginID")]
    plugin_id: &'v str,
    node_pool: &'v str,
    #[serde(rename = "NodeID")]
    node_id: Uuid,
    capacity_bytes: i64,
    state: &'static str,
    create_index: u64,
    create_time: i64,
    modify_index: u64,
    modify_time: i64,
}

impl<'v> HostVolumeStub<'v> {
    /// Creates the view of `entry`.
    pub fn new(entry: &'v Entry<HostVolume>) -> Self {
        Self {
            namespace: &entry.namespace,
            id: entry.id,
            name: &entry.name,
            plugin_id: &entry.plugin_id,
            node_pool: &entry.node_pool,
            node_id: entry.node_id,
            capacity_bytes: entry.capacity,
            state: entry.state.as_str(),
            create_index: entry.create_index(),
            create_time: entry.create_time,
            modify_index: entry.modify_index(),
            modify_time: entry.modify_time,
        }
    }
}

/// A host volume with all its fields.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/host_volumes.go, HostVolume.
pub struct HostVolumeView<'v> {
    #[serde(flatten)]
    stub: HostVolumeStub<'v>,
    // Nomad omits empty constraints and parameters, and shows absent capabilities as `null`.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    constraints: &'v [Constraint],
    requested_capacity_min_bytes: i64,
    requested_capacity_max_bytes: i64,
    requested_capabilities: Option<&'v [Capability]>,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    parameters: &'v Labels,
    host_path: &'v str,
    allocations: Vec<AllocationStub<'v>>,
}

impl<'v> HostVolumeView<'v> {
    /// Creates the view of `entry`, with the allocations that use it as of `view`.
    pub fn new<V: ReadView>(view: &'v V, entry: &'v Entry<HostVolume>) -> Self {
        let capabilities = &entry.requested_capabilities;
        Self {
            stub: HostVolumeStub::new(entry),
            constraints: &entry.constraints,
            requested_capacity_min_bytes: entry.requested_capacity_min,
            requested_capacity_max_bytes: entry.requested_capacity_max,
            requested_capabilities: (!capabilities.is_empty()).then_some(capabilities),
            parameters: &entry.parameters,
            host_path: &entry.host_path,
            allocations: host_volume_users(view, entry).map(AllocationStub::new).collect(),
        }
    }
}
