//! The journal: records of commits in index order.
//!
//! The store uses only this trait, so that a replicated log can replace the file.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
    TableError,
};
use uuid::Uuid;

use super::database::{Access, Db, Files, io_error};
use super::pairing::{
    BLANK, FORMAT, LogHead, META_ID_HIGH, META_ID_LOW, first_link, halves, joined,
};
use super::record;
use super::redb_panic::catch_redb_panic;
use crate::error::{CommitError, OpenError, ReopenError};
use crate::options::History;

/// The log that records commits.
pub(crate) trait Journal: Send + Sync {
    /// Appends the record of the commits `first` to `last`; it is durable on return.
    fn append(&self, first: u64, last: u64, record: Vec<u8>) -> Result<(), JournalError>;

    /// Returns records in order, beginning with the one that holds the commit `index`, or else the first after
    /// it. Stops once they have `bytes`, but returns at least one if there is one.
    fn read_from(&self, index: u64, bytes: usize) -> Result<Vec<Vec<u8>>, JournalError>;

    /// Drops the oldest records, as [`Cut`] decides.
    fn cut(&self, cut: Cut) -> Result<(), JournalError>;

    /// Drops the records without a commit after `index`.
    fn truncate_to(&self, index: u64) -> Result<(), JournalError> {
        self.cut(Cut { upto: index, needed: index, bytes: u64::MAX, steps: usize::MAX })
    }

    /// Drops the oldest records that exceed the history, but none with a commit after `applied`.
    fn trim(&self, history: History, applied: u64) -> Result<(), JournalError> {
        let upto = self.last().saturating_sub(history.commits).min(applied);
        self.cut(Cut { upto, needed: applied, bytes: history.bytes, steps: usize::MAX })
    }

    /// Like [`Journal::trim`], for use after each commit: does nothing while both bounds hold, and then drops
    /// [`TRIM_SHARE`] more, so that few commits pay for it. One call drops at most [`TRUNCATE_STEP`] records.
    fn trim_after_commit(&self, history: History, applied: u64) -> Result<(), JournalError> {
        let (compacted, last) = (self.compacted(), self.last());
        // The rows need all of the remaining records.
        if compacted >= applied {
            return Ok(());
        }
        // Dropping exactly to the bound would truncate after every commit.
        let lowered = |bound: u64| bound - bound / TRIM_SHARE;
        let too_many = last.saturating_sub(history.commits) > compacted;
        let too_large = self.bytes() > history.bytes;
        let upto = if too_many { last.saturating_sub(lowered(history.commits)) } else { 0 };
        let bytes = if too_large { lowered(history.bytes) } else { u64::MAX };
        if too_many || too_large {
            self.cut(Cut { upto: upto.min(applied), needed: applied, bytes, steps: 1 })?;
        }
        Ok(())
    }

    /// Returns the size of all records in bytes; 0 for a read-only file.
    fn bytes(&self) -> u64;

    /// Returns the last commit that was dropped; 0 for none.
    fn compacted(&self) -> u64;

    /// Returns the last commit that was appended; 0 for none.
    fn last(&self) -> u64;

    /// Returns the checksum of the last record, which the next record holds; that of a virtual record before
    /// the first one.
    fn link(&self) -> u32;

    /// Releases space to the file system if most of the file is free. The caller MUST block appends.
    fn compact(&self) {}

    /// Opens the journal's file again after a failed write.
    ///
    /// # Errors
    /// [`ReopenError`]; no append is possible until a later call succeeds.
    fn reopen(&self, files: &Files) -> Result<(), ReopenError>;
}

/// The records that a truncation drops, from the oldest on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Records without a commit after this one are dropped.
    pub(crate) upto: u64,
    /// Records with a commit after this one are kept, whatever their size.
    pub(crate) needed: u64,
    /// Records in between are dropped while the records together are larger.
    pub(crate) bytes: u64,
    /// Maximum number of times that a file drops [`TRUNCATE_STEP`] records.
    pub(crate) steps: usize,
}

impl Cut {
    /// Returns whether to drop the oldest record, whose last commit is `last`, when all records have `bytes`.
    fn drops(self, last: u64, bytes: u64) -> bool {
        last <= self.upto || (bytes > self.bytes && last <= self.needed)
    }
}

