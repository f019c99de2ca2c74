//! The durable files, and the path of commits into them.
//!
//! Two files: `log.redb` is the journal, one record for each batch of commits; `rows.redb` holds the rows as of
//! some index. A commit is durable once its record is. A background thread applies pending changes to the rows,
//! in key order, and truncates the journal; because the rows are a separate file, this delays no commit.
//! Opening loads the rows and replays the rest of the journal.
//!
//! Invariant: the journal continues from the index of the rows, or the store is not opened.
//! Invariant: both files belong to one store and to one course of its history: see `pairing`.
//! Invariant: a failed write to either file stops all writing, so that no loss is silent; writing resumes only
//! after both files were opened again and proved to lack the failed write.
//! Limit: at most `checkpoint::TAIL_MAX` bytes wait for the next checkpoint; further commits wait.

mod checkpoint;
mod database;
mod deferred_backend;
mod found_tables;
mod journal;
mod open_work;
mod pairing;
mod private;
mod read_only;
pub(crate) mod record;
mod redb_panic;
mod rows;
mod shapes;

use std::sync::Arc;
use std::thread::JoinHandle;

use checkpoint::{Checkpoint, Tail};
pub(crate) use database::{Access, Files};
use database::{contradictory, io_error};
use found_tables::FoundTables;
use journal::LogFile;
pub(crate) use journal::{Journal, MemoryJournal};
use open_work::OpenWork;
use pairing::Pairing;
use parking_lot::Mutex;
use redb_panic::catch_redb_panic;
use rows::{Applied, RowFile};
use shapes::Partly;
use uuid::Uuid;

use crate::change::Change;
use crate::error::{CommitError, OpenError, ReopenError};
use crate::options::{History, Options};
use crate::root::Root;
use crate::schema::Schema;
use crate::shape::Versions;

/// Commits to be written.
pub(crate) type Commits = Vec<(u64, Vec<Change>)>;

/// The open files of a store, and the thread that checkpoints them.
pub(crate) struct Durable {
    checkpoint: Arc<Checkpoint>,
    /// `None` for read-only files.
    thread: Option<JoinHandle<()>>,
    names: Vec<&'static str>,
    /// `None` for read-only files of format 1.
    id: Option<Uuid>,
    /// Holds the directory lock, and opens the files again.
    files: Files,
    /// Shapes of which rows may reveal further parts.
    partly: Mutex<Vec<Partly>>,
}

impl Durable {
    /// Opens or creates the files, and loads the state.
    pub(crate) fn open(
        files: Files,
        schema: &Schema,
        options: &Options,
    ) -> Result<(Self, Root, Schema), OpenError> {
        let path = files.rows_path().to_owned();
        catch_redb_panic(|| Self::open_files(files, schema, options))
            .unwrap_or_else(|_| Err(contradictory(&path)))
    }

