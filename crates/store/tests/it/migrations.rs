//! Rows of earlier versions whose migration changes their key or drops them.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use statehold_store::{
    FeedError, Index, IndexSet, KeyRange, OldRow, OpenError, Options, Order, ReadView,
    RestoreError, RowError, Schema, Store, Table,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ItemV1 {
    id: u32,
    size: u64,
}

/// The table of the earlier build.
struct V1;

impl Table for V1 {
    const NAME: &'static str = "items";
    const VERSION: u16 = 1;
    type Key = u32;
    type Row = ItemV1;

    fn key(row: &ItemV1) -> u32 {
        row.id
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Item {
    namespace: String,
    id: u32,
    size: u64,
}

impl Item {
    fn new(id: u32, size: u64) -> Self {
        Self { namespace: "default".into(), id, size }
    }
}

/// The namespace enters the key; items of the size 0 are dropped.
struct V2;

const BY_SIZE: Index<V2, u64> = Index::non_unique("size", |item: &Item, keys| keys.add(item.size));

impl Table for V2 {
    const NAME: &'static str = "items";
    const VERSION: u16 = 2;
    type Key = (String, u32);
    type Row = Item;

    fn key(row: &Item) -> (&str, u32) {
        (&row.namespace, row.id)
    }

    fn migrate_row(old: OldRow<'_>) -> Result<Option<Item>, RowError> {
        let ItemV1 { id, size } = old.read()?;
        Ok((size > 0).then(|| Item::new(id, size)))
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&BY_SIZE);
    }
}

/// Keys of the same shape: each row gets the old key of the next one.
struct Shifted;

impl Table for Shifted {
    const NAME: &'static str = "items";
    const VERSION: u16 = 2;
    type Key = u32;
    type Row = ItemV1;

    fn key(row: &ItemV1) -> u32 {
        row.id
    }

