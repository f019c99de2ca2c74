//! Writes and reads beyond one row by its primary key.

use crate::common::{
    BY_ALIAS, BY_EXTERNAL, BY_NODE, BY_PLUGIN, Names, Volume, Volumes, put_name, schema,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use statehold_store::{
    Catalog, CatalogError, CommitError, Expect, FeedError, Index, IndexSet, KeyRange, Order,
    ReadView, Schema, Store, Table, Tracked, WriteError,
};
use uuid::Uuid;

fn store() -> Store {
    Store::in_memory(&schema())
}

fn named(id: &str, external: &str) -> Volume {
    Volume { external: external.into(), ..Volume::new("default", id) }
}

fn with<R>(store: &Store, work: impl FnOnce(&mut statehold_store::WriteTxn<'_>) -> R) -> R {
    let mut txn = store.begin_write().unwrap();
    let result = work(&mut txn);
    txn.commit().unwrap();
    result
}

#[test]
fn writes_return_the_row_that_was_there() {
    let store = store();
    with(&store, |txn| assert!(txn.upsert::<Volumes>(named("a", "")).unwrap().is_none()));
    let old = with(&store, |txn| txn.upsert::<Volumes>(named("a", "x")).unwrap()).unwrap();
    assert_eq!((&*old.external, old.modify_index()), ("", 2));
    let gone = with(&store, |txn| txn.delete::<Volumes>(("default", "a")).unwrap()).unwrap();
    assert_eq!((&*gone.external, gone.create_index(), gone.modify_index()), ("x", 2, 3));
    assert!(with(&store, |txn| txn.delete::<Volumes>(("default", "a")).unwrap()).is_none());
    assert_eq!(store.index(), 4, "a delete of nothing is no write");
}

#[test]
fn a_modified_row_keeps_its_create_index() {
    let store = store();
    with(&store, |txn| txn.upsert::<Volumes>(named("a", "")).unwrap());
    let key = ("default", "a");
    let old = with(&store, |txn| Volumes::BY_KEY.update(txn, key, |row| row.size = 9).unwrap());
    assert_eq!(old.unwrap().size, 1);
    let view = store.snapshot();
    let row = view.get::<Volumes>(key).unwrap();
    assert_eq!((row.size, row.create_index(), row.modify_index()), (9, 2, 3));
    with(&store, |txn| {
        let moved =
            Volumes::BY_KEY.modify(txn, key, |row| Volume { id: "b".into(), ..row.clone() });
        assert_eq!(
            moved.unwrap_err().to_string(),
            r#"table volumes: the primary key of the row ("default", "a") can't be modified to ("default", "b"); "#
                .to_owned()
                + "delete the row and insert the new one"
        );
        let none = Volumes::BY_KEY.modify(txn, ("default", "z"), |_| unreachable!("no such row"));
        assert!(none.unwrap().is_none());
    });
    assert_eq!(store.index(), 3, "nothing was written");
}

#[test]
fn a_write_that_expects_a_row_never_inserts() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let refused = txn.upsert_if::<Names>("a".into(), Expect::Present).unwrap_err();
    let (key, expected) = ("\"a\"".into(), Expect::Present);
    assert_eq!(refused, WriteError::Unexpected { table: "names", key, expected, found: None });
    put_name(&mut txn, "a");
    assert!(txn.upsert_if::<Names>("a".into(), Expect::Present).unwrap().is_some());
    assert!(Names::BY_KEY.delete_if(&mut txn, "a", Expect::Present).unwrap().is_some());
}

#[test]
fn deletes_by_an_index_count_rows_not_keys() {
    let store = store();
    let nodes = vec![Uuid::from_u128(1), Uuid::from_u128(2)];
    with(&store, |txn| {
        txn.upsert::<Volumes>(Volume { nodes, ..named("a", "") }).unwrap();
        txn.upsert::<Volumes>(named("b", "")).unwrap();
        assert_eq!(txn.count_by(&BY_NODE, &KeyRange::all()), 2);
        assert_eq!(txn.delete_by(&BY_NODE, &KeyRange::all()).unwrap(), 1);
        let (volumes, all) = (Volumes::BY_KEY, KeyRange::all());
        assert_eq!(volumes.delete_where(txn, &all, |row| row.id == "b").unwrap(), 1);
        assert_eq!(txn.count::<Volumes>(), 0);
    });
    assert!(store.snapshot().find(&BY_ALIAS, ("default", "a", true)).is_none());
}

#[test]
fn reads_of_one_row_agree_with_scans() {
    let store = store();
    let names = Names::BY_KEY;
    let empty = store.snapshot();
    assert!(names.first(&empty).is_none() && names.last(&empty).is_none());
    with(&store, |txn| ["b", "a", "c"].iter().for_each(|name| put_name(txn, name)));
    let view = store.snapshot();
    assert_eq!(names.first(&view).map(|name| name.as_str()), Some("a"));
    assert_eq!(names.last(&view).map(|name| name.as_str()), Some("c"));
    assert!(names.contains(&view, "b") && !names.contains(&view, "d"));
    assert_eq!(names.count_range(&view, &names.prefix("b")), 1);
    let found = names.get_many(&view, ["c", "x", "a"]);
    let found: Vec<_> = found.into_iter().map(|name| name.map(|name| name.as_str())).collect();
    assert_eq!(found, [Some("c"), None, Some("a")]);
    with(&store, |txn| {
        txn.upsert::<Volumes>(Volume { size: 5, ..named("a", "") }).unwrap();
        txn.upsert::<Volumes>(Volume { size: 3, ..named("b", "") }).unwrap();
    });
    let view = store.snapshot();
    let ebs = KeyRange::<(String, i64)>::starting_with("ebs");
    assert_eq!(view.first_by(&BY_PLUGIN, &ebs).map(|row| row.size), Some(3));
    assert_eq!(view.last_by(&BY_PLUGIN, &ebs).map(|row| row.size), Some(5));
}

proptest! {
    #[test]
    fn longest_prefix_is_the_longest_matching_key(
        keys in proptest::collection::btree_set("[ab\u{0}]{0,4}", 0..30), wanted in "[ab\u{0}]{0,6}",
    ) {
        let store = store();
        with(&store, |txn| {
            for key in &keys {
                put_name(txn, key);
                txn.upsert::<Volumes>(Volume { namespace: "b".into(), ..named(key, key) }).unwrap();
                txn.upsert::<Volumes>(Volume { namespace: "c".into(), ..named("z", "") }).unwrap();
            }
        });
        let view = store.snapshot();
        let starts = |key: &&String| wanted.starts_with(key.as_str());
        let longest = keys.iter().filter(starts).max_by_key(|key| key.len());
        let found = Names::BY_KEY.longest_prefix(&view, &wanted).map(|name| name.to_string());
        prop_assert_eq!(found.as_ref(), longest);
        let found = Volumes::BY_KEY.longest_prefix_within(&view, "b", &wanted);
        prop_assert_eq!(found.map(|row| &row.id), longest);
        prop_assert!(Volumes::BY_KEY.longest_prefix_within(&view, "a", &wanted).is_none());
        let found = view.longest_prefix_by(&BY_EXTERNAL, &wanted).map(|row| row.external.clone());
        prop_assert_eq!(found.as_ref(), longest.filter(|key| !key.is_empty()));
    }
}

#[test]
fn longer_prefix_changes_the_index_of_a_lookup() {
    let store = store();
    with(&store, |txn| ["/", "/srv/", "/z"].iter().for_each(|name| put_name(txn, name)));
    let read =
        |view: &Tracked| Names::BY_KEY.longest_prefix(view, "/srv/data/x").map(|n| n.to_string());
    let before = store.blocking(0, std::time::Instant::now(), read).unwrap();
    assert_eq!(before.value.as_deref(), Some("/srv/"));
    let index = with(&store, |txn| {
        put_name(txn, "/srv/data/");
        txn.index()
    });
    let after = store.blocking(0, std::time::Instant::now(), read).unwrap();
    assert_eq!((after.value.as_deref(), after.index), (Some("/srv/data/"), index));
}

/// Rows with an optional expiry, as an `Option` key or as a missing key.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Lease {
    id: u32,
    expires_at: Option<u64>,
}

