//! The recorded shapes of rows: a redb table of `rows.redb`, from `TABLE/VERSION` to the shape's text.
//!
//! Bytes of a row mean what their version's type takes them for, so a type that changed without a new
//! version would read them as something else. The shape of each version is recorded when a store is
//! opened with it for the first time, before a row of it is written, and compared at each later open.
//! A part of a type that only its rows show is recorded before the first commit with such a row, and compared
//! when the rows were loaded.
//!
//! Invariant: a recorded shape is only replaced while its table was never written to; otherwise parts that it
//! lacks are added to it.

use std::path::Path;
use std::sync::Arc;

use redb::{
    Database, ReadTransaction, ReadableTable, StorageError, TableDefinition, TableError,
    WriteTransaction,
};

use crate::error::OpenError;
use crate::range::Span;
use crate::root::Root;
use crate::schema::Schema;
use crate::shape::{Compared, Shape, Versions, compare};

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
    /// Tables whose recorded shapes lack a part that is known now, and the texts with that part.
    learned: Vec<(usize, String)>,
    /// Tables whose shapes changed, and that had no commit yet when the rows were as of their index.
    unused: Vec<(usize, OpenError)>,
    /// Tables with recorded shapes of a type that is not known whole, and these shapes.
    partly: Vec<(usize, String)>,
    /// The shapes of tables that are kept as bytes, and of earlier versions of the others.
    versions: Vec<(usize, Versions)>,
}

/// The shape of a table's rows that is not known whole, as long as the store is open.
pub(super) struct Partly {
    slot: usize,
    table: &'static str,
    version: u16,
    /// The text that is recorded.
    recorded: String,
    shape: Arc<Shape>,
    /// The gains of the shape that are recorded or compared.
    seen: usize,
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
            let versions = of_table(&shapes, def.name);
            let versions = versions.map_err(|error| damaged(error.to_string()))?;
            let was = versions.get(def.version).map(str::to_owned);
            recorded.versions.push((slot, versions));
            // The build that has its type compares the shape of a table that is kept as bytes.
            let Some(shape) = &def.shape else { continue };
            let Some(was) = was else {
                recorded.missing.push(slot);
                continue;
            };
            match recorded.take(path, schema, slot, &was)? {
                Some(error) if written(slot) => return Err(error),
                Some(error) => recorded.unused.push((slot, error)),
                None if !shape.latest().is_whole() => recorded.partly.push((slot, was)),
                None => {}
            }
        }
        Ok(recorded)
    }

    /// Compares the shape that a table has recorded with that of its row type, and takes note of a part that
    /// the recorded one lacks. Returns the error for one that changed.
    ///
    /// # Errors
    /// [`OpenError::Damaged`] for a record that can't be read.
    fn take(
        &mut self,
        path: &Path,
        schema: &Schema,
        slot: usize,
        was: &str,
    ) -> Result<Option<OpenError>, OpenError> {
        let def = &schema.tables[slot];
        let Some(shape) = &def.shape else { return Ok(None) };
        let is = shape.latest().text();
        match compare(was, &is) {
            // A later build compares it again.
            Compared::Same | Compared::Newer => {}
            Compared::Learned(text) => {
                self.learned.retain(|(known, _)| *known != slot);
                self.learned.push((slot, text));
            }
            Compared::Older if self.missing.contains(&slot) => {}
            Compared::Older => self.missing.push(slot),
            Compared::Unreadable => {
                let key = key(def.name, def.version);
                return Err(OpenError::Damaged {
                    path: path.to_owned(),
                    reason: format!("the recorded shape of {key} can't be read"),
                });
            }
            Compared::Differs(difference) => {
                return Ok(Some(OpenError::ShapeChanged {
                    path: path.to_owned(),
                    table: def.name,
                    version: def.version,
                    difference: difference.into(),
                    was: was.into(),
                    is: is.into(),
                }));
            }
        }
        Ok(None)
    }

    /// Compares the parts of row types that only their rows show, now that the rows are loaded.
    ///
    /// # Errors
    /// As [`Recorded::compare`].
    pub(super) fn learn(
        &mut self,
        root: &Root,
        path: &Path,
        schema: &Schema,
    ) -> Result<(), OpenError> {
        for (table, def) in root.tables.iter().zip(&schema.tables) {
            if def.shape.as_ref().is_some_and(|shape| !shape.latest().is_whole()) {
                table.learn();
            }
        }
        for (slot, was) in self.partly.clone() {
            if let Some(error) = self.take(path, schema, slot, &was)? {
                return Err(error);
            }
        }
        Ok(())
    }

    /// The shapes that are not known whole, as [`Recorded::write`] leaves them recorded.
    pub(super) fn partly(&self, schema: &Schema) -> Vec<Partly> {
        let of_slot = |list: &[(usize, String)], slot| {
            list.iter().find(|(known, _)| *known == slot).map(|(_, text)| text.clone())
        };
        let tables = schema.tables.iter().enumerate().filter_map(|(slot, def)| {
            let shape = def.shape.as_ref().filter(|shape| !shape.latest().is_whole())?;
            let recorded = if self.missing.contains(&slot) {
                shape.latest().text()
            } else {
                // None is one of a later build's form, which stays.
                of_slot(&self.learned, slot).or_else(|| of_slot(&self.partly, slot))?
            };
            let (table, version, shape) = (def.name, def.version, Arc::clone(shape));
            // Counted from the first, because the shape may have gained a part since it was compared.
            Some(Partly { slot, table, version, recorded, shape, seen: 0 })
        });
        tables.collect()
    }

    /// Hands the recorded shapes to the states of their tables.
    pub(super) fn hand_over(&mut self, schema: &mut Schema) {
        for (slot, shapes) in self.versions.drain(..) {
            let def = &mut schema.tables[slot];
            def.empty = def.empty.with_shapes(&shapes);
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
    pub(super) fn resolve(&mut self, root: &Root) -> Result<(), OpenError> {
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
        if self.missing.is_empty() && self.learned.is_empty() {
            return Ok(());
        }
        let txn = db.begin_write()?;
        {
            let mut shapes = txn.open_table(SHAPES)?;
            for def in self.missing.iter().filter_map(|slot| schema.tables.get(*slot)) {
                if let Some(shape) = &def.shape {
                    let text = shape.latest().text();
                    shapes.insert(key(def.name, def.version).as_str(), text.as_str())?;
                }
            }
            for (slot, text) in &self.learned {
                if let Some(def) = schema.tables.get(*slot) {
                    shapes.insert(key(def.name, def.version).as_str(), text.as_str())?;
                }
            }
        }
        txn.commit()?;
        Ok(())
    }
}

impl Partly {
    /// The table, and its shapes to record, when a row of `slots` showed a part that is not recorded.
    pub(super) fn learned(
        &mut self,
        slots: impl Fn(usize) -> bool,
    ) -> Option<(&'static str, Versions)> {
        let gains = self.shape.gains();
        if gains == self.seen || !slots(self.slot) {
            return None;
        }
        self.seen = gains;
        // A write refuses a row that shows a part which differs.
        let Compared::Learned(text) = compare(&self.recorded, &self.shape.latest().text()) else {
            return None;
        };
        self.recorded = text;
        let mut versions = Versions::default();
        versions.insert(self.version, &self.recorded);
        Some((self.table, versions))
    }
}

/// Records shapes of a table; durable on return.
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
