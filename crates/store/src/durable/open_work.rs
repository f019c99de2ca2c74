//! The changes that an open makes on disk: rows that were moved, dropped or left out.
//!
//! The journal refers to rows by the keys that they had when it was written. So all of its changes are applied
//! to the file of rows together with the moves, in one transaction and before the store accepts a write: a
//! replayed record never meets rows that have moved since.

use std::io;

use super::Files;
use super::checkpoint::{Checkpoint, Tail};
use super::database::io_error;
use super::found_tables::DroppedTables;
use super::journal::{Journal, LogFile};
use super::rows::RowFile;
use crate::change::Change;
use crate::error::{CommitError, OpenError};

/// The work of an accepted open.
pub(super) struct OpenWork {
    /// The index of the loaded state.
    index: u64,
    /// Changes to rows that are not in the journal.
    changes: Vec<Change>,
    dropped: DroppedTables,
}

/// The rest of the work, after the changes were added to the checkpoint.
pub(super) struct StartedOpenWork {
    /// Whether there are changes to write.
    write: bool,
    /// The commit up to which the journal must be truncated; 0 for none.
    cut: u64,
}

impl OpenWork {
    pub(super) fn new(index: u64, changes: Vec<Change>, dropped: DroppedTables) -> Self {
        Self { index, changes, dropped }
    }

    /// Adds the changes and the tables to delete to the checkpoint, after the changes of the journal.
    pub(super) fn begin(
        self,
        rows: &mut RowFile,
        journal: &LogFile,
        tail: &mut Tail,
        files: &Files,
    ) -> Result<StartedOpenWork, OpenError> {
        let drops = self.dropped.in_journal || !self.dropped.rows.is_empty();
        // An open without changes must not write, so that it is fast and leaves the journal as it is.
        let write = drops || !self.changes.is_empty();
        // A recorded truncation that was not done was interrupted by a crash.
        let mut cut = rows
            .cut()
            .map_err(|error| io_error(files.rows_path(), io::Error::other(error.to_string())))?;
        if write {
            // The records of a dropped table are truncated too: a later table of its name may have another row
            // type, as which the change feed would decode them.
            rows.drop_with_next_apply(self.dropped.rows);
            tail.push(vec![(self.index, self.changes)], journal.link());
            cut = self.index;
        }
        Ok(StartedOpenWork { write, cut })
    }
}

impl StartedOpenWork {
    /// Writes the changes, then truncates the journal, whose records refer to rows by their old keys. A
    /// truncation that a crash undid is repeated by the next open.
    pub(super) fn finish(self, checkpoint: &Checkpoint, files: &Files) -> Result<(), OpenError> {
        let failed =
            |error: CommitError| io_error(files.rows_path(), io::Error::other(error.to_string()));
        if self.write {
            checkpoint.apply().map_err(failed)?;
        }
        if checkpoint.journal().compacted() < self.cut {
            let cut = checkpoint.journal().truncate_to(self.cut);
            cut.map_err(CommitError::from).map_err(failed)?;
        }
        Ok(())
    }
}