/// An error of the journal, with its reason.
#[derive(Clone, Debug)]
pub(crate) struct JournalError(String);

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: Into<redb::Error>> From<E> for JournalError {
    fn from(error: E) -> Self {
        Self(error.into().to_string())
    }
}

impl From<JournalError> for CommitError {
    fn from(error: JournalError) -> Self {
        Self::Storage { reason: error.0.into() }
    }
}

/// The index of a record's last commit, mapped to the record.
const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");

/// Numbers by name.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("statehold");

const META_FORMAT: &str = "format";
const META_COMPACTED: &str = "compacted";
/// The checksum of the last record that was dropped.
const META_LINK: &str = "link";
/// Whether the rows are known to have the identity.
const META_PAIRED: &str = "paired";

/// Number of records that one transaction of a truncation removes, so that commits can run in between.
const TRUNCATE_STEP: usize = 512;

/// Divisor of the share of a bound that is dropped in addition after a commit exceeded it.
const TRIM_SHARE: u64 = 16;

/// Minimum file size for a compaction, in bytes. Smaller in tests, so that they can inject a crash at every
/// call.
const COMPACT_MIN: u64 = if cfg!(test) { 256 << 10 } else { 16 << 20 };

/// Minimum ratio of file size to record size for a compaction. redb doubles a file to grow it and rounds
/// records up to powers of two, so a ratio of four is normal.
const COMPACT_AT: u64 = 4;

/// A journal in a redb file.
pub(crate) struct LogFile {
    /// `None` after a failed attempt to open the file again.
    db: RwLock<Option<Db>>,
    bounds: Mutex<Bounds>,
    /// Whether a sync of the file ever failed.
    sync_failed: AtomicBool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bounds {
    compacted: u64,
    last: u64,
    /// The checksum of the last record that was dropped.
    compacted_link: u32,
    /// The checksum of the last record.
    link: u32,
    /// Size of the records in bytes; not counted in a read-only file.
    bytes: u64,
}

impl LogFile {
    /// Opens the file and reads its metadata.
    pub(crate) fn open(db: Db, files: &Files) -> Result<(Self, LogHead), OpenError> {
        let damaged = |error: JournalError| damaged(files, error.to_string());
        let (head, mut bounds) = Self::read(&db).map_err(damaged)?;
        if head.format > FORMAT {
            return Err(OpenError::NewerFormat {
                path: files.log_path().to_owned(),
                found: head.format,
                known: FORMAT,
            });
        }
        // Counting reads every record, which a journal that is never truncated does not need. A file opened for
        // writing is in the page cache: all of its pages were read for their checksums.
        if files.access() != Access::Read {
            bounds.bytes = Self::count(&db).map_err(damaged)?;
        }
        let sync_failed = AtomicBool::new(false);
        Ok((Self { db: RwLock::new(Some(db)), bounds: Mutex::new(bounds), sync_failed }, head))
    }

