//! What is on disk, and how commits get there.
//!
//! Two files: `log.redb` is the journal, one record a batch of commits; `rows.redb` holds the rows
//! as of some index. A commit is durable when its record is. A thread in the background applies
//! what gathered to the rows, in key order, and cuts the journal; being another file, that holds up
//! no commit. Opening loads the rows and replays the journal after them.
//!
//! Invariant: the rows are as of an index that the journal goes on from, or the store isn't opened.
//! Invariant: a failed write to either file ends all writing, so that nothing is lost in silence.
//! Limit: what gathers for the next checkpoint is at most `checkpoint::TAIL_MAX` bytes; commits wait then.

mod checkpoint;
mod database;
mod gate;
mod journal;
pub(crate) mod record;
mod rows;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use checkpoint::{Checkpoint, Tail};
pub(crate) use database::Files;
use database::{contradictory, io_error};
use journal::LogFile;
pub(crate) use journal::{Journal, MemoryJournal};
use rows::RowFile;

use crate::error::{CommitError, OpenError};
use crate::observer::Observed;
use crate::state::{Change, Root, Schema};

/// Commits on their way to the disk.
pub(crate) type Commits = Vec<(u64, Vec<Change>)>;

/// The open files of a store, and the thread that checkpoints them.
pub(crate) struct Durable {
    checkpoint: Arc<Checkpoint>,
    thread: Option<JoinHandle<()>>,
    names: Vec<&'static str>,
    /// Keeps others out of the directory.
    _lock: Option<File>,
}

impl Durable {
    /// Opens or creates the files, and loads the state.
    pub(crate) fn open(
        files: Files,
        schema: &Schema,
        history: u64,
        observer: Observed,
    ) -> Result<(Self, Root), OpenError> {
        let path = files.rows_path().to_owned();
        // Bytes that nobody wrote can make redb panic.
        catch_unwind(AssertUnwindSafe(|| Self::open_files(files, schema, history, observer)))
            .unwrap_or_else(|_| Err(contradictory(&path)))
    }

    fn open_files(
        files: Files,
        schema: &Schema,
        history: u64,
        observer: Observed,
    ) -> Result<(Self, Root), OpenError> {
        let rows_db = files.rows()?;
        let log_db = files.log()?;
        let (rows, loaded) = RowFile::load(rows_db, files.rows_path(), schema)?;
        let journal = LogFile::open(log_db, files.log_path())?;
        let applied = loaded.index;
        if journal.compacted() > applied || journal.last() < applied {
            return Err(OpenError::Damaged {
                path: files.log_path().to_owned(),
                reason: format!(
                    "its last commit is {}, of those up to {} nothing is left, and the rows beside it \
                     are as of {applied}: the two files don't belong together, or one was deleted",
                    journal.last(),
                    journal.compacted(),
                ),
            });
        }
        let mut root = loaded;
        let tail = replay(&journal, files.log_path(), schema, &mut root)?;
        root.settle()
            .map_err(|source| OpenError::Row { path: files.rows_path().to_owned(), source })?;
        // Both are good: now they are ours to write.
        rows.accept().map_err(|source| io_error(files.rows_path(), source))?;
        journal.accept().map_err(|source| io_error(files.log_path(), source))?;
        let names = schema.tables.iter().map(|def| def.name).collect();
        let checkpoint =
            Arc::new(Checkpoint::new(Box::new(journal), rows, tail, history, observer));
        let thread = {
            let checkpoint = Arc::clone(&checkpoint);
            std::thread::Builder::new()
                .name("statehold-checkpoint".to_owned())
                .spawn(move || checkpoint.run())
                .map_err(|source| OpenError::Io {
                    path: files.rows_path().to_owned(),
                    source: Arc::new(source),
                })?
        };
        Ok((Self { checkpoint, thread: Some(thread), names, _lock: files.into_lock() }, root))
    }

    /// Makes commits durable: on return their record is on disk; its bytes.
    pub(crate) fn append(&self, commits: Commits) -> Result<u64, CommitError> {
        let bytes = append(self.checkpoint.journal(), &self.names, &commits, || {
            self.checkpoint.wait_for_room()
        })?;
        self.checkpoint.add(commits);
        Ok(bytes)
    }

    pub(crate) fn journal(&self) -> &dyn Journal {
        self.checkpoint.journal()
    }

    /// Checks every checksum of both files. Nobody may have them open.
    pub(crate) fn check_integrity(files: &Files) -> Result<(), OpenError> {
        for (db, path) in [(files.rows()?, files.rows_path()), (files.log()?, files.log_path())] {
            let damaged = |reason: String| OpenError::Damaged { path: path.to_owned(), reason };
            match catch_unwind(AssertUnwindSafe(move || db.check_integrity())) {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return Err(damaged("a checksum did not match".to_owned())),
                Ok(Err(error)) => return Err(damaged(error.to_string())),
                Err(_) => return Err(contradictory(path)),
            }
        }
        Ok(())
    }

    /// Applies everything that gathered to the rows, now.
    pub(crate) fn checkpoint_now(&self) -> Result<(), CommitError> {
        self.checkpoint.apply()
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        self.checkpoint.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Appends the record of commits to a journal; its bytes.
pub(crate) fn append(
    journal: &dyn Journal,
    names: &[&'static str],
    commits: &Commits,
    before: impl FnOnce() -> Result<(), CommitError>,
) -> Result<u64, CommitError> {
    let (Some((first, _)), Some((last, _))) = (commits.first(), commits.last()) else {
        return Ok(0);
    };
    before()?;
    let each = commits.iter().map(|(index, changes)| (*index, changes.as_slice()));
    let record = record::encode(names, each).ok_or_else(|| CommitError::Storage {
        reason: "a batch is larger than a journal record can be".into(),
    })?;
    let bytes = record.len() as u64;
    journal.append(*first, *last, record)?;
    Ok(bytes)
}

/// Applies what the journal has after the root's index; what that was, for the next checkpoint.
fn replay(
    journal: &LogFile,
    path: &Path,
    schema: &Schema,
    root: &mut Root,
) -> Result<Tail, OpenError> {
    let damaged = |reason: String| OpenError::Damaged { path: path.to_owned(), reason };
    let mut tail = Tail::default();
    loop {
        let Some(next) = root.index.checked_add(1) else { return Ok(tail) };
        let records =
            journal.read_from(next, REPLAY_BYTES).map_err(|error| damaged(error.to_string()))?;
        if records.is_empty() {
            return Ok(tail);
        }
        for bytes in records {
            let record = record::decode(&bytes)
                .map_err(|source| OpenError::Record { path: path.to_owned(), source })?;
            let mut commits: Commits = Vec::with_capacity(record.commits.len());
            let before = root.index;
            for commit in record.commits.iter().filter(|commit| commit.index > before) {
                let changes = root
                    .replay(schema, commit)
                    .map_err(|source| OpenError::Row { path: path.to_owned(), source })?;
                root.index = commit.index;
                commits.push((commit.index, changes));
            }
            if commits.is_empty() {
                return Err(damaged("a record holds none of the commits it should".to_owned()));
            }
            tail.push(commits);
        }
    }
}

/// Bytes of the journal that are read at once when it is replayed.
const REPLAY_BYTES: usize = 4 << 20;

#[cfg(test)]
mod crash;
