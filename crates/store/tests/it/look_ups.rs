//! Every lookup takes keys in their owners' form, `String`, `&String` or `&str`, and fields by reference, and
//! no call names a type: this file has no turbofish.

#![allow(clippy::needless_borrows_for_generic_args)]

use std::num::NonZero;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use statehold_store::{
    Catalog, Entry, Index, IndexSet, KeyPart, KeyRange, Missing, Order, ReadView, Store, Table,
};
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KeyPart)]
struct HostId(Uuid);

#[derive(Clone, Debug, Serialize, Deserialize, Table)]
#[table(name = "volumes", key(namespace, id))]
#[table(index(name = "pool_status", on(pool, status, id)))]
struct Volume {
    namespace: String,
    id: String,
    #[table(index)]
    pool: Box<str>,
    status: String,
    #[table(index)]
    owner: Option<String>,
    #[table(index)]
    host: HostId,
    #[table(index)]
    digest: Vec<u8>,
    #[table(index)]
    slots: NonZero<u32>,
    #[table(unique)]
    name: String,
}

fn volume(id: &str) -> Volume {
    Volume {
        namespace: "default".into(),
        id: id.into(),
        pool: "ssd".into(),
        status: "ready".into(),
        owner: Some("ann".into()),
        host: HostId(Uuid::from_u128(7)),
        digest: b"\x01\x02".to_vec(),
        slots: NonZero::new(2).unwrap(),
        name: format!("name-{id}"),
    }
}

fn store() -> Store {
    let store = Store::in_memory(&Volume::schema());
    let mut txn = store.begin_write().unwrap();
    txn.import([volume("a"), volume("b"), Volume { owner: None, ..volume("c") }]).unwrap();
    txn.commit().unwrap();
    store
}

const UP: Order = Order::Ascending;

#[test]
fn reads_by_the_primary_key_take_owned_and_borrowed_strings() {
    let view = store().snapshot();
    let (by_key, namespace, id) = (Volume::BY_KEY, String::from("default"), String::from("a"));
    assert!(by_key.contains(&view, (&namespace, &id)));
    assert!(by_key.contains(&view, ("default", &id)));
    assert!(by_key.get(&view, (namespace.clone(), id.clone())).is_some());
    let row = by_key.first(&view).unwrap();
    assert!(by_key.contains(&view, (&row.namespace, &row.id)));
    let found: Option<&Entry<Volume>> = view.get_row((&namespace, &id));
    assert!(found.is_some());
    assert_eq!(by_key.get_many(&view, [(&namespace, &id)]).len(), 1);
    for range in [
        by_key.exact((&namespace, &id)),
        by_key.exact((namespace.clone(), id.clone())),
        by_key.starting_with_prefix(&namespace, &id),
        by_key.starting_with_prefix(namespace.clone(), id.clone()),
        by_key.starting_with_between(&namespace, Included(&id), Excluded("b")),
        by_key.between(Included((&namespace, &id)), Excluded((&namespace, "b"))),
    ] {
        assert_eq!(by_key.scan(&view, &range, UP).count(), 1, "{range:?}");
    }
    for range in [
        by_key.starting_with(&namespace),
        by_key.starting_with(namespace.clone()),
        by_key.prefix(&namespace),
        by_key.prefix(namespace.clone()),
        by_key.all().resume((&namespace, &id), UP),
    ] {
        assert_eq!(by_key.count_range(&view, &range), 3, "{range:?}");
    }
    let token = by_key.token("volumes", (&namespace, &id));
    assert!(by_key.resume(by_key.all(), UP, "volumes", token.as_str()).is_ok());
}

#[test]
fn ranges_of_an_index_take_owned_and_borrowed_strings() {
    let view = store().snapshot();
    let (pool, status) = (String::from("ssd"), String::from("ready"));
    let shared: Arc<str> = Arc::from("ssd");
    let by_pool = &Volume::BY_POOL;
    for range in [
        by_pool.exact("ssd"),
        by_pool.exact(&pool),
        by_pool.exact(pool.clone()),
        by_pool.exact(&shared),
        by_pool.exact(Arc::clone(&shared)),
        by_pool.prefix(&pool),
        by_pool.prefix(pool.clone()),
        by_pool.between(Included(&pool), Unbounded),
        KeyRange::exact(&pool),
        KeyRange::exact(pool.clone()),
        KeyRange::exact("ssd"),
    ] {
        assert_eq!(view.scan_by(by_pool, &range, UP).count(), 3, "{range:?}");
    }
    // The shape is inferred from the read, in the same expression as well.
    assert_eq!(view.count_by(by_pool, &KeyRange::exact(&pool)), 3);
    assert!(view.first_by(by_pool, &KeyRange::prefix(&pool)).is_some());
    assert_eq!(view.scan_by_keyed(by_pool, &KeyRange::exact(&pool), UP).count(), 3);
    let by_both = &Volume::BY_POOL_STATUS;
    for range in [
        by_both.starting_with(&pool),
        by_both.starting_with((&pool, &status)),
        by_both.starting_with((pool.clone(), status.clone())),
        by_both.starting_with_prefix(&pool, &status),
        by_both.starting_with_prefix((&pool, &status), String::new()),
        KeyRange::starting_with(&pool),
        KeyRange::starting_with((&pool, "ready")),
        KeyRange::starting_with_prefix(&pool, &status),
    ] {
        assert_eq!(view.count_by(by_both, &range), 3, "{range:?}");
    }
}