    fn read(db: &Database) -> Result<(LogHead, Bounds), JournalError> {
        let read = db.begin_read()?;
        let meta = match read.open_table(META) {
            Ok(meta) => meta,
            Err(TableError::TableDoesNotExist(_)) => {
                if read.list_tables()?.next().is_some() {
                    return Err(JournalError("it is another program's redb file".to_owned()));
                }
                return Ok((LogHead::default(), Bounds::default()));
            }
            Err(error) => return Err(error.into()),
        };
        let number = |name| {
            Ok::<_, JournalError>(
                meta.get(name)?.map(|value: redb::AccessGuard<'_, u64>| value.value()),
            )
        };
        let format = number(META_FORMAT)?.unwrap_or(BLANK);
        if format == BLANK {
            return Err(JournalError("it has no format number".to_owned()));
        }
        let mut head = LogHead { format, ..LogHead::default() };
        if format > FORMAT {
            // The other numbers of a newer format may have another meaning.
            return Ok((head, Bounds::default()));
        }
        head.id = joined(number(META_ID_HIGH)?, number(META_ID_LOW)?);
        head.paired = number(META_PAIRED)? == Some(1);
        let compacted = number(META_COMPACTED)?.unwrap_or(0);
        let first = head.id.map_or(0, first_link);
        // A checksum has 32 bits, so no build wrote a larger number.
        let compacted_link = match number(META_LINK)? {
            Some(link) => {
                u32::try_from(link).map_err(|_| JournalError("its link is no checksum".into()))?
            }
            None => first,
        };
        let records = read.open_table(RECORDS)?;
        let mut bounds =
            Bounds { compacted, last: compacted, compacted_link, link: compacted_link, bytes: 0 };
        if let Some((last, record)) = records.last()? {
            bounds.last = last.value();
            bounds.link = record::checksum(record.value());
        }
        head.used = bounds.last > 0;
        Ok((head, bounds))
    }

    /// Returns the size of the records in bytes.
    fn count(db: &Database) -> Result<u64, JournalError> {
        let read = db.begin_read()?;
        let records = match read.open_table(RECORDS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(0),
            records => records?,
        };
        let mut bytes = 0;
        for record in records.iter()? {
            bytes += record?.1.value().len() as u64;
        }
        Ok(bytes)
    }

    /// Writes the store's identity into a new file, or into one of an older build.
    pub(crate) fn adopt(&self, id: Uuid) -> Result<(), JournalError> {
        let bounds = {
            let db = self.db()?;
            let write = db.begin_write()?;
            {
                let mut meta = write.open_table(META)?;
                meta.insert(META_FORMAT, FORMAT)?;
                for (name, half) in halves(id) {
                    meta.insert(name, half)?;
                }
                write.open_table(RECORDS)?;
            }
            write.commit()?;
            Self::read(&db)?.1
        };
        let mut own = self.bounds.lock();
        // The identity is not part of the records, so their size stays.
        *own = Bounds { bytes: own.bytes, ..bounds };
        Ok(())
    }

    /// Records that the rows have the identity too. From here on the journal is rejected without them.
    pub(crate) fn pair(&self) -> Result<(), JournalError> {
        unpanicked(|| {
            let db = self.db()?;
            let write = db.begin_write()?;
            write.open_table(META)?.insert(META_PAIRED, 1)?;
            write.commit()?;
            Ok(())
        })
    }

    /// Accepts the file, which enables writes.
    pub(crate) fn accept(&self) -> io::Result<()> {
        self.db.read().as_ref().map_or(Ok(()), Db::accept)
    }

    /// Returns the checksum of the record that ends with the commit `index`; `None` if there is no such record.
    pub(crate) fn link_at(&self, index: u64) -> Result<Option<u32>, JournalError> {
        let bounds = *self.bounds.lock();
        if index == bounds.compacted {
            return Ok(Some(bounds.compacted_link));
        }
        let db = self.db()?;
        let read = db.begin_read()?;
        let record = read.open_table(RECORDS)?.get(index)?;
        Ok(record.map(|record| record::checksum(record.value())))
    }

    fn db(&self) -> Result<parking_lot::MappedRwLockReadGuard<'_, Db>, JournalError> {
        RwLockReadGuard::try_map(self.db.read(), Option::as_ref).map_err(|_| {
            JournalError("the journal is closed, because it could not be opened again".into())
        })
    }
}

fn damaged(files: &Files, reason: String) -> OpenError {
    OpenError::Damaged { path: files.log_path().to_owned(), reason }
}

/// Converts a panic of redb into an error. A file that is damaged while it is open can cause one.
fn unpanicked<R>(work: impl FnOnce() -> Result<R, JournalError>) -> Result<R, JournalError> {
    catch_redb_panic(work)
        .unwrap_or_else(|_| Err(JournalError("the journal's pages contradict each other".into())))
}

impl LogFile {
    fn insert(&self, last: u64, record: &[u8]) -> Result<(), JournalError> {
        let db = self.db()?;
        let write = db.begin_write()?;
        write.open_table(RECORDS)?.insert(last, record)?;
        write.commit()?;
        Ok(())
    }

    fn records(&self, index: u64, bytes: usize) -> Result<Vec<Vec<u8>>, JournalError> {
        let db = self.db()?;
        let read = db.begin_read()?;
        let table = match read.open_table(RECORDS) {
            // A new file is read before its first write.
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            table => table?,
        };
        let mut records = Vec::new();
        let mut size = 0;
        for record in table.range(index..)? {
            // Checked before a record is added, so that at least one is returned, whatever its size.
            if size >= bytes {
                break;
            }
            let record = record?.1.value().to_vec();
            size += record.len();
            records.push(record);
        }
        Ok(records)
    }

