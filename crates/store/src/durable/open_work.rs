//! What an open changes on disk: rows that were moved, dropped or left out.
//!
//! The journal names rows by the keys that they had when it was written. So all of it is applied to
//! the file of rows together with the moves, in one transaction and before the store takes a write:
//! a record that is replayed never meets rows that have moved since.

use std::io;

use super::Files;
use super::checkpoint::{Checkpoint, Tail};
use super::database::io_error;
use super::found_tables::DroppedTables;
use super::journal::{Journal, LogFile};
use super::rows::RowFile;
use crate::change::Change;
use crate::error::{CommitError, OpenError};

/// The work of an open that was accepted.
pub(super) struct OpenWork {
    /// The index that the state is as of.
    index: u64,
    /// Changes of rows that are not in the journal.
    changes: Vec<Change>,
    dropped: DroppedTables,
}

/// What is left of it when the changes are with the checkpoint.
pub(super) struct StartedOpenWork {
    /// Whether there is something to write.
    write: bool,
    /// The commit up to which the journal is to be cut; 0 when it is not.
    cut: u64,
}

impl OpenWork {
    pub(super) fn new(index: u64, changes: Vec<Change>, dropped: DroppedTables) -> Self {
        Self { index, changes, dropped }
    }

    /// Hands the changes and the tables to delete to the checkpoint, after the changes of the journal.
    pub(super) fn begin(
        self,
        rows: &mut RowFile,
        journal: &LogFile,
        tail: &mut Tail,
        files: &Files,
    ) -> Result<StartedOpenWork, OpenError> {
        let drops = self.dropped.in_journal || !self.dropped.rows.is_empty();
        let write = drops || !self.changes.is_empty();
        // A cut that was noted and not done is one that a crash came before.
        let mut cut = rows
            .cut()
            .map_err(|error| io_error(files.rows_path(), io::Error::other(error.to_string())))?;
        if write {
            // The records of a dropped table go too: a later table of its name may have other rows, as which
            // the change feed would decode them.
            rows.drop_with_next_apply(self.dropped.rows);
            tail.push(vec![(self.index, self.changes)], journal.link());
            cut = self.index;
        }
        Ok(StartedOpenWork { write, cut })
    }
}

impl StartedOpenWork {
    /// Writes the changes, and cuts the journal, whose records name rows by the keys that they had. A
    /// cut that a crash took back is repeated by the next open.
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
