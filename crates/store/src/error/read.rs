//! Errors of waiting, of the catalog and of the change feed.

use std::fmt;

use super::write::CLOSED;
use crate::page::TokenError;

/// Reasons why a reader cannot be parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchError {
    /// [`crate::Options::parked_max`] readers are parked already.
    TooMany {
        /// The limit.
        parked_max: usize,
    },
    /// The store is closed, so no change will happen.
    Closed,
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { parked_max } => write!(
                f,
                "{parked_max} readers wait already, which is the limit (parked_max): \
                 try again later"
            ),
            Self::Closed => f.write_str(CLOSED),
        }
    }
}

impl std::error::Error for WatchError {}

/// Reasons why a [`crate::Catalog`] cannot return a result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CatalogError {
    /// The store has no table of this name.
    UnknownTable {
        /// The name.
        name: Box<str>,
    },
    /// The string is not a primary key of the table.
    Key {
        /// The table.
        table: &'static str,
        /// The string.
        key: Box<str>,
    },
    /// The page token is invalid here.
    Token(TokenError),
    /// A row cannot be written as JSON, for example one with a map whose keys are not strings.
    Row {
        /// The table.
        table: &'static str,
        /// The reason, for display.
        reason: Box<str>,
    },
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTable { name } => write!(f, "the store has no table {name:?}"),
            Self::Key { table, key } => write!(
                f,
                "table {table}: {key:?} is not a primary key; \
                 give it as JSON, a compound key as an array of its parts"
            ),
            Self::Token(error) => fmt::Display::fmt(error, f),
            Self::Row { table, reason } => {
                write!(f, "table {table}: a row can't be written as JSON: {reason}")
            }
        }
    }
}

impl std::error::Error for CatalogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Token(error) => Some(error),
            _ => None,
        }
    }
}

/// Reasons why a change feed ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedError {
    /// The snapshot belongs to a store with other tables.
    OtherSchema,
    /// [`crate::Options::parked_max`] callers wait for the next commit already.
    TooMany {
        /// The limit.
        parked_max: usize,
    },
    /// Some commits after the given index were truncated. Take a snapshot, and continue from its index.
    Compacted {
        /// The first commit in the journal.
        oldest: u64,
    },
    /// The journal cannot be read.
    Storage {
        /// The error of the file layer.
        reason: Box<str>,
    },
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compacted { oldest } => write!(
                f,
                "the journal begins at index {oldest}: take a snapshot and read on from its index"
            ),
            Self::Storage { reason } => write!(f, "the journal can't be read: {reason}"),
            Self::OtherSchema => f.write_str(
                "the snapshot is of a store with other tables: take one of the store that is followed",
            ),
            Self::TooMany { parked_max } => {
                fmt::Display::fmt(&WatchError::TooMany { parked_max: *parked_max }, f)
            }
        }
    }
}

impl std::error::Error for FeedError {}
