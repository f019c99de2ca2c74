//! Plain redb: rows in bincode, and one table for each index.

use std::path::Path;

use bincode::config::standard;
use bincode::serde::{decode_from_slice, encode_to_vec};
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition};
use uuid::Uuid;

use crate::rows::{Peer, Reader, Volume, volume};

type Id = [u8; 16];

const ROWS: TableDefinition<'_, Id, &[u8]> = TableDefinition::new("rows");
const BY_NAME: TableDefinition<'_, (&str, &str), Id> = TableDefinition::new("name");
const BY_PLUGIN: TableDefinition<'_, (&str, Id), ()> = TableDefinition::new("plugin");

/// Rows of a load that are committed together.
const BATCH: usize = 100_000;

pub struct Redb {
    db: Database,
}

impl Peer for Redb {
    const NAME: &'static str = "redb";

    fn filled(dir: &Path, rows: usize) -> Self {
        let filled = Self { db: Database::create(dir.join("peer.redb")).unwrap() };
        for from in (0..rows).step_by(BATCH) {
            filled.replace(&mut (from..rows.min(from + BATCH)).map(volume));
        }
        filled
    }

    fn reading<R>(&self, read: impl FnOnce(&dyn Reader) -> R) -> R {
        let txn = self.db.begin_read().unwrap();
        read(&Tables {
            rows: txn.open_table(ROWS).unwrap(),
            by_name: txn.open_table(BY_NAME).unwrap(),
            by_plugin: txn.open_table(BY_PLUGIN).unwrap(),
        })
    }

    fn replace(&self, rows: &mut dyn Iterator<Item = Volume>) {
        let txn = self.db.begin_write().unwrap();
        {
            let mut table = txn.open_table(ROWS).unwrap();
            let mut by_name = txn.open_table(BY_NAME).unwrap();
            let mut by_plugin = txn.open_table(BY_PLUGIN).unwrap();
            for row in rows {
                let bytes = encode_to_vec(&row, standard()).unwrap();
                let id = row.id.into_bytes();
                table.insert(id, &*bytes).unwrap();
                by_name.insert((&*row.namespace, &*row.name), id).unwrap();
                by_plugin.insert((&*row.plugin, id), ()).unwrap();
            }
        }
        txn.commit().unwrap();
    }
}

struct Tables {
    rows: ReadOnlyTable<Id, &'static [u8]>,
    by_name: ReadOnlyTable<(&'static str, &'static str), Id>,
    by_plugin: ReadOnlyTable<(&'static str, Id), ()>,
}

fn decoded(bytes: &[u8]) -> usize {
    let (row, _): (Volume, usize) = decode_from_slice(bytes, standard()).unwrap();
    row.payload.len()
}

impl Tables {
    fn row(&self, id: Id) -> usize {
        decoded(self.rows.get(id).unwrap().unwrap().value())
    }
}

impl Reader for Tables {
    fn by_id(&self, id: Uuid) -> usize {
        self.row(id.into_bytes())
    }

    fn by_name(&self, namespace: &str, name: &str) -> usize {
        self.row(self.by_name.get((namespace, name)).unwrap().unwrap().value())
    }

    fn by_plugin(&self, plugin: &str) -> usize {
        let range = self.by_plugin.range((plugin, [0; 16])..=(plugin, [0xFF; 16])).unwrap();
        range.map(|entry| self.row(entry.unwrap().0.value().1)).sum()
    }

    fn scan(&self) -> usize {
        self.rows.iter().unwrap().map(|entry| decoded(entry.unwrap().1.value())).sum()
    }
}
