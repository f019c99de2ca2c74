//! native_db: typed models with secondary keys over redb.

use std::path::Path;
use std::sync::LazyLock;

use native_db::transaction::RTransaction;
use native_db::{Builder, Database, Models, ToKey, native_db};
use native_model::{Model, native_model};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::rows::{Peer, Reader, Volume, volume};

#[derive(Serialize, Deserialize)]
#[native_model(id = 1, version = 1)]
#[native_db(
    primary_key(number -> u128),
    secondary_key(names -> String, unique),
    secondary_key(plugin_key -> String)
)]
struct Stored {
    volume: Volume,
}

impl Stored {
    fn number(&self) -> u128 {
        self.volume.id.as_u128()
    }

    fn names(&self) -> String {
        names(&self.volume.namespace, &self.volume.name)
    }

    fn plugin_key(&self) -> String {
        self.volume.plugin.clone()
    }
}

fn names(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

static MODELS: LazyLock<Models> = LazyLock::new(|| {
    let mut models = Models::new();
    models.define::<Stored>().unwrap();
    models
});

/// Rows of a load that are committed together.
const BATCH: usize = 50_000;

pub struct Native {
    db: Database<'static>,
}

impl Peer for Native {
    const NAME: &'static str = "native_db";

    fn filled(dir: &Path, rows: usize) -> Self {
        let filled = Self { db: Builder::new().create(&MODELS, dir.join("peer.native")).unwrap() };
        for from in (0..rows).step_by(BATCH) {
            filled.replace(&mut (from..rows.min(from + BATCH)).map(volume));
        }
        filled
    }

    fn reading<R>(&self, read: impl FnOnce(&dyn Reader) -> R) -> R {
        read(&Reading(self.db.r_transaction().unwrap()))
    }

    fn replace(&self, rows: &mut dyn Iterator<Item = Volume>) {
        let txn = self.db.rw_transaction().unwrap();
        for volume in rows {
            txn.upsert(Stored { volume }).unwrap();
        }
        txn.commit().unwrap();
    }
}

struct Reading<'d>(RTransaction<'d>);

impl Reader for Reading<'_> {
    fn by_id(&self, id: Uuid) -> usize {
        let stored: Stored = self.0.get().primary(id.as_u128()).unwrap().unwrap();
        stored.volume.payload.len()
    }

    fn by_name(&self, namespace: &str, name: &str) -> usize {
        let get = self.0.get();
        let stored: Stored =
            get.secondary(StoredKey::names, names(namespace, name)).unwrap().unwrap();
        stored.volume.payload.len()
    }

    fn by_plugin(&self, plugin: &str) -> usize {
        let scan = self.0.scan().secondary::<Stored>(StoredKey::plugin_key).unwrap();
        let range = scan.range(plugin..=plugin).unwrap();
        range.map(|stored| stored.unwrap().volume.payload.len()).sum()
    }

    fn scan(&self) -> usize {
        let scan = self.0.scan().primary::<Stored>().unwrap();
        scan.all().unwrap().map(|stored| stored.unwrap().volume.payload.len()).sum()
    }
}
