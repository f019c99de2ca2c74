//! The contents of a store, and the verification of its files.

use std::path::Path;

use uuid::Uuid;

use super::progress::{Meter, Progress, Step};
use crate::durable::{Access, Durable, Files};
use crate::error::OpenError;
use crate::options::Options;
use crate::range::Span;
use crate::schema::Schema;
use crate::store::Store;

/// The contents of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The store's identity: see [`Store::id`].
    pub id: Option<Uuid>,
    /// The index of the last commit.
    pub index: u64,
    /// The first commit in the change feed.
    pub oldest_change: u64,
    /// The tables, in schema order.
    pub tables: Vec<TableReport>,
}

/// The contents of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableReport {
    /// The name of the table.
    pub name: &'static str,
    /// The number of its rows.
    pub rows: usize,
    /// The index of the last commit that changed it; after a start, at least the index of the rows on disk.
    pub last_index: u64,
}

impl Store {
    /// Returns the current contents of the store.
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

    /// Verifies the files of a data directory that no store has open: every checksum of both files, every row,
    /// every index.
    ///
    /// Cost: reads everything twice.
    ///
    /// # Errors
    /// [`OpenError`], with the reason.
    pub fn verify(dir: impl AsRef<Path>, schema: &Schema) -> Result<Report, OpenError> {
        Self::verify_with(dir, schema, |_| ())
    }

    /// Like [`Store::verify`], reporting its progress to `progress`.
    ///
    /// # Errors
    /// Those of [`Store::verify`].
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
        // A read-only open loads every row and builds every index, and changes no byte of a suspect directory.
        let report = Self::open_with(dir, schema, &Options::default().read_only(true))?.report();
        meter.done(report.tables.iter().map(|table| table.rows as u64).sum());
        Ok(report)
    }
}
