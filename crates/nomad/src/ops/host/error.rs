//! Why a host volume couldn't be made, changed or deleted, and what nodes answer.

use std::fmt;

use statehold_store::WriteError;
use uuid::Uuid;

use crate::{
    fmt::{MultiError, Quoted},
    host_volume_spec::{HostSpecError, HostUpdateViolation},
};

/// What a node made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreatedHostVolume {
    /// Where it is on the node.
    pub host_path: Box<str>,
    /// In bytes; 0 when the plugin doesn't say.
    pub capacity: i64,
}

/// Why a node didn't do its part.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostProviderError {
    /// Nobody has heard of the node.
    UnknownNode,
    /// Nothing here reaches the node.
    Unreachable,
    /// The request can't be right as it was sent: a parameter, a path or a plugin that does not exist.
    Invalid(Box<str>),
    /// Its disk has no room left, or takes no writes.
    Exhausted(Box<str>),
    /// It tried, and this is what it says.
    Failed(Box<str>),
}

impl HostProviderError {
    /// Whether the node wasn't asked at all.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::UnknownNode | Self::Unreachable)
    }
}

impl fmt::Display for HostProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownNode => f.write_str("Unknown node"),
            Self::Unreachable => f.write_str("No path to node"),
            Self::Invalid(text) | Self::Exhausted(text) | Self::Failed(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for HostProviderError {}

/// What a node is asked to do with a host volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostOperation {
    /// To make it, or to make it again.
    Create,
    /// To take over what is there.
    Register,
    /// To remove it.
    Delete,
}

impl fmt::Display for HostOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "Create",
            Self::Register => "Register",
            Self::Delete => "Delete",
        })
    }
}

/// A node or a pool that can't have the volume.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostStateError {
    /// There is no such node.
    NoNode {
        /// What was sent.
        node: Box<str>,
    },
    /// No node is in the pool.
    NoPool {
        /// What was sent.
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
            Self::NoNode { node } => write!(f, "node {} does not exist", Quoted(node)),
            Self::NoPool { pool } => write!(f, "node pool {} does not exist", Quoted(pool)),
            Self::NotInPool { node, pool } => {
                write!(f, "node ID {} is not in pool {}", Quoted(node), Quoted(pool))
            }
        }
    }
}

/// Why no node was found for a host volume.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlacementError {
    /// The node that was asked for is gone.
    NoNode {
        /// Its ID.
        node: Uuid,
    },
    /// The node that was asked for isn't as it has to be.
    Infeasible {
        /// Its ID.
        node: Uuid,
    },
    /// None is as it has to be.
    NoneMeetsConstraints {
        /// How many nodes have a volume of that name.
        existing: u64,
        /// How many nodes aren't as they have to be.
        infeasible: u64,
    },
}

impl fmt::Display for PlacementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNode { node } => write!(f, "no such node {node}"),
            Self::Infeasible { node } => write!(f, "node {node} is not feasible for volume"),
            Self::NoneMeetsConstraints { existing, infeasible } => write!(
                f,
                "no node meets constraints: {existing} nodes had existing volume, 0 nodes filtered \
                 by node pool governance, {infeasible} nodes were infeasible"
            ),
        }
    }
}

/// Why a host volume couldn't be made, changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostVolumeError {
    /// A registration without the node that has the volume.
    MissingNodeId,
    /// A registration without the place of the volume.
    MissingHostPath,
    /// A deletion that names no volume.
    MissingId,
    /// It can't be right as it was sent.
    Invalid(HostSpecError),
    /// The namespace doesn't exist.
    NoNamespace {
        /// Its name.
        namespace: Box<str>,
    },
    /// The volume to change doesn't exist.
    NothingToUpdate {
        /// Its ID.
        id: Box<str>,
    },
    /// The volume can't become what was sent.
    Update {
        /// Its ID.
        id: Uuid,
        /// Why.
        faults: MultiError<HostUpdateViolation>,
    },
    /// What it names doesn't fit together.
    State {
        /// The name of a volume to be made, the ID of one to be registered.
        volume: Box<str>,
        /// Why.
        fault: HostStateError,
    },
    /// No node can have it.
    Placement {
        /// The volume's name.
        volume: Box<str>,
        /// Why.
        fault: PlacementError,
    },
    /// The namespace was deleted meanwhile.
    NamespaceGone {
        /// The volume.
        id: Uuid,
        /// The namespace.
        namespace: Box<str>,
    },
    /// The node was deleted meanwhile.
    NodeGone {
        /// The volume.
        id: Uuid,
        /// The node.
        node: Uuid,
    },
    /// The node has another volume of that name.
    NameTaken,
    /// The node failed, or can't be asked.
    Node {
        /// What it was asked to do.
        operation: HostOperation,
        /// What it answered.
        error: HostProviderError,
    },
    /// There is no such volume.
    NotFound {
        /// What was sent.
        id: Box<str>,
    },
    /// Allocations use it.
    InUse {
        /// The volume.
        id: Uuid,
        /// Their IDs.
        allocations: Vec<Uuid>,
        /// Its node, if that is down or was removed.
        lost_node: Option<Uuid>,
    },
    /// An allocation came to use it meanwhile.
    InUseBy {
        /// The volume.
        id: Uuid,
        /// The first such allocation.
        allocation: Uuid,
    },
    /// The volume's node can't be asked to remove it, and nobody said to forget it all the same.
    NeedsForce,
    /// The store refused.
    Store(WriteError),
}

impl fmt::Display for HostVolumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
            Self::Update { id, faults } => {
                write!(f, "validating volume \"{id}\" update failed: {faults}")
            }
            Self::State { volume, fault } => {
                write!(f, "validating volume {} against state failed: {fault}", Quoted(volume))
            }
            Self::Placement { volume, fault } => {
                write!(f, "could not place volume {}: {fault}", Quoted(volume))
            }
            Self::NamespaceGone { id, namespace } => {
                write!(f, "host volume {id} is in nonexistent namespace {namespace}")
            }
            Self::NodeGone { id, node } => {
                write!(f, "host volume {id} has nonexistent node ID {node}")
            }
            Self::NameTaken => f.write_str("volume name already exists on this node"),
            Self::Node { operation, error } => {
                write!(f, "HostVolume.{operation} error: {error}")
            }
            Self::NotFound { id } => write!(f, "no such volume: {id}"),
            Self::InUse { id, allocations, lost_node } => {
                write!(f, "volume {id} in use by allocations: [")?;
                for (at, allocation) in allocations.iter().enumerate() {
                    write!(f, "{}{allocation}", if at == 0 { "" } else { " " })?;
                }
                f.write_str("]")?;
                lost_node.map_or(Ok(()), |node| {
                    write!(
                        f,
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
