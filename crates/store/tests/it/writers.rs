//! Concurrent writers, waiters for any commit, and the close of a store.

use std::pin::pin;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::common::{Names, block_on, put_name, schema};
use statehold_store::{
    BeginError, CloseError, Durability, FeedError, Options, ReadView, ReopenError, Store,
    Table as _, WatchError,
};

/// Longer than any test takes.
const NEVER: Duration = Duration::from_secs(60);

fn later() -> Instant {
    Instant::now() + NEVER
}

fn add(store: &Store, name: &str) -> u64 {
    let mut txn = store.begin_write().unwrap();
    put_name(&mut txn, name);
    txn.commit().unwrap()
}

#[test]
fn a_second_transaction_of_a_thread_is_an_error() {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    for refused in [
        store.begin_write().unwrap_err(),
        store.try_begin_write().unwrap_err(),
        store.begin_write_until(later()).unwrap_err(),
        store.begin_write_at(100).unwrap_err(),
    ] {
        assert_eq!(refused, BeginError::Nested);
    }
    assert!(matches!(store.reopen(), Err(ReopenError::OpenTransaction)));
    put_name(&mut txn, "a");
    assert_eq!(txn.commit().unwrap(), 2, "the open transaction is as it was");
    let other = Store::in_memory(&schema());
    let txn = store.begin_write().unwrap();
    assert!(other.begin_write().is_ok(), "another store has another writer");
    drop(txn);
    assert_eq!(add(&store, "b"), 3);
}

#[test]
fn a_restore_inside_a_transaction_is_an_error() {
    let store = Store::in_memory(&schema());
    let mut backup = Vec::new();
    store.backup(&mut backup).unwrap();
    let txn = store.begin_write().unwrap();
    assert!(store.restore(backup.as_slice()).is_err());
    drop(txn);
    store.restore(backup.as_slice()).unwrap();
}

#[test]
fn writer_with_a_deadline_leaves_a_busy_store() {
    let store = Store::in_memory(&schema());
    let (held, is_held) = channel();
    let (release, released) = channel::<()>();
    std::thread::scope(|scope| {
        let store = &store;
        scope.spawn(move || {
            let txn = store.begin_write().unwrap();
            held.send(()).unwrap();
            let _ = released.recv();
            drop(txn);
        });
        is_held.recv().unwrap();
        assert_eq!(store.try_begin_write().unwrap_err(), BeginError::Busy);
        let soon = Instant::now() + Duration::from_millis(1);
        assert_eq!(store.begin_write_until(soon).unwrap_err(), BeginError::Busy);
        drop(release);
        assert!(store.begin_write_until(later()).is_ok());
    });
    assert!(store.try_begin_write().is_ok());
}

#[test]
fn any_commit_ends_a_wait_for_the_index() {
    let store = Store::in_memory(&schema());
    assert_eq!(store.wait_index(0, Instant::now()), Ok(0), "nothing until the deadline");
    let index = add(&store, "a");
    assert_eq!(store.wait_index(index - 1, later()), Ok(index), "it is there already");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| store.wait_index(index, later()));
        let next = add(&store, "b");
        assert_eq!(waits.join().unwrap(), Ok(next));
    });
    let index = store.index();
    let never = std::future::pending();
    let mut waits = pin!(store.wait_index_async(index, never));
    assert!(waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let txn = store.begin_write_at(index + 10).unwrap();
    txn.commit().unwrap(); // changes only the index
    assert_eq!(block_on(waits), Ok(index + 10));
    assert_eq!(
        block_on(store.wait_index_async(index + 10, std::future::ready(()))),
        Ok(index + 10)
    );
}

#[test]
fn waiters_for_the_index_have_a_limit() {
    let store = Store::in_memory_with(&schema(), &Options::default().parked_max(0));
    let refused = store.wait_index(0, later());
    assert_eq!(refused, Err(WatchError::TooMany { parked_max: 0 }));
    let mut changes = store.changes_async(0).unwrap();
    assert_eq!(changes.next_until(later()), Err(FeedError::TooMany { parked_max: 0 }));
}

/// Checks that a live feed that begins at 0 returns each commit.
fn feed_has_every_commit(store: &Store) {
    add(store, "before");
    let mut changes = store.changes_async(0).unwrap();
    let mut name = || {
        let commit = block_on(changes.next()).unwrap().unwrap();
        commit.changes[0].key(&Names::BY_KEY).unwrap()
    };
    assert_eq!(name(), "before");
    std::thread::scope(|scope| {
        scope.spawn(|| (0..100).for_each(|n| _ = add(store, &n.to_string())));
        for n in 0..100 {
            assert_eq!(name(), n.to_string());
        }
    });
    let index = store.index();
    assert_eq!(changes.index(), index);
    assert_eq!(changes.next_until(Instant::now()), Ok(None));
    let next = add(store, "z");
    assert_eq!(changes.next_until(later()).unwrap().map(|commit| commit.index), Some(next));
    add(store, "last");
    store.close().unwrap();
    assert!(block_on(changes.next()).unwrap().is_ok(), "commits before the close are returned");
    assert!(block_on(changes.next()).is_none());
    assert_eq!(changes.next_until(later()), Ok(None));
}

#[test]
fn a_live_feed_returns_each_commit_once() {
    feed_has_every_commit(&Store::in_memory(&schema()));
    for durability in
        [Durability::Immediate, Durability::Relaxed { flush_every: Duration::from_millis(1) }]
    {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::default().durability(durability);
        feed_has_every_commit(&Store::open_with(dir.path(), &schema(), &options).unwrap());
    }
}

#[test]
fn a_close_ends_waiting_readers_with_an_error() {
    let store = Store::in_memory(&schema());
    let index = add(&store, "a");
    let mut changes = store.changes_async(index).unwrap();
    let mut next = pin!(changes.next());
    assert!(next.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    std::thread::scope(|scope| {
        let parked = scope.spawn(|| store.blocking(index, later(), |view| view.count::<Names>()));
        let waits = scope.spawn(|| store.wait_index(index, later()));
        assert_eq!(store.close(), Ok(index));
        assert_eq!(parked.join().unwrap(), Err(WatchError::Closed));
        assert_eq!(waits.join().unwrap(), Err(WatchError::Closed));
    });
    assert_eq!(next.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(None));
    // A query that need not wait still returns its value.
    assert_eq!(store.blocking(0, later(), |view| view.count::<Names>()).unwrap().value, 1);
    assert_eq!(store.begin_write().unwrap_err(), BeginError::Closed);
    assert_eq!(store.close(), Ok(index));
}

#[test]
fn a_close_puts_everything_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default().durability(Durability::Relaxed { flush_every: NEVER });
    let store = Store::open_with(dir.path(), &schema(), &options).unwrap();
    let index = add(&store, "a");
    assert_eq!(store.close(), Ok(index));
    assert_eq!(store.changes_since(0).unwrap().count(), 1, "the journal has it");
    drop(store);
    let store = Store::open(dir.path(), &schema()).unwrap();
    assert_eq!((store.index(), store.snapshot().count::<Names>()), (index, 1));
}

#[test]
fn a_close_inside_a_transaction_leaves_the_store_open() {
    let store = Store::in_memory(&schema());
    let txn = store.begin_write().unwrap();
    assert_eq!(store.close(), Err(CloseError::OpenTransaction));
    drop(txn);
    add(&store, "a");
    assert_eq!(store.close(), Ok(2));
}
