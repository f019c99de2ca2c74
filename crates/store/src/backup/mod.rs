//! Backups: a whole store as a stream, in a compact form and as lines of JSON.
//!
//! Writing one takes a snapshot, so it holds up nobody and has the state of one moment. Restoring one
//! replaces everything in a single transaction, which is there as a whole or not at all.
//!
//! Invariant: indexes never go back. A restored store goes on after the greater one of its own last
//! index and the backup's, rows keep their stamps, and everybody who waits is woken.
//! Both forms hold everything, secrets included.

mod compact;
mod error;
pub(crate) mod json;
mod progress;
mod report;

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::sync::Arc;

pub use error::RestoreError;
pub use progress::{Progress, Step};
pub use report::{Report, TableReport};

use self::progress::Meter;
use crate::key::KeyBytes;
use crate::state::{Change, ErasedTable, Root, settle};
use crate::store::Store;

/// What a backup holds: its index, and for each table of the schema the rows by key.
struct Contents {
    index: u64,
    tables: Vec<Vec<(KeyBytes, Vec<u8>)>>,
}

impl Store {
    /// Writes everything to `to`, as of now; the index that the backup is as of.
    ///
    /// Writes go on meanwhile. The form is described in `docs/format.md`; it has a checksum.
    ///
    /// # Errors
    /// Those of `to`.
    ///
    /// ```
    /// # use statehold_store::{ReadView, Schema, Store, Table};
    /// # struct Names;
    /// # impl Table for Names {
    /// #     const NAME: &'static str = "names";
    /// #     const VERSION: u16 = 1;
    /// #     type Key = String;
    /// #     type Row = String;
    /// #     fn key(row: &String) -> &str { row }
    /// # }
    /// # let schema = Schema::new().table::<Names>();
    /// # let store = Store::in_memory(&schema);
    /// let mut txn = store.begin_write()?;
    /// txn.upsert::<Names>("web".into())?;
    /// txn.commit()?;
    /// let mut backup = Vec::new();
    /// assert_eq!(store.backup(&mut backup)?, 2);
    ///
    /// let other = Store::in_memory(&schema);
    /// assert_eq!(other.restore(backup.as_slice())?, 3);
    /// assert!(other.snapshot().get::<Names>("web").is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn backup(&self, to: impl Write) -> io::Result<u64> {
        self.backup_with(to, |_| ())
    }

    /// Does what [`Store::backup`] does, and tells how far it is.
    ///
    /// # Errors
    /// As [`Store::backup`].
    pub fn backup_with(
        &self,
        to: impl Write,
        mut progress: impl FnMut(Progress),
    ) -> io::Result<u64> {
        let root = self.published();
        let mut meter = Meter::new(&mut progress);
        meter.begin(Step::Writing, Some(rows_of(&root)));
        compact::write(self.schema(), &root, BufWriter::new(to), &mut meter)?;
        meter.done(meter.rows());
        Ok(root.index)
    }

    /// Replaces everything by what a backup holds; the index of that.
    ///
    /// The backup is read to its end and checked before anything changes.
    ///
    /// # Errors
    /// [`RestoreError`]; the store is as it was, unless its durable write failed.
    pub fn restore(&self, from: impl Read) -> Result<u64, RestoreError> {
        self.restore_with(from, |_| ())
    }

    /// Does what [`Store::restore`] does, and tells how far it is.
    ///
    /// # Errors
    /// As [`Store::restore`].
    pub fn restore_with(
        &self,
        from: impl Read,
        mut progress: impl FnMut(Progress),
    ) -> Result<u64, RestoreError> {
        let mut meter = Meter::new(&mut progress);
        meter.begin(Step::Reading, None);
        let contents = compact::read(self.schema(), BufReader::new(from), &mut meter)?;
        self.replace(contents, None, &mut meter)
    }

    /// Does what [`Store::restore`] does, at the caller's own index: that of the log entry which a
    /// replicated log's snapshot is as of, so that the next entry can follow.
    ///
    /// # Errors
    /// As [`Store::restore`], and [`RestoreError::IndexTooSmall`].
    pub fn restore_at(&self, index: u64, from: impl Read) -> Result<(), RestoreError> {
        let mut nobody = |_| ();
        let mut meter = Meter::new(&mut nobody);
        let contents = compact::read(self.schema(), BufReader::new(from), &mut meter)?;
        self.replace(contents, Some(index), &mut meter).map(drop)
    }

    /// Writes everything to `to` as lines of JSON, as of now: a header, then a row a line. The index
    /// that the dump is as of.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn dump(&self, to: impl Write) -> io::Result<u64> {
        self.dump_with(to, |_| ())
    }

    /// Does what [`Store::dump`] does, and tells how far it is.
    ///
    /// # Errors
    /// As [`Store::dump`].
    pub fn dump_with(&self, to: impl Write, mut progress: impl FnMut(Progress)) -> io::Result<u64> {
        let root = self.published();
        let mut meter = Meter::new(&mut progress);
        meter.begin(Step::Writing, Some(rows_of(&root)));
        json::write(&root, BufWriter::new(to), &mut meter)?;
        meter.done(meter.rows());
        Ok(root.index)
    }

    /// Replaces everything by what a dump holds; the index of that.
    ///
    /// # Errors
    /// As [`Store::restore`].
    pub fn load(&self, from: impl BufRead) -> Result<u64, RestoreError> {
        self.load_with(from, |_| ())
    }

    /// Does what [`Store::load`] does, and tells how far it is.
    ///
    /// # Errors
    /// As [`Store::restore`].
    pub fn load_with(
        &self,
        from: impl BufRead,
        mut progress: impl FnMut(Progress),
    ) -> Result<u64, RestoreError> {
        let mut meter = Meter::new(&mut progress);
        meter.begin(Step::Reading, None);
        let contents = json::read(self.schema(), from, &mut meter)?;
        self.replace(contents, None, &mut meter)
    }

    fn replace(
        &self,
        contents: Contents,
        given: Option<u64>,
        meter: &mut Meter<'_>,
    ) -> Result<u64, RestoreError> {
        let rows = contents.tables.iter().map(|rows| rows.len() as u64).sum();
        meter.begin(Step::Replacing, Some(rows));
        let stamped_max = contents.index;
        // The rows are checked before the one writer is kept waiting.
        let mut parts = Vec::with_capacity(contents.tables.len());
        for (def, rows) in self.schema().tables.iter().zip(contents.tables) {
            let sorted = rows.is_sorted_by(|a, b| a.0.as_slice() < b.0.as_slice());
            if !sorted {
                return Err(RestoreError::Unordered { table: def.name });
            }
            parts.push((def, rows));
        }
        let mut txn = match given {
            Some(given) if given < stamped_max => {
                return Err(RestoreError::IndexTooSmall { given, least: stamped_max });
            }
            Some(given) => self.begin_write_at(given)?,
            None => {
                let last = self.index().max(stamped_max);
                let index = last.checked_add(1).ok_or(RestoreError::NoIndexLeft)?;
                // Somebody may have committed in between.
                self.begin_write_at(index).or_else(|_| self.begin_write())?
            }
        };
        let index = txn.index();
        let mut tables: Vec<Arc<dyn ErasedTable>> = Vec::with_capacity(parts.len());
        let mut changes = Vec::new();
        for (slot, (def, rows)) in parts.into_iter().enumerate() {
            for key in txn.keys_of(slot) {
                if rows.binary_search_by(|row| row.0.as_slice().cmp(key.as_slice())).is_err() {
                    changes.push(Change { table: slot, key, row: None });
                }
            }
            let put = rows.iter().map(|(key, row)| Change {
                table: slot,
                key: key.clone(),
                row: Some(row.clone()),
            });
            changes.extend(put);
            let mut rows = rows.into_iter().map(Ok);
            let table = def.empty.load(&mut rows, index, stamped_max);
            let mut table = table.map_err(RestoreError::Row)?;
            settle(&mut table).map_err(RestoreError::Row)?;
            tables.push(table);
        }
        txn.replace_all(tables, changes);
        let index = txn.commit().and_then(|index| self.flush().map(|_| index));
        let index = index.map_err(RestoreError::Commit)?;
        meter.done(rows);
        Ok(index)
    }
}

fn rows_of(root: &Root) -> u64 {
    root.tables.iter().map(|table| table.rows() as u64).sum()
}
