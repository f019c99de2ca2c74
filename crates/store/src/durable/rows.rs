//! The rows: a redb file with one redb table for each table, from key bytes to record bytes.
//!
//! Secondary indexes are not on disk; they are built during the load.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use redb::{
    ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, TableError,
    TableHandle,
};
use uuid::Uuid;

use super::database::{Db, Files, io_error};
use super::pairing::{BLANK, FORMAT, META_ID_HIGH, META_ID_LOW, RowsHead, halves, joined};
use super::redb_panic::catch_redb_panic;
use super::shapes::{self, Recorded};
use crate::change::LoadContext;
use crate::error::{OpenError, ReopenError, RowError};
use crate::key::KeyBytes;
use crate::root::Root;
use crate::schema::{Schema, TableDef};
use crate::shape::Versions;

/// Numbers by name: the format, the identity, the index of the rows and the checksum of the journal record that
/// ends there, and each table's last index.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("statehold");

const META_FORMAT: &str = "format";
const META_INDEX: &str = "index";
const META_LINK: &str = "link";

/// The commit up to which the journal must be truncated.
const META_CUT: &str = "cut";

/// Prefix of the redb tables that hold rows.
const ROWS_PREFIX: &str = "rows/";

fn rows_table(name: &str) -> String {
    format!("{ROWS_PREFIX}{name}")
}

fn meta_table_index(name: &str) -> String {
    format!("index/{name}")
}

/// An open file of rows.
pub(crate) struct RowFile {
    /// `None` after a failed attempt to open the file again.
    db: Option<Db>,
    /// For each table of the schema: the name of its redb table and its key in [`META`].
    names: Vec<(String, String)>,
    applied: Applied,
    /// Tables that the open drops, which the next write deletes.
    dropping: Option<Vec<String>>,
    /// Whether a sync of the file ever failed.
    sync_failed: bool,
}

/// The journal record up to which the rows were applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// The index of its last commit.
    pub(crate) index: u64,
    /// Its checksum; `None` in a file of format 1.
    pub(crate) link: Option<u32>,
}

impl RowFile {
    /// Opens the file and reads its metadata.
    pub(crate) fn open(db: Db, files: &Files) -> Result<(Self, RowsHead), OpenError> {
        let path = files.rows_path();
        let (head, applied) = Self::read(&db).map_err(|reason| damaged(path, &reason))?;
        if head.format > FORMAT {
            return Err(OpenError::NewerFormat {
                path: path.to_owned(),
                found: head.format,
                known: FORMAT,
            });
        }
        let (names, dropping) = (Vec::new(), None);
        Ok((Self { db: Some(db), names, applied, dropping, sync_failed: false }, head))
    }

    fn read(db: &Db) -> Result<(RowsHead, Applied), String> {
        let text = |error: redb::Error| error.to_string();
        let txn = db.begin_read().map_err(|error| text(error.into()))?;
        let meta = match txn.open_table(META) {
            Ok(meta) => meta,
            Err(TableError::TableDoesNotExist(_)) => {
                // A file without our table is new if it is empty, and another program's otherwise.
                let mut tables = txn.list_tables().map_err(|error| text(error.into()))?;
                if tables.next().is_some() {
                    return Err("it is another program's redb file".to_owned());
                }
                return Ok((RowsHead::default(), Applied::default()));
            }
            Err(error) => return Err(text(error.into())),
        };
        let number = |name: &str| {
            let value = meta.get(name).map_err(|error| text(error.into()))?;
            Ok::<_, String>(value.map(|value| value.value()))
        };
        let format = number(META_FORMAT)?.unwrap_or(BLANK);
        if format == BLANK {
            return Err("it has no format number, so no store wrote it".to_owned());
        }
        let index = number(META_INDEX)?.unwrap_or(0);
        let link = number(META_LINK)?.map(u32::try_from).transpose();
        let link = link.map_err(|_| "its link is no checksum".to_owned())?;
        let id = joined(number(META_ID_HIGH)?, number(META_ID_LOW)?);
        Ok((RowsHead { format, id, index }, Applied { index, link }))
    }

    /// Returns the journal record up to which the rows were applied.
    pub(crate) fn applied(&self) -> Applied {
        self.applied
    }

    /// Compares the recorded shapes of rows with those of the schema.
    pub(crate) fn shapes(&self, path: &Path, schema: &Schema) -> Result<Recorded, OpenError> {
        let damaged = |error: &dyn std::fmt::Display| damaged(path, &error.to_string());
        let db = self.db.as_ref().ok_or_else(|| damaged(&CLOSED))?;
        let txn = db.begin_read().map_err(|error| damaged(&error))?;
        let mut written = vec![false; self.names.len()];
        match txn.open_table(META) {
            Ok(meta) => {
                for (written, (_, table_index)) in written.iter_mut().zip(&self.names) {
                    let last = meta.get(table_index.as_str()).map_err(|error| damaged(&error))?;
                    // A table has a last index from its first commit on, even if all of its rows were deleted.
                    *written = last.is_some();
                }
            }
            Err(TableError::TableDoesNotExist(_)) => {}
            Err(error) => return Err(damaged(&error)),
        }
        Recorded::compare(&txn, path, schema, |slot| written[slot])
    }

