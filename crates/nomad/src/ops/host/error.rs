//! Errors of operations on host volumes, and the results of nodes.
//!
//! The messages are those of Nomad: `nomad/host_volume_endpoint.go`.

use std::fmt;

use statehold_store::WriteError;
use uuid::Uuid;

use crate::{
    fmt::{MultiError, Quoted},
    host_volume_spec::{HostSpecError, HostUpdateViolation},
};

/// The result of creating a host volume on its node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreatedHostVolume {
    /// Its path on the node.
    pub host_path: Box<str>,
    /// In bytes; 0 if the plugin does not report it.
    pub capacity: i64,
}

/// Why a node failed to execute a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostProviderError {
    /// The node does not exist.
    UnknownNode,
    /// No connection to the node exists.
    Unreachable,
    /// The request is invalid: a parameter, a path or a plugin that does not exist.
    Invalid(Box<str>),
    /// The node's disk is full, or rejects writes.
    Exhausted(Box<str>),
    /// The node failed, with this message.
    Failed(Box<str>),
}

impl HostProviderError {
    /// Returns whether the request never reached the node.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::UnknownNode | Self::Unreachable)
    }
}

impl fmt::Display for HostProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Nomad: nomad/structs/errors.go, ErrUnknownNodePrefix and ErrNoNodeConn.
            Self::UnknownNode => f.write_str("Unknown node"),
            Self::Unreachable => f.write_str("No path to node"),
            Self::Invalid(text) | Self::Exhausted(text) | Self::Failed(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for HostProviderError {}

/// A request to a node about a host volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostOperation {
    /// Creates it, or applies new parameters to it.
    Create,
    /// Adopts a directory that exists on the node.
    Register,
    /// Deletes it.
    Delete,
}

impl fmt::Display for HostOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            // The names of Nomad's RPCs, which the messages quote.
            Self::Create => "Create",
            Self::Register => "Register",
            Self::Delete => "Delete",
        })
    }
}

/// The requested node or pool does not fit the state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostStateError {
    /// The node does not exist.
    NoNode {
        /// The ID that was sent.
        node: Box<str>,
    },
    /// The pool does not exist.
    NoPool {
        /// The name that was sent.
        pool: Box<str>,
    },
    /// The node is in another pool.
    NotInPool {
        /// The node.
        node: Box<str>,
        /// The pool.
        pool: Box<str>,
    },
}

impl fmt::Display for HostStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Nomad: nomad/host_volume_endpoint.go, HostVolume.validateVolumeForState.
            Self::NoNode { node } => write!(f, "node {} does not exist", Quoted(node)),
            Self::NoPool { pool } => write!(f, "node pool {} does not exist", Quoted(pool)),
            Self::NotInPool { node, pool } => {
                write!(f, "node ID {} is not in pool {}", Quoted(node), Quoted(pool))
            }
        }
    }
}

/// Why a host volume could not be placed on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlacementError {
    /// The requested node does not exist.
    NoNode {
        /// Its ID.
        node: Uuid,
    },
    /// The requested node does not satisfy the constraints, or lacks the plugin.
    Infeasible {
        /// Its ID.
        node: Uuid,
    },
    /// No node is feasible.
    NoneMeetsConstraints {
        /// Number of nodes that have a volume of that name.
        existing: u64,
        /// Number of nodes that do not satisfy the constraints, or lack the plugin.
        infeasible: u64,
    },
}

impl fmt::Display for PlacementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Nomad: nomad/host_volume_endpoint.go, HostVolume.placeHostVolume.
            Self::NoNode { node } => write!(f, "no such node {node}"),
            Self::Infeasible { node } => write!(f, "node {node} is not feasible for volume"),
            Self::NoneMeetsConstraints { existing, infeasible } => write!(
                f,
                // Node pool governance is an Enterprise feature of Nomad, so its count is always 0.
                "no node meets constraints: {existing} nodes had existing volume, 0 nodes filtered \
                 by node pool governance, {infeasible} nodes were infeasible"
            ),
        }
    }
}

