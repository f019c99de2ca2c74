//! What is on disk, and how commits get there.
//!
//! Two files: `log.redb` is the journal, one record a batch of commits; `rows.redb` holds the rows
//! as of some index. A commit is durable when its record is. A thread in the background applies
//! what gathered to the rows, in key order, and cuts the journal; being another file, that holds up
//! no commit. Opening loads the rows and replays the journal after them.
//!
//! Invariant: the rows are as of an index that the journal goes on from, or the store isn't opened.
//! Invariant: both files are of one store and of one course of its history: see `pairing`.
//! Invariant: a failed write to either file ends all writing, so that nothing is lost in silence; it begins
//! again only after both files were opened anew and proved to lack the failed write.
//! Limit: what gathers for the next checkpoint is at most `checkpoint::TAIL_MAX` bytes; commits wait then.

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

/// Commits on their way to the disk.
pub(crate) type Commits = Vec<(u64, Vec<Change>)>;

/// The open files of a store, and the thread that checkpoints them.
pub(crate) struct Durable {
    checkpoint: Arc<Checkpoint>,
    /// None while the files are only read.
    thread: Option<JoinHandle<()>>,
    names: Vec<&'static str>,
    /// None for files of format 1 that are only read.
    id: Option<Uuid>,
    /// Keeps others out of the directory, and opens its files again.
    files: Files,
    /// Shapes that rows may show more of.
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
        // Before a row is read: bytes of a type that changed can fail to be read, which would hide why.
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
        // Before anything is written: what is removed is somewhere else then.
        options.salvage.save(&changed.unreadable).map_err(|e| io_error(files.rows_path(), e))?;
        let mut id = pairing.id();
        let mut started = None;
        if files.access() != Access::Read {
            id = Some(accept(&files, &journal, &mut rows, pairing, options)?);
            rows.record(&shapes, files.rows_path(), &schema)?;
            let work = OpenWork::new(root.index, changed.changes, found.dropped(&schema));
            started = Some(work.begin(&mut rows, &journal, &mut tail, &files)?);
        }
        // A file that is only read is never cut.
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

    /// The store's identity.
    pub(crate) fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// Whether the files are only read.
    pub(crate) fn is_read_only(&self) -> bool {
        self.files.access() == Access::Read
    }

    /// Makes commits durable: on return their record is on disk; its bytes.
    pub(crate) fn append(&self, commits: Commits) -> Result<u64, CommitError> {
        self.record_learned(&commits)?;
        let bytes = append(self.checkpoint.journal(), &self.names, &commits, || {
            self.checkpoint.wait_for_room()
        })?;
        self.checkpoint.add(commits, self.checkpoint.journal().link());
        self.checkpoint.trim();
        Ok(bytes)
    }

    /// Records the parts of row types that rows of these commits show for the first time.
    fn record_learned(&self, commits: &Commits) -> Result<(), CommitError> {
        let changes = || commits.iter().flat_map(|(_, changes)| changes);
        for partly in self.partly.lock().iter_mut() {
            let learned = partly.learned(|slot| changes().any(|change| change.table == slot));
            if let Some((table, versions)) = learned {
                // Before the commit is durable: an open that finds the row has its shape then.
                self.add_shapes(table, &versions)?;
            }
        }
        Ok(())
    }

    pub(crate) fn journal(&self) -> &dyn Journal {
        self.checkpoint.journal()
    }

    /// Checks every checksum of both files, which are opened with [`Access::Read`].
    pub(crate) fn check_integrity(files: &Files) -> Result<(), OpenError> {
        for (db, path) in [(files.rows()?, files.rows_path()), (files.log()?, files.log_path())] {
            let damaged = |reason: String| OpenError::Damaged { path: path.to_owned(), reason };
            // Opening says why a file that is missing is refused.
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

    /// Applies everything that gathered to the rows, now.
    pub(crate) fn checkpoint_now(&self) -> Result<(), CommitError> {
        self.checkpoint.apply()
    }

    /// Applies everything that gathered to the rows, and gives space back that the journal has no use for.
    /// The caller lets no commit begin any more.
    pub(crate) fn checkpoint_last(&self) -> Result<(), CommitError> {
        self.checkpoint.apply()?;
        self.checkpoint.journal().compact();
        Ok(())
    }

    /// Records shapes of a table; durable on return.
    pub(crate) fn add_shapes(&self, table: &str, added: &Versions) -> Result<(), CommitError> {
        self.checkpoint.add_shapes(table, added)
    }

    /// Why no checkpoint is written any more.
    pub(crate) fn failure(&self) -> Option<CommitError> {
        self.checkpoint.failure()
    }

    /// Opens both files again after a failed write. The caller keeps commits away.
    pub(crate) fn reopen(&self) -> Result<(), ReopenError> {
        self.checkpoint.reopen(&self.files)
    }
}

/// A clean close leaves the rows as of the last commit, so that the next open has nothing to replay and a
/// journal that is lost afterwards loses no commit.
impl Drop for Durable {
    fn drop(&mut self) {
        self.checkpoint.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
            // An unwinding thread closes the files as they are: replaying the journal is as good.
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

/// Takes both files for ours, which were found good, and gives them the identity that they lack.
///
/// The order matters: the journal gets the identity before the rows, and notes that both have it only when
/// that is durable. A crash in between leaves one of the states that [`Pairing::of`] goes on from.
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

/// Checks that the journal has the very record that the rows were applied up to.
fn check_linked(files: &Files, journal: &LogFile, applied: Applied) -> Result<(), OpenError> {
    let unpaired = |reason: String| OpenError::Unpaired { dir: files.dir().to_owned(), reason };
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
    let record = record::encode(journal.link(), names, each).ok_or_else(|| {
        CommitError::Storage { reason: "a batch is larger than a journal record can be".into() }
    })?;
    let bytes = record.len() as u64;
    journal.append(*first, *last, record)?;
    Ok(bytes)
}

/// Applies what the journal has after the root's index; what that was, for the next checkpoint.
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
    // A file of format 1 has no checksum of the record that it is as of: the next record tells it.
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
            if commits.is_empty() {
                return Err(damaged("a record holds none of the commits it should".to_owned()));
            }
            let sum = record::checksum(&bytes);
            tail.push(commits, sum);
            link = Some(sum);
        }
    }
}

/// Bytes of the journal that are read at once when it is replayed.
const REPLAY_BYTES: usize = 4 << 20;

/// Takes away from a file all that format 1 lacks, as an older build would have written it.
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
