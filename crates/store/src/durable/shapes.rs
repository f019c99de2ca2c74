//! The recorded shapes of rows: a redb table of `rows.redb`, from `TABLE/VERSION` to the shape's string form.
//!
//! The bytes of a row have no type information, so a type that changed without a new version would decode them
//! wrongly. The shape of each version is recorded when a store is opened with it for the first time, before a
//! row is written, and compared at each later open. A part of a type that only its rows reveal is recorded
//! before the first commit with such a row, and compared after the rows are loaded.
//!
//! Invariant: a recorded shape is replaced only while its table was never written to; otherwise missing parts
//! are added to it.

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

/// Returns the shapes of a table by version.
fn of_table(
    shapes: &impl ReadableTable<&'static str, &'static str>,
    table: &str,
) -> Result<Versions, StorageError> {
    let prefix = format!("{table}/");
    let mut versions = Versions::default();
    for shape in shapes.range(prefix.as_str()..)? {
        let (key, text) = shape?;
        let Some(version) = key.value().strip_prefix(&prefix) else { break };
        // Another table's name may continue with a slash, as in `TABLE/x/1`.
        if let Ok(version) = version.parse() {
            versions.insert(version, text.value());
        }
    }
    Ok(versions)
}

/// The recorded shapes that an open found.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// Tables of the schema whose shapes must be recorded.
    missing: Vec<usize>,
    /// Tables whose recorded shapes lack a part that is known now, and the completed strings.
    learned: Vec<(usize, String)>,
    /// Tables whose shapes changed, and that had no commit up to the index of the rows.
    unused: Vec<(usize, OpenError)>,
    /// Tables with recorded shapes of a partly known type, and these shapes.
    partly: Vec<(usize, String)>,
    /// The shapes of tables kept as bytes, and of earlier versions of the others.
    versions: Vec<(usize, Versions)>,
}

/// The partly known shape of a table's rows, while the store is open.
pub(super) struct Partly {
    slot: usize,
    table: &'static str,
    version: u16,
    /// The recorded string.
    recorded: String,
    shape: Arc<Shape>,
    /// Number of gains of the shape that are recorded or compared already.
    seen: usize,
}

impl Recorded {
    /// Compares the recorded shapes with those of the schema, before a row is read.
    ///
    /// `written` returns whether the table in a slot had a commit.
    ///
    /// # Errors
    /// [`OpenError::ShapeChanged`], and [`OpenError::Damaged`] for a record that cannot be parsed.
    pub(super) fn compare(
        txn: &ReadTransaction,
        path: &Path,
        schema: &Schema,
        written: impl Fn(usize) -> bool,
    ) -> Result<Self, OpenError> {
        let damaged = |reason: String| OpenError::Damaged { path: path.to_owned(), reason };
        let shapes = match txn.open_table(SHAPES) {
            Ok(shapes) => shapes,
            // A build that recorded no shapes wrote the file: its rows are assumed to have today's shapes.
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
            // A table kept as bytes is compared by the build that has its type.
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

    /// Compares the recorded shape of a table with that of its row type, and notes a part that the recorded one
    /// lacks. Returns the error for a changed shape.
    ///
    /// # Errors
    /// [`OpenError::Damaged`] for a record that cannot be parsed.
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
            // A form of a later build is left for that build to compare.
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

    /// Compares the parts of row types that only rows reveal. Call it after the rows are loaded.
    ///
    /// # Errors
    /// See [`Recorded::compare`].
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

    /// Returns the partly known shapes, as [`Recorded::write`] records them.
    pub(super) fn partly(&self, schema: &Schema) -> Vec<Partly> {
        let of_slot = |list: &[(usize, String)], slot| {
            list.iter().find(|(known, _)| *known == slot).map(|(_, text)| text.clone())
        };
        let tables = schema.tables.iter().enumerate().filter_map(|(slot, def)| {
            let shape = def.shape.as_ref().filter(|shape| !shape.latest().is_whole())?;
            let recorded = if self.missing.contains(&slot) {
                shape.latest().text()
            } else {
                // None means that a later build's form is recorded, which stays.
                of_slot(&self.learned, slot).or_else(|| of_slot(&self.partly, slot))?
            };
            let (table, version, shape) = (def.name, def.version, Arc::clone(shape));
            // Counted from zero, because the shape may have gained a part since the comparison.
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

    /// Returns the change that explains why the journal cannot be replayed, if there is one.
    pub(super) fn explanation(&self) -> Option<OpenError> {
        self.unused.first().map(|(_, error)| error.clone())
    }

    /// Checks the tables whose shapes changed before their first commit. Call it after the journal is replayed.
    ///
    /// # Errors
    /// [`OpenError::ShapeChanged`] if the journal has a commit for one of them.
    pub(super) fn resolve(&mut self, root: &Root) -> Result<(), OpenError> {
        for (slot, error) in self.unused.drain(..) {
            if root.tables[slot].last_change(0, &Span::all()) > 0 {
                return Err(error);
            }
            self.missing.push(slot);
        }
        Ok(())
    }

    /// Records missing shapes and parts; they are durable on return.
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
    /// Returns the table and the shapes to record, if a row in `slots` revealed an unrecorded part.
    pub(super) fn learned(
        &mut self,
        slots: impl Fn(usize) -> bool,
    ) -> Option<(&'static str, Versions)> {
        let gains = self.shape.gains();
        // The common case of every commit: two integer comparisons.
        if gains == self.seen || !slots(self.slot) {
            return None;
        }
        self.seen = gains;
        // A differing part is impossible here, because the write rejected its row.
        let Compared::Learned(text) = compare(&self.recorded, &self.shape.latest().text()) else {
            return None;
        };
        self.recorded = text;
        let mut versions = Versions::default();
        versions.insert(self.version, &self.recorded);
        Some((self.table, versions))
    }
}

/// Records shapes of a table; they are durable on return.
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

/// Removes the shapes of a dropped table.
pub(super) fn remove(txn: &WriteTransaction, table: &str) -> Result<(), redb::Error> {
    let mut shapes = txn.open_table(SHAPES)?;
    for (version, _) in of_table(&shapes, table)?.iter() {
        shapes.remove(key(table, version).as_str())?;
    }
    Ok(())
}
