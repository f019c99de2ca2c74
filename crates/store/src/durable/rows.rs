//! The rows: a redb file with a table for each table, key bytes to record bytes.
//!
//! Secondary indexes are not on disk; they are built when the file is loaded.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use redb::{ReadableDatabase, ReadableTable, TableDefinition, TableError};

use super::database::Db;
use crate::error::{OpenError, RowError};
use crate::key::KeyBytes;
use crate::state::{Root, Schema};

/// The format of the file that this build writes.
const FORMAT: u64 = 1;

/// Names to numbers: the format, the index that the rows are as of, each table's last index.
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
    db: Db,
    /// For each table of the schema: its redb table's name and its key in [`META`].
    names: Vec<(String, String)>,
}

impl RowFile {
    /// Loads every row of the schema's tables.
    pub(crate) fn load(db: Db, path: &Path, schema: &Schema) -> Result<(Self, Root), OpenError> {
        let names = schema
            .tables
            .iter()
            .map(|def| (rows_table(def.name), meta_table_index(def.name)))
            .collect();
        let file = Self { db, names };
        let root = file.load_root(path, schema)?;
        Ok((file, root))
    }

    fn load_root(&self, path: &Path, schema: &Schema) -> Result<Root, OpenError> {
        let damaged = |error: &dyn std::fmt::Display| OpenError::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let txn = self.db.begin_read().map_err(|error| damaged(&error))?;
        let meta = match txn.open_table(META) {
            Ok(meta) => meta,
            Err(TableError::TableDoesNotExist(_)) => {
                // A file without our numbers: new when it is empty, somebody else's otherwise.
                if txn.list_tables().map_err(|error| damaged(&error))?.next().is_some() {
                    return Err(damaged(&"it is another program's redb file"));
                }
                self.write_format().map_err(|error| damaged(&error))?;
                let tables = schema.tables.iter().map(|def| Arc::clone(&def.empty)).collect();
                return Ok(Root::new(schema, 0, tables));
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
                    def.empty.load(&mut rows, last_index, index)
                }
                Err(TableError::TableDoesNotExist(_)) => {
                    def.empty.load(&mut std::iter::empty(), last_index, index)
                }
                Err(error) => return Err(damaged(&error)),
            }
            .map_err(of_row)?;
            tables.push(loaded);
        }
        Ok(Root::new(schema, index, tables))
    }

    fn write_format(&self) -> Result<(), redb::Error> {
        let txn = self.db.begin_write()?;
        txn.open_table(META)?.insert(META_FORMAT, FORMAT)?;
        txn.commit()?;
        Ok(())
    }

    /// Takes the file for ours.
    pub(crate) fn accept(&self) -> std::io::Result<()> {
        self.db.accept()
    }

    /// Writes the latest versions of changed rows, by table and key: durable as a whole on return.
    /// The rows are as of `index` then.
    pub(crate) fn apply(
        &self,
        latest: &BTreeMap<(usize, &[u8]), Option<&[u8]>>,
        table_indexes: &BTreeMap<usize, u64>,
        index: u64,
    ) -> Result<(), redb::Error> {
        let mut txn = self.db.begin_write()?;
        // Bounds the time that opening takes after a crash; nobody waits for this write.
        txn.set_quick_repair(true);
        {
            let mut meta = txn.open_table(META)?;
            meta.insert(META_INDEX, index)?;
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
        Ok(())
    }
}
