//! The journal: records of commits in the order of their indexes.
//!
//! The store asks no more of it than this trait, so that a replicated log can stand in for a file.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parking_lot::Mutex;
use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
    TableError,
};

use super::database::Db;
use crate::error::{CommitError, OpenError};

/// Where commits are recorded.
pub(crate) trait Journal: Send + Sync {
    /// Appends the record of the commits `first` to `last`: durable on return.
    fn append(&self, first: u64, last: u64, record: Vec<u8>) -> Result<(), JournalError>;

    /// Records in order, from the one that holds the commit `index`, or else the first after it, on;
    /// as many as have `bytes`, at least one while there is one.
    fn read_from(&self, index: u64, bytes: usize) -> Result<Vec<Vec<u8>>, JournalError>;

    /// Drops the records that hold no commit after `index`.
    fn truncate_to(&self, index: u64) -> Result<(), JournalError>;

    /// The last commit that isn't there any more; 0 when all are.
    fn compacted(&self) -> u64;

    /// The last commit that was appended; 0 when none was.
    fn last(&self) -> u64;
}

/// Why the journal can't be used.
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

/// Index of a record's last commit to its bytes.
const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");

/// Names to numbers.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("statehold");

const META_FORMAT: &str = "format";
const META_COMPACTED: &str = "compacted";

/// The format of the file that this build writes.
const FORMAT: u64 = 1;

/// Records that one transaction of a truncation removes, so that commits get in between.
const TRUNCATE_STEP: usize = 512;

/// A journal in a redb file.
pub(crate) struct LogFile {
    db: Db,
    bounds: Mutex<Bounds>,
}

#[derive(Clone, Copy, Default)]
struct Bounds {
    compacted: u64,
    last: u64,
}

impl LogFile {
    pub(crate) fn open(db: Db, path: &Path) -> Result<Self, OpenError> {
        let bounds = Self::prepare(&db).map_err(|error| match error {
            Prepare::Newer(found) => {
                OpenError::NewerFormat { path: path.to_owned(), found, known: FORMAT }
            }
            Prepare::Other(error) => {
                OpenError::Damaged { path: path.to_owned(), reason: error.to_string() }
            }
        })?;
        Ok(Self { db, bounds: Mutex::new(bounds) })
    }

    /// Takes the file for ours.
    pub(crate) fn accept(&self) -> io::Result<()> {
        self.db.accept()
    }

    /// Makes a new file a journal, or checks that an old one is.
    fn prepare(db: &Database) -> Result<Bounds, Prepare> {
        let read = db.begin_read()?;
        let meta = match read.open_table(META) {
            Ok(meta) => meta,
            Err(TableError::TableDoesNotExist(_)) => {
                if read.list_tables()?.next().is_some() {
                    let foreign = "it is another program's redb file".to_owned();
                    return Err(Prepare::Other(JournalError(foreign)));
                }
                let write = db.begin_write()?;
                write.open_table(META)?.insert(META_FORMAT, FORMAT)?;
                write.open_table(RECORDS)?;
                write.commit()?;
                return Ok(Bounds::default());
            }
            Err(error) => return Err(error.into()),
        };
        let number = |name| Ok::<_, Prepare>(meta.get(name)?.map_or(0, |value| value.value()));
        match number(META_FORMAT)? {
            0 => Err(Prepare::Other(JournalError("it has no format number".to_owned()))),
            found if found > FORMAT => Err(Prepare::Newer(found)),
            _ => {
                let compacted = number(META_COMPACTED)?;
                let records = read.open_table(RECORDS)?;
                let last = records.last()?.map_or(compacted, |(last, _)| last.value());
                Ok(Bounds { compacted, last })
            }
        }
    }
}

/// A file that was damaged while it is open can make redb panic.
fn unpanicked<R>(work: impl FnOnce() -> Result<R, JournalError>) -> Result<R, JournalError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(JournalError("the journal's pages contradict each other".into())))
}