    /// Records the shapes of rows that have none yet.
    pub(crate) fn record(
        &self,
        shapes: &Recorded,
        path: &Path,
        schema: &Schema,
    ) -> Result<(), OpenError> {
        let Some(db) = &self.db else { return Ok(()) };
        shapes.write(db, schema).map_err(|error| match error {
            redb::Error::Io(source) => io_error(path, source),
            other => io_error(path, std::io::Error::other(other)),
        })
    }

    /// Records shapes of a table; they are durable on return.
    pub(crate) fn add_shapes(&self, table: &str, added: &Versions) -> Result<(), redb::Error> {
        shapes::add(self.db.as_ref().ok_or_else(closed)?, table, added)
    }

    /// Sets the tables of the schema, which are identified by their slots from here on.
    pub(crate) fn name(&mut self, schema: &Schema) {
        let names = |def: &TableDef| (rows_table(def.name), meta_table_index(def.name));
        self.names = schema.tables.iter().map(names).collect();
    }

    /// Loads every row of the schema's tables.
    pub(crate) fn load(
        &self,
        path: &Path,
        schema: &Schema,
        salvage: bool,
    ) -> Result<Root, OpenError> {
        let damaged = |error: &dyn std::fmt::Display| damaged(path, &error.to_string());
        let db = self.db.as_ref().ok_or_else(|| damaged(&CLOSED))?;
        let txn = db.begin_read().map_err(|error| damaged(&error))?;
        let meta = match txn.open_table(META) {
            Ok(meta) => meta,
            Err(TableError::TableDoesNotExist(_)) => {
                let tables = schema.tables.iter().map(|def| Arc::clone(&def.empty)).collect();
                return Ok(Root::new(schema, 0, tables));
            }
            Err(error) => return Err(damaged(&error)),
        };
        let index = self.applied.index;
        let mut tables = Vec::with_capacity(schema.tables.len());
        for (def, (rows, table_index)) in schema.tables.iter().zip(&self.names) {
            let last_index = meta.get(table_index.as_str()).map_err(|error| damaged(&error))?;
            let last_index = last_index.map_or(0, |value| value.value());
            let context = LoadContext { last_index, stamped_max: index, salvage };
            let of_row = |source| OpenError::Row { path: path.to_owned(), source };
            let loaded = match txn.open_table(TableDefinition::<&[u8], &[u8]>::new(rows)) {
                Ok(table) => {
                    let unreadable = |error: redb::StorageError| RowError::Unreadable {
                        table: def.name,
                        reason: error.to_string(),
                    };
                    let rows = table.iter().map_err(unreadable).map_err(of_row)?;
                    let mut rows = rows.map(|row| {
                        let (key, bytes) = row.map_err(unreadable)?;
                        Ok((KeyBytes::from_slice(key.value()), bytes.value().to_vec()))
                    });
                    def.empty.load(&mut rows, context)
                }
                Err(TableError::TableDoesNotExist(_)) => {
                    def.empty.load(&mut std::iter::empty(), context)
                }
                Err(error) => return Err(damaged(&error)),
            }
            .map_err(of_row)?;
            tables.push(loaded);
        }
        Ok(Root::new(schema, index, tables))
    }

    /// Writes the store's identity into a new file, or into one of an older build.
    pub(crate) fn adopt(&mut self, id: Uuid, link: u32) -> Result<(), redb::Error> {
        let db = self.db.as_ref().ok_or_else(closed)?;
        let txn = db.begin_write()?;
        {
            let mut meta = txn.open_table(META)?;
            meta.insert(META_FORMAT, FORMAT)?;
            for (name, half) in halves(id) {
                meta.insert(name, half)?;
            }
            meta.insert(META_INDEX, self.applied.index)?;
            meta.insert(META_LINK, u64::from(link))?;
        }
        txn.commit()?;
        self.applied.link = Some(link);
        Ok(())
    }

