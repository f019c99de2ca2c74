//! Errors of restoring a backup.

use std::fmt;
use std::io;

use crate::error::{BeginError, CommitError, RowError};

/// Reasons why a backup was not restored. The store is unchanged, except after [`RestoreError::Commit`].
#[derive(Debug)]
#[non_exhaustive]
pub enum RestoreError {
    /// The backup cannot be read.
    Io(io::Error),
    /// The stream is not a backup, or was truncated or changed.
    Damaged {
        /// The reason.
        reason: Box<str>,
    },
    /// A newer build wrote the backup.
    NewerFormat {
        /// Its format.
        found: u64,
        /// The newest format that this build reads.
        known: u64,
    },
    /// It holds a table that the schema lacks.
    UnknownTable {
        /// The table's name.
        name: Box<str>,
    },
    /// It lacks a table of which the store has rows; see [`crate::RestoreOptions::empty_missing`].
    MissingTable {
        /// The table.
        table: &'static str,
        /// The number of its rows in the store.
        rows: usize,
    },
    /// A table's row type differs from the backup's, and both have the same version. The backup's rows would be
    /// decoded as other values.
    #[non_exhaustive]
    ShapeChanged {
        /// The table.
        table: &'static str,
        /// The version of both types.
        version: u16,
        /// The first difference: a clause such as ``field 2 was `owner: string`, is `secret: string` ``.
        difference: Box<str>,
        /// The shape of the backup's rows, in the form of [`Schema::shapes`](crate::Schema::shapes).
        was: Box<str>,
        /// The shape of the row type now.
        is: Box<str>,
    },
    /// A table that the schema keeps as bytes has rows in the backup of another type than the store has
    /// recorded for their version: a build with a type for the table could read only one of them.
    #[non_exhaustive]
    KeptShapeChanged {
        /// The table.
        table: &'static str,
        /// The version of both types.
        version: u16,
        /// The first difference.
        difference: Box<str>,
        /// The shape that the store has recorded.
        was: Box<str>,
        /// The shape of the backup's rows.
        is: Box<str>,
    },
    /// A dump has rows of another version of a table's row type as JSON, which cannot be migrated.
    #[non_exhaustive]
    RowVersion {
        /// The table.
        table: &'static str,
        /// The version in the dump.
        found: u16,
        /// The version of the row type.
        known: u16,
    },
    /// A line of a dump is not a row.
    Line {
        /// The number of the line, from 1.
        line: u64,
        /// The reason.
        reason: Box<str>,
    },
    /// Rows are not in key order, or one appears twice.
    Unordered {
        /// The table.
        table: &'static str,
    },
    /// A row cannot be loaded.
    Row(RowError),
    /// The backup's index was the highest possible one.
    NoIndexLeft,
    /// The caller's own index is smaller than the backup's.
    IndexTooSmall {
        /// The index that was passed.
        given: u64,
        /// The backup's index.
        least: u64,
    },
    /// The store rejects writes.
    Begin(BeginError),
    /// The durable write failed.
    Commit(CommitError),
}

impl RestoreError {
    pub(super) fn damaged(reason: &str) -> Self {
        Self::Damaged { reason: reason.into() }
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "can't read the backup: {error}"),
            Self::Damaged { reason } => {
                write!(f, "the backup is damaged: {reason}; use another one")
            }
            Self::NewerFormat { found, known } => write!(
                f,
                "the backup has format {found}, this build reads formats up to {known}: \
                 use a newer build"
            ),
            Self::UnknownTable { name } => {
                write!(
                    f,
                    "the backup has the table {name:?}, which the schema lacks: use a build that has \
                     it, or let the schema say what becomes of it: keep({name:?}) or \
                     drop_table({name:?})"
                )
            }
            Self::MissingTable { table, rows } => write!(
                f,
                "the backup lacks the table {table:?}, of which the store has {rows} rows: they would \
                 be deleted; say so with RestoreOptions::empty_missing, or use another backup"
            ),
            Self::ShapeChanged { table, version, difference, .. } => write!(
                f,
                "the row type of the table {table} changed since the backup and its version is still \
                 {version}: {difference}. Restore with a build that has the backup's type, or raise the \
                 version and migrate; a field with a new name only keeps the old one with \
                 #[serde(rename = \"..\")]"
            ),
            Self::KeptShapeChanged { table, version, difference, .. } => write!(
                f,
                "the backup has rows of another type for version {version} of the table {table} than the \
                 store: {difference}. Restore it into an empty directory, or drop the table from the store \
                 first"
            ),
            Self::RowVersion { table, found, known } => write!(
                f,
                "the dump has rows of {table} of version {found}, and their type has version {known}: JSON can't \
                 be migrated; load the dump with a build of version {found}, and restore a backup of that"
            ),
            Self::Line { line, reason } => write!(f, "line {line}: {reason}"),
            Self::Unordered { table } => {
                write!(f, "table {table}: the rows are out of order, or one is there twice")
            }
            Self::Row(error) => error.fmt(f),
            Self::NoIndexLeft => {
                f.write_str("the backup's index is the greatest there is, so nothing can follow it")
            }
            Self::IndexTooSmall { given, least } => write!(
                f,
                "the index {given} is smaller than the backup's, {least}: rows can't be of later \
                 commits than the store"
            ),
            Self::Begin(error) => error.fmt(f),
            Self::Commit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RestoreError {}

impl From<io::Error> for RestoreError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::damaged("it ends too early");
        }
        Self::Io(error)
    }
}

impl From<BeginError> for RestoreError {
    fn from(error: BeginError) -> Self {
        Self::Begin(error)
    }
}