struct Leases;

const BY_EXPIRY: Index<Leases, Option<u64>> =
    Index::non_unique("expiry", |lease: &Lease, keys| keys.add(lease.expires_at));

impl Table for Leases {
    const NAME: &'static str = "leases";
    const VERSION: u16 = 1;
    type Key = u32;
    type Row = Lease;

    fn key(row: &Lease) -> u32 {
        row.id
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&BY_EXPIRY);
    }
}

#[test]
fn rows_expire_in_bounded_steps_and_never_without_an_expiry() {
    let store = Store::in_memory(&Schema::new().table::<Leases>());
    let mut txn = store.begin_write().unwrap();
    for id in 0..10 {
        let expires_at = (id % 2 == 0).then_some(u64::from(10 - id));
        txn.upsert::<Leases>(Lease { id, expires_at }).unwrap();
    }
    assert_eq!(txn.next_expiry(&BY_EXPIRY), Some(Some(2)));
    let step = txn.expire_until(&BY_EXPIRY, Some(7), 2).unwrap();
    assert_eq!(step.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [8, 6]);
    assert!(step.more);
    let step = txn.expire_until(&BY_EXPIRY, Some(7), 2).unwrap();
    assert_eq!((step.rows.len(), step.more), (1, false));
    assert!(txn.expire_until(&BY_EXPIRY, None, 9).unwrap().rows.is_empty());
    assert!(txn.expire_until(&BY_EXPIRY, Some(u64::MAX), 9).unwrap().rows.len() == 2);
    assert_eq!(txn.next_expiry(&BY_EXPIRY), None);
    assert_eq!(txn.count::<Leases>(), 5, "those without an expiry");
}

