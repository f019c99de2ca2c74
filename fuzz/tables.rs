//! A table with every kind of index, for the targets of the store.

use serde::{Deserialize, Serialize};
use statehold_store::{KeyRange, Order, ReadView, Schema, Store, Table};
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Table)]
#[table(name = "volumes", version = 2, key(namespace, id))]
#[table(index(name = "plugin_size", on(plugin, desc(size))))]
pub struct Volume {
    pub namespace: String,
    pub id: String,
    #[table(index(fold))]
    pub plugin: String,
    #[table(unique(some))]
    pub external: Option<Box<str>>,
    #[table(index(each))]
    pub nodes: Vec<Uuid>,
    pub size: i64,
}

impl Volume {
    pub fn new(at: u8) -> Self {
        Self {
            namespace: "default".into(),
            id: format!("vol-{at}"),
            plugin: "Ebs".into(),
            external: (at % 2 == 0).then(|| format!("ext-{at}").into()),
            nodes: vec![Uuid::from_u128(u128::from(at) << 120)],
            size: i64::from(at) - 3,
        }
    }
}

pub fn schema() -> Schema {
    Schema::new().table::<Volume>()
}

/// Adds a volume, in its own commit.
pub fn put(store: &Store, at: u8) {
    let mut txn = store.begin_write().expect("not poisoned");
    txn.upsert::<Volume>(Volume::new(at)).expect("no other has its keys");
    txn.commit().expect("the disk works");
}

/// Returns every row with its stamps, after checking that the indexes have the same rows.
pub fn rows(store: &Store) -> Vec<(Volume, u64, u64)> {
    let view = store.snapshot();
    let rows: Vec<_> = view
        .scan::<Volume>(&KeyRange::all(), Order::Ascending)
        .map(|row| ((**row).clone(), row.create_index(), row.modify_index()))
        .collect();
    let by_plugin = view.scan_by(&Volume::BY_PLUGIN, &KeyRange::all(), Order::Descending).count();
    let by_size = view.scan_by(&Volume::BY_PLUGIN_SIZE, &KeyRange::all(), Order::Ascending).count();
    assert_eq!((by_plugin, by_size), (rows.len(), rows.len()));
    assert!(rows.iter().all(|(_, create, modify)| create <= modify && *modify <= view.index()));
    rows
}
