//! Waiting, the catalog and the change feed.

use std::fmt;

use super::write::CLOSED;
use crate::page::TokenError;

/// Why a reader can't be parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchError {
    /// As many readers are parked as [`crate::Options::parked_max`] allows.
    TooMany {
        /// The limit.
        parked_max: usize,
    },
    /// The store was closed, so no change will come.
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

/// Why a [`crate::Catalog`] has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CatalogError {
    /// The store has no table of this name.
    UnknownTable {
        /// The name that was asked for.
        name: Box<str>,
    },
    /// The string is not a primary key of the table.
    Key {
        /// The table.
        table: &'static str,
        /// The string.
        key: Box<str>,
    },
    /// The page token is of no use here.
    Token(TokenError),
    /// A row can't be written as JSON, for example one with a map whose keys are no strings.
    Row {
        /// The table.
        table: &'static str,
        /// The reason, for people.
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

/// Why a change feed can't go on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedError {
    /// The snapshot is of a store with other tables.
    OtherSchema,
    /// As many callers wait for the next commit as [`crate::Options::parked_max`] allows.
    TooMany {
        /// The limit.
        parked_max: usize,
    },
    /// The commits after the given index are not all there any more. Take a snapshot, and read on
    /// from its index.
    Compacted {
        /// The first commit that is still there.
        oldest: u64,
    },
    /// The journal can't be read.
    Storage {
        /// What the file layer said.
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