#[test]
fn unique_keys_can_be_swapped_in_one_transaction() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path(), &schema()).unwrap();
        with(&store, |txn| {
            txn.upsert::<Volumes>(named("a", "x")).unwrap();
            txn.upsert::<Volumes>(named("b", "y")).unwrap();
        });
        with(&store, |txn| {
            txn.defer_unique();
            txn.upsert::<Volumes>(named("a", "y")).unwrap();
            let refused = txn.check_unique().unwrap_err();
            assert!(refused.to_string().contains("the key \"y\" in the unique index external"));
            txn.upsert::<Volumes>(named("b", "x")).unwrap();
            assert_eq!(txn.check_unique(), Ok(()));
        });
        let follow = store.transitions_since(&Store::in_memory(&schema()).snapshot()).unwrap();
        let last = follow.last().unwrap().unwrap().after;
        assert_eq!(last.find(&BY_EXTERNAL, "x").map(|row| &*row.id), Some("b"), "in a follower");
    }
    let store = Store::open(dir.path(), &schema()).unwrap();
    let view = store.snapshot();
    for (external, id) in [("x", "b"), ("y", "a")] {
        let row = view.find(&BY_EXTERNAL, external).unwrap();
        assert_eq!((&*row.id, row.create_index(), row.modify_index()), (id, 2, 3));
    }
}

#[test]
fn commit_with_a_duplicate_key_names_it_and_has_no_effect() {
    let store = store();
    with(&store, |txn| txn.upsert::<Volumes>(named("a", "x")).unwrap());
    let mut txn = store.begin_write().unwrap();
    txn.defer_unique();
    txn.upsert::<Volumes>(named("b", "x")).unwrap();
    let refused = txn.commit().unwrap_err();
    let (key, fields) = ("\"x\"".into(), [].as_slice());
    assert_eq!(
        refused,
        CommitError::NotUnique { table: "volumes", index: "external", key, fields }
    );
    assert_eq!((store.index(), store.snapshot().count::<Volumes>()), (2, 1));
    with(&store, |txn| put_name(txn, "the store takes other writes"));
}

#[test]
fn savepoint_rolls_back_work_that_panics() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    put_name(&mut txn, "a");
    let part = std::panic::AssertUnwindSafe(|| {
        txn.savepoint(|txn| -> Result<(), ()> {
            txn.delete::<Names>("a").unwrap();
            put_name(txn, "b");
            panic!("on purpose")
        })
    });
    std::panic::catch_unwind(part).unwrap_err();
    assert!(Names::BY_KEY.contains(&txn, "a") && !Names::BY_KEY.contains(&txn, "b"));
    txn.commit().unwrap();
    let commit = store.changes_since(0).unwrap().next().unwrap().unwrap();
    assert_eq!(commit.changes.len(), 1);
}