    fn open_files(
        files: Files,
        schema: &Schema,
        options: &Options,
    ) -> Result<(Self, Root, Schema), OpenError> {
        // Both files are opened before either is created or changed, so that a mismatch leaves them unchanged.
        let log = files.log()?.map(|db| LogFile::open(db, &files)).transpose()?;
        let rows = files.rows()?.map(|db| RowFile::open(db, &files)).transpose()?;
        let heads = (log.as_ref().map(|(_, head)| *head), rows.as_ref().map(|(_, head)| *head));
        let pairing = Pairing::of(&files, heads.0, heads.1)?;
        if files.access() == Access::Read && (log.is_none() || rows.is_none()) {
            return Err(OpenError::NoStore { dir: files.dir().to_owned() });
        }
        let (journal, _) = match log {
            Some(log) => log,
            None => LogFile::open(files.create_log()?, &files)?,
        };
        let (mut rows, _) = match rows {
            Some(rows) => rows,
            None => RowFile::open(files.create_rows()?, &files)?,
        };
        let applied = rows.applied();
        check_linked(&files, &journal, applied)?;
        let found = FoundTables::in_files(&rows, &journal, &files)?;
        let mut schema = found.resolve(schema, &files)?;
        rows.name(&schema);
        let salvage = options.salvage.is_on();
        // Before any row is read: the bytes of a changed type may not decode, and that error would hide the
        // cause.
        let mut shapes = rows.shapes(files.rows_path(), &schema)?;
        shapes.hand_over(&mut schema);
        let mut root = rows.load(files.rows_path(), &schema, salvage)?;
        let mut tail = replay(&journal, &files, &schema, applied, &mut root, salvage)
            .map_err(|error| shapes.explanation().unwrap_or(error))?;
        shapes.resolve(&root)?;
        shapes.learn(&root, files.rows_path(), &schema)?;
        let changed = root
            .finish_load()
            .map_err(|source| OpenError::Row { path: files.rows_path().to_owned(), source })?;
        // Before any write: the unreadable rows that the open deletes are saved by now.
        options.salvage.save(&changed.unreadable).map_err(|e| io_error(files.rows_path(), e))?;
        let mut id = pairing.id();
        let mut started = None;
        if files.access() != Access::Read {
            id = Some(accept(&files, &journal, &mut rows, pairing, options)?);
            // After the acceptance, because the file must not change before.
            rows.record(&shapes, files.rows_path(), &schema)?;
            let work = OpenWork::new(root.index, changed.changes, found.dropped(&schema));
            started = Some(work.begin(&mut rows, &journal, &mut tail, &files)?);
        }
        // A read-only file is never truncated.
        let history = match files.access() {
            Access::Read => History { commits: u64::MAX, bytes: u64::MAX },
            Access::Create | Access::Write => options.kept_history(),
        };
        let names = schema.tables.iter().map(|def| def.name).collect();
        let checkpoint = Arc::new(Checkpoint::new(
            Box::new(journal),
            rows,
            tail,
            history,
            options.observer.clone(),
        ));
        if let Some(started) = started {
            started.finish(&checkpoint, &files)?;
        }
        let thread = match files.access() {
            Access::Read => None,
            Access::Create | Access::Write => Some(spawn(&files, &checkpoint)?),
        };
        let partly = Mutex::new(shapes.partly(&schema));
        Ok((Self { checkpoint, thread, names, id, files, partly }, root, schema))
    }

    /// Returns the store's identity.
    pub(crate) fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// Returns whether the files are read-only.
    pub(crate) fn is_read_only(&self) -> bool {
        self.files.access() == Access::Read
    }

    /// Makes commits durable: their record is on disk on return. Returns the length of the record in bytes.
    pub(crate) fn append(&self, commits: Commits) -> Result<u64, CommitError> {
        self.record_learned(&commits)?;
        let bytes = append(self.checkpoint.journal(), &self.names, &commits, || {
            self.checkpoint.wait_for_room()
        })?;
        self.checkpoint.add(commits, self.checkpoint.journal().link());
        self.checkpoint.trim();
        Ok(bytes)
    }

    /// Records the parts of row types that rows of these commits reveal for the first time.
    fn record_learned(&self, commits: &Commits) -> Result<(), CommitError> {
        let changes = || commits.iter().flat_map(|(_, changes)| changes);
        for partly in self.partly.lock().iter_mut() {
            let learned = partly.learned(|slot| changes().any(|change| change.table == slot));
            if let Some((table, versions)) = learned {
                // Before the commit is durable, so that every open that finds the row also has its shape.
                self.add_shapes(table, &versions)?;
            }
        }
        Ok(())
    }

    pub(crate) fn journal(&self) -> &dyn Journal {
        self.checkpoint.journal()
    }

    /// Verifies every checksum of both files, which MUST be opened with [`Access::Read`].
    pub(crate) fn check_integrity(files: &Files) -> Result<(), OpenError> {
        for (db, path) in [(files.rows()?, files.rows_path()), (files.log()?, files.log_path())] {
            let damaged = |reason: String| OpenError::Damaged { path: path.to_owned(), reason };
            // A missing file is reported by the open that follows, with its reason.
            let Some(db) = db else { continue };
            match catch_redb_panic(move || db.check_integrity()) {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return Err(damaged("a checksum did not match".to_owned())),
                Ok(Err(error)) => return Err(damaged(error.to_string())),
                Err(_) => return Err(contradictory(path)),
            }
        }
        Ok(())
    }

