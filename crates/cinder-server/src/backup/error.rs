//! Failures of the backup repository.

use std::error::Error;
use std::fmt;
use std::io;

use crate::backend::DriverError;

/// A failure of the backup repository.
#[derive(Debug)]
pub(crate) enum BackupError {
    /// The data or the manifest of a backup is not as it was written.
    Damaged(&'static str),
    /// The backup's parent does not match its record.
    ParentMismatch,
    /// The parent has blocks of another size.
    BlockSize,
    /// The chain of parents is too long.
    TooManyParents,
    /// The data to back up can't be read.
    Source(DriverError),
    /// The directory of the repository failed.
    Io(io::Error),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(damage) => {
                write!(f, "a backup is damaged: {damage}; restore its directory from a copy, or delete it")
            }
            Self::ParentMismatch => f.write_str(
                "the backup's parent does not match its record; import the record that was exported with it",
            ),
            Self::BlockSize => f.write_str(
                "the parent has blocks of another size; create a full backup instead of an incremental one",
            ),
            Self::TooManyParents => f.write_str(
                "the backup has too many parents; create a full backup instead of an incremental one",
            ),
            Self::Source(error) => write!(f, "can't read the data to back up: {error}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl Error for BackupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Source(error) => Some(error),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for BackupError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// For a restore, whose source is a backup.
impl From<BackupError> for DriverError {
    fn from(error: BackupError) -> Self {
        Self::Source(Box::new(error))
    }
}
