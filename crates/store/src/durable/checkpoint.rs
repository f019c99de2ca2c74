//! The checkpoint: applies the journal's pending changes to the rows, then truncates the journal.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};

use super::Commits;
use super::database::Files;
use super::journal::Journal;
use super::redb_panic::catch_redb_panic;
use super::rows::{Applied, RowFile};
use crate::change::Change;
use crate::error::{CommitError, ReopenError};
use crate::observer::{Checkpointed, ObserverHandle};
use crate::options::History;
use crate::shape::Versions;

/// Size of pending changes in bytes at which a checkpoint begins.
const CHECKPOINT_AT: u64 = 8 << 20;

/// Maximum size of pending changes in bytes; further commits wait for a checkpoint.
const TAIL_MAX: u64 = 64 << 20;

/// The journal, the rows, and the changes that only the journal has.
pub(crate) struct Checkpoint {
    journal: Box<dyn Journal>,
    /// Locked while a checkpoint is written.
    rows: Mutex<RowFile>,
    state: Mutex<State>,
    changed: Condvar,
    history: History,
    /// The last commit that the rows on disk are known to have.
    applied: AtomicU64,
    observer: ObserverHandle,
}

struct State {
    tail: Tail,
    stop: bool,
    failed: Option<CommitError>,
}

/// Commits in the journal that the rows lack.
#[derive(Default)]
pub(crate) struct Tail {
    batches: VecDeque<Arc<Batch>>,
    bytes: u64,
}

/// The commits of one journal record, and its checksum.
struct Batch {
    commits: Commits,
    link: u32,
}

impl Tail {
    pub(crate) fn push(&mut self, commits: Commits, link: u32) {
        self.bytes += size(&commits);
        self.batches.push_back(Arc::new(Batch { commits, link }));
    }
}

fn size(commits: &Commits) -> u64 {
    let changes = commits.iter().flat_map(|(_, changes)| changes);
    changes.map(Change::bytes).sum()
}

impl Checkpoint {
    pub(crate) fn new(
        journal: Box<dyn Journal>,
        rows: RowFile,
        tail: Tail,
        history: History,
        observer: ObserverHandle,
    ) -> Self {
        Self {
            journal,
            applied: AtomicU64::new(rows.applied().index),
            rows: Mutex::new(rows),
            state: Mutex::new(State { tail, stop: false, failed: None }),
            changed: Condvar::new(),
            history,
            observer,
        }
    }

    pub(crate) fn journal(&self) -> &dyn Journal {
        &*self.journal
    }

    /// Adds commits that the journal has.
    pub(crate) fn add(&self, commits: Commits, link: u32) {
        let mut state = self.state.lock();
        state.tail.push(commits, link);
        // Below it, a checkpoint would rewrite the same pages again and again for few rows.
        if state.tail.bytes >= CHECKPOINT_AT {
            self.changed.notify_all();
        }
    }

    /// Drops the oldest commits that the rows on disk have, if a bound of the history is exceeded.
    pub(crate) fn trim(&self) {
        let applied = self.applied.load(Ordering::Acquire);
        // The commit is durable, so this MUST NOT fail it. A file that cannot be truncated is larger for now,
        // and the next write meets the same failure.
        let _ = self.journal.trim_after_commit(self.history, applied);
    }

    /// Waits until the pending changes are below their maximum.
    pub(crate) fn wait_for_room(&self) -> Result<(), CommitError> {
        let mut state = self.state.lock();
        loop {
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            // A stopping store must not block: its last checkpoint applies everything.
            if state.tail.bytes < TAIL_MAX || state.stop {
                return Ok(());
            }
            self.changed.wait(&mut state);
        }
    }

    /// Writes a checkpoint whenever enough changes are pending, until [`stop`](Self::stop).
    pub(crate) fn run(&self) {
        loop {
            {
                let mut state = self.state.lock();
                // After a failure there is nothing to do until the files are opened again.
                while !state.stop && (state.failed.is_some() || state.tail.bytes < CHECKPOINT_AT) {
                    self.changed.wait(&mut state);
                }
                if state.stop {
                    return;
                }
            }
            // The state keeps the failure, and the next commit returns it.
            let _ = self.apply();
        }
    }

    pub(crate) fn stop(&self) {
        self.state.lock().stop = true;
        self.changed.notify_all();
    }