    /// Applies all pending changes to the rows.
    pub(crate) fn checkpoint_now(&self) -> Result<(), CommitError> {
        self.checkpoint.apply()
    }

    /// Applies all pending changes to the rows, and releases space that the journal does not need. The caller
    /// MUST NOT let another commit begin.
    pub(crate) fn checkpoint_last(&self) -> Result<(), CommitError> {
        self.checkpoint.apply()?;
        self.checkpoint.journal().compact();
        Ok(())
    }

    /// Records shapes of a table; they are durable on return.
    pub(crate) fn add_shapes(&self, table: &str, added: &Versions) -> Result<(), CommitError> {
        self.checkpoint.add_shapes(table, added)
    }

    /// Returns the failure that stopped checkpoints, if any.
    pub(crate) fn failure(&self) -> Option<CommitError> {
        self.checkpoint.failure()
    }

    /// Opens both files again after a failed write. The caller MUST block commits.
    pub(crate) fn reopen(&self) -> Result<(), ReopenError> {
        self.checkpoint.reopen(&self.files)
    }
}

/// A clean close leaves the rows as of the last commit, so that the next open replays nothing and a later loss
/// of the journal loses no commit.
impl Drop for Durable {
    fn drop(&mut self) {
        self.checkpoint.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
            // An unwinding thread must not do long work: the next open replays the journal instead.
            if !std::thread::panicking() {
                let _ = self.checkpoint_last();
            }
        }
    }
}

fn spawn(files: &Files, checkpoint: &Arc<Checkpoint>) -> Result<JoinHandle<()>, OpenError> {
    let checkpoint = Arc::clone(checkpoint);
    std::thread::Builder::new()
        .name("statehold-checkpoint".to_owned())
        .spawn(move || checkpoint.run())
        .map_err(|source| io_error(files.rows_path(), source))
}

/// Accepts both files, which passed all checks, and writes the identity into those that lack it.
///
/// The order matters: the journal gets the identity before the rows, and records that both have it only after
/// that is durable. A crash in between leaves one of the states from which [`Pairing::of`] continues.
fn accept(
    files: &Files,
    journal: &LogFile,
    rows: &mut RowFile,
    pairing: Pairing,
    options: &Options,
) -> Result<Uuid, OpenError> {
    let of_log = |error: journal::JournalError| OpenError::Damaged {
        path: files.log_path().to_owned(),
        reason: error.to_string(),
    };
    let id = pairing.id().or(options.id).unwrap_or_else(Uuid::new_v4);
    if pairing == Pairing::Unnamed {
        journal.adopt(id).map_err(of_log)?;
    }
    journal.accept().map_err(|source| io_error(files.log_path(), source))?;
    if !matches!(pairing, Pairing::Paired(_)) {
        let link = journal.link_at(rows.applied().index).map_err(of_log)?.unwrap_or_default();
        rows.adopt(id, link).map_err(|error| OpenError::Damaged {
            path: files.rows_path().to_owned(),
            reason: error.to_string(),
        })?;
    }
    rows.accept().map_err(|source| io_error(files.rows_path(), source))?;
    if !matches!(pairing, Pairing::Paired(_)) {
        journal.pair().map_err(|error| {
            io_error(files.log_path(), std::io::Error::other(error.to_string()))
        })?;
    }
    Ok(id)
}

/// Checks that the journal has the record up to which the rows were applied.
fn check_linked(files: &Files, journal: &LogFile, applied: Applied) -> Result<(), OpenError> {
    let unpaired = |reason: String| OpenError::Unpaired { dir: files.dir().to_owned(), reason };
    // Either the commits after the rows are missing, or the journal is older than the rows.
    if journal.compacted() > applied.index || journal.last() < applied.index {
        return Err(unpaired(format!(
            "log.redb ends with the commit {} and lacks those up to {}, rows.redb is as of the commit {}",
            journal.last(),
            journal.compacted(),
            applied.index,
        )));
    }
    let found = journal.link_at(applied.index).map_err(|error| OpenError::Damaged {
        path: files.log_path().to_owned(),
        reason: error.to_string(),
    })?;
    match (applied.link, found) {
        (Some(link), Some(found)) if link != found => {
            Err(unpaired(format!("both have a commit {}, but not the same one", applied.index)))
        }
        (_, None) => Err(unpaired(format!(
            "no record of log.redb ends with the commit {}, which rows.redb is as of",
            applied.index
        ))),
        _ => Ok(()),
    }
}

