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
mod json;
mod progress;
mod replace;
mod report;
mod shapes;

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

pub use error::RestoreError;
pub use progress::{Progress, Step};
pub use replace::RestoreOptions;
pub use report::{Report, TableReport};

use self::progress::Meter;
use crate::key::KeyBytes;
use crate::root::Root;
use crate::shape::Versions;
use crate::store::Store;

/// What a backup holds: its index, and for each table of the schema the rows by key.
struct Contents {
    index: u64,
    tables: Vec<Vec<(KeyBytes, Vec<u8>)>>,
    /// The names of the tables that it has, with rows or without.
    found: Vec<Box<str>>,
    /// For each table of the schema the recorded shapes of its rows; in a dump only of its records.
    shapes: Vec<Versions>,
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
    /// # use statehold_store::{Store, Table};
    /// # #[derive(serde::Serialize, serde::Deserialize, Table)]
    /// # #[table(name = "names")]
    /// # struct Name { #[table(key)] name: String }
    /// # let schema = Name::schema();
    /// # let store = Store::in_memory(&schema);
    /// let mut txn = store.begin_write()?;
    /// txn.put(Name { name: "web".into() })?;
    /// txn.commit()?;
    /// let mut backup = Vec::new();
    /// assert_eq!(store.backup(&mut backup)?, 2);
    ///
    /// let other = Store::in_memory(&schema);
    /// assert_eq!(other.restore(backup.as_slice())?, 3);
    /// assert!(Name::BY_KEY.contains(&other.snapshot(), "web"));
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

    /// Replaces everything by what a backup holds; returns the index of that commit.
    ///
    /// The backup is read to its end, after which nothing may follow, and checked before anything
    /// changes. It MUST have every table that the store has rows of, because they would be deleted:
    /// [`RestoreOptions::empty_missing`] allows that. Rows of earlier versions are migrated. A backup whose
    /// rows have the version of a table's row type and another shape than it, e.g. because two fields were
    /// swapped, is refused: [`RestoreError::ShapeChanged`]. Format 1 of backups records no shapes.
    ///
    /// # Errors
    /// [`RestoreError`]; the store is as it was, unless its durable write failed.
    pub fn restore(&self, from: impl Read) -> Result<u64, RestoreError> {
        self.restore_using(&RestoreOptions::default(), from, |_| ())
    }

    /// Does what [`Store::restore`] does, and tells how far it is.
    ///
    /// # Errors
    /// As [`Store::restore`].
    pub fn restore_with(
        &self,
        from: impl Read,
        progress: impl FnMut(Progress),
    ) -> Result<u64, RestoreError> {
        self.restore_using(&RestoreOptions::default(), from, progress)
    }

    /// Does what [`Store::restore`] does, at the caller's own index: that of the log entry which a
    /// replicated log's snapshot is as of, so that the next entry can follow.
    ///
    /// # Errors
    /// As [`Store::restore`], and [`RestoreError::IndexTooSmall`].
    pub fn restore_at(&self, index: u64, from: impl Read) -> Result<(), RestoreError> {
        self.restore_using(&RestoreOptions::default().index(index), from, |_| ()).map(drop)
    }

    /// Does what [`Store::restore`] does with options, and tells how far it is.
    ///
    /// # Errors
    /// As [`Store::restore`], and [`RestoreError::IndexTooSmall`].
    pub fn restore_using(
        &self,
        options: &RestoreOptions,
        from: impl Read,
        mut progress: impl FnMut(Progress),
    ) -> Result<u64, RestoreError> {
        let mut meter = Meter::new(&mut progress);
        meter.begin(Step::Reading, None);
        let contents = compact::read(self.schema(), BufReader::new(from), &mut meter)?;
        self.replace(contents, options, &mut meter)
    }

    /// Writes everything to `to` as lines of JSON, as of now: a header, then a row a line. The index
    /// that the dump is as of.
    ///
    /// [`Store::load`] reads the same rows from it. A row that JSON can't hold, such as one with an infinite
    /// float or a map whose keys are no strings, is its bytes in base64.
    ///
    /// Cost: each row is read back from its line before that is written.
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
        json::write(self.schema(), &root, BufWriter::new(to), &mut meter)?;
        meter.done(meter.rows());
        Ok(root.index)
    }

    /// Replaces everything by what a dump holds; returns the index of that commit.
    ///
    /// As with [`Store::restore`], the dump MUST have every table that the store has rows of, and
    /// only blank lines may follow its last line. A dump has no row versions: its rows are of the
    /// types of today.
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
        progress: impl FnMut(Progress),
    ) -> Result<u64, RestoreError> {
        self.load_using(&RestoreOptions::default(), from, progress)
    }

    /// Does what [`Store::load`] does with options, and tells how far it is.
    ///
    /// # Errors
    /// As [`Store::restore`], and [`RestoreError::IndexTooSmall`].
    pub fn load_using(
        &self,
        options: &RestoreOptions,
        from: impl BufRead,
        mut progress: impl FnMut(Progress),
    ) -> Result<u64, RestoreError> {
        let mut meter = Meter::new(&mut progress);
        meter.begin(Step::Reading, None);
        let contents = json::read(self.schema(), from, &mut meter)?;
        self.replace(contents, options, &mut meter)
    }
}

fn rows_of(root: &Root) -> u64 {
    root.tables.iter().map(|table| table.rows() as u64).sum()
}