    fn drop_oldest(&self, cut: Cut) -> Result<(), JournalError> {
        {
            let bounds = self.bounds.lock();
            // Checked before a transaction begins, because a read-only file cannot begin one.
            if cut.upto <= bounds.compacted && bounds.bytes <= cut.bytes {
                return Ok(());
            }
        }
        let db = self.db()?;
        for _ in 0..cut.steps {
            let mut write = db.begin_write()?;
            // Losing the truncation in a crash is harmless: the records are replayed over rows that have them.
            write.set_durability(Durability::None)?;
            let (mut bytes, mut freed) = (self.bounds.lock().bytes, 0);
            let mut dropped = None;
            {
                let mut records = write.open_table(RECORDS)?;
                for _ in 0..TRUNCATE_STEP {
                    let Some((first, link, len)) = records.first()?.map(|(last, record)| {
                        let record = record.value();
                        (last.value(), record::checksum(record), record.len() as u64)
                    }) else {
                        break;
                    };
                    if !cut.drops(first, bytes) {
                        break;
                    }
                    records.remove(first)?;
                    bytes = bytes.saturating_sub(len);
                    freed += len;
                    dropped = Some((first, link));
                }
                if let Some((compacted, link)) = dropped {
                    let mut meta = write.open_table(META)?;
                    meta.insert(META_COMPACTED, compacted)?;
                    meta.insert(META_LINK, u64::from(link))?;
                }
            }
            let Some((compacted, link)) = dropped else { return Ok(()) };
            // Publish the new bounds before the records go, so that no reader takes the gap for the beginning.
            {
                let mut bounds = self.bounds.lock();
                bounds.compacted = compacted;
                bounds.compacted_link = link;
                // Subtracted instead of stored, because an append may have added its record meanwhile.
                bounds.bytes = bounds.bytes.saturating_sub(freed);
            }
            write.commit()?;
        }
        Ok(())
    }

    /// Moves the records to the front of a mostly free file, and truncates its end.
    fn compact_if_sparse(&self) {
        let mut slot = self.db.write();
        let Some(db) = slot.as_mut() else { return };
        let Ok(len) = db.len() else { return };
        if len > COMPACT_MIN && len / COMPACT_AT > self.bounds.lock().bytes {
            // Only space is at stake: redb moves pages in transactions, so an error loses no record.
            let _ = db.compact();
        }
    }

    /// Removes the records with commits after `index`.
    fn remove_after(db: &Db, index: u64) -> Result<(), JournalError> {
        let write = db.begin_write()?;
        write.open_table(RECORDS)?.retain(|last, _| last <= index)?;
        write.commit()?;
        Ok(())
    }

    fn open_again(&self, files: &Files) -> Result<(), ReopenError> {
        let mut slot = self.db.write();
        if slot.as_ref().is_some_and(Db::sync_failed) {
            self.sync_failed.store(true, Ordering::Relaxed);
        }
        // Closed first, because two handles would exclude each other.
        *slot = None;
        let path = files.log_path();
        let db = files.log()?.ok_or_else(|| OpenError::FileMissing {
            path: path.to_owned(),
            other: files.rows_path().to_owned(),
        })?;
        let read = || Self::read(&db).map_err(|error| damaged(files, error.to_string()));
        let mut found = read()?.1;
        let mut bounds = self.bounds.lock();
        let is_ours = |found: Bounds| (found.last, found.link) == (bounds.last, bounds.link);
        // An append that failed after its last write is in the file. Its callers got an error, so the record is
        // removed. After a failed sync the file is read from the system's cache, which proves nothing about the
        // disk.
        let failed = |source| ReopenError::from(io_error(path, source));
        if !is_ours(found) {
            if self.sync_failed.load(Ordering::Relaxed) {
                return Err(ReopenError::Unproved { path: path.to_owned() });
            }
            db.accept().map_err(failed)?;
            Self::remove_after(&db, bounds.last)
                .map_err(|error| failed(io::Error::other(error.to_string())))?;
            found = read()?.1;
            if !is_ours(found) {
                return Err(ReopenError::Unproved { path: path.to_owned() });
            }
        }
        found.bytes = Self::count(&db).map_err(|error| damaged(files, error.to_string()))?;
        db.accept().and_then(|()| db.sync()).map_err(failed)?;
        *bounds = found;
        *slot = Some(db);
        Ok(())
    }
}

impl Journal for LogFile {
    fn append(&self, _first: u64, last: u64, record: Vec<u8>) -> Result<(), JournalError> {
        unpanicked(|| self.insert(last, &record))?;
        let mut bounds = self.bounds.lock();
        bounds.last = last;
        bounds.bytes += record.len() as u64;
        bounds.link = record::checksum(&record);
        Ok(())
    }