    /// Returns the tables that have rows, whether the schema has them or not.
    pub(crate) fn tables(&self) -> Result<BTreeSet<String>, redb::Error> {
        let txn = self.db.as_ref().ok_or_else(closed)?.begin_read()?;
        let mut names = BTreeSet::new();
        for table in txn.list_tables()? {
            let Some(name) = table.name().strip_prefix(ROWS_PREFIX) else { continue };
            let rows = txn.open_table(TableDefinition::<&[u8], &[u8]>::new(table.name()))?;
            // A table without rows needs no decision of the schema.
            if !rows.is_empty()? {
                names.insert(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Returns the commit up to which the journal must be truncated; 0 for none.
    pub(crate) fn cut(&self) -> Result<u64, redb::Error> {
        let meta = self.db.as_ref().ok_or_else(closed)?.begin_read()?.open_table(META)?;
        Ok(meta.get(META_CUT)?.map_or(0, |cut| cut.value()))
    }

    /// Registers tables for deletion by the next [`RowFile::apply`], which also records that the journal must
    /// be truncated up to its index.
    pub(crate) fn drop_with_next_apply(&mut self, dropped: Vec<String>) {
        self.dropping = Some(dropped);
    }

    /// Accepts the file, which enables writes.
    pub(crate) fn accept(&self) -> std::io::Result<()> {
        self.db.as_ref().map_or(Ok(()), Db::accept)
    }

    /// Opens the file again after a failed write. `ahead` holds the journal records up to which a failed
    /// checkpoint may have been applied.
    ///
    /// # Errors
    /// [`ReopenError`]; no write is possible until a later call succeeds.
    pub(crate) fn reopen(&mut self, files: &Files, ahead: &[Applied]) -> Result<(), ReopenError> {
        let path = files.rows_path();
        catch_redb_panic(|| self.open_again(files, ahead))
            .unwrap_or_else(|_| Err(super::database::contradictory(path).into()))
    }

    fn open_again(&mut self, files: &Files, ahead: &[Applied]) -> Result<(), ReopenError> {
        self.sync_failed |= self.db.as_ref().is_some_and(Db::sync_failed);
        // Closed first, because two handles would exclude each other.
        self.db = None;
        let path = files.rows_path();
        let db = files.rows()?.ok_or_else(|| OpenError::FileMissing {
            path: path.to_owned(),
            other: files.log_path().to_owned(),
        })?;
        let (_, applied) = Self::read(&db).map_err(|reason| damaged(path, &reason))?;
        // A checkpoint that failed after its last write is in the file. Unless a sync failed, the next sync
        // proves that the disk has it. After a failed sync the file is read from the system's cache, which
        // proves nothing about the disk.
        let whole = !self.sync_failed && ahead.contains(&applied);
        if applied != self.applied && !whole {
            return Err(ReopenError::Unproved { path: path.to_owned() });
        }
        let failed = |source| io_error(path, source);
        db.accept().and_then(|()| db.sync()).map_err(failed)?;
        self.applied = applied;
        self.db = Some(db);
        Ok(())
    }

    /// Writes the latest versions of changed rows, by table and key, in one transaction that is durable on
    /// return. Afterwards the rows are as of `index`, where the journal record with the checksum `link` ends.
    pub(crate) fn apply(
        &mut self,
        latest: &BTreeMap<(usize, &[u8]), Option<&[u8]>>,
        table_indexes: &BTreeMap<usize, u64>,
        index: u64,
        link: u32,
    ) -> Result<(), redb::Error> {
        let db = self.db.as_ref().ok_or_else(closed)?;
        let mut txn = db.begin_write()?;
        // Bounds the time of an open after a crash. It makes this write slower, but no commit waits for it.
        txn.set_quick_repair(true);
        {
            let mut meta = txn.open_table(META)?;
            meta.insert(META_INDEX, index)?;
            meta.insert(META_LINK, u64::from(link))?;
            // In the same transaction, so that a crash leaves the tables complete or deletes them completely.
            for name in self.dropping.iter().flatten() {
                txn.delete_table(TableDefinition::<&[u8], &[u8]>::new(&rows_table(name)))?;
                meta.remove(meta_table_index(name).as_str())?;
                shapes::remove(&txn, name)?;
            }
            if self.dropping.is_some() {
                meta.insert(META_CUT, index)?;
            }
            for (table, last_index) in table_indexes {
                let (rows, table_index) = &self.names[*table];
                meta.insert(table_index.as_str(), last_index)?;
                let mut rows = txn.open_table(TableDefinition::<&[u8], &[u8]>::new(rows))?;
                let of_table = (*table, [].as_slice())..(*table + 1, [].as_slice());
                for ((_, key), row) in latest.range(of_table) {
                    match row {
                        Some(row) => drop(rows.insert(*key, *row)?),
                        None => drop(rows.remove(*key)?),
                    }
                }
            }
        }
        txn.commit()?;
        self.dropping = None;
        self.applied = Applied { index, link: Some(link) };
        Ok(())
    }
}

const CLOSED: &str = "it is closed, because it could not be opened again";

fn closed() -> redb::Error {
    redb::Error::Io(std::io::Error::other(CLOSED))
}

fn damaged(path: &Path, reason: &str) -> OpenError {
    OpenError::Damaged { path: path.to_owned(), reason: reason.to_owned() }
}