    fn migrate_row(old: OldRow<'_>) -> Result<Option<ItemV1>, RowError> {
        let row = old.read::<ItemV1>()?;
        Ok(Some(ItemV1 { id: row.id + 1, ..row }))
    }
}

fn schema<T: Table>() -> Schema {
    Schema::new().table::<T>()
}

fn open<T: Table>(dir: &Path) -> Store {
    Store::open(dir, &schema::<T>()).unwrap()
}

fn put<T: Table>(store: &Store, row: T::Row) {
    let mut txn = store.begin_write().unwrap();
    txn.upsert::<T>(row).unwrap();
    txn.commit().unwrap();
}

fn delete(store: &Store, id: u32) {
    let mut txn = store.begin_write().unwrap();
    txn.delete::<V1>(id).unwrap();
    txn.commit().unwrap();
}

fn rows<T: Table>(store: &Store) -> Vec<T::Row>
where
    T::Row: Clone,
{
    let view = store.snapshot();
    view.scan::<T>(&KeyRange::all(), Order::Ascending).map(|row| (**row).clone()).collect()
}

/// The durable contents of the store.
fn peek<T: Table>(dir: &Path) -> Store {
    Store::open_with(dir, &schema::<T>(), &Options::default().read_only(true)).unwrap()
}

fn copy(from: &Path, to: &Path) {
    for name in ["rows.redb", "log.redb"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

fn in_rows(dir: &Path) {
    let source = tempfile::tempdir().unwrap();
    let store = open::<V1>(source.path());
    (1..=5).for_each(|id| put::<V1>(&store, ItemV1 { id, size: u64::from(id) }));
    put::<V1>(&store, ItemV1 { id: 9, size: 0 });
    delete(&store, 2);
    put::<V1>(&store, ItemV1 { id: 3, size: 30 });
    store.checkpoint().unwrap();
    // Copied before the close, which would apply the journal to the rows.
    copy(source.path(), dir);
}

fn in_journal(dir: &Path) {
    let source = tempfile::tempdir().unwrap();
    let store = open::<V1>(source.path());
    (1..=5).for_each(|id| put::<V1>(&store, ItemV1 { id, size: u64::from(id) }));
    put::<V1>(&store, ItemV1 { id: 9, size: 0 });
    delete(&store, 2);
    put::<V1>(&store, ItemV1 { id: 3, size: 30 });
    // Copied before the close, which would apply the journal to the rows.
    copy(source.path(), dir);
}

fn in_both(dir: &Path) {
    let source = tempfile::tempdir().unwrap();
    let store = open::<V1>(source.path());
    (1..=4).for_each(|id| put::<V1>(&store, ItemV1 { id, size: u64::from(id) }));
    put::<V1>(&store, ItemV1 { id: 5, size: 0 });
    put::<V1>(&store, ItemV1 { id: 9, size: 9 });
    store.checkpoint().unwrap();
    put::<V1>(&store, ItemV1 { id: 5, size: 5 });
    put::<V1>(&store, ItemV1 { id: 9, size: 0 });
    delete(&store, 2);
    put::<V1>(&store, ItemV1 { id: 3, size: 30 });
    // Copied before the close, which would apply the journal to the rows.
    copy(source.path(), dir);
}

/// Location of the old rows: in the rows, in the journal, or in both.
const LAYOUTS: [fn(&Path); 3] = [in_rows, in_journal, in_both];

fn migrated() -> Vec<Item> {
    vec![Item::new(1, 1), Item::new(3, 30), Item::new(4, 4), Item::new(5, 5)]
}

/// The bytes of both files.
fn files(dir: &Path) -> [Vec<u8>; 2] {
    ["rows.redb", "log.redb"].map(|name| fs::read(dir.join(name)).unwrap())
}

#[test]
fn namespace_enters_the_key_of_rows_in_either_file() {
    for fill in LAYOUTS {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path());
        let (index, stamps) = {
            let store = peek::<V1>(dir.path());
            let view = store.snapshot();
            let row = view.get::<V1>(3).unwrap();
            (store.index(), (row.create_index(), row.modify_index()))
        };
        // A read-only store migrates the rows it reads, and changes no file.
        assert_eq!(rows::<V2>(&peek::<V2>(dir.path())), migrated());
        assert_eq!(peek::<V1>(dir.path()).snapshot().count::<V1>(), 5);
        let store = open::<V2>(dir.path());
        assert_eq!(rows::<V2>(&store), migrated());
        assert_eq!(store.index(), index, "an open is no commit");
        let view = store.snapshot();
        let row = view.get::<V2>(("default", 3)).unwrap();
        assert_eq!((row.create_index(), row.modify_index()), stamps);
        assert_eq!(view.find(&BY_SIZE, 30).unwrap().id, 3, "indexes have the new keys");
        assert!(view.find(&BY_SIZE, 0).is_none(), "a dropped row is in no index");
        let mut txn = store.begin_write().unwrap();
        assert!(txn.delete::<V2>(("default", 1)).is_ok());
        txn.commit().unwrap();
        put::<V2>(&store, Item::new(4, 40));
        drop((view, store));
        for checkpoint in [false, true, false] {
            let store = open::<V2>(dir.path());
            assert_eq!(rows::<V2>(&store), [Item::new(3, 30), Item::new(4, 40), Item::new(5, 5)]);
            if checkpoint {
                store.checkpoint().unwrap();
            }
        }
    }
}

#[test]
fn keys_that_other_rows_had_before_stay_distinct() {
    for fill in LAYOUTS {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path());
        let mut expected = rows::<V1>(&peek::<V1>(dir.path()));
        for row in &mut expected {
            row.id += 1;
        }
        for _ in 0..2 {
            assert_eq!(rows::<Shifted>(&open::<Shifted>(dir.path())), expected);
        }
        // Deleted by its current key, and replayed over the output of the migration.
        let store = open::<Shifted>(dir.path());
        let mut txn = store.begin_write().unwrap();
        txn.delete::<Shifted>(4).unwrap();
        txn.commit().unwrap();
        drop(store);
        expected.retain(|row| row.id != 4);
        assert_eq!(rows::<Shifted>(&open::<Shifted>(dir.path())), expected);
    }
}

#[test]
fn feed_from_before_a_key_change_reports_a_gap() {
    for fill in LAYOUTS {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path());
        let store = open::<V2>(dir.path());
        let index = store.index();
        let refused = store.changes_since(index - 1).err();
        assert_eq!(refused, Some(FeedError::Compacted { oldest: index + 1 }));
        put::<V2>(&store, Item::new(7, 7));
        drop(store);
        let store = open::<V2>(dir.path());
        let commits: Vec<_> = store.changes_since(index).unwrap().map(Result::unwrap).collect();
        assert_eq!(commits.len(), 1);
        assert_eq!(commits[0].changes[0].key(&V2::BY_KEY), Some(("default".to_owned(), 7)));
    }
}

