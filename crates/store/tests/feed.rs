//! The change feed: every commit, in order, from any index that is still there.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Names, Volume, Volumes, put_name, schema};
use statehold_store::{Commit, FeedError, Options, Store, Table as _};

fn write(store: &Store, at: u64) {
    let mut txn = store.begin_write().unwrap();
    put_name(&mut txn, &format!("name-{at}"));
    txn.upsert::<Volumes>(Volume::new("default", "vol")).unwrap();
    if at > 1 {
        txn.delete::<Names>(&format!("name-{}", at - 1)).unwrap();
    }
    assert_eq!(txn.commit().unwrap(), at + 1, "the first index is 2");
}

fn check(commit: &Commit, index: u64) {
    let at = index - 1;
    assert_eq!(commit.index, index);
    let [name, volume, gone @ ..] = commit.changes.as_slice() else { panic!("{commit:?}") };
    assert_eq!(name.key(&Names::BY_KEY), Some(format!("name-{at}")));
    let row = name.row(&Names::BY_KEY).unwrap().unwrap();
    assert_eq!((&**row, row.create_index()), (&*format!("name-{at}"), index));
    assert_eq!((volume.table(), volume.key(&Names::BY_KEY)), ("volumes", None));
    let row = volume.row(&Volumes::BY_KEY).unwrap().unwrap();
    assert_eq!((row.create_index(), row.modify_index()), (2, index));
    match gone {
        [] => assert_eq!(at, 1),
        [gone] => {
            assert!(gone.is_delete());
            assert_eq!(gone.key(&Names::BY_KEY), Some(format!("name-{}", at - 1)));
        }
        _ => panic!("{commit:?}"),
    }
}

#[test]
fn a_feed_gives_every_commit_after_an_index_in_order_also_after_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let store = Store::open(dir.path(), &schema()).unwrap();
        for at in 1..=20 {
            write(&store, round * 20 + at);
        }
        if round == 1 {
            store.checkpoint().unwrap();
        }
        for after in 1..=store.index() {
            let commits: Vec<_> =
                store.changes_since(after).unwrap().collect::<Result<_, _>>().unwrap();
            assert_eq!(commits.len() as u64, store.index() - after);
            for (commit, index) in commits.iter().zip(after + 1..) {
                check(commit, index);
            }
        }
    }
}

#[test]
fn a_reader_behind_the_history_is_told_where_the_journal_begins() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default().history(5);
    let store = Store::open_with(dir.path(), &schema(), &options).unwrap();
    (1..=30).for_each(|at| write(&store, at));
    assert!(store.changes_since(0).is_ok(), "nothing is cut before a checkpoint");
    store.checkpoint().unwrap();
    let Err(FeedError::Compacted { oldest }) = store.changes_since(0) else {
        panic!("commits from the beginning are gone")
    };
    assert_eq!(oldest, 27, "as much as the history is kept");
    assert!(store.changes_since(oldest - 2).is_err());
    let commits: Vec<_> =
        store.changes_since(oldest - 1).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(commits.len(), 5);
    check(&commits[0], oldest);
    drop(store);
    let store = Store::open_with(dir.path(), &schema(), &options).unwrap();
    assert_eq!(store.index(), 31);
    assert_eq!(store.changes_since(0).unwrap_err(), FeedError::Compacted { oldest });
    assert_eq!(store.changes_since(30).unwrap().count(), 1);
}

#[test]
fn a_feed_ends_at_the_newest_commit_of_when_it_was_asked_for() {
    let store = Store::in_memory(&schema());
    write(&store, 1);
    let feed = store.changes_since(0).unwrap();
    write(&store, 2);
    assert_eq!(feed.count(), 1);
    assert_eq!(store.changes_since(3).unwrap().count(), 0);
}

#[test]
fn a_changed_row_shows_no_content_in_debug_output() {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    let secret = Volume { plugin: "xyzzy".into(), ..Volume::new("default", "vol") };
    txn.upsert::<Volumes>(secret).unwrap();
    txn.commit().unwrap();
    let commit = store.changes_since(0).unwrap().next().unwrap().unwrap();
    assert!(!format!("{commit:?}").contains("xyzzy"));
}