/// Why a host volume could not be created, updated or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostVolumeError {
    /// A registration names no node.
    MissingNodeId,
    /// A registration names no path.
    MissingHostPath,
    /// A deletion names no volume.
    MissingId,
    /// It violates a rule that needs no other state.
    Invalid(HostSpecError),
    /// The namespace does not exist.
    NoNamespace {
        /// Its name.
        namespace: Box<str>,
    },
    /// The volume to update does not exist.
    NothingToUpdate {
        /// Its ID.
        id: Box<str>,
    },
    /// The volume cannot be updated as requested.
    Update {
        /// Its ID.
        id: Uuid,
        /// The violations.
        violations: MultiError<HostUpdateViolation>,
    },
    /// Its node and its pool do not fit together.
    State {
        /// The name of a volume to be created, the ID of one to be registered.
        volume: Box<str>,
        /// The reason.
        error: HostStateError,
    },
    /// It could not be placed.
    Placement {
        /// The volume's name.
        volume: Box<str>,
        /// The reason.
        error: PlacementError,
    },
    /// The namespace was deleted after the plan.
    NamespaceGone {
        /// The volume.
        id: Uuid,
        /// The namespace.
        namespace: Box<str>,
    },
    /// The node was deleted after the plan.
    NodeGone {
        /// The volume.
        id: Uuid,
        /// The node.
        node: Uuid,
    },
    /// The node has another volume of that name.
    NameTaken,
    /// The node failed or cannot be reached.
    Node {
        /// The request.
        operation: HostOperation,
        /// The node's error.
        error: HostProviderError,
    },
    /// The volume does not exist.
    NotFound {
        /// The ID that was sent.
        id: Box<str>,
    },
    /// Allocations use it.
    InUse {
        /// The volume.
        id: Uuid,
        /// Their IDs.
        allocations: Vec<Uuid>,
        /// Its node, if that is down or was deleted.
        lost_node: Option<Uuid>,
    },
    /// An allocation started to use it after the plan.
    InUseBy {
        /// The volume.
        id: Uuid,
        /// The first such allocation.
        allocation: Uuid,
    },
    /// The volume's node cannot be reached, and the request does not set `force`.
    NeedsForce,
    /// The store failed.
    Store(WriteError),
}

impl fmt::Display for HostVolumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Nomad: nomad/host_volume_endpoint.go, HostVolume.Register.
            Self::MissingNodeId => f.write_str("cannot register volume: node ID is required"),
            Self::MissingHostPath => f.write_str("cannot register volume: host path is required"),
            Self::MissingId => f.write_str("missing volume ID to delete"),
            Self::Invalid(error) => write!(f, "volume validation failed: {error}"),
            Self::NoNamespace { namespace } => {
                write!(f, "volume validation failed: no such namespace {}", Quoted(namespace))
            }
            Self::NothingToUpdate { id } => {
                write!(f, "cannot update volume {}: volume does not exist", Quoted(id))
            }
            Self::Update { id, violations } => {
                write!(f, "validating volume \"{id}\" update failed: {violations}")
            }
            Self::State { volume, error } => {
                write!(f, "validating volume {} against state failed: {error}", Quoted(volume))
            }
            Self::Placement { volume, error } => {
                write!(f, "could not place volume {}: {error}", Quoted(volume))
            }
            // Nomad: nomad/state/state_store_host_volumes.go, UpsertHostVolume.
            Self::NamespaceGone { id, namespace } => {
                write!(f, "host volume {id} is in nonexistent namespace {namespace}")
            }
            Self::NodeGone { id, node } => {
                write!(f, "host volume {id} has nonexistent node ID {node}")
            }
            Self::NameTaken => f.write_str("volume name already exists on this node"),
            // The node's error is wrapped with the name of the RPC, as Nomad's servers do.
            Self::Node { operation, error } => {
                write!(f, "HostVolume.{operation} error: {error}")
            }
            Self::NotFound { id } => write!(f, "no such volume: {id}"),
            Self::InUse { id, allocations, lost_node } => {
                write!(f, "volume {id} in use by allocations: [")?;
                for (at, allocation) in allocations.iter().enumerate() {
                    write!(f, "{}{allocation}", if at == 0 { "" } else { " " })?;
                }
                // Nomad prints the IDs with Go's `%s` of a slice: blanks between them, no commas.
                f.write_str("]")?;
                lost_node.map_or(Ok(()), |node| {
                    write!(
                        f,
                        // This server's own addition: without it an operator cannot tell how long
                        // to wait.
                        "; node {node} is down or was removed: unless it comes back, they count as \
                         lost after the grace period"
                    )
                })
            }
            Self::InUseBy { id, allocation } => {
                write!(f, "could not delete volume {id} in use by alloc {allocation}")
            }
            Self::NeedsForce => {
                f.write_str("volume cannot be removed from unknown node without force=true")
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for HostVolumeError {}

impl From<WriteError> for HostVolumeError {
    fn from(error: WriteError) -> Self {
        Self::Store(error)
    }
}
