//! Replay: an open yields the rows as they were acknowledged, whatever intermediate states the journal has.

use crate::common::{BY_EXTERNAL, Names, Volume, Volumes, put_name, schema};
use serde::{Deserialize, Serialize};
use statehold_store::{
    BeginError, Index, IndexSet, KEY_LEN_MAX, KeyRange, OpenError, Options, Order, ReadView,
    RestoreError, RowError, Schema, Store, Table,
};

fn put(store: &Store, id: &str, external: &str) {
    let mut txn = store.begin_write().unwrap();
    let volume = Volume { external: external.into(), ..Volume::new("default", id) };
    txn.upsert::<Volumes>(volume).unwrap();
    txn.commit().unwrap();
}

fn holder(store: &Store, external: &str) -> Option<String> {
    store.snapshot().find(&BY_EXTERNAL, external).map(|volume| volume.id.clone())
}

#[test]
fn restore_that_swaps_unique_keys_survives_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &schema()).unwrap();
    put(&store, "a", "x");
    put(&store, "b", "y");
    let mut backup = Vec::new();
    store.backup(&mut backup).unwrap();
    put(&store, "a", "");
    put(&store, "b", "x");
    put(&store, "a", "y");
    let index = store.restore(backup.as_slice()).unwrap();
    drop(store);
    let store = Store::open(dir.path(), &schema()).unwrap();
    assert_eq!(store.index(), index);
    assert_eq!((holder(&store, "x"), holder(&store, "y")), (Some("a".into()), Some("b".into())));
}

/// Rows without an index, and the same with one.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Tag {
    id: u64,
    name: String,
}

struct Plain;
struct Indexed;

const BY_NAME: Index<Indexed, String> =
    Index::unique("name", |tag: &Tag, keys| keys.add(&tag.name));

impl Table for Plain {
    const NAME: &'static str = "tags";
    const VERSION: u16 = 1;
    type Key = u64;
    type Row = Tag;

    fn key(row: &Tag) -> u64 {
        row.id
    }
}

impl Table for Indexed {
    const NAME: &'static str = "tags";
    const VERSION: u16 = 1;
    type Key = u64;
    type Row = Tag;

    fn key(row: &Tag) -> u64 {
        row.id
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&BY_NAME);
    }
}

fn tag(store: &Store, id: u64, name: &str) {
    let mut txn = store.begin_write().unwrap();
    txn.upsert::<Plain>(Tag { id, name: name.into() }).unwrap();
    txn.commit().unwrap();
}

/// Two rows with one name, then another name for the first: either with both in the rows on disk, or with
/// everything in the journal.
fn once_shared(dir: &std::path::Path, checkpoint: bool) -> Schema {
    let store = Store::open(dir, &Schema::new().table::<Plain>()).unwrap();
    tag(&store, 1, "web");
    tag(&store, 2, "web");
    if checkpoint {
        store.checkpoint().unwrap();
    }
    tag(&store, 1, "db");
    Schema::new().table::<Indexed>()
}

#[test]
fn new_unique_index_checks_only_the_final_rows() {
    for checkpoint in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let schema = once_shared(dir.path(), checkpoint);
        let store = Store::open(dir.path(), &schema).unwrap();
        let view = store.snapshot();
        assert_eq!(view.find(&BY_NAME, "web").map(|tag| tag.id), Some(2));
        assert_eq!(view.find(&BY_NAME, "db").map(|tag| tag.id), Some(1));
        assert_eq!(view.scan_by(&BY_NAME, &KeyRange::all(), Order::Ascending).count(), 2);
        drop(store);
        let store = Store::open(dir.path(), &Schema::new().table::<Plain>()).unwrap();
        tag(&store, 3, "db");
        drop(store);
        let refused = Store::open(dir.path(), &schema).unwrap_err();
        let OpenError::Row { source, .. } = refused else { panic!("{refused}") };
        let RowError::NotUnique { table, index, first, second, key, .. } = source else {
            panic!("{source}");
        };
        assert_eq!((table, index), ("tags", "name"));
        assert_ne!(first, second, "both rows are named");
        assert_eq!(&*key, "\"db\"");
    }
}

#[test]
fn new_index_with_oversized_keys_opens_from_either_file() {
    let long = "n".repeat(KEY_LEN_MAX);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &Schema::new().table::<Plain>()).unwrap();
    tag(&store, 1, &long);
    drop(store);
    for _ in 0..2 {
        let store = Store::open(dir.path(), &Schema::new().table::<Indexed>()).unwrap();
        assert_eq!(store.snapshot().find(&BY_NAME, &long).map(|tag| tag.id), Some(1));
        store.checkpoint().unwrap();
    }
}

#[test]
fn dump_with_an_oversized_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &schema()).unwrap();
    let name = "n".repeat(KEY_LEN_MAX);
    let dump = format!(
        "{{\"statehold_dump\":1,\"index\":1}}\n\
         {{\"table\":\"names\",\"create_index\":1,\"modify_index\":1,\"row\":\"{name}\"}}\n\
         {{\"rows\":1}}\n"
    );
    let refused = store.load(dump.as_bytes()).unwrap_err();
    assert!(matches!(refused, RestoreError::Line { line: 2, .. }), "{refused}");
    drop(store);
    assert_eq!(Store::open(dir.path(), &schema()).unwrap().snapshot().count::<Names>(), 0);
}

#[test]
fn store_at_the_highest_index_opens_and_rejects_writes() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default().history(0);
    for new in [true, false] {
        let store = Store::open_with(dir.path(), &schema(), &options).unwrap();
        if new {
            let mut txn = store.begin_write_at(u64::MAX).unwrap();
            put_name(&mut txn, "last");
            txn.commit().unwrap();
            store.checkpoint().unwrap();
        }
        assert_eq!(store.index(), u64::MAX);
        assert_eq!(store.snapshot().count::<Names>(), 1);
        assert!(matches!(store.begin_write(), Err(BeginError::NoIndexLeft)));
        assert_eq!(store.report().oldest_change, u64::MAX);
    }
}
