//! Errors of opening a store and of reopening its files.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::{RecordError, RowError};

/// Reasons why a store could not be opened. No row and no record was changed, and no byte of a rejected file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another handle of this one, has the directory open.
    AlreadyOpen {
        /// The data directory.
        dir: PathBuf,
    },
    /// There is no store in the directory, and the options forbid creating one.
    NoStore {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory or its files cannot be read or written.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: Arc<std::io::Error>,
    },
    /// The file is not a store's, or is damaged beyond what a restart repairs.
    Damaged {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The file was written by a build with a newer format.
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: u64,
        /// The newest format that this build reads.
        known: u64,
    },
    /// One of the two files is missing or empty, and the other one is a store's.
    FileMissing {
        /// The file that is missing.
        path: PathBuf,
        /// The file that exists.
        other: PathBuf,
    },
    /// The two files belong to different stores, or to different courses of one store's history.
    Unpaired {
        /// The data directory.
        dir: PathBuf,
        /// The difference.
        reason: String,
    },
    /// The type of a table's rows changed but the table's version did not. The rows in the file would be
    /// decoded as other values.
    #[non_exhaustive]
    ShapeChanged {
        /// The file.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// The version of both types.
        version: u16,
        /// The first difference: a clause such as ``field 2 was `owner: string`, is `secret: string` ``.
        difference: Box<str>,
        /// The shape of the rows in the file, in the form of [`Schema::shapes`](crate::Schema::shapes).
        was: Box<str>,
        /// The shape of the row type now.
        is: Box<str>,
    },
    /// A record of the journal cannot be read.
    Record {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: RecordError,
    },
    /// The file has rows of a table that the schema neither declares nor keeps nor drops.
    UnknownTable {
        /// The file.
        path: PathBuf,
        /// The table's name.
        name: Box<str>,
    },
    /// A row in the file cannot be loaded.
    Row {
        /// The file.
        path: PathBuf,
        /// The row and the reason.
        source: RowError,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyOpen { dir } => write!(
                f,
                "the data directory {} is in use by another process, or open already in this one: close \
                 that store, or choose another directory",
                dir.display()
            ),
            Self::NoStore { dir } => write!(
                f,
                "there is no store in {}: no rows.redb and no log.redb; check the name",
                dir.display()
            ),
            Self::Io { path, source } => write!(f, "can't use {}: {source}", path.display()),
            Self::Damaged { path, reason } => write!(
                f,
                "{} is not a readable store: {reason}. \
                 Restore it from a backup, or choose another directory",
                path.display()
            ),
            Self::NewerFormat { path, found, known } => write!(
                f,
                "{} has format {found}, this build knows formats up to {known}: use a newer build",
                path.display()
            ),
            Self::FileMissing { path, other } => write!(
                f,
                "{} is missing or empty, and {} beside it is a store's: put the file back, because \
                 commits may be in it alone. If there is none, restore a backup into a new directory",
                path.display(),
                other.display()
            ),
            Self::Unpaired { dir, reason } => write!(
                f,
                "rows.redb and log.redb in {} don't belong together: {reason}. Put back two files that \
                 were in one directory at the same time, or restore a backup into a new directory",
                dir.display()
            ),
            Self::ShapeChanged { path, table, version, difference, .. } => write!(
                f,
                "{}: the row type of the table {table} changed and its version is still {version}: \
                 {difference}. Raise the version and migrate, or restore the type; a field with a \
                 new name only keeps the old one with #[serde(rename = \"..\")]",
                path.display()
            ),
            Self::Record { path, source } => write!(f, "{}: {source}", path.display()),
            Self::UnknownTable { path, name } => {
                write!(f, "{}: {}", path.display(), RowError::UnknownTable { name: name.clone() })
            }
            Self::Row { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Record { source, .. } => Some(source),
            Self::Row { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Reasons why a store keeps rejecting writes after [`crate::Store::reopen`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReopenError {
    /// A file cannot be opened or read. A later attempt may succeed, for example after space was freed.
    Open(OpenError),
    /// The failed write is in the file as the operating system shows it, which does not prove that it is on
    /// disk.
    Unproved {
        /// The file.
        path: PathBuf,
    },
    /// Readers have seen commits that never reached the disk, under [`crate::Durability::Relaxed`].
    Behind {
        /// The last commit on disk.
        durable: u64,
        /// The last commit that readers have seen.
        visible: u64,
    },
    /// This thread has an open write transaction, for which the call would wait forever.
    OpenTransaction,
}

impl fmt::Display for ReopenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenTransaction => f.write_str(
                "this thread has an open write transaction: drop it before reopening the store",
            ),
            Self::Open(error) => error.fmt(f),
            Self::Unproved { path } => write!(
                f,
                "a write to {} was reported as failed and yet is in the file: check the disk, then \
                 close the store and open it again",
                path.display()
            ),
            Self::Behind { durable, visible } => write!(
                f,
                "the commits {} to {visible} were visible and never reached the disk: close the store \
                 and open it again, which goes on from the commit {durable}",
                durable + 1
            ),
        }
    }
}

impl std::error::Error for ReopenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open(error) => Some(error),
            _ => None,
        }
    }
}

impl From<OpenError> for ReopenError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}
