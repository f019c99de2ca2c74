//! Statehold's own store.

use std::path::Path;

use statehold_store::{Index, IndexSet, KeyRange, Order, ReadView, Schema, Snapshot, Store, Table};
use uuid::Uuid;

use crate::rows::{Peer, Reader, Volume, volume};

pub struct Volumes;

const BY_NAME: Index<Volumes, (String, String)> =
    Volumes::INDEX.unique("name", |volume, keys| keys.add((&volume.namespace, &volume.name)));
const BY_PLUGIN: Index<Volumes, String> =
    Volumes::INDEX.non_unique("plugin", |volume, keys| keys.add(&volume.plugin));

impl Table for Volumes {
    const NAME: &'static str = "volumes";
    const VERSION: u16 = 1;
    type Key = Uuid;
    type Row = Volume;

    fn key(row: &Volume) -> Uuid {
        row.id
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&BY_NAME).add(&BY_PLUGIN);
    }
}

pub struct Statehold {
    pub store: Store,
}

impl Peer for Statehold {
    const NAME: &'static str = "statehold";

    fn filled(dir: &Path, rows: usize) -> Self {
        let store = Store::open(dir, &Schema::new().table::<Volumes>()).unwrap();
        let filled = Self { store };
        filled.replace(&mut (0..rows).map(volume));
        filled.store.checkpoint().unwrap();
        filled
    }

    fn reading<R>(&self, read: impl FnOnce(&dyn Reader) -> R) -> R {
        read(&self.store.snapshot())
    }

    fn replace(&self, rows: &mut dyn Iterator<Item = Volume>) {
        let mut txn = self.store.begin_write().unwrap();
        for row in rows {
            txn.upsert::<Volumes>(row).unwrap();
        }
        txn.commit().unwrap();
    }
}

impl Reader for Snapshot {
    fn by_id(&self, id: Uuid) -> usize {
        self.get::<Volumes>(id).unwrap().payload.len()
    }

    fn by_name(&self, namespace: &str, name: &str) -> usize {
        self.find(&BY_NAME, (namespace, name)).unwrap().payload.len()
    }

    fn by_plugin(&self, plugin: &str) -> usize {
        let range = KeyRange::exact(plugin);
        self.scan_by(&BY_PLUGIN, &range, Order::Ascending).map(|row| row.payload.len()).sum()
    }

    fn scan(&self) -> usize {
        let rows = ReadView::scan::<Volumes>(self, &KeyRange::all(), Order::Ascending);
        rows.map(|row| row.payload.len()).sum()
    }
}
