//! Ordered maps in memory, the alternative to a store. They are not durable.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use imbl::OrdMap;
use parking_lot::RwLock;
use uuid::Uuid;

use crate::rows::{Peer, Reader, Volume, volume};

type Names = (String, String);

macro_rules! of_maps {
    ($maps:ident, $map:ident) => {
        #[derive(Clone, Default)]
        pub struct $maps {
            by_id: $map<Uuid, Arc<Volume>>,
            by_name: $map<Names, Arc<Volume>>,
            by_plugin: $map<(String, Uuid), Arc<Volume>>,
        }

        impl $maps {
            fn insert(&mut self, row: Volume) {
                let row = Arc::new(row);
                let names = (row.namespace.clone(), row.name.clone());
                self.by_plugin.insert((row.plugin.clone(), row.id), Arc::clone(&row));
                self.by_name.insert(names, Arc::clone(&row));
                self.by_id.insert(row.id, row);
            }
        }

        impl Reader for $maps {
            fn by_id(&self, id: Uuid) -> usize {
                self.by_id[&id].payload.len()
            }

            fn by_name(&self, namespace: &str, name: &str) -> usize {
                self.by_name[&(namespace.to_owned(), name.to_owned())].payload.len()
            }

            fn by_plugin(&self, plugin: &str) -> usize {
                let range = (plugin.to_owned(), Uuid::nil())..=(plugin.to_owned(), Uuid::max());
                self.by_plugin.range(range).map(|(_, row)| row.payload.len()).sum()
            }

            fn scan(&self) -> usize {
                self.by_id.values().map(|row| row.payload.len()).sum()
            }
        }
    };
}

of_maps!(BTreeMaps, BTreeMap);
of_maps!(OrdMaps, OrdMap);

/// `BTreeMap`s behind one lock: readers wait for writers, and there are no snapshots.
pub struct Locked(RwLock<BTreeMaps>);

impl Peer for Locked {
    const NAME: &'static str = "btreemap_rwlock";

    fn filled(_: &Path, rows: usize) -> Self {
        let filled = Self(RwLock::default());
        filled.replace(&mut (0..rows).map(volume));
        filled
    }

    fn reading<R>(&self, read: impl FnOnce(&dyn Reader) -> R) -> R {
        read(&*self.0.read())
    }

    fn replace(&self, rows: &mut dyn Iterator<Item = Volume>) {
        let mut maps = self.0.write();
        rows.for_each(|row| maps.insert(row));
    }
}

/// Persistent maps: snapshots are clones.
pub struct Imbl(RwLock<OrdMaps>);

impl Peer for Imbl {
    const NAME: &'static str = "imbl";

    fn filled(_: &Path, rows: usize) -> Self {
        let filled = Self(RwLock::default());
        filled.replace(&mut (0..rows).map(volume));
        filled
    }

    fn reading<R>(&self, read: impl FnOnce(&dyn Reader) -> R) -> R {
        let snapshot = self.0.read().clone();
        read(&snapshot)
    }

    fn replace(&self, rows: &mut dyn Iterator<Item = Volume>) {
        let mut next = self.0.read().clone();
        rows.for_each(|row| next.insert(row));
        *self.0.write() = next;
    }
}
