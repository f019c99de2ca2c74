//! The recorded shapes of rows: a redb table of `rows.redb`, from `TABLE/VERSION` to the shape's text.
//!
//! Bytes of a row mean what their version's type takes them for, so a type that changed without a new
//! version would read them as something else. The shape of each version is recorded when a store is
//! opened with it for the first time, before a row of it is written, and compared at each later open.
//!
//! Invariant: a recorded shape is only replaced while its table was never written to.

use std::path::Path;

use redb::{
    Database, ReadTransaction, ReadableTable, StorageError, TableDefinition, TableError,
    WriteTransaction,
};

use crate::error::OpenError;
use crate::range::Span;
use crate::schema::Schema;
use crate::shape::{Compared, Versions, compare};
use crate::state::Root;

const SHAPES: TableDefinition<'_, &str, &str> = TableDefinition::new("shapes");

fn key(table: &str, version: u16) -> String {
    format!("{table}/{version}")
}

/// The shapes of a table by version.
fn of_table(
    shapes: &impl ReadableTable<&'static str, &'static str>,
    table: &str,
) -> Result<Versions, StorageError> {
    let prefix = format!("{table}/");
    let mut versions = Versions::default();
    for shape in shapes.range(prefix.as_str()..)? {
        let (key, text) = shape?;
        let Some(version) = key.value().strip_prefix(&prefix) else { break };
        // The name of another table may go on with a slash.
        if let Ok(version) = version.parse() {
            versions.insert(version, text.value());
        }
    }
    Ok(versions)
}

/// What an open found recorded.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// Tables of the schema whose shapes are to be recorded.
    missing: Vec<usize>,
    /// Tables whose shapes changed, and that had no commit yet when the rows were as of their index.
    unused: Vec<(usize, OpenError)>,
    /// The shapes of tables that are kept as bytes.
    kept: Vec<(usize, Versions)>,
}

impl Recorded {
    /// Compares the recorded shapes with those of the schema, before a row is read.
    ///
    /// `written` returns whether the table in a slot had a commit.
    ///
    /// # Errors
    /// [`OpenError::ShapeChanged`], and [`OpenError::Damaged`] for a record that can't be read.
    pub(super) fn compare(
        txn: &ReadTransaction,
        path: &Path,
        schema: &Schema,
        written: impl Fn(usize) -> bool,
    ) -> Result<Self, OpenError> {
        let damaged = |reason: String| OpenError::Damaged { path: path.to_owned(), reason };
        let shapes = match txn.open_table(SHAPES) {
            Ok(shapes) => shapes,
            // Written by a build that recorded none: what its rows are is what this build takes them for.
            Err(TableError::TableDoesNotExist(_)) => {
                let missing = (0..schema.tables.len()).collect();
                return Ok(Self { missing, ..Self::default() });
            }
            Err(error) => return Err(damaged(error.to_string())),
        };
        let mut recorded = Self::default();
        for (slot, def) in schema.tables.iter().enumerate() {
            // The build that has its type compares the shape of a table that is kept as bytes.
            let Some(shape) = &def.shape else {
                let kept = of_table(&shapes, def.name);
                recorded.kept.push((slot, kept.map_err(|error| damaged(error.to_string()))?));
                continue;
            };
            let key = key(def.name, def.version);
            let was = shapes.get(key.as_str()).map_err(|error| damaged(error.to_string()))?;
            let Some(was) = was else {
                recorded.missing.push(slot);
                continue;
            };
            let (was, is) = (was.value(), shape.text());
            let difference = match compare(was, &is) {
                // A later build compares it again.
                Compared::Same | Compared::Newer => continue,
                Compared::Older => {
                    recorded.missing.push(slot);
                    continue;
                }
                Compared::Unreadable => {
                    return Err(damaged(format!("the recorded shape of {key} can't be read")));
                }
                Compared::Differs(difference) => difference,
            };
            let error = OpenError::ShapeChanged {
                path: path.to_owned(),
                table: def.name,
                version: def.version,
                difference: difference.into(),
                was: was.into(),
                is: is.into(),
            };
            if written(slot) {
                return Err(error);
            }
            recorded.unused.push((slot, error));
        }
        Ok(recorded)
    }

    /// Hands the shapes of tables that are kept as bytes to their states.
    pub(super) fn hand_over(&mut self, schema: &mut Schema) {
        for (slot, shapes) in self.kept.drain(..) {
            let def = &mut schema.tables[slot];
            if let Some(table) = def.empty.with_shapes(&shapes) {
                def.empty = table;
            }
        }
    }

    /// The change that explains why the journal can't be replayed, if there is one.
    pub(super) fn explanation(&self) -> Option<OpenError> {
        self.unused.first().map(|(_, error)| error.clone())
    }

    /// Checks the tables whose shapes changed before their first commit, now that the journal is replayed.
    ///
    /// # Errors
    /// [`OpenError::ShapeChanged`] when the journal had a commit for one of them.
    pub(super) fn settle(&mut self, root: &Root) -> Result<(), OpenError> {
        for (slot, error) in self.unused.drain(..) {
            if root.tables[slot].last_change(0, &Span::all()) > 0 {
                return Err(error);
            }
            self.missing.push(slot);
        }
        Ok(())
    }

    /// Records what is missing; durable on return.
    pub(super) fn write(&self, db: &Database, schema: &Schema) -> Result<(), redb::Error> {
        if self.missing.is_empty() {
            return Ok(());
        }
        let txn = db.begin_write()?;
        {
            let mut shapes = txn.open_table(SHAPES)?;
            for def in self.missing.iter().filter_map(|slot| schema.tables.get(*slot)) {
                if let Some(shape) = &def.shape {
                    shapes.insert(key(def.name, def.version).as_str(), shape.text().as_str())?;
                }
            }
        }
        txn.commit()?;
        Ok(())
    }
}

/// Records shapes of a table that is kept as bytes; durable on return.
pub(super) fn add(db: &Database, table: &str, added: &Versions) -> Result<(), redb::Error> {
    let txn = db.begin_write()?;
    {
        let mut shapes = txn.open_table(SHAPES)?;
        for (version, text) in added.iter() {
            shapes.insert(key(table, version).as_str(), text)?;
        }
    }
    txn.commit()?;
    Ok(())
}

/// Removes the shapes of a table that is dropped.
pub(super) fn remove(txn: &WriteTransaction, table: &str) -> Result<(), redb::Error> {
    let mut shapes = txn.open_table(SHAPES)?;
    for (version, _) in of_table(&shapes, table)?.iter() {
        shapes.remove(key(table, version).as_str())?;
    }
    Ok(())
}