#[test]
fn lookup_takes_a_field_reference_of_any_type() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let row = Volume::BY_KEY.first(&txn).unwrap().clone();
    assert!(txn.find(&Volume::BY_NAME, &row.name).is_some());
    assert!(txn.find(&Volume::BY_NAME, row.name.clone()).is_some());
    assert!(txn.find(&Volume::BY_POOL, &row.pool).is_some());
    assert!(txn.find(&Volume::BY_POOL, row.pool.clone()).is_some());
    assert_eq!(txn.count_by(&Volume::BY_OWNER, &Volume::BY_OWNER.exact(&row.owner)), 2);
    assert_eq!(txn.count_by(&Volume::BY_OWNER, &KeyRange::exact(Some(String::from("ann")))), 2);
    assert_eq!(txn.count_by(&Volume::BY_OWNER, &Volume::BY_OWNER.exact(Missing)), 1);
    assert_eq!(txn.count_by(&Volume::BY_HOST, &Volume::BY_HOST.exact(&row.host)), 3);
    assert_eq!(txn.count_by(&Volume::BY_HOST, &Volume::BY_HOST.exact(row.host.0)), 3);
    assert_eq!(txn.count_by(&Volume::BY_DIGEST, &Volume::BY_DIGEST.exact(b"\x01\x02")), 3);
    assert_eq!(txn.count_by(&Volume::BY_DIGEST, &Volume::BY_DIGEST.exact(&row.digest)), 3);
    assert_eq!(txn.count_by(&Volume::BY_SLOTS, &Volume::BY_SLOTS.exact(row.slots)), 3);
    assert_eq!(txn.count_by(&Volume::BY_SLOTS, &Volume::BY_SLOTS.exact(2)), 3);
    let rest = Volume::BY_OWNER.resume_at(
        Volume::BY_OWNER.all(),
        UP,
        &row.owner,
        (&row.namespace, &row.id),
    );
    assert_eq!(txn.count_by(&Volume::BY_OWNER, &rest), 2);
    let key = (&row.namespace, &row.id);
    assert!(Volume::BY_KEY.update(&mut txn, key, |row| row.status.clear()).unwrap().is_some());
    assert!(Volume::BY_KEY.delete(&mut txn, key).unwrap().is_some());
}

/// Console code, compiled once for every kind of view.
fn report(view: &dyn Catalog, namespace: &String) -> (usize, Vec<String>, bool) {
    let range = Volume::BY_KEY.starting_with(namespace);
    let ids = Volume::BY_KEY.scan(view, &range, UP).map(|volume| volume.id.clone()).collect();
    let ready = Volume::BY_POOL_STATUS.starting_with(("ssd", "ready"));
    let count = view.count_by(&Volume::BY_POOL_STATUS, &ready);
    let json = view.table("volumes").and_then(|table| table.get_json(r#"["default","a"]"#));
    (count, ids, json.unwrap().is_some())
}

#[test]
fn trait_object_of_any_view_reads_typed_rows() {
    let (store, namespace) = (store(), String::from("default"));
    let ids = ["a", "b", "c"].map(String::from).to_vec();
    let expected = (3, ids, true);
    assert_eq!(report(&store.snapshot(), &namespace), expected);
    let txn = store.begin_write().unwrap();
    assert_eq!(report(&txn, &namespace), expected);
    drop(txn);
    let tracked = store.tracked();
    assert_eq!(report(&tracked, &namespace), expected);
    let mut txn = store.begin_write().unwrap();
    txn.put(volume("d")).unwrap();
    txn.commit().unwrap();
    // Reads through a trait object are tracked like other reads.
    let before = tracked.index();
    let now = store.tracked();
    report(&now, &namespace);
    assert!(now.index() > before);
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "planning", derive(statehold_filter::Filterable))]
struct Node {
    name: String,
    pool: String,
    tags: Vec<String>,
}

struct Nodes;

impl Nodes {
    const BY_POOL: Index<Self, String> =
        Self::INDEX.non_unique("pool", |row, keys| keys.add(&row.pool)).serves("pool");
    const BY_TAG: Index<Self, (String, String)> = Self::INDEX
        .unique("tag", |row, keys| {
            row.tags.iter().for_each(|tag| keys.add((tag, &row.name)));
        })
        .on_fields(&["tags", "name"])
        .serves("tags");
}

impl Table for Nodes {
    const NAME: &'static str = "nodes";
    const VERSION: u16 = 1;
    const KEY_FIELDS: &'static [&'static str] = &["name"];
    type Key = String;
    type Row = Node;

    fn key(row: &Node) -> &str {
        &row.name
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&Self::BY_POOL).add(&Self::BY_TAG);
    }
}

