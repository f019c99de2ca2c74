//! Lookups and writes without a turbofish, and keys given by their first parts.

use std::ops::Bound::{Excluded, Included, Unbounded};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use statehold_store::{
    Desc, Entry, Expect, Index, IndexSet, KeyPart, KeyRange, Order, ReadView, Ref, Store, Table,
    TableRow,
};
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "volumes", key(namespace, id))]
#[table(index(name = "place", on(region, zone, rack, slot)))]
#[table(index(name = "pool_size", on(pool, desc(size), id)))]
struct Volume {
    namespace: String,
    id: String,
    #[table(index)]
    status: Box<str>,
    #[table(index)]
    node: Uuid,
    #[table(index)]
    owner: Option<String>,
    pool: Box<str>,
    size: u64,
    region: String,
    zone: u8,
    rack: String,
    slot: i64,
}

fn volume(id: &str) -> Volume {
    Volume {
        namespace: "default".into(),
        id: id.into(),
        status: "ready".into(),
        node: Uuid::from_u128(0xA8 << 120),
        owner: None,
        pool: "ssd".into(),
        size: 10,
        region: "eu".into(),
        zone: 1,
        rack: "r1".into(),
        slot: 0,
    }
}

fn store(volumes: impl IntoIterator<Item = Volume>) -> Store {
    let store = Store::in_memory(&Volume::schema());
    let mut txn = store.begin_write().unwrap();
    for volume in volumes {
        txn.put(volume).unwrap();
    }
    txn.commit().unwrap();
    store
}

fn ids<'v>(rows: impl Iterator<Item = &'v Entry<Volume>>) -> Vec<&'v str> {
    rows.map(|volume| &*volume.id).collect()
}

const UP: Order = Order::Ascending;

#[test]
fn ranges_of_an_index_need_no_annotation() {
    let small = Volume { size: 3, owner: Some("ann".into()), ..volume("b") };
    let store = store([volume("a"), small]);
    let view = store.snapshot();
    let (owned, boxed) = (String::from("ready"), Box::<str>::from("ssd"));

    let ready = Volume::BY_STATUS.exact(&owned);
    assert_eq!(ids(view.scan_by(&Volume::BY_STATUS, &ready, UP)), ["a", "b"]);
    let prefix = Volume::BY_STATUS.prefix(&owned[..2]);
    assert_eq!(ids(view.scan_by(&Volume::BY_STATUS, &prefix, UP)), ["a", "b"]);
    let on_node = Volume::BY_NODE.hex(&"a8".parse().unwrap());
    assert_eq!(ids(view.scan_by(&Volume::BY_NODE, &on_node, UP)), ["a", "b"]);
    let ann = String::from("ann");
    let of_ann = Volume::BY_OWNER.exact(Some(&ann));
    assert_eq!(ids(view.scan_by(&Volume::BY_OWNER, &of_ann, UP)), ["b"]);
    let of_pool = Volume::BY_POOL_SIZE.starting_with(&boxed);
    assert_eq!(ids(view.scan_by(&Volume::BY_POOL_SIZE, &of_pool, UP)), ["a", "b"]);
    let of_size = Volume::BY_POOL_SIZE.starting_with((&boxed, Desc(3)));
    assert_eq!(ids(view.scan_by(&Volume::BY_POOL_SIZE, &of_size, UP)), ["b"]);
    let up_to = Volume::BY_STATUS.between(Unbounded, Excluded(&owned));
    assert_eq!(view.scan_by(&Volume::BY_STATUS, &up_to, UP).count(), 0);
    assert_eq!(view.scan_by(&Volume::BY_STATUS, &Volume::BY_STATUS.all(), UP).count(), 2);
}

#[test]
fn reads_by_the_primary_key_need_no_annotation() {
    let store = store([volume("web-1"), volume("web-2"), volume("db-1")]);
    let view = store.snapshot();
    let (namespace, id) = (String::from("default"), String::from("web-1"));

    assert_eq!(Volume::BY_KEY.get(&view, (&namespace, &id)).unwrap().id, id);
    let found: Option<&Entry<Volume>> = view.get_row((&namespace, &id));
    assert_eq!(found.unwrap().id, id);
    let named = Volume::BY_KEY.starting_with_prefix(&namespace, "web");
    assert_eq!(ids(Volume::BY_KEY.scan(&view, &named, UP)), ["web-1", "web-2"]);
    let of_namespace = Volume::BY_KEY.starting_with(&namespace);
    assert_eq!(ids(view.scan::<Volume>(&of_namespace, UP)), ["db-1", "web-1", "web-2"]);
    assert_eq!(Volume::BY_KEY.count(&view), 3);

    let mut txn = store.begin_write().unwrap();
    assert!(Volume::BY_KEY.delete(&mut txn, (&namespace, &id)).is_ok());
    assert_eq!(Volume::BY_KEY.count(&txn), 2);
}

