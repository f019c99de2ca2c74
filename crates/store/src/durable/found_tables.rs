//! Tables that the files have and the schema does not declare.
//!
//! Invariant: a store is opened only if the schema covers every table that has rows.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use super::Files;
use super::journal::{Journal, LogFile};
use super::rows::RowFile;
use super::{REPLAY_BYTES, record};
use crate::error::OpenError;
use crate::schema::Schema;

/// The tables of both files that have rows, or changes that the rows lack.
pub(super) struct FoundTables {
    rows: BTreeSet<String>,
    journal: BTreeSet<String>,
}

/// The tables that the schema drops.
pub(super) struct DroppedTables {
    /// Tables in the file of rows.
    pub(super) rows: Vec<String>,
    /// Whether the journal has changes to such tables.
    pub(super) in_journal: bool,
}

impl FoundTables {
    pub(super) fn in_files(
        rows: &RowFile,
        log: &LogFile,
        files: &Files,
    ) -> Result<Self, OpenError> {
        let of_rows = rows.tables().map_err(|error| damaged(files.rows_path(), &error))?;
        let applied = rows.applied().index;
        let mut of_journal = BTreeSet::new();
        let mut next = applied.saturating_add(1);
        while next <= log.last() {
            let records = log
                .read_from(next, REPLAY_BYTES)
                .map_err(|error| damaged(files.log_path(), &error))?;
            let before = next;
            for bytes in records {
                // The replay reports an unreadable record, with its cause.
                let Some((last, names)) = record::tables(&bytes, applied) else { continue };
                next = next.max(last.saturating_add(1));
                of_journal.extend(names.into_iter().map(str::to_owned));
            }
            // No progress means an unreadable record, which would loop forever.
            if next == before {
                break;
            }
        }
        Ok(Self { rows: of_rows, journal: of_journal })
    }

    /// Returns the schema plus the found tables that it keeps.
    pub(super) fn resolve(&self, schema: &Schema, files: &Files) -> Result<Schema, OpenError> {
        let unknown = |path: &Path| {
            let path = path.to_owned();
            |name: String| OpenError::UnknownTable { path, name: name.into() }
        };
        let schema = schema.with_found(&self.rows).map_err(unknown(files.rows_path()))?;
        schema.with_found(&self.journal).map_err(unknown(files.log_path()))
    }

    /// Returns the found tables that the schema drops.
    pub(super) fn dropped(&self, schema: &Schema) -> DroppedTables {
        DroppedTables {
            rows: self.rows.iter().filter(|name| schema.drops(name)).cloned().collect(),
            in_journal: self.journal.iter().any(|name| schema.drops(name)),
        }
    }
}

fn damaged(path: &Path, error: &dyn fmt::Display) -> OpenError {
    OpenError::Damaged { path: path.to_owned(), reason: error.to_string() }
}
