//! The durable rows: one redb file, a table for each table, key bytes to record bytes.
//!
//! Secondary indexes are not on disk; they are built when the file is loaded. A batch of
//! transactions is one redb transaction, so it is on disk as a whole or not at all.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use crate::commit::Pending;
use crate::error::{CommitError, OpenError, RowError};
use crate::key::KeyBytes;
use crate::state::{Root, Schema};

/// The name of the file in the data directory.
const FILE: &str = "rows.redb";

/// The format of the file that this build writes.
const FORMAT: u64 = 1;

/// Names to numbers: the format, the last index, and each table's last index.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("statehold");

const META_FORMAT: &str = "format";
const META_INDEX: &str = "index";

fn rows_table(name: &str) -> String {
    format!("rows/{name}")
}

fn meta_table_index(name: &str) -> String {
    format!("index/{name}")
}

/// An open file of rows.
pub(crate) struct RowFile {
    db: Database,
    /// For each table of the schema: its redb table's name and its key in [`META`].
    names: Vec<(String, String)>,
}

impl RowFile {
    /// Opens or creates the file in `dir` and loads every row of the schema's tables.
    pub(crate) fn open(dir: &Path, schema: &Schema) -> Result<(Self, Root), OpenError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source: Arc::new(source) }
        };
        fs::create_dir_all(dir).map_err(io(dir))?;
        let path = dir.join(FILE);
        let db = Database::create(&path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => OpenError::AlreadyOpen { dir: dir.to_owned() },
            DatabaseError::Storage(redb::StorageError::Io(source)) => io(&path)(source),
            other => OpenError::Damaged { path: path.clone(), reason: other.to_string() },
        })?;
        // The entry of a new file is durable only with its directory.
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(io(dir))?;
        let names = schema
            .tables
            .iter()
            .map(|def| (rows_table(def.name), meta_table_index(def.name)))
            .collect();
        let file = Self { db, names };
        let root = file.load(&path, schema)?;
        Ok((file, root))
    }

    fn load(&self, path: &Path, schema: &Schema) -> Result<Root, OpenError> {
        let damaged = |error: &dyn std::fmt::Display| OpenError::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let txn = self.db.begin_read().map_err(|error| damaged(&error))?;
        let meta = match txn.open_table(META) {
            Ok(meta) => meta,
            Err(TableError::TableDoesNotExist(_)) => {
                return self.load_new(path, schema, &txn);
            }
            Err(error) => return Err(damaged(&error)),
        };
        let number = |name: &str| {
            let value = meta.get(name).map_err(|error| damaged(&error))?;
            Ok(value.map(|value| value.value()))
        };
        let format = number(META_FORMAT)?
            .ok_or_else(|| damaged(&"it has no format number, so no store wrote it"))?;
        if format > FORMAT {
            return Err(OpenError::NewerFormat {
                path: path.to_owned(),
                found: format,
                known: FORMAT,
            });
        }
        let index = number(META_INDEX)?.unwrap_or(0);
        let mut tables = Vec::with_capacity(schema.tables.len());
        for (def, (rows, table_index)) in schema.tables.iter().zip(&self.names) {
            let last_index = number(table_index)?.unwrap_or(0);
            let unreadable = |error: redb::StorageError| RowError::Unreadable {
                table: def.name,
                reason: error.to_string(),
            };
            let in_file = |source| OpenError::Row { path: path.to_owned(), source };
            let rows: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new(rows);
            let loaded = match txn.open_table(rows) {
                Ok(rows) => {
                    let all = rows.iter().map_err(|error| in_file(unreadable(error)))?;
                    let mut all = all.map(|row| {
                        let (key, bytes) = row.map_err(unreadable)?;
                        Ok((KeyBytes::from_slice(key.value()), bytes.value().to_vec()))
                    });
                    def.empty.load(&mut all, last_index).map_err(in_file)?
                }
                Err(TableError::TableDoesNotExist(_)) => {
                    def.empty.load(&mut std::iter::empty(), last_index).map_err(in_file)?
                }
                Err(error) => return Err(damaged(&error)),
            };
            tables.push(loaded);
        }
        Ok(Root::new(schema, index, tables))
    }

    /// A file without our numbers: new when it is empty, somebody else's otherwise.
    fn load_new(
        &self,
        path: &Path,
        schema: &Schema,
        txn: &redb::ReadTransaction,
    ) -> Result<Root, OpenError> {
        let damaged = |error: &dyn std::fmt::Display| OpenError::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        if txn.list_tables().map_err(|error| damaged(&error))?.next().is_some() {
            return Err(damaged(&"it is another program's redb file"));
        }
        self.write_format().map_err(|error| damaged(&error))?;
        Ok(Root::new(schema, 0, schema.tables.iter().map(|def| Arc::clone(&def.empty)).collect()))
    }

    fn write_format(&self) -> Result<(), redb::Error> {
        let txn = self.db.begin_write()?;
        txn.open_table(META)?.insert(META_FORMAT, FORMAT)?;
        txn.commit()?;
        Ok(())
    }

    /// Writes a batch: durable as a whole when this returns.
    pub(crate) fn write(&self, batch: &[Pending]) -> Result<(), CommitError> {
        self.try_write(batch)
            .map_err(|error| CommitError::Storage { reason: error.to_string().into() })
    }

    fn try_write(&self, batch: &[Pending]) -> Result<(), redb::Error> {
        let Some(newest) = batch.last() else { return Ok(()) };
        let txn = self.db.begin_write()?;
        {
            let mut meta = txn.open_table(META)?;
            meta.insert(META_INDEX, newest.root.index)?;
            for (slot, (rows, table_index)) in self.names.iter().enumerate() {
                let mut changes = batch
                    .iter()
                    .flat_map(|pending| &pending.changes)
                    .filter(|change| change.table == slot)
                    .peekable();
                if changes.peek().is_none() {
                    continue;
                }
                meta.insert(table_index.as_str(), newest.root.tables[slot].last_index())?;
                let mut rows = txn.open_table(TableDefinition::<&[u8], &[u8]>::new(rows))?;
                for change in changes {
                    match &change.row {
                        Some(row) => drop(rows.insert(change.key.as_slice(), row.as_slice())?),
                        None => drop(rows.remove(change.key.as_slice())?),
                    }
                }
            }
        }
        txn.commit()?;
        Ok(())
    }
}