    fn read_from(&self, index: u64, bytes: usize) -> Result<Vec<Vec<u8>>, JournalError> {
        unpanicked(|| self.records(index, bytes))
    }

    fn cut(&self, cut: Cut) -> Result<(), JournalError> {
        unpanicked(|| self.drop_oldest(cut))
    }

    fn bytes(&self) -> u64 {
        self.bounds.lock().bytes
    }

    fn compact(&self) {
        // The next open verifies all pages and reports damaged ones.
        let _ = catch_redb_panic(|| self.compact_if_sparse());
    }

    fn compacted(&self) -> u64 {
        self.bounds.lock().compacted
    }

    fn last(&self) -> u64 {
        self.bounds.lock().last
    }

    fn link(&self) -> u32 {
        self.bounds.lock().link
    }

    fn reopen(&self, files: &Files) -> Result<(), ReopenError> {
        catch_redb_panic(|| self.open_again(files))
            .unwrap_or_else(|_| Err(super::database::contradictory(files.log_path()).into()))
    }
}

impl fmt::Debug for LogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let db = self.db().ok();
        let read = db.and_then(|db| db.begin_read().ok());
        let records = read.and_then(|read| read.open_table(RECORDS).ok());
        f.debug_struct("LogFile")
            .field("last", &self.last())
            .field("records", &records.and_then(|table| table.len().ok()))
            .finish_non_exhaustive()
    }
}

/// A journal that is lost when the process ends.
pub(crate) struct MemoryJournal {
    state: Mutex<(Bounds, BTreeMap<u64, Vec<u8>>)>,
    history: History,
}

impl MemoryJournal {
    /// Creates a journal whose first commit follows `index`.
    pub(crate) fn new(index: u64, history: History) -> Self {
        let bounds = Bounds { compacted: index, last: index, ..Bounds::default() };
        Self { state: Mutex::new((bounds, BTreeMap::new())), history }
    }
}

impl Journal for MemoryJournal {
    fn append(&self, _first: u64, last: u64, record: Vec<u8>) -> Result<(), JournalError> {
        {
            let mut state = self.state.lock();
            state.0.last = last;
            state.0.link = record::checksum(&record);
            state.0.bytes += record.len() as u64;
            state.1.insert(last, record);
        }
        // No rows on disk need a record, so only the history bounds the journal.
        self.trim(self.history, last)
    }

    fn read_from(&self, index: u64, bytes: usize) -> Result<Vec<Vec<u8>>, JournalError> {
        let state = self.state.lock();
        let mut size = 0;
        let records = state.1.range(index..).map(|(_, record)| record.clone());
        Ok(records
            .take_while(|record| {
                let more = size < bytes;
                size += record.len();
                more
            })
            .collect())
    }

    fn cut(&self, cut: Cut) -> Result<(), JournalError> {
        let mut state = self.state.lock();
        let (bounds, records) = &mut *state;
        while let Some(oldest) = records.first_entry() {
            if !cut.drops(*oldest.key(), bounds.bytes) {
                break;
            }
            bounds.compacted = *oldest.key();
            bounds.bytes -= oldest.remove().len() as u64;
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.state.lock().0.bytes
    }

    fn compacted(&self) -> u64 {
        self.state.lock().0.compacted
    }

    fn last(&self) -> u64 {
        self.state.lock().0.last
    }

    fn link(&self) -> u32 {
        self.state.lock().0.link
    }

    fn reopen(&self, _: &Files) -> Result<(), ReopenError> {
        Ok(())
    }
}
