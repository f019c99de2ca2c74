//! Nodes, and the storage plugins and host volumes that they report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{Index, IndexSet, OldRow, RowError, Table};
use uuid::Uuid;

use super::{
    Labels, Topology,
    old::{NodeV1, NodeV2},
};

/// The statuses of a node.
pub mod node_status {
    // Nomad: nomad/structs/structs.go, NodeStatusInit to NodeStatusDisconnected.
    /// Registered, without a heartbeat yet.
    pub const INITIALIZING: &str = "initializing";
    /// Alive.
    pub const READY: &str = "ready";
    /// Lost: no heartbeat for longer than the server tolerates.
    pub const DOWN: &str = "down";
    /// Temporarily disconnected.
    pub const DISCONNECTED: &str = "disconnected";
}

/// A machine that allocations run on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct Node {
    /// Its ID, the key.
    #[filterable(rename = "ID")]
    pub id: Uuid,
    /// Its name, for users.
    pub name: Box<str>,
    /// Its datacenter.
    pub datacenter: Box<str>,
    /// Its pool.
    pub node_pool: Box<str>,
    /// The class that operators assigned.
    pub node_class: Box<str>,
    /// One of [`node_status`].
    pub status: Box<str>,
    /// Whether new allocations may be placed on it: `eligible` or `ineligible`.
    pub scheduling_eligibility: Box<str>,
    /// The attributes that it detected.
    pub attributes: Labels,
    /// The metadata that operators assigned.
    pub meta: Labels,
    /// Controller plugins that run on it, by plugin ID.
    #[filterable(rename = "CSIControllerPlugins")]
    pub controller_plugins: BTreeMap<Box<str>, PluginInfo>,
    /// Node plugins that run on it, by plugin ID.
    #[filterable(rename = "CSINodePlugins")]
    pub node_plugins: BTreeMap<Box<str>, PluginInfo>,
    /// Whether its dynamic host volumes are deleted with it.
    #[filterable(rename = "GCVolumesOnNodeGC")]
    pub gc_volumes_on_node_gc: bool,
    /// Its first registration, in unix nanoseconds.
    pub create_time: i64,
    /// Its last change, in unix nanoseconds.
    pub modify_time: i64,
    /// The host volumes in a row of version 2. [`bootstrap`](crate::bootstrap), or the next write
    /// of the node, moves them to rows of [`ReportedHostVolumes`](super::ReportedHostVolumes); then
    /// it stays empty.
    #[filterable(skip)]
    pub unmoved_host_volumes: Vec<NodeHostVolume>,
}

impl Node {
    /// Returns whether it is alive.
    pub fn is_ready(&self) -> bool {
        // An initializing or disconnected node is neither ready nor down: its volumes keep their
        // states.
        &*self.status == node_status::READY
    }

    /// Returns whether it is lost.
    pub fn is_down(&self) -> bool {
        &*self.status == node_status::DOWN
    }
}

/// A host volume that a node reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct NodeHostVolume {
    /// Its name.
    pub name: Box<str>,
    /// Its path on the node.
    pub path: Box<str>,
    /// Whether it is read-only.
    pub read_only: bool,
    /// The ID of a dynamic volume; none for a volume of the node's configuration.
    #[filterable(rename = "ID")]
    pub id: Option<Uuid>,
}

/// A node's report of one plugin instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct PluginInfo {
    /// The plugin's ID.
    #[filterable(rename = "PluginID")]
    pub plugin_id: Box<str>,
    /// The allocation that runs the plugin, as a string; may be empty.
    #[filterable(rename = "AllocID")]
    pub alloc_id: Box<str>,
    /// Whether the last probe succeeded.
    pub healthy: bool,
    /// The result of the last probe, for users.
    pub health_description: Box<str>,
    /// The time of the last probe, RFC 3339.
    pub update_time: Box<str>,
    /// The name that the plugin reports.
    pub provider: Box<str>,
    /// The version that the plugin reports.
    pub provider_version: Box<str>,
    /// Whether volumes of this plugin need a controller.
    pub requires_controller_plugin: bool,
    /// Whether volumes of this plugin are only accessible from parts of the cluster.
    pub requires_topologies: bool,
    /// Present if it is a controller.
    #[filterable(rename = "ControllerInfo")]
    pub controller: Option<ControllerInfo>,
    /// Present if it is a node plugin.
    #[filterable(rename = "NodeInfo")]
    pub node: Option<NodeInfo>,
}

/// The capabilities of a controller plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[serde(rename_all = "PascalCase")]
#[filterable(rename_all = "PascalCase")]
#[expect(clippy::struct_excessive_bools, reason = "the capabilities of the CSI specification")]
pub struct ControllerInfo {
    /// Creates and deletes volumes.
    pub supports_create_delete: bool,
    /// Attaches volumes to nodes and detaches them.
    pub supports_attach_detach: bool,
    /// Lists the provider's volumes.
    pub supports_list_volumes: bool,
    /// Reports the available capacity.
    pub supports_get_capacity: bool,
    /// Creates and deletes snapshots.
    pub supports_create_delete_snapshot: bool,
    /// Lists the provider's snapshots.
    pub supports_list_snapshots: bool,
    /// Creates a volume as a copy of another.
    pub supports_clone: bool,
    /// Attaches volumes read-only.
    pub supports_read_only_attach: bool,
    /// Expands volumes.
    pub supports_expand: bool,
    /// Reports the attached nodes of listed volumes.
    pub supports_list_volumes_attached_nodes: bool,
    /// Reports the condition of volumes.
    pub supports_condition: bool,
    /// Returns a single volume.
    pub supports_get: bool,
}

/// The capabilities of a node plugin, and the provider's ID of its node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[serde(rename_all = "PascalCase")]
#[filterable(rename_all = "PascalCase")]
#[expect(clippy::struct_excessive_bools, reason = "the capabilities of the CSI specification")]
pub struct NodeInfo {
    /// The storage provider's ID of the node.
    #[serde(rename = "ID")]
    #[filterable(rename = "ID")]
    pub id: Box<str>,
    /// Maximum number of volumes on the node; 0 for no limit.
    pub max_volumes: i64,
    /// The part of the cluster that the node can access.
    pub accessible_topology: Option<Topology>,
    /// Whether volumes are staged once on the node before allocations mount them.
    pub requires_node_stage_volume: bool,
    /// Reports the usage of volumes.
    pub supports_stats: bool,
    /// Expands volumes.
    pub supports_expand: bool,
    /// Reports the condition of volumes.
    pub supports_condition: bool,
}

/// Table of the nodes, by ID.
#[derive(Clone, Copy, Debug)]
pub struct Nodes;

impl Nodes {
    /// Nodes by their pool.
    pub const BY_POOL: Index<Self, String> =
        Self::INDEX.non_unique("pool", |node, keys| keys.add(&node.node_pool));
}

impl Table for Nodes {
    const NAME: &'static str = "nodes";
    const VERSION: u16 = 3;
    type Key = Uuid;
    type Row = Node;

    fn key(row: &Node) -> Uuid {
        row.id
    }

    fn migrate(old: OldRow<'_>) -> Result<Node, RowError> {
        match old.version() {
            1 => old.read::<NodeV1>().map(Node::from),
            2 => old.read::<NodeV2>().map(Node::from),
            _ => Err(old.unknown(Self::VERSION)),
        }
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&Self::BY_POOL);
    }
}
