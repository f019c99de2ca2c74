//! Pages of listings by secondary indexes: with equal keys, several keys for each row, compound and descending
//! keys, and with writes between the pages.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use statehold_store::{
    Desc, Index, IndexSet, Key, KeyRange, Order, PageToken, ReadView, Schema, Store, Table,
    TokenError, paginate, paginate_matching,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Volume {
    id: u8,
    status: String,
    nodes: Vec<u8>,
    size: u8,
}

struct Volumes;

const BY_STATUS: Index<Volumes, String> =
    Index::non_unique("status", |volume: &Volume, keys| keys.add(&volume.status));
const BY_NODE: Index<Volumes, u8> = Index::non_unique("node", |volume: &Volume, keys| {
    volume.nodes.iter().for_each(|node| keys.add(*node));
});
const BY_STATUS_SIZE: Index<Volumes, (String, Desc<u8>)> =
    Index::non_unique("status_size", |volume: &Volume, keys| {
        keys.add((&volume.status, Desc(volume.size)));
    });
const BY_SIZE: Index<Volumes, Desc<u8>> =
    Index::non_unique("size", |volume: &Volume, keys| keys.add(Desc(volume.size)));
/// Unique, with several keys for each row.
const BY_ALIAS: Index<Volumes, (u8, bool)> = Index::unique("alias", |volume: &Volume, keys| {
    keys.add((volume.id, false));
    keys.add((volume.id, true));
});

impl Table for Volumes {
    const NAME: &'static str = "volumes";
    const VERSION: u16 = 1;
    type Key = u8;
    type Row = Volume;

    fn key(row: &Volume) -> u8 {
        row.id
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&BY_STATUS).add(&BY_NODE).add(&BY_STATUS_SIZE).add(&BY_SIZE).add(&BY_ALIAS);
    }
}

const LISTING: &str = "volumes by an index";

/// More pages than rows mean an endless listing.
const PAGES_MAX: usize = 2000;

fn volume() -> impl Strategy<Value = Volume> {
    let nodes = proptest::collection::vec(0u8..4, 0..3);
    (0u8..60, "[ab]{0,1}", nodes, 0u8..3).prop_map(|(id, status, nodes, size)| Volume {
        id,
        status,
        nodes,
        size,
    })
}

fn volumes(max: usize) -> impl Strategy<Value = Vec<Volume>> {
    proptest::collection::vec(volume(), 0..max)
}

/// The writes between two pages: rows to put, and primary keys to delete.
type Writes = (Vec<Volume>, Vec<u8>);

fn write(store: &Store, (puts, deletes): &Writes) {
    let mut txn = store.begin_write().unwrap();
    for volume in puts {
        txn.upsert::<Volumes>(volume.clone()).unwrap();
    }
    for id in deletes {
        txn.delete::<Volumes>(*id).unwrap();
    }
    txn.commit().unwrap();
}

/// How a listing is read.
#[derive(Clone, Copy, Debug)]
struct Reading {
    per_page: usize,
    order: Order,
}

/// Pages through `range`, with one of `between` after each page.
fn list<K: Key>(
    store: &Store,
    index: &Index<Volumes, K>,
    range: &KeyRange<K>,
    reading: Reading,
    mut between: impl Iterator<Item = Writes>,
) -> Vec<(K, u8)> {
    let (mut listed, mut token): (_, Option<PageToken>) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let view = store.snapshot();
        let mut range = range.clone();
        if let Some(token) = &token {
            range = index.resume(range, reading.order, LISTING, token.as_str()).unwrap();
        }
        let rows = view.scan_by_keyed(index, &range, reading.order);
        let page = paginate(rows, Some(reading.per_page));
        listed.extend(page.rows.iter().map(|row| (row.key(), row.id)));
        let Some(next) = page.next else { return listed };
        token = Some(next.token(LISTING));
        if let Some(writes) = between.next() {
            write(store, &writes);
        }
    }
    panic!("a listing of {} rows does not end", store.snapshot().count::<Volumes>());
}

