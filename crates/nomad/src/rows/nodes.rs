//! Nodes, and what storage plugins and host volumes they say they have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{Index, IndexSet, OldRow, RowError, Table};
use uuid::Uuid;

use super::{
    Labels, Topology,
    old::{NodeV1, NodeV2},
};

/// The statuses a node can have.
pub mod node_status {
    /// Registered, not yet heard from.
    pub const INITIALIZING: &str = "initializing";
    /// Alive.
    pub const READY: &str = "ready";
    /// Gone for good, or long enough to be taken for it.
    pub const DOWN: &str = "down";
    /// Gone for a moment.
    pub const DISCONNECTED: &str = "disconnected";
}

/// A machine that allocations run on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct Node {
    /// Its ID, the key.
    #[filterable(rename = "ID")]
    pub id: Uuid,
    /// Its name, for people.
    pub name: Box<str>,
    /// Where it stands.
    pub datacenter: Box<str>,
    /// The pool it belongs to.
    pub node_pool: Box<str>,
    /// A class that operators gave it.
    pub node_class: Box<str>,
    /// One of [`node_status`].
    pub status: Box<str>,
    /// Whether new allocations may be placed on it: `eligible` or `ineligible`.
    pub scheduling_eligibility: Box<str>,
    /// What it found out about itself.
    pub attributes: Labels,
    /// What its operators say about it.
    pub meta: Labels,
    /// Controller plugins that run on it, by plugin ID.
    #[filterable(rename = "CSIControllerPlugins")]
    pub controller_plugins: BTreeMap<Box<str>, PluginInfo>,
    /// Node plugins that run on it, by plugin ID.
    #[filterable(rename = "CSINodePlugins")]
    pub node_plugins: BTreeMap<Box<str>, PluginInfo>,
    /// Whether its dynamic host volumes are forgotten together with it.
    #[filterable(rename = "GCVolumesOnNodeGC")]
    pub gc_volumes_on_node_gc: bool,
    /// When it was first registered, in unix nanoseconds.
    pub create_time: i64,
    /// When it was last changed, in unix nanoseconds.
    pub modify_time: i64,
    /// The host volumes that a row of version 2 carried. [`bootstrap`](crate::bootstrap), or the next
    /// write of the node, moves them to rows of [`ReportedHostVolumes`](super::ReportedHostVolumes);
    /// empty from then on.
    #[filterable(skip)]
    pub unmoved_host_volumes: Vec<NodeHostVolume>,
}

impl Node {
    /// Whether it is alive, as far as is known.
    pub fn is_ready(&self) -> bool {
        &*self.status == node_status::READY
    }

    /// Whether it is gone for good, or taken for it.
    pub fn is_down(&self) -> bool {
        &*self.status == node_status::DOWN
    }
}

/// What a node says about a host volume that it has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct NodeHostVolume {
    /// Its name.
    pub name: Box<str>,
    /// Where it is on the node.
    pub path: Box<str>,
    /// Whether it can only be read.
    pub read_only: bool,
    /// The ID of a dynamic volume; none for one that the node's configuration names.
    #[filterable(rename = "ID")]
    pub id: Option<Uuid>,
}

/// What a node says about one plugin that runs on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct PluginInfo {
    /// The plugin's ID.
    #[filterable(rename = "PluginID")]
    pub plugin_id: Box<str>,
    /// The allocation that the plugin runs in, as text; may be empty.
    #[filterable(rename = "AllocID")]
    pub alloc_id: Box<str>,
    /// Whether it answered its last probe.
    pub healthy: bool,
    /// What it answered, for people.
    pub health_description: Box<str>,
    /// When it was probed, RFC 3339.
    pub update_time: Box<str>,
    /// The name that the plugin gives itself.
    pub provider: Box<str>,
    /// The version that the plugin gives itself.
    pub provider_version: Box<str>,
    /// Whether volumes of this plugin need a controller.
    pub requires_controller_plugin: bool,
    /// Whether volumes of this plugin are only reachable from parts of the cluster.
    pub requires_topologies: bool,
    /// Present when this is a controller.
    #[filterable(rename = "ControllerInfo")]
    pub controller: Option<ControllerInfo>,
    /// Present when this is a node plugin.
    #[filterable(rename = "NodeInfo")]
    pub node: Option<NodeInfo>,
}

/// What a controller plugin can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[serde(rename_all = "PascalCase")]
#[filterable(rename_all = "PascalCase")]
#[expect(clippy::struct_excessive_bools, reason = "the capabilities of the CSI specification")]
pub struct ControllerInfo {
    /// Create and delete volumes.
    pub supports_create_delete: bool,
    /// Attach volumes to nodes and detach them.
    pub supports_attach_detach: bool,
    /// List the provider's volumes.
    pub supports_list_volumes: bool,
    /// Say how much room is left.
    pub supports_get_capacity: bool,
    /// Create and delete snapshots.
    pub supports_create_delete_snapshot: bool,
    /// List the provider's snapshots.
    pub supports_list_snapshots: bool,
    /// Make a volume from another.
    pub supports_clone: bool,
    /// Attach for reading only.
    pub supports_read_only_attach: bool,
    /// Make a volume larger.
    pub supports_expand: bool,
    /// Say with each volume to which nodes it is attached.
    pub supports_list_volumes_attached_nodes: bool,
    /// Say whether a volume is well.
    pub supports_condition: bool,
    /// Look up one volume.
    pub supports_get: bool,
}

/// What a node plugin can do, and what it calls its node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[serde(rename_all = "PascalCase")]
#[filterable(rename_all = "PascalCase")]
#[expect(clippy::struct_excessive_bools, reason = "the capabilities of the CSI specification")]
pub struct NodeInfo {
    /// The storage provider's own ID of the node.
    #[serde(rename = "ID")]
    #[filterable(rename = "ID")]
    pub id: Box<str>,
    /// How many volumes it can hold; 0 is no limit of its own.
    pub max_volumes: i64,
    /// The part of the cluster that the node can reach.
    pub accessible_topology: Option<Topology>,
    /// Whether volumes are staged once on the node before allocations mount them.
    pub requires_node_stage_volume: bool,
    /// Tell how full a volume is.
    pub supports_stats: bool,
    /// Make a volume larger.
    pub supports_expand: bool,
    /// Say whether a volume is well.
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