#[test]
fn every_operation_by_the_primary_key_infers_the_table() {
    let store = Store::in_memory(&Volume::schema());
    let by_key = Volume::BY_KEY;
    let mut txn = store.begin_write().unwrap();
    assert_eq!(txn.import(["a", "b", "c", "d", "e"].map(volume)).unwrap(), 5);
    let old = by_key.update(&mut txn, ("default", "a"), |row| row.size += 1).unwrap();
    assert_eq!(old.map(|row| row.size), Some(10));
    let doubled = |row: &Volume| Volume { size: row.size * 2, ..row.clone() };
    assert!(by_key.modify(&mut txn, ("default", "a"), doubled).unwrap().is_some());
    assert!(by_key.delete_if(&mut txn, ("default", "b"), Expect::Absent).is_err());
    let large = by_key.delete_where(&mut txn, &by_key.all(), |row| row.size > 20).unwrap();
    assert_eq!((large, by_key.contains(&txn, ("default", "a"))), (1, false));
    let e = by_key.starting_with_prefix("default", "e");
    assert_eq!(by_key.delete_range(&mut txn, &e).unwrap(), 1);

    assert_eq!(by_key.first(&txn).map(|row| &*row.id), Some("b"));
    assert_eq!(by_key.last(&txn).map(|row| &*row.id), Some("d"));
    assert_eq!(by_key.count_range(&txn, &by_key.starting_with("default")), 3);
    let found = by_key.get_many(&txn, [("default", "c"), ("default", "a")]);
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
    let keyed = by_key.scan_keyed(&txn, &by_key.all(), UP).next_back().unwrap();
    assert_eq!(keyed.key(), ("default".to_owned(), "d".to_owned()));
    let prefix = by_key.longest_prefix_within(&txn, "default", "cat");
    assert_eq!(prefix.map(|row| &*row.id), Some("c"));
    let token = by_key.token("volumes", ("default", "c"));
    let rest = by_key.resume(by_key.all(), UP, "volumes", token.as_str()).unwrap();
    assert_eq!(ids(by_key.scan(&txn, &rest, UP)), ["c", "d"]);
    txn.commit().unwrap();

    let commit = store.changes_since(0).unwrap().next().unwrap().unwrap();
    let mut keys = commit.changes.iter().filter_map(|change| change.key(&Volume::BY_KEY));
    assert_eq!(keys.next_back().map(|key| key.1), Some("e".to_owned()));
    let mut rows = commit.changes.iter().filter_map(|change| change.row(&by_key).unwrap());
    assert_eq!(rows.next_back().map(|row| row.size), Some(22));
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KeyPart)]
struct HostId(Uuid);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KeyPart)]
enum Zone {
    East = 1,
    West = 2,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "hosts", key(zone, id))]
struct Host {
    zone: Zone,
    id: HostId,
    #[table(index)]
    rack: Box<str>,
}

#[test]
fn lookups_take_fields_of_any_type() {
    let id = HostId(Uuid::from_u128(7));
    let store = Store::in_memory(&Host::schema());
    let mut txn = store.begin_write().unwrap();
    txn.put(Host { zone: Zone::West, id: id.clone(), rack: "r1".into() }).unwrap();

    assert!(Host::BY_KEY.get(&txn, (Zone::West, &id)).is_some());
    assert!(Host::BY_KEY.get(&txn, (Zone::East, id.0)).is_none());
    let row = Host::BY_KEY.first(&txn).unwrap().clone();
    assert!(Host::BY_KEY.contains(&txn, (row.zone, &row.id)));
    assert!(Host::BY_KEY.contains(&txn, (&row.zone, &row.id)));
    let key = Host::BY_KEY.scan_keyed(&txn, &Host::BY_KEY.all(), UP).next().unwrap().key();
    assert!(Host::BY_KEY.delete(&mut txn, key).unwrap().is_some(), "a decoded key");
}