#[test]
fn a_chained_index_declaration_needs_no_type_in_its_closure() {
    let store = Store::in_memory(&Nodes::schema());
    let mut txn = store.begin_write().unwrap();
    let node = Node { name: "n1".into(), pool: "gpu".into(), tags: vec!["a".into(), "b".into()] };
    Nodes::BY_KEY.import(&mut txn, [node]).unwrap();
    let pool = String::from("gpu");
    assert!(txn.find(&Nodes::BY_POOL, &pool).is_some());
    assert_eq!(txn.count_by(&Nodes::BY_TAG, &Nodes::BY_TAG.starting_with("b")), 1);
}

#[test]
fn an_error_about_a_key_names_index_key_and_fields() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let long = "é".repeat(3000);
    let cut = format!("\"{}…", "é".repeat(99));
    let refused = txn.put(Volume { name: long.clone(), ..volume("d") }).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "table volumes: the key {cut} of the index name has 6002 bytes, the limit is 4096: shorten \
             `name`"
        )
    );
    let refused = txn.put(Volume { status: long.clone(), ..volume("d") }).unwrap_err().to_string();
    assert!(refused.starts_with("table volumes: the key (\"ssd\", \"éé"), "{refused}");
    assert!(refused.ends_with("shorten `pool`, `status` or `id`"), "{refused}");
    let refused = txn.put(Volume { id: long.clone(), ..volume("d") }).unwrap_err().to_string();
    assert!(refused.starts_with("table volumes: the primary key (\"default\", \"éé"), "{refused}");
    assert!(refused.ends_with("shorten `namespace` or `id`"), "{refused}");
    let refused = txn.put(Volume { name: "name-a".into(), ..volume("d") }).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "table volumes: another row has the key \"name-a\" in the unique index name; change `name` or \
         remove that row"
    );
    txn.defer_unique();
    txn.put(Volume { name: "name-a".into(), ..volume("d") }).unwrap();
    assert_eq!(
        txn.commit().unwrap_err().to_string(),
        "table volumes: several rows have the key \"name-a\" in the unique index name; change `name` of \
         all of them but one, or delete them"
    );
    let nodes = Store::in_memory(&Nodes::schema());
    let mut txn = nodes.begin_write().unwrap();
    let node = Node { name: "n1".into(), pool: "gpu".into(), tags: vec![long] };
    let refused = Nodes::BY_KEY.import(&mut txn, [node]).unwrap_err().to_string();
    assert!(refused.contains("of the index tag has"), "{refused}");
    assert!(refused.ends_with("shorten `tags` or `name`"), "{refused}");
}

#[test]
fn skipped_rows_are_returned_from_neither_end() {
    let store = Store::in_memory(&Volume::schema());
    let mut txn = store.begin_write().unwrap();
    txn.import((0..100).map(|at| volume(&format!("{at:02}")))).unwrap();
    let all = Volume::BY_KEY.all();
    let ids = |order| Volume::BY_KEY.scan(&txn, &all, order).map(|row| row.id.clone());

    assert_eq!(ids(Order::Ascending).nth(97).as_deref(), Some("97"));
    assert_eq!(ids(Order::Descending).nth(97).as_deref(), Some("02"));
    let mut rest = ids(Order::Ascending);
    assert_eq!(rest.nth(97).as_deref(), Some("97"));
    assert_eq!(rest.rev().collect::<Vec<_>>(), ["99", "98"]);

    // The ends meet at the position that the skip reached.
    let mut both = Volume::BY_KEY.scan(&txn, &all, Order::Ascending);
    assert!(both.nth(100).is_none());
    assert!(both.next_back().is_none() && both.next().is_none());
    let mut both = Volume::BY_KEY.scan(&txn, &all, Order::Ascending);
    assert_eq!(both.next_back().map(|row| &*row.id), Some("99"));
    assert_eq!(both.nth(98).map(|row| &*row.id), Some("98"));
    assert!(both.next_back().is_none() && both.next().is_none());
}

#[test]
fn ranges_of_an_index_are_counted() {
    let store = store();
    let view = store.snapshot();
    assert_eq!(view.count_by(&Volume::BY_POOL, &Volume::BY_POOL.all()), 3);
    assert_eq!(view.count_by(&Volume::BY_POOL, &Volume::BY_POOL.exact("ssd")), 3);
    assert_eq!(view.count_by(&Volume::BY_POOL, &Volume::BY_POOL.exact("nvme")), 0);
    let owned = Volume::BY_OWNER.exact(Some("ann"));
    assert_eq!(view.count_by(&Volume::BY_OWNER, &owned), 2);
    let nothing = KeyRange::<String>::between(Excluded("z"), Excluded("a"));
    assert_eq!(view.count_by(&Volume::BY_NAME, &nothing), 0);
}