#[test]
fn earlier_build_is_refused_after_a_key_migration() {
    for fill in LAYOUTS {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path());
        drop(open::<V2>(dir.path()));
        let before = files(dir.path());
        let error = Store::open(dir.path(), &schema::<V1>()).unwrap_err();
        let OpenError::Row { source, .. } = error else { panic!("{error}") };
        assert_eq!(source, RowError::NewerVersion { table: "items", found: 2, known: 1 });
        assert!(before == files(dir.path()), "nothing is changed");
    }
}

/// Gives all rows one key.
struct One;

impl Table for One {
    const NAME: &'static str = "items";
    const VERSION: u16 = 2;
    type Key = u32;
    type Row = ItemV1;

    fn key(row: &ItemV1) -> u32 {
        row.id
    }

    fn migrate_row(old: OldRow<'_>) -> Result<Option<ItemV1>, RowError> {
        old.read::<ItemV1>().map(|row| Some(ItemV1 { id: 1, ..row }))
    }
}

/// Keeps the keys, but declares a unique index over a shared value.
struct Unique;

const BY_ONE: Index<Unique, u32> = Index::unique("one", |_, keys| keys.add(1));

impl Table for Unique {
    const NAME: &'static str = "items";
    const VERSION: u16 = 2;
    type Key = u32;
    type Row = ItemV1;

    fn key(row: &ItemV1) -> u32 {
        row.id
    }

    fn migrate_row(old: OldRow<'_>) -> Result<Option<ItemV1>, RowError> {
        old.read::<ItemV1>().map(|row| Some(ItemV1 { id: row.id + 100, ..row }))
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&BY_ONE);
    }
}

#[test]
fn rows_that_migrate_to_one_key_are_named_and_nothing_changes() {
    for fill in LAYOUTS {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path());
        let before = files(dir.path());
        let error = Store::open(dir.path(), &schema::<One>()).unwrap_err();
        let message = error.to_string();
        let OpenError::Row { source: RowError::SameKey { table, first, second, key }, .. } = error
        else {
            panic!("{message}")
        };
        assert_eq!(table, "items");
        assert_ne!(first, second);
        assert_eq!(first, key, "the first row keeps its key");
        assert!(message.contains("\\x03\" both migrate to the key"), "{message}");

        let error = Store::open(dir.path(), &schema::<Unique>()).unwrap_err();
        let OpenError::Row { source: RowError::NotUnique { first, second, .. }, .. } = error else {
            panic!("{error}")
        };
        assert_ne!(first, second);
        assert!(before == files(dir.path()), "nothing is changed");
        assert_eq!(peek::<V1>(dir.path()).snapshot().count::<V1>(), 5);
    }
}

#[test]
fn a_dump_of_another_version_is_refused() {
    let store = Store::in_memory(&schema::<V1>());
    put::<V1>(&store, ItemV1 { id: 1, size: 4 });
    let mut dump = Vec::new();
    store.dump(&mut dump).unwrap();
    // Its fields have the same names, and `migrate` would give them another meaning.
    let error = Store::in_memory(&schema::<One>()).load(dump.as_slice()).unwrap_err();
    let RestoreError::RowVersion { table, found, known, .. } = error else { panic!("{error}") };
    assert_eq!((table, found, known), ("items", 1, 2));
    Store::in_memory(&schema::<V1>()).load(dump.as_slice()).unwrap();
}

