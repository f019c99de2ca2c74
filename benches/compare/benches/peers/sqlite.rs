//! SQLite with a write-ahead log that is synced on each commit.

use std::path::Path;

use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use crate::rows::{Peer, Reader, Volume, volume};

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA cache_size = -1000000;
    PRAGMA mmap_size = 4294967296;
    CREATE TABLE volumes (
        id BLOB PRIMARY KEY, namespace TEXT, name TEXT, plugin TEXT, payload TEXT
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX by_name ON volumes (namespace, name);
    CREATE INDEX by_plugin ON volumes (plugin);
";

/// Statements that stay prepared.
const STATEMENTS: usize = 16;

pub struct Sqlite {
    connection: Connection,
}

impl Peer for Sqlite {
    const NAME: &'static str = "sqlite";

    fn filled(dir: &Path, rows: usize) -> Self {
        let connection = Connection::open(dir.join("peer.sqlite")).unwrap();
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.execute_batch(SCHEMA).unwrap();
        let filled = Self { connection };
        filled.replace(&mut (0..rows).map(volume));
        filled
    }

    fn reading<R>(&self, read: impl FnOnce(&dyn Reader) -> R) -> R {
        let txn = self.connection.unchecked_transaction().unwrap();
        let result = read(self);
        txn.commit().unwrap();
        result
    }

    fn replace(&self, rows: &mut dyn Iterator<Item = Volume>) {
        let txn = self.connection.unchecked_transaction().unwrap();
        {
            let text = "INSERT OR REPLACE INTO volumes VALUES (?1, ?2, ?3, ?4, ?5)";
            let mut insert = self.connection.prepare_cached(text).unwrap();
            for row in rows {
                let id = row.id.into_bytes();
                let row = params![id, row.namespace, row.name, row.plugin, row.payload];
                insert.execute(row).unwrap();
            }
        }
        txn.commit().unwrap();
    }
}

fn decoded(row: &Row<'_>) -> rusqlite::Result<usize> {
    let volume = Volume {
        id: Uuid::from_bytes(row.get(0)?),
        namespace: row.get(1)?,
        name: row.get(2)?,
        plugin: row.get(3)?,
        payload: row.get(4)?,
    };
    Ok(volume.payload.len())
}

impl Sqlite {
    fn sum(&self, text: &str, params: impl rusqlite::Params) -> usize {
        let mut statement = self.connection.prepare_cached(text).unwrap();
        statement.query_map(params, decoded).unwrap().map(|len| len.unwrap()).sum()
    }
}

impl Reader for Sqlite {
    fn by_id(&self, id: Uuid) -> usize {
        self.sum("SELECT * FROM volumes WHERE id = ?1", [id.into_bytes()])
    }

    fn by_name(&self, namespace: &str, name: &str) -> usize {
        self.sum("SELECT * FROM volumes WHERE namespace = ?1 AND name = ?2", [namespace, name])
    }

    fn by_plugin(&self, plugin: &str) -> usize {
        self.sum("SELECT * FROM volumes WHERE plugin = ?1", [plugin])
    }

    fn scan(&self) -> usize {
        self.sum("SELECT * FROM volumes ORDER BY id", [])
    }
}
