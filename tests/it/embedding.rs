//! One transaction and one read over the tables of a domain and of an application.

use std::sync::Arc;
use std::time::{Duration, Instant};

use statehold::nomad::{CsiVolumes, deregister};
use statehold::store::{ReadView, Store, Table as _, Tracked, WriteTxn};

use crate::application::{Owner, add_owned, add_volume, open, read, schema, write};

fn both() -> (Option<String>, Option<String>) {
    (Some("ebs".into()), Some("storage".into()))
}

#[test]
fn a_transaction_over_a_domain_and_a_table_is_atomic() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let before = store.snapshot();

    let mut dropped = store.begin_write().unwrap();
    add_owned(&mut dropped, "data", "ebs", "storage");
    assert_eq!(read(&dropped, "data"), both(), "a transaction reads its own writes");
    drop(dropped);
    assert_eq!(read(&store.snapshot(), "data"), (None, None));

    let index = write(&store, |txn| add_owned(txn, "data", "ebs", "storage")).unwrap();
    assert_eq!(read(&store.snapshot(), "data"), both());
    assert_eq!(read(&before, "data"), (None, None), "a snapshot never changes");
    drop(store);

    let store = Store::open(dir.path(), &schema()).unwrap();
    let view = store.snapshot();
    assert_eq!((store.index(), read(&view, "data")), (index, both()));
    let volume = view.get::<CsiVolumes>(("default", "data")).unwrap().modify_index();
    assert_eq!((volume, Owner::BY_KEY.get(&view, "data").unwrap().modify_index()), (index, index));
}

#[test]
fn a_query_over_both_tables_wakes_on_a_change_of_either() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()));
    let mut index = write(&store, |txn| add_owned(txn, "data", "ebs", "storage")).unwrap();
    type Expected = (Option<&'static str>, Option<&'static str>);
    type Change = fn(&mut WriteTxn<'_>);
    let changes: [(Change, Expected); 3] = [
        (|txn| drop(txn.put(Owner::new("data", "web")).unwrap()), (Some("ebs"), Some("web"))),
        (|txn| deregister(txn, "default", &["data"], false).unwrap(), (None, Some("web"))),
        (|txn| add_volume(txn, "data", "nfs"), (Some("nfs"), Some("web"))),
    ];
    for (change, expected) in changes {
        let reader = std::thread::spawn({
            let store = Arc::clone(&store);
            let deadline = Instant::now() + Duration::from_secs(60);
            move || store.blocking(index, deadline, |view: &Tracked| read(view, "data")).unwrap()
        });
        while store.parked() == 0 {
            std::thread::yield_now();
        }
        write(&store, change).unwrap();
        let woken = reader.join().unwrap();
        let (plugin, team) = &woken.value;
        assert_eq!((plugin.as_deref(), team.as_deref()), expected);
        assert_eq!(woken.index, store.index());
        index = woken.index;
    }
    assert_eq!(store.parked(), 0);
}

#[test]
fn the_change_feed_has_one_commit_for_both_tables() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let before = store.index();
    let index = write(&store, |txn| add_owned(txn, "data", "ebs", "storage")).unwrap();
    drop(store);

    let store = Store::open(dir.path(), &schema()).unwrap();
    let commits: Vec<_> = store.changes_since(before).unwrap().map(Result::unwrap).collect();
    let [commit] = &commits[..] else { panic!("{} commits", commits.len()) };
    let has = |name: &str| commit.changes.iter().any(|change| change.table() == name);
    assert_eq!(commit.index, index);
    assert!(has(CsiVolumes::NAME) && has(Owner::NAME));
    let owner = commit.changes.iter().find_map(|change| change.key(&Owner::BY_KEY));
    assert_eq!(owner.as_deref(), Some("data"));
}