#[test]
fn savepoint_rolls_back_only_its_own_writes() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    put_name(&mut txn, "a");
    let inner = txn.savepoint(|txn| {
        put_name(txn, "b");
        let innermost = txn.savepoint(|txn| {
            txn.defer_unique();
            txn.upsert::<Volumes>(named("a", "x")).unwrap();
            txn.upsert::<Volumes>(named("b", "x")).unwrap();
            txn.delete::<Names>("a").unwrap();
            Err::<(), _>("innermost")
        });
        assert_eq!(innermost, Err("innermost"));
        Ok::<_, ()>(txn.count::<Names>())
    });
    assert_eq!(inner, Ok(2));
    let refused = txn.savepoint(|txn| {
        put_name(txn, "c");
        Names::BY_KEY.delete_range(txn, &KeyRange::all()).map_err(drop).and(Err::<(), ()>(()))
    });
    assert_eq!(refused, Err(()));
    txn.upsert::<Volumes>(named("c", "x")).unwrap();
    txn.commit().unwrap();
    let view = store.snapshot();
    assert_eq!((view.count::<Names>(), view.count::<Volumes>()), (2, 1));
    let commit = store.changes_since(0).unwrap().next().unwrap().unwrap();
    assert_eq!(commit.changes.len(), 3, "rolled back writes are not in the journal");
}

#[test]
fn fork_is_an_independent_store() {
    let store = store();
    with(&store, |txn| {
        txn.upsert::<Volumes>(named("a", "x")).unwrap();
        put_name(txn, "a");
    });
    let fork = store.snapshot().fork();
    assert_eq!((fork.index(), store.index()), (2, 2));
    with(&fork, |txn| {
        let clash = txn.upsert::<Volumes>(named("b", "x")).unwrap_err();
        assert!(matches!(clash, WriteError::NotUnique { index: "external", .. }));
        txn.delete::<Names>("a").unwrap();
        txn.upsert::<Volumes>(named("a", "y")).unwrap();
    });
    assert_eq!((fork.index(), fork.snapshot().count::<Names>()), (3, 0));
    assert_eq!((store.index(), store.snapshot().count::<Names>()), (2, 1));
    assert!(store.snapshot().find(&BY_EXTERNAL, "x").is_some());
    assert_eq!(fork.changes_since(2).unwrap().count(), 1);
    assert_eq!(fork.changes_since(0).unwrap_err(), FeedError::Compacted { oldest: 3 });
    with(&store, |txn| put_name(txn, "b"));
    assert!(!Names::BY_KEY.contains(&fork.snapshot(), "b"));
    let mut dumped = Vec::new();
    fork.dump(&mut dumped).unwrap();
}

#[test]
fn transitions_have_the_old_and_the_new_row() {
    let store = store();
    with(&store, |txn| txn.upsert::<Volumes>(named("a", "x")).unwrap());
    let since = store.snapshot();
    with(&store, |txn| txn.upsert::<Volumes>(named("a", "y")).unwrap());
    with(&store, |txn| txn.delete::<Volumes>(("default", "a")).unwrap());
    let transitions: Vec<_> =
        store.transitions_since(&since).unwrap().collect::<Result<_, _>>().unwrap();
    let of = |view: &statehold_store::Snapshot| {
        view.get::<Volumes>(("default", "a")).map(|row| row.external.clone())
    };
    let seen: Vec<_> = transitions.iter().map(|t| (of(&t.before), of(&t.after))).collect();
    assert_eq!(seen, [(Some("x".into()), Some("y".into())), (Some("y".into()), None)]);
    assert_eq!(transitions[1].after.index(), store.index());
    assert!(transitions[0].after.find(&BY_EXTERNAL, "y").is_some(), "with its indexes");
    let other = Store::in_memory(&Schema::new().table::<Names>()).snapshot();
    assert_eq!(store.transitions_since(&other).unwrap_err(), FeedError::OtherSchema);
}