impl LogFile {
    fn insert(&self, last: u64, record: &[u8]) -> Result<(), JournalError> {
        let write = self.db.begin_write()?;
        write.open_table(RECORDS)?.insert(last, record)?;
        write.commit()?;
        Ok(())
    }

    fn records(&self, index: u64, bytes: usize) -> Result<Vec<Vec<u8>>, JournalError> {
        let read = self.db.begin_read()?;
        let table = read.open_table(RECORDS)?;
        let mut records = Vec::new();
        let mut size = 0;
        for record in table.range(index..)? {
            if size >= bytes {
                break;
            }
            let record = record?.1.value().to_vec();
            size += record.len();
            records.push(record);
        }
        Ok(records)
    }
}

/// What [`LogFile::prepare`] may find.
enum Prepare {
    Newer(u64),
    Other(JournalError),
}

impl<E: Into<redb::Error>> From<E> for Prepare {
    fn from(error: E) -> Self {
        Self::Other(error.into().into())
    }
}

impl Journal for LogFile {
    fn append(&self, _first: u64, last: u64, record: Vec<u8>) -> Result<(), JournalError> {
        unpanicked(|| self.insert(last, &record))?;
        self.bounds.lock().last = last;
        Ok(())
    }

    fn read_from(&self, index: u64, bytes: usize) -> Result<Vec<Vec<u8>>, JournalError> {
        unpanicked(|| self.records(index, bytes))
    }

    fn truncate_to(&self, index: u64) -> Result<(), JournalError> {
        loop {
            let mut write = self.db.begin_write()?;
            // Nothing is lost when this is: the records are replayed over rows that have them.
            write.set_durability(Durability::None)?;
            let mut compacted = None;
            {
                let mut records = write.open_table(RECORDS)?;
                for _ in 0..TRUNCATE_STEP {
                    let Some(first) = records.first()?.map(|(last, _)| last.value()) else { break };
                    if first > index {
                        break;
                    }
                    records.remove(first)?;
                    compacted = Some(first);
                }
                if let Some(compacted) = compacted {
                    write.open_table(META)?.insert(META_COMPACTED, compacted)?;
                }
            }
            let Some(compacted) = compacted else { return Ok(()) };
            // First what readers are told, so that none of them takes a hole for the beginning.
            self.bounds.lock().compacted = compacted;
            write.commit()?;
        }
    }

    fn compacted(&self) -> u64 {
        self.bounds.lock().compacted
    }

    fn last(&self) -> u64 {
        self.bounds.lock().last
    }
}

impl fmt::Debug for LogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = self.db.begin_read().ok().and_then(|read| read.open_table(RECORDS).ok());
        f.debug_struct("LogFile")
            .field("last", &self.last())
            .field("records", &records.and_then(|table| table.len().ok()))
            .finish_non_exhaustive()
    }
}

/// A journal that ends with the process.
#[derive(Default)]
pub(crate) struct MemoryJournal {
    state: Mutex<(Bounds, BTreeMap<u64, Vec<u8>>)>,
    /// Records that are kept.
    history: u64,
}

impl MemoryJournal {
    pub(crate) fn new(history: u64) -> Self {
        Self { history, ..Self::default() }
    }
}

impl Journal for MemoryJournal {
    fn append(&self, _first: u64, last: u64, record: Vec<u8>) -> Result<(), JournalError> {
        {
            let mut state = self.state.lock();
            state.0.last = last;
            state.1.insert(last, record);
        }
        self.truncate_to(last.saturating_sub(self.history))
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

    fn truncate_to(&self, index: u64) -> Result<(), JournalError> {
        let mut state = self.state.lock();
        let kept = index.checked_add(1).map(|next| state.1.split_off(&next)).unwrap_or_default();
        let dropped = std::mem::replace(&mut state.1, kept);
        if let Some((last, _)) = dropped.last_key_value() {
            state.0.compacted = *last;
        }
        Ok(())
    }

    fn compacted(&self) -> u64 {
        self.state.lock().0.compacted
    }

    fn last(&self) -> u64 {
        self.state.lock().0.last
    }
}