/// Appends the record of commits to a journal. Returns its length in bytes.
pub(crate) fn append(
    journal: &dyn Journal,
    names: &[&'static str],
    commits: &Commits,
    before: impl FnOnce() -> Result<(), CommitError>,
) -> Result<u64, CommitError> {
    let (Some((first, _)), Some((last, _))) = (commits.first(), commits.last()) else {
        return Ok(0);
    };
    // Waits before the record is encoded, so that no memory is held for it meanwhile.
    before()?;
    let each = commits.iter().map(|(index, changes)| (*index, changes.as_slice()));
    let record = record::encode(journal.link(), names, each).ok_or_else(|| {
        CommitError::Storage { reason: "a batch is larger than a journal record can be".into() }
    })?;
    let bytes = record.len() as u64;
    journal.append(*first, *last, record)?;
    Ok(bytes)
}

/// Applies the journal's commits after the root's index. Returns them, for the next checkpoint.
fn replay(
    journal: &LogFile,
    files: &Files,
    schema: &Schema,
    applied: Applied,
    root: &mut Root,
    salvage: bool,
) -> Result<Tail, OpenError> {
    let path = files.log_path();
    let damaged = |reason: String| OpenError::Damaged { path: path.to_owned(), reason };
    let mut tail = Tail::default();
    // A file of format 1 has no checksum of its last record, so its first new record cannot be checked.
    let mut link = applied.link;
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
            if let (Some(before), Some(link)) = (record.before, link)
                && before != link
            {
                return Err(damaged(format!(
                    "the record after the commit {} doesn't follow the one before it",
                    root.index
                )));
            }
            let mut commits: Commits = Vec::with_capacity(record.commits.len());
            let before = root.index;
            for commit in record.commits.iter().filter(|commit| commit.index > before) {
                let changes = root
                    .replay(schema, commit, salvage)
                    .map_err(|source| OpenError::Row { path: path.to_owned(), source })?;
                root.index = commit.index;
                commits.push((commit.index, changes));
            }
            // A record is only returned for a range that it should cover.
            if commits.is_empty() {
                return Err(damaged("a record holds none of the commits it should".to_owned()));
            }
            let sum = record::checksum(&bytes);
            tail.push(commits, sum);
            link = Some(sum);
        }
    }
}

/// Number of journal bytes read at once during a replay.
const REPLAY_BYTES: usize = 4 << 20;

/// Removes everything that format 1 lacks from a file, as if an older build had written it.
#[cfg(test)]
fn downgrade(path: &std::path::Path) {
    use redb::{ReadableTable, TableDefinition};
    const META: TableDefinition<'_, &str, u64> = TableDefinition::new("statehold");
    const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
    let db = redb::Database::create(path).unwrap();
    let txn = db.begin_write().unwrap();
    {
        let mut meta = txn.open_table(META).unwrap();
        meta.insert("format", 1).unwrap();
        for name in ["id/high", "id/low", "paired", "link"] {
            meta.remove(name).unwrap();
        }
    }
    if txn.list_tables().unwrap().any(|table| redb::TableHandle::name(&table) == "records") {
        let mut records = txn.open_table(RECORDS).unwrap();
        let old: Vec<(u64, Vec<u8>)> = records
            .iter()
            .unwrap()
            .map(|record| {
                record.map(|(last, bytes)| (last.value(), bytes.value().to_vec())).unwrap()
            })
            .collect();
        for (last, bytes) in old {
            records.insert(last, record::unlinked(&bytes).as_slice()).unwrap();
        }
    }
    txn.commit().unwrap();
}

#[cfg(test)]
mod crash;