/// Pages through an index while rows change, and checks that each unchanged (key, row) is listed once.
fn check<K: Key>(
    index: &Index<Volumes, K>,
    range: &KeyRange<K>,
    first: &[Volume],
    between: &[Writes],
    reading: Reading,
) {
    let store = Store::in_memory(&Schema::new().table::<Volumes>());
    write(&store, &(first.to_vec(), vec![]));
    let keys = |store: &Store| -> Vec<(K, u8)> {
        let view = store.snapshot();
        view.scan_by_keyed(index, range, reading.order).map(|row| (row.key(), row.id)).collect()
    };
    let still = keys(&store);
    assert_eq!(list(&store, index, range, reading, std::iter::empty()), still);

    let mut throughout: BTreeMap<usize, (K, u8)> = still.into_iter().enumerate().collect();
    let listed = list(
        &store,
        index,
        range,
        reading,
        between.iter().cloned().inspect(|(puts, deletes)| {
            let touched: BTreeSet<u8> =
                puts.iter().map(|volume| volume.id).chain(deletes.iter().copied()).collect();
            throughout.retain(|_, (_, id)| !touched.contains(id));
        }),
    );
    for entry in throughout.into_values() {
        assert_eq!(listed.iter().filter(|found| **found == entry).count(), 1, "{entry:?}");
    }
}

proptest! {
    #[test]
    fn pages_of_every_index_are_the_scan(
        first in volumes(40),
        between in proptest::collection::vec((volumes(4), proptest::collection::vec(0u8..60, 0..4)), 0..40),
        per_page in 1usize..8,
        descending in any::<bool>(),
    ) {
        let order = if descending { Order::Descending } else { Order::Ascending };
        let reading = Reading { per_page, order };
        check(&BY_STATUS, &KeyRange::all(), &first, &between, reading);
        check(&BY_STATUS, &KeyRange::<String>::exact("a"), &first, &between, reading);
        check(&BY_NODE, &KeyRange::all(), &first, &between, reading);
        check(&BY_STATUS_SIZE, &KeyRange::all(), &first, &between, reading);
        check(&BY_STATUS_SIZE, &KeyRange::<(String, Desc<u8>)>::starting_with("a"), &first, &between, reading);
        check(&BY_SIZE, &KeyRange::all(), &first, &between, reading);
        check(&BY_ALIAS, &KeyRange::all(), &first, &between, reading);
    }

    #[test]
    fn a_scan_is_the_same_from_both_ends(
        rows in volumes(60), front in proptest::collection::vec(any::<bool>(), 0..90),
        descending in any::<bool>(),
    ) {
        let order = if descending { Order::Descending } else { Order::Ascending };
        let store = Store::in_memory(&Schema::new().table::<Volumes>());
        write(&store, &(rows, vec![]));
        let view = store.snapshot();
        let scan = || view.scan_by(&BY_NODE, &KeyRange::all(), order).map(|row| row.id);
        let expected: Vec<u8> = scan().collect();
        let mut backwards: Vec<u8> = scan().rev().collect();
        backwards.reverse();
        prop_assert_eq!(&backwards, &expected);
        let (mut ends, mut left, mut right) = (scan(), Vec::new(), Vec::new());
        for front in front.into_iter().chain(std::iter::repeat(true)) {
            let next = if front { ends.next() } else { ends.next_back() };
            let Some(id) = next else { break };
            if front { left.push(id) } else { right.push(id) }
        }
        prop_assert_eq!((ends.next(), ends.next_back()), (None, None));
        left.extend(right.into_iter().rev());
        prop_assert_eq!(left, expected);
    }
}

fn equal_rows(count: u8) -> Store {
    let store = Store::in_memory(&Schema::new().table::<Volumes>());
    let rows = (0..count).map(|id| Volume { id, status: "a".into(), nodes: vec![], size: 1 });
    write(&store, &(rows.collect(), vec![]));
    store
}

