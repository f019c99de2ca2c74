//! Errors of operations on nodes.

use std::fmt;

use statehold_store::WriteError;
use uuid::Uuid;

use crate::{fmt::Quoted, rows::ALL_NODE_POOL};

/// Why a node could not be written or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeError {
    /// The status does not exist.
    InvalidStatus {
        /// The status that was sent.
        status: Box<str>,
    },
    /// The pool is `all`, which contains every node and which no node may name.
    AllPool,
    /// The node does not exist.
    NotFound {
        /// Its ID.
        id: Uuid,
    },
    /// Deleting the node would delete a host volume that may still be in use.
    VolumeInUse {
        /// The volume.
        volume: Uuid,
        /// The first allocation that uses it.
        allocation: Uuid,
    },
    /// The store failed.
    Store(WriteError),
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidStatus { status } => {
                write!(f, "invalid status {} for node", Quoted(status))
            }
            Self::AllPool => {
                write!(f, "node is not allowed to register in node pool {}", Quoted(ALL_NODE_POOL))
            }
            Self::NotFound { id } => write!(f, "node not found: {id}"),
            Self::VolumeInUse { volume, allocation } => {
                write!(f, "could not delete volume {volume} in use by alloc {allocation}")
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NodeError {}

impl From<WriteError> for NodeError {
    fn from(error: WriteError) -> Self {
        Self::Store(error)
    }
}
