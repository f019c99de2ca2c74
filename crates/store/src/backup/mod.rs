//! Backups: a whole store as a stream, in a compact form or as lines of JSON.
//!
//! A backup is written from a snapshot, so it blocks no writer and is consistent. A restore replaces everything
//! in a single transaction.
//!
//! Invariant: indexes never decrease. A restored store continues after the greater of its own last index and
//! the backup's, rows keep their stamps, and every waiting reader is woken.
//! Both forms hold all data, including secrets.

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

/// The contents of a backup: its index, and for each table of the schema the rows by key.
struct Contents {
    index: u64,
    tables: Vec<Vec<(KeyBytes, Vec<u8>)>>,
    /// The names of its tables, with or without rows.
    found: Vec<Box<str>>,
    /// For each table of the schema, the recorded shapes of its rows; in a dump, only those of its records.
    shapes: Vec<Versions>,
}

impl Store {
    /// Writes a backup of the current state to `to`. Returns the index of the backup.
    ///
    /// Does not block writes. `docs/format.md` describes the form, which has a checksum.
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

    /// Like [`Store::backup`], reporting its progress to `progress`.
    ///
    /// # Errors
    /// Those of [`Store::backup`].
    pub fn backup_with(
        &self,
        to: impl Write,
        mut progress: impl FnMut(Progress),
    ) -> io::Result<u64> {
        // A snapshot, so that writes continue while the backup is written.
        let root = self.published();
        let mut meter = Meter::new(&mut progress);
        meter.begin(Step::Writing, Some(rows_of(&root)));
        compact::write(self.schema(), &root, BufWriter::new(to), &mut meter)?;
        meter.done(meter.rows());
        Ok(root.index)
    }

    /// Replaces all data by the contents of a backup. Returns the index of the restoring commit.
    ///
    /// The backup is read to its end and verified before anything changes; no byte may follow it. It MUST have
    /// every table of which the store has rows, because they would be deleted:
    /// [`RestoreOptions::empty_missing`] allows that. Rows of earlier versions are migrated. A backup whose
    /// rows have the same version as a table's row type but another shape, for example because two fields were
    /// swapped, is rejected with [`RestoreError::ShapeChanged`]. Format 1 of backups records no shapes.
    ///
    /// # Errors
    /// [`RestoreError`]. The store is unchanged, unless its durable write failed.
    pub fn restore(&self, from: impl Read) -> Result<u64, RestoreError> {
        self.restore_using(&RestoreOptions::default(), from, |_| ())
    }

    /// Like [`Store::restore`], reporting its progress to `progress`.
    ///
    /// # Errors
    /// Those of [`Store::restore`].
    pub fn restore_with(
        &self,
        from: impl Read,
        progress: impl FnMut(Progress),
    ) -> Result<u64, RestoreError> {
        self.restore_using(&RestoreOptions::default(), from, progress)
    }

    /// Like [`Store::restore`], with the caller's own index: that of the log entry at which a replicated log's
    /// snapshot was taken, so that the next entry can follow.
    ///
    /// # Errors
    /// Those of [`Store::restore`], and [`RestoreError::IndexTooSmall`].
    pub fn restore_at(&self, index: u64, from: impl Read) -> Result<(), RestoreError> {
        self.restore_using(&RestoreOptions::default().index(index), from, |_| ()).map(drop)
    }

    /// Like [`Store::restore`], with options and reporting its progress to `progress`.
    ///
    /// # Errors
    /// Those of [`Store::restore`], and [`RestoreError::IndexTooSmall`].
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

    /// Writes a dump of the current state to `to` as lines of JSON: a header, then one line for each row.
    /// Returns the index of the dump.
    ///
    /// [`Store::load`] reads the same rows from it. A row that JSON cannot represent, such as one with an
    /// infinite float or a map whose keys are not strings, is written as base64 of its bytes.
    ///
    /// Cost: each row is parsed back from its line before the line is written.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn dump(&self, to: impl Write) -> io::Result<u64> {
        self.dump_with(to, |_| ())
    }

    /// Like [`Store::dump`], reporting its progress to `progress`.
    ///
    /// # Errors
    /// Those of [`Store::dump`].
    pub fn dump_with(&self, to: impl Write, mut progress: impl FnMut(Progress)) -> io::Result<u64> {
        // A snapshot, so that writes continue while the dump is written.
        let root = self.published();
        let mut meter = Meter::new(&mut progress);
        meter.begin(Step::Writing, Some(rows_of(&root)));
        json::write(self.schema(), &root, BufWriter::new(to), &mut meter)?;
        meter.done(meter.rows());
        Ok(root.index)
    }

    /// Replaces all data by the contents of a dump. Returns the index of the loading commit.
    ///
    /// As with [`Store::restore`], the dump MUST have every table of which the store has rows, and only blank
    /// lines may follow its last line. Rows in JSON are not migrated: they are parsed as today's row types.
    ///
    /// # Errors
    /// Those of [`Store::restore`].
    pub fn load(&self, from: impl BufRead) -> Result<u64, RestoreError> {
        self.load_with(from, |_| ())
    }

    /// Like [`Store::load`], reporting its progress to `progress`.
    ///
    /// # Errors
    /// Those of [`Store::restore`].
    pub fn load_with(
        &self,
        from: impl BufRead,
        progress: impl FnMut(Progress),
    ) -> Result<u64, RestoreError> {
        self.load_using(&RestoreOptions::default(), from, progress)
    }

    /// Like [`Store::load`], with options and reporting its progress to `progress`.
    ///
    /// # Errors
    /// Those of [`Store::restore`], and [`RestoreError::IndexTooSmall`].
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
