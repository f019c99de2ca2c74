//! What is stored: one module for each table, with its row, its key and its indexes.
//!
//! Rows hold reports and requests. Expected counts and whether a volume is schedulable follow from other
//! rows, and are worked out when they are read, from the jobs and the allocations of that moment.
//! `CreateIndex` and `ModifyIndex` are not in the rows either; the store stamps them.
//!
//! Invariant: no row grows with its neighbours. The lists in a row are those of the one request that wrote
//! it, whose size its reader limits. Rows of which another may have any number refer to it by their keys:
//! the host volumes that a node reports, the instances of a plugin, the claims on a volume. Of the last two
//! the parent's row keeps the numbers, in the transactions that write them.

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

/// Names with values, sorted by name.
pub type Labels = BTreeMap<Box<str>, Box<str>>;

/// The pool of nodes that name none.
pub const DEFAULT_NODE_POOL: &str = "default";

/// The pool that every node is in.
pub const ALL_NODE_POOL: &str = "all";

/// All tables of this crate, for a store to be opened with.
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
