//! What an open changes on disk: rows that were moved, dropped or left out.
//!
//! The journal names rows by the keys that they had when it was written. So all of it is applied to
//! the file of rows together with the moves, in one transaction and before the store takes a write:
//! a record that is replayed never meets rows that have moved since.

use std::io;

use super::Files;
use super::checkpoint::{Checkpoint, Tail};
use super::database::io_error;
use super::journal::{Journal, LogFile};
use super::rows::RowFile;
use super::unknown::Dropped;
use crate::error::{CommitError, OpenError};
use crate::state::Change;

/// The work of an open that was accepted.
pub(super) struct Arrivals {
    /// The index that the state is as of.
    index: u64,
    /// Changes of rows that are not in the journal.
    changes: Vec<Change>,
    dropped: Dropped,
}

/// What is left of it when the changes are with the checkpoint.
pub(super) struct Begun {
    /// Whether there is something to write.
    write: bool,
    /// The commit up to which the journal is to be cut; 0 when it is not.
    cut: u64,
}

impl Arrivals {
    pub(super) fn new(index: u64, changes: Vec<Change>, dropped: Dropped) -> Self {
        Self { index, changes, dropped }
    }

    /// Hands the changes and the tables to delete to the checkpoint, after the changes of the journal.
    pub(super) fn begin(
        self,
        rows: &mut RowFile,
        journal: &LogFile,
        tail: &mut Tail,
        files: &Files,
    ) -> Result<Begun, OpenError> {
        let drops = self.dropped.in_journal || !self.dropped.rows.is_empty();
        let write = drops || !self.changes.is_empty();
        // A cut that was noted and not done is one that a crash came before.
        let mut cut = rows
            .cut()
            .map_err(|error| io_error(files.rows_path(), io::Error::other(error.to_string())))?;
        if write {
            // The records of a dropped table go too: a later table of its name may have other rows, as which
            // the change feed would decode them.
            rows.arrive(self.dropped.rows);
            tail.push(vec![(self.index, self.changes)], journal.link());
            cut = self.index;
        }
        Ok(Begun { write, cut })
    }
}

impl Begun {
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
