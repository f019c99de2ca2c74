//! The rows and their tables: one module for each table, with its row, its key and its indexes.
//!
//! Rows hold reports and requests. Expected counts and schedulability are derived from other rows
//! on read, from the jobs and allocations at that time. `CreateIndex` and `ModifyIndex` are not in
//! the rows either: the store stamps them.
//!
//! Invariant: no row grows with the number of its neighbours. The lists in a row are those of the
//! one request that wrote it, whose size the decoder limits. Rows with an unbounded number per
//! parent refer to the parent by key: the host volumes that a node reports, the instances of a
//! plugin, the claims on a volume. For the last two the parent's row holds counts, which the
//! transactions that write them MUST keep.

mod allocations;
mod claims;
mod group_claims;
mod host_volumes;
mod instances;
mod jobs;
mod lost;
mod namespaces;
mod nodes;
mod old;
mod plugins;
mod reported;
mod volumes;

use std::collections::BTreeMap;

pub use self::{
    allocations::{Allocation, Allocations},
    claims::{Claim, CsiClaim, CsiClaims},
    group_claims::{TaskGroupClaim, TaskGroupClaims},
    host_volumes::{Constraint, HostVolume, HostVolumeState, HostVolumes},
    instances::{CsiPluginInstance, CsiPluginInstances, PluginRole},
    jobs::{Job, Jobs, PluginKind, RequestKind, TaskGroup, TaskPlugin, VolumeRequest},
    lost::{LostNode, LostNodes},
    namespaces::{
        DEFAULT_NAMESPACE, Namespace, NamespaceAccess, NamespaceCapabilities, Namespaces,
    },
    nodes::{ControllerInfo, Node, NodeHostVolume, NodeInfo, Nodes, PluginInfo, node_status},
    plugins::{CsiPlugin, CsiPlugins, InstanceCounts},
    reported::{ReportedHostVolume, ReportedHostVolumes},
    volumes::{
        ClaimCounts, CsiVolume, CsiVolumes, MountOptions, Topology, TopologyRequest, VolumeKey,
    },
};

/// Key/value pairs, sorted by key.
pub type Labels = BTreeMap<Box<str>, Box<str>>;

/// The pool of nodes that name none.
pub const DEFAULT_NODE_POOL: &str = "default";

/// The pool that contains every node. Nomad: `nomad/structs/node_pool.go`, `NodePoolAll`.
pub const ALL_NODE_POOL: &str = "all";

/// Returns the schema of all tables of this crate, to open a store with.
pub fn schema() -> statehold_store::Schema {
    statehold_store::Schema::new()
        .table::<Namespaces>()
        .table::<Nodes>()
        .table::<Jobs>()
        .table::<Allocations>()
        .table::<CsiPlugins>()
        .table::<CsiPluginInstances>()
        .table::<CsiVolumes>()
        .table::<CsiClaims>()
        .table::<HostVolumes>()
        .table::<ReportedHostVolumes>()
        .table::<LostNodes>()
        .table::<TaskGroupClaims>()
}
