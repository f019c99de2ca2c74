//! The check that the two files of a directory belong together.
//!
//! A store has a random identity. Its journal gets the identity first, then its rows; then the journal records
//! that both have it (`paired`). The rows also record the checksum of the journal record up to which they were
//! applied, and each record holds the checksum of the one before it: see [`super::record`]. So a file that is
//! missing, of another store, or of another course of the same store's history is detected before any of its
//! rows is served.
//!
//! | journal | rows | |
//! |---|---|---|
//! | absent or blank | absent or blank | a new store |
//! | unpaired, without commits | absent or blank | a creation interrupted by a crash: continues |
//! | unpaired | format 2, the same identity | either of these, interrupted before the last step: continues |
//! | unpaired | format 1 | an upgrade interrupted by a crash: continues |
//! | format 1 | format 1 | an older build's: upgraded |
//! | blank | format 1, no commit | a creation of an older build, interrupted by a crash: continues |
//! | format 2 | format 2, the same identity | the store |
//! | any other combination | | rejected |

use std::path::Path;

use uuid::Uuid;

use super::database::Files;
use crate::error::OpenError;

/// The format of both files that this build writes. Format 1 had no identity.
pub(super) const FORMAT: u64 = 2;

/// The first format with an identity.
const FORMAT_WITH_ID: u64 = 2;

/// The format number of a file that a store has not written to yet.
pub(super) const BLANK: u64 = 0;

/// The metadata of a journal.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LogHead {
    /// [`BLANK`] for a redb file without tables.
    pub(super) format: u64,
    pub(super) id: Option<Uuid>,
    /// Whether the rows are known to have the identity.
    pub(super) paired: bool,
    /// Whether a commit was ever appended.
    pub(super) used: bool,
}

/// The metadata of a file of rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowsHead {
    /// [`BLANK`] for a redb file without tables.
    pub(super) format: u64,
    pub(super) id: Option<Uuid>,
    /// The index of the rows.
    pub(super) index: u64,
}

/// The identity of the store in two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pairing {
    /// Both files have the identity.
    Paired(Uuid),
    /// The journal has it; the rows get it next.
    Begun(Uuid),
    /// Neither file has an identity yet.
    Unnamed,
}

impl Pairing {
    /// Decides by the heads of both files; `None` means that a file is absent or empty.
    pub(super) fn of(
        files: &Files,
        log: Option<LogHead>,
        rows: Option<RowsHead>,
    ) -> Result<Self, OpenError> {
        let missing = |path: &Path, other: &Path| OpenError::FileMissing {
            path: path.to_owned(),
            other: other.to_owned(),
        };
        let unpaired = |reason: String| OpenError::Unpaired { dir: files.dir().to_owned(), reason };
        let log_blank = log.is_none_or(|log| log.format == BLANK);
        let rows_blank = rows.is_none_or(|rows| rows.format == BLANK);
        let log_here = log.is_some();
        let (log, rows) = (log.unwrap_or_default(), rows.unwrap_or_default());
        match (log_blank, rows_blank) {
            (true, true) => Ok(Self::Unnamed),
            (true, false) => {
                // An older build wrote the rows first, then the journal: a crash in between leaves this state,
                // in which the journal's file has its name and a redb header.
                if log_here && rows.format < FORMAT_WITH_ID && rows.index == 0 {
                    return Ok(Self::Unnamed);
                }
                Err(missing(files.log_path(), files.rows_path()))
            }
            (false, true) => match log.id {
                Some(id) if !log.paired && !log.used => Ok(Self::Begun(id)),
                _ => Err(missing(files.rows_path(), files.log_path())),
            },
            (false, false) => match (log.id, rows.id) {
                (None, None) => Ok(Self::Unnamed),
                (Some(id), Some(rows)) if id == rows && log.paired => Ok(Self::Paired(id)),
                (Some(id), Some(rows)) if id == rows => Ok(Self::Begun(id)),
                (Some(log), Some(rows)) => Err(unpaired(format!(
                    "log.redb is of the store {log}, rows.redb of the store {rows}"
                ))),
                (Some(id), None) if !log.paired => Ok(Self::Begun(id)),
                (Some(id), None) => Err(unpaired(format!(
                    "log.redb is of the store {id}, rows.redb is an older one without an identity"
                ))),
                (None, Some(id)) => Err(unpaired(format!(
                    "rows.redb is of the store {id}, log.redb is an older one without an identity"
                ))),
            },
        }
    }

    /// Returns the identity that the files have already.
    pub(super) fn id(self) -> Option<Uuid> {
        match self {
            Self::Paired(id) | Self::Begun(id) => Some(id),
            Self::Unnamed => None,
        }
    }
}

/// Returns the checksum that precedes a store's first record.
pub(super) fn first_link(id: Uuid) -> u32 {
    // Derived from the identity, so that the first records of two stores do not link either.
    crc32fast::hash(id.as_bytes())
}

/// Splits an identity into halves, because the files' metadata holds 64-bit numbers.
pub(super) fn halves(id: Uuid) -> [(&'static str, u64); 2] {
    let (high, low) = id.as_u64_pair();
    [(META_ID_HIGH, high), (META_ID_LOW, low)]
}

/// Joins an identity from its halves.
pub(super) fn joined(high: Option<u64>, low: Option<u64>) -> Option<Uuid> {
    Some(Uuid::from_u64_pair(high?, low?))
}

pub(super) const META_ID_HIGH: &str = "id/high";
pub(super) const META_ID_LOW: &str = "id/low";