#[test]
fn a_backup_of_an_earlier_version_is_restored_with_the_new_keys() {
    let dir = tempfile::tempdir().unwrap();
    in_both(dir.path());
    let mut backup = Vec::new();
    peek::<V1>(dir.path()).backup(&mut backup).unwrap();

    let other = tempfile::tempdir().unwrap();
    let store = open::<V2>(other.path());
    put::<V2>(&store, Item::new(1, 77));
    put::<V2>(&store, Item::new(66, 66));
    store.restore(backup.as_slice()).unwrap();
    assert_eq!(rows::<V2>(&store), migrated());
    drop(store);
    for checkpoint in [true, false] {
        let store = open::<V2>(other.path());
        assert_eq!(rows::<V2>(&store), migrated());
        if checkpoint {
            store.checkpoint().unwrap();
        }
    }
    // The journal has the rows in their current form.
    let store = open::<Shifted>(tempfile::tempdir().unwrap().path());
    put::<Shifted>(&store, ItemV1 { id: 2, size: 5 });
    store.restore(backup.as_slice()).unwrap();
    let last = store.changes_since(store.index() - 1).unwrap().next().unwrap().unwrap();
    let keys: Vec<_> =
        last.changes.iter().filter_map(|change| change.key(&Shifted::BY_KEY)).collect();
    assert_eq!(keys, [2, 4, 5, 6, 10]);

    let refused = open::<One>(tempfile::tempdir().unwrap().path()).restore(backup.as_slice());
    assert!(matches!(refused, Err(RestoreError::Row(RowError::SameKey { .. }))), "{refused:?}");
}

/// A field with a default was added at the end, and the migration reads today's type.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Longer {
    id: u32,
    size: u64,
    #[serde(default)]
    note: String,
}

struct Hopeful;

impl Table for Hopeful {
    const NAME: &'static str = "items";
    const VERSION: u16 = 2;
    type Key = u32;
    type Row = Longer;

    fn key(row: &Longer) -> u32 {
        row.id
    }

    fn migrate(old: OldRow<'_>) -> Result<Longer, RowError> {
        old.read()
    }
}

#[test]
fn migration_that_reads_todays_type_gets_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    in_rows(dir.path());
    let error = Store::open(dir.path(), &schema::<Hopeful>()).unwrap_err();
    let message = error.to_string();
    let OpenError::Row { source, .. } = error else { panic!("{message}") };
    assert!(
        matches!(source, RowError::MigrationShape { table: "items", version: 1, .. }),
        "{source:?}"
    );
    assert!(message.contains("Declare a struct with the fields of version 1"), "{message}");
    assert!(!message.contains("backup"), "a backup has the same bytes: {message}");
}

/// The key is another field, without a new version.
struct Rekeyed;

impl Table for Rekeyed {
    const NAME: &'static str = "items";
    const VERSION: u16 = 1;
    type Key = u64;
    type Row = ItemV1;

    fn key(row: &ItemV1) -> u64 {
        row.size
    }
}

#[test]
fn key_change_without_a_version_gets_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    in_rows(dir.path());
    let error = Store::open(dir.path(), &schema::<Rekeyed>()).unwrap_err();
    let OpenError::Row { source, .. } = error else { panic!("{error}") };
    assert!(matches!(source, RowError::WrongKey { table: "items", .. }), "{source:?}");
    assert!(source.to_string().contains("raise the table's version and migrate"), "{source}");
}

mod derived {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Table)]
    #[table(name = "items", version = 2, migrate = Self::from_old, key(namespace, id))]
    struct Every {
        namespace: String,
        id: u32,
        size: u64,
    }

    impl Every {
        fn from_old(old: OldRow<'_>) -> Result<Self, RowError> {
            let ItemV1 { id, size } = old.read()?;
            Ok(Self { namespace: "all".into(), id, size })
        }
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Table)]
    #[table(name = "items", version = 2, migrate = Self::from_old, key(namespace, id))]
    struct Large {
        namespace: String,
        id: u32,
        size: u64,
    }

    impl Large {
        fn from_old(old: OldRow<'_>) -> Result<Option<Self>, RowError> {
            let ItemV1 { id, size } = old.read()?;
            Ok((size > 4).then(|| Self { namespace: "large".into(), id, size }))
        }
    }

    #[test]
    fn a_derived_table_migrates_keys_and_drops_rows() {
        let dir = tempfile::tempdir().unwrap();
        in_rows(dir.path());
        let copy = tempfile::tempdir().unwrap();
        super::copy(dir.path(), copy.path());
        let all = open::<Every>(dir.path());
        assert_eq!(all.snapshot().count::<Every>(), 5);
        assert!(all.snapshot().get::<Every>(("all", 9)).is_some());
        let large = open::<Large>(copy.path());
        let ids: Vec<u32> = rows::<Large>(&large).iter().map(|row| row.id).collect();
        assert_eq!(ids, [3, 5]);
    }
}
