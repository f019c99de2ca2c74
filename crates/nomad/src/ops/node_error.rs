//! The errors of operations on nodes.

use std::fmt;

use statehold_store::WriteError;
use uuid::Uuid;

use crate::{fmt::Quoted, rows::ALL_NODE_POOL};

/// Why a node couldn't be written or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeError {
    /// The status is none that a node can have.
    InvalidStatus {
        /// What was sent.
        status: Box<str>,
    },
    /// The pool is the one of all nodes, which none can name as its own.
    AllPool,
    /// There is no such node.
    NotFound {
        /// Its ID.
        id: Uuid,
    },
    /// It would take a host volume with it that may still be used.
    VolumeInUse {
        /// The volume.
        volume: Uuid,
        /// The first allocation that has it.
        allocation: Uuid,
    },
    /// The store refused.
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