/// Reads a row of any table, by the borrowed form of its key.
fn exists<T: Table>(view: &impl ReadView, key: Ref<'_, T::Key>) -> bool {
    T::BY_KEY.contains(view, key)
}

#[test]
fn generic_code_passes_borrowed_keys() {
    let store = store([volume("a")]);
    assert!(exists::<Volume>(&store.snapshot(), ("default", "a")));
    assert!(!exists::<Volume>(&store.snapshot(), ("default", "b")));
}

/// A table that is not the type of its rows.
struct Names;

impl Table for Names {
    const NAME: &'static str = "names";
    const VERSION: u16 = 1;
    type Key = String;
    type Row = Name;

    fn key(row: &Name) -> &str {
        &row.0
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&BY_LENGTH);
    }
}

#[derive(Serialize, Deserialize)]
struct Name(String);

impl TableRow for Name {
    type Table = Names;
}

const BY_LENGTH: Index<Names, u64> =
    Index::non_unique("length", |name, keys| keys.add(name.0.len() as u64));

#[test]
fn a_row_can_name_a_table_of_another_type() {
    let store = Store::in_memory(&Names::schema().and(Volume::schema()));
    let mut txn = store.begin_write().unwrap();
    txn.put(Name("web".into())).unwrap();
    txn.upsert::<Names>(Name("db".into())).unwrap();
    txn.put(volume("a")).unwrap();
    let found: Option<&Entry<Name>> = txn.get_row("web");
    assert!(found.is_some());
    let long = BY_LENGTH.between(Included(3), Unbounded);
    assert_eq!(txn.scan_by(&BY_LENGTH, &long, UP).count(), 1);
    assert_eq!(Names::BY_KEY.scan(&txn, &Names::BY_KEY.all(), UP).count(), 2);
}

fn place() -> impl Strategy<Value = Volume> {
    ("[ab\u{0}]{0,2}", 0u8..3, "[ab\u{0}]{0,2}", -2i64..2, "[a-d]{3}").prop_map(
        |(region, zone, rack, slot, id)| Volume { region, zone, rack, slot, ..volume(&id) },
    )
}

proptest! {
    #[test]
    fn parts_of_a_key_select_the_rows_that_have_them(
        rows in proptest::collection::vec(place(), 0..30), asked in place(),
    ) {
        let store = store(rows);
        let view = store.snapshot();
        let select = |range: &KeyRange<_>| {
            let mut found = ids(view.scan_by(&Volume::BY_PLACE, range, UP));
            found.sort_unstable();
            found
        };
        let naive = |matches: &dyn Fn(&Volume) -> bool| {
            ids(view.scan::<Volume>(&KeyRange::all(), UP).filter(|volume| matches(volume)))
        };
        let (region, zone, rack, slot) = (&asked.region, asked.zone, &asked.rack, asked.slot);
        let one = |row: &Volume| row.region == *region;
        let two = |row: &Volume| one(row) && row.zone == zone;
        let three = |row: &Volume| two(row) && row.rack == *rack;
        prop_assert_eq!(select(&Volume::BY_PLACE.starting_with(region)), naive(&one));
        prop_assert_eq!(select(&Volume::BY_PLACE.starting_with((region, zone))), naive(&two));
        prop_assert_eq!(select(&Volume::BY_PLACE.starting_with((region, zone, rack))), naive(&three));
        prop_assert_eq!(
            select(&Volume::BY_PLACE.starting_with_prefix((region, zone), rack)),
            naive(&|row| two(row) && row.rack.starts_with(&**rack))
        );
        let from = Volume::BY_PLACE.starting_with_between((region, zone, rack), Included(slot), Unbounded);
        prop_assert_eq!(select(&from), naive(&|row| three(row) && row.slot >= slot));
        let to = Volume::BY_PLACE.starting_with_between((region, zone, rack), Unbounded, Excluded(slot));
        prop_assert_eq!(select(&to), naive(&|row| three(row) && row.slot < slot));
        let after = Volume::BY_PLACE.starting_with_between(region, Excluded(zone), Unbounded);
        prop_assert_eq!(select(&after), naive(&|row| one(row) && row.zone > zone));
    }
}