#[test]
fn a_group_of_equal_keys_longer_than_a_page_ends() {
    let store = equal_rows(50);
    for order in [Order::Ascending, Order::Descending] {
        for per_page in 1..=51 {
            let reading = Reading { per_page, order };
            let listed = list(&store, &BY_STATUS, &KeyRange::all(), reading, std::iter::empty());
            assert_eq!(listed.len(), 50);
        }
    }
}

#[test]
fn a_filtered_listing_by_an_index_ends() {
    let store = equal_rows(50);
    let view = store.snapshot();
    let (mut found, mut token) = (Vec::new(), None::<PageToken>);
    loop {
        let mut range = KeyRange::all();
        if let Some(token) = &token {
            range = BY_STATUS.resume(range, Order::Ascending, LISTING, token.as_str()).unwrap();
        }
        let rows = view.scan_by_keyed(&BY_STATUS, &range, Order::Ascending);
        let page = paginate_matching(rows, 2, 3, |row| row.id % 5 == 0);
        found.extend(page.rows.iter().map(|row| row.id));
        let Some(next) = page.next else { break };
        token = Some(next.token(LISTING));
    }
    assert_eq!(found, (0..50).step_by(5).collect::<Vec<u8>>());
}

#[test]
fn a_row_key_resumes_where_its_token_does() {
    let store = equal_rows(9);
    let view = store.snapshot();
    for order in [Order::Ascending, Order::Descending] {
        for row in view.scan_by_keyed(&BY_STATUS, &KeyRange::all(), order) {
            let token = row.token(LISTING);
            let by_token = BY_STATUS.resume(KeyRange::all(), order, LISTING, token.as_str());
            let by_key = BY_STATUS.resume_at(KeyRange::all(), order, row.key(), row.primary());
            assert_eq!(format!("{:?}", by_token.unwrap()), format!("{by_key:?}"));
        }
        let range = BY_ALIAS.resume_at(KeyRange::all(), order, (4, true), 4);
        let first = view.scan_by_keyed(&BY_ALIAS, &range, order).next().unwrap();
        assert_eq!(first.key(), (4, true));
    }
}

#[test]
fn a_token_with_the_index_key_alone_resumes_at_its_first_row() {
    let store = equal_rows(9);
    let token = PageToken::new::<String>(LISTING, "a");
    let range = BY_STATUS.resume(KeyRange::all(), Order::Ascending, LISTING, token.as_str());
    assert_eq!(store.snapshot().scan_by(&BY_STATUS, &range.unwrap(), Order::Ascending).count(), 9);
}

#[test]
fn a_token_of_another_shape_is_refused() {
    let refused = |token: PageToken| {
        BY_STATUS.resume(KeyRange::all(), Order::Ascending, LISTING, token.as_str()).unwrap_err()
    };
    let long = PageToken::new::<(String, (u8, u8))>(LISTING, ("a", (1, 2)));
    assert_eq!(refused(long), TokenError::Unreadable);
    assert_eq!(refused(PageToken::new::<u8>(LISTING, 7)), TokenError::Unreadable);
    assert_eq!(refused(PageToken::new::<String>("another", "a")), TokenError::OtherListing);
    let unique = PageToken::new::<((u8, bool), u8)>(LISTING, ((1, true), 1));
    let unique = BY_ALIAS.resume(KeyRange::all(), Order::Ascending, LISTING, unique.as_str());
    assert_eq!(unique.unwrap_err(), TokenError::Unreadable);
}

#[test]
fn decoded_keys_are_values_of_generic_code() {
    fn distinct<K: Key + Hash>(view: &impl ReadView, index: &Index<Volumes, K>) -> String {
        let rows = view.scan_by_keyed(index, &KeyRange::all(), Order::Ascending);
        let keys: std::collections::HashSet<K> = rows.map(|row| row.key()).collect();
        format!("{keys:?}")
    }
    assert_eq!(distinct(&equal_rows(3).snapshot(), &BY_STATUS), r#"{"a"}"#);
}