#[test]
fn an_import_that_breaks_a_unique_index_does_nothing() {
    let store = store();
    with(&store, |txn| txn.upsert::<Volumes>(named("a", "x")).unwrap());
    let mut txn = store.begin_write().unwrap();
    for _ in 0..2 {
        let rows = (0..100).map(|n| named(&format!("v{n}"), if n < 2 { "x" } else { "" }));
        let refused = Volumes::BY_KEY.import(&mut txn, rows).unwrap_err();
        assert!(matches!(refused, WriteError::NotUnique { index: "external", .. }), "{refused}");
        assert!(refused.to_string().contains("\"x\""), "{refused}");
        assert_eq!(txn.count::<Volumes>(), 1);
    }
    let long = "n".repeat(5000);
    let refused = Names::BY_KEY.import(&mut txn, ["a".to_owned(), long.clone()]).unwrap_err();
    assert!(matches!(refused, WriteError::KeyTooLong { table: "names", .. }));
    let refused =
        Volumes::BY_KEY.import(&mut txn, [Volume { external: long, ..Volume::new("n", "i") }]);
    assert!(matches!(refused, Err(WriteError::KeyTooLong { table: "volumes", .. })));
    assert_eq!(txn.commit().unwrap(), 2, "no write is left");
}

#[test]
fn an_import_wakes_readers_of_its_rows() {
    let store = store();
    let index = with(&store, |txn| {
        put_name(txn, "other");
        txn.index()
    });
    let later = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let read = |view: &Tracked| Names::BY_KEY.contains(view, "n7");
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            loop {
                let answer = store.blocking(index, later, read).unwrap();
                if answer.value {
                    return answer.index;
                }
            }
        });
        let imported = with(&store, |txn| {
            Names::BY_KEY.import(txn, (0..100).map(|n| format!("n{n}"))).unwrap();
            txn.index()
        });
        assert_eq!(reader.join().unwrap(), imported);
    });
}

#[test]
fn tables_are_read_by_name_as_json() {
    let store = store();
    with(&store, |txn| {
        txn.upsert::<Volumes>(named("a", "x")).unwrap();
        for name in ["b", "7", "null"] {
            put_name(txn, name);
        }
    });
    let view = store.snapshot();
    let catalog: &dyn Catalog = &view;
    let names: Vec<_> = catalog.tables().iter().map(|table| (table.name(), table.rows())).collect();
    assert_eq!(names, [("volumes", 1), ("names", 3)]);
    let volumes = catalog.table("volumes").unwrap();
    let row = volumes.get_json(r#"["default","a"]"#).unwrap().unwrap();
    assert!(
        row.starts_with(r#"{"key":["default","a"],"create_index":2,"modify_index":2,"row":{"#),
        "{row}"
    );
    let external = volumes.indexes().into_iter().find(|index| index.name == "external").unwrap();
    assert_eq!((external.unique, external.entries), (true, 1));
    assert_eq!(volumes.get_json(r#"["default","z"]"#), Ok(None));
    let refused = volumes.get_json("a").unwrap_err();
    assert_eq!(refused, CatalogError::Key { table: "volumes", key: "a".into() });
    let names = catalog.table("names").unwrap();
    for key in ["b", "\"b\"", "7", "null"] {
        assert!(names.get_json(key).unwrap().is_some(), "{key}");
    }
    let refused = catalog.table("nodes").unwrap_err();
    assert_eq!(refused, CatalogError::UnknownTable { name: "nodes".into() });

    let first = names.list_json(None, 2).unwrap();
    let rest = names.list_json(first.next.as_ref().map(|token| token.as_str()), 2).unwrap();
    assert_eq!((first.rows.len(), rest.rows.len(), rest.next), (2, 1, None));
    assert!(matches!(names.list_json(Some("?"), 2), Err(CatalogError::Token(_))));
    let token = first.next.unwrap();
    assert!(volumes.list_json(Some(token.as_str()), 2).is_err(), "a token of another table");
}

#[test]
fn reads_through_a_catalog_are_watched() {
    let store = store();
    with(&store, |txn| put_name(txn, "a"));
    let read = |view: &Tracked| view.table("names").unwrap().get_json("b").unwrap().is_some();
    let before = store.blocking(0, std::time::Instant::now(), read).unwrap();
    assert!(!before.value);
    let index = with(&store, |txn| {
        put_name(txn, "b");
        txn.index()
    });
    let after = store.blocking(before.index, std::time::Instant::now(), read).unwrap();
    assert_eq!((after.value, after.index), (true, index));
    let scanned = store.snapshot();
    assert_eq!(scanned.scan::<Names>(&KeyRange::all(), Order::Descending).rev().count(), 2);
}
