//! What is in a store, and whether its files are sound.

use std::path::Path;

use uuid::Uuid;

use super::progress::{Meter, Progress, Step};
use crate::durable::{Access, Durable, Files};
use crate::error::OpenError;
use crate::options::Options;
use crate::range::Span;
use crate::schema::Schema;
use crate::store::Store;

/// What is in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The store's identity: see [`Store::id`].
    pub id: Option<Uuid>,
    /// The index of the last commit.
    pub index: u64,
    /// The first commit that the change feed still has.
    pub oldest_change: u64,
    /// The tables, in the order of the schema.
    pub tables: Vec<TableReport>,
}

/// What is in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableReport {
    /// Its name.
    pub name: &'static str,
    /// Its rows.
    pub rows: usize,
    /// The index of the last commit that changed it; after a start at the earliest the one that the
    /// rows on disk are as of.
    pub last_index: u64,
}

impl Store {
    /// What is in the store now.
    pub fn report(&self) -> Report {
        let root = self.published();
        let tables = self.schema().tables.iter().zip(&root.tables);
        Report {
            id: self.id(),
            index: root.index,
            oldest_change: self.journal().compacted().saturating_add(1),
            tables: tables
                .map(|(def, table)| TableReport {
                    name: def.name,
                    rows: table.rows(),
                    last_index: table.last_change(0, &Span::all()),
                })
                .collect(),
        }
    }

    /// Checks the files of a data directory that no store has open: every checksum of both files,
    /// every row, every index.
    ///
    /// Cost: all of it is read, twice.
    ///
    /// # Errors
    /// [`OpenError`], which says what is wrong.
    pub fn verify(dir: impl AsRef<Path>, schema: &Schema) -> Result<Report, OpenError> {
        Self::verify_with(dir, schema, |_| ())
    }

    /// Does what [`Store::verify`] does, and tells what it is at.
    ///
    /// # Errors
    /// As [`Store::verify`].
    pub fn verify_with(
        dir: impl AsRef<Path>,
        schema: &Schema,
        mut progress: impl FnMut(Progress),
    ) -> Result<Report, OpenError> {
        let mut meter = Meter::new(&mut progress);
        meter.begin(Step::CheckingFiles, None);
        let files = Files::in_dir(dir.as_ref(), Access::Read)?;
        Durable::check_integrity(&files)?;
        drop(files);
        meter.begin(Step::Loading, None);
        let report = Self::open_with(dir, schema, &Options::default().read_only(true))?.report();
        meter.done(report.tables.iter().map(|table| table.rows as u64).sum());
        Ok(report)
    }
}