    /// Applies the pending changes to the rows and truncates the journal.
    pub(crate) fn apply(&self) -> Result<(), CommitError> {
        let mut rows = self.rows.lock();
        let batches: Vec<Arc<Batch>> = {
            let state = self.state.lock();
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            state.tail.batches.iter().cloned().collect()
        };
        // redb can panic over damaged pages, which must not leave commits waiting forever.
        let result = catch_redb_panic(|| self.write(&mut rows, &batches)).unwrap_or_else(|_| {
            let reason = "the checkpoint failed: the pages of a file contradict each other";
            Err(CommitError::Storage { reason: reason.into() })
        });
        let mut state = self.state.lock();
        match &result {
            Ok(()) => {
                // Commits may have been added meanwhile, so remove only the batches that were written.
                for _ in &batches {
                    if let Some(done) = state.tail.batches.pop_front() {
                        state.tail.bytes -= size(&done.commits);
                    }
                }
            }
            Err(error) => state.failed = Some(error.clone()),
        }
        drop(state);
        if let Err(error) = &result {
            self.observer.emit(|to| to.poisoned(error));
        }
        self.changed.notify_all();
        result
    }

    /// Records shapes of a table; they are durable on return. A failure stops all writing, like a failed
    /// checkpoint.
    pub(crate) fn add_shapes(&self, table: &str, added: &Versions) -> Result<(), CommitError> {
        let rows = self.rows.lock();
        if let Some(error) = self.failure() {
            return Err(error);
        }
        let reason = match catch_redb_panic(|| rows.add_shapes(table, added)) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the pages of a file contradict each other".to_owned(),
        };
        let reason = format!("the shapes of the table {table} could not be recorded: {reason}");
        let error = CommitError::Storage { reason: reason.into() };
        self.state.lock().failed = Some(error.clone());
        self.observer.emit(|to| to.poisoned(&error));
        self.changed.notify_all();
        Err(error)
    }

    /// Returns the failure that stopped checkpoints, if any.
    pub(crate) fn failure(&self) -> Option<CommitError> {
        self.state.lock().failed.clone()
    }

    /// Opens both files again after a failed write. The caller MUST block commits.
    pub(crate) fn reopen(&self, files: &Files) -> Result<(), ReopenError> {
        let mut rows = self.rows.lock();
        let ahead: Vec<Applied> = {
            let state = self.state.lock();
            let last = |batch: &Arc<Batch>| {
                let (index, _) = batch.commits.last()?;
                Some(Applied { index: *index, link: Some(batch.link) })
            };
            state.tail.batches.iter().filter_map(last).collect()
        };
        let outcome = self.journal.reopen(files).and_then(|()| rows.reopen(files, &ahead));
        let mut state = self.state.lock();
        // On an error one of the files may be closed, so no checkpoint may run.
        state.failed = outcome
            .as_ref()
            .err()
            .map(|error| CommitError::Storage { reason: error.to_string().into() });
        drop(state);
        self.changed.notify_all();
        outcome
    }

    fn write(&self, rows: &mut RowFile, batches: &[Arc<Batch>]) -> Result<(), CommitError> {
        let started = self.observer.now();
        let commits = || batches.iter().flat_map(|batch| batch.commits.iter());
        let Some((index, _)) = commits().next_back() else {
            // An older build, or other options, may have left more than the history allows.
            return Ok(self.journal.trim(self.history, rows.applied().index)?);
        };
        let link = batches.last().map_or(0, |batch| batch.link);
        // Only the last version of a row is written, and in key order, which keeps redb's page writes local.
        let mut latest: BTreeMap<(usize, &[u8]), Option<&[u8]>> = BTreeMap::new();
        let mut table_indexes: BTreeMap<usize, u64> = BTreeMap::new();
        for (index, changes) in commits() {
            for change in changes {
                latest.insert((change.table, change.key.as_slice()), change.row.as_deref());
                table_indexes.insert(change.table, *index);
            }
        }
        rows.apply(&latest, &table_indexes, *index, link).map_err(|error| {
            CommitError::Storage { reason: format!("the checkpoint failed: {error}").into() }
        })?;
        // After the rows are durable and before the truncation, which relies on it.
        self.applied.store(*index, Ordering::Release);
        self.journal.trim(self.history, *index)?;
        self.observer.emit(|to| {
            let bytes: usize =
                latest.iter().map(|((_, key), row)| key.len() + row.map_or(0, <[u8]>::len)).sum();
            to.checkpointed(&Checkpointed {
                index: *index,
                rows: latest.len(),
                bytes: bytes as u64,
                oldest_change: self.journal.compacted().saturating_add(1),
                history_bytes: self.journal.bytes(),
                took: self.observer.since(started),
            });
        });
        Ok(())
    }
}
