//! Commits, and the close of a store.

use std::fmt;
use std::sync::Arc;

use super::write::Fields;

/// Reasons why a transaction did not commit. Readers of this store see none of its writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitError {
    /// The durable write of this transaction's batch failed. It is unknown whether its bytes reached the disk
    /// until [`crate::Store::reopen`] or the next open; until then the store rejects writes.
    Storage {
        /// The error of the file layer.
        reason: Arc<str>,
    },
    /// Several rows claim one key of a unique index, and the transaction deferred the check to its commit
    /// ([`crate::WriteTxn::defer_unique`]). None of its writes took effect; the store accepts other writes.
    NotUnique {
        /// The table.
        table: &'static str,
        /// The unique index.
        index: &'static str,
        /// The key, printed; cut if it is long.
        key: Box<str>,
        /// The fields that the key is made of; empty if the index does not declare them.
        fields: &'static [&'static str],
    },
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUnique { table, index, key, fields } => write!(
                f,
                "table {table}: several rows have the key {key} in the unique index {index}; \
                 change {} of all of them but one, or delete them",
                Fields(fields)
            ),
            Self::Storage { reason } => write!(
                f,
                "the durable write failed: {reason}; check the disk, free space where it is full, and reopen \
                 the store"
            ),
        }
    }
}

impl std::error::Error for CommitError {}

/// Reasons why a store was not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseError {
    /// This thread has an open write transaction. The store stays open.
    OpenTransaction,
    /// The last commits could not be written. The store is closed nevertheless.
    Commit(CommitError),
}

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenTransaction => f.write_str(
                "this thread has an open write transaction: commit or drop it before closing the store",
            ),
            Self::Commit(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for CloseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::OpenTransaction => None,
            Self::Commit(error) => Some(error),
        }
    }
}
