//! Memory of a row and of an entry of an index, by the growth of the process (Linux).

use std::fs;

use statehold_store::{Index, IndexSet, ReadView, Schema, Store, Table};
use uuid::Uuid;

use crate::Scale;
use crate::rows::{Volume, volume};

/// Volumes without a secondary index.
struct Bare;

impl Table for Bare {
    const NAME: &'static str = "bare";
    const VERSION: u16 = 1;
    type Key = Uuid;
    type Row = Volume;

    fn key(row: &Volume) -> Uuid {
        row.id
    }
}

/// Volumes with three secondary indexes.
pub struct Indexed;

const BY_NAME: Index<Indexed, (String, String)> =
    Indexed::INDEX.unique("name", |volume, keys| keys.add((&volume.namespace, &volume.name)));
const BY_PLUGIN: Index<Indexed, String> =
    Indexed::INDEX.non_unique("plugin", |volume, keys| keys.add(&volume.plugin));
const BY_NAMESPACE: Index<Indexed, String> =
    Indexed::INDEX.non_unique("namespace", |volume, keys| keys.add(&volume.namespace));

impl Table for Indexed {
    const NAME: &'static str = "indexed";
    const VERSION: u16 = 1;
    type Key = Uuid;
    type Row = Volume;

    fn key(row: &Volume) -> Uuid {
        row.id
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&BY_NAME).add(&BY_PLUGIN).add(&BY_NAMESPACE);
    }
}

pub fn measure(scale: Scale) {
    // Both stay allocated: otherwise the second would reuse the memory of the first, uncounted.
    let (bare, _bare) = filled::<Bare>(scale);
    let (indexed, _indexed) = filled::<Indexed>(scale);
    let entry = (indexed - bare) / 3.0;
    println!("a row in a table        {bare:>6.0} bytes, its primary key included");
    println!("an entry of an index    {entry:>6.0} bytes");
}

/// Returns the bytes per row of a store that is filled one row at a time; the rows are built anew,
/// not shared.
fn filled<T: Table<Row = Volume>>(scale: Scale) -> (f64, Store) {
    let start = resident();
    let store = Store::in_memory(&Schema::new().table::<T>());
    for at in 0..scale.rows {
        let mut txn = store.begin_write().unwrap();
        txn.upsert::<T>(volume(at)).unwrap();
        txn.commit().unwrap();
    }
    assert_eq!(store.snapshot().count::<T>(), scale.rows);
    (per(start, scale.rows), store)
}

fn per(start: usize, rows: usize) -> f64 {
    resident().saturating_sub(start) as f64 / rows as f64
}

/// Returns the resident bytes of this process.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap() * 1024
}
