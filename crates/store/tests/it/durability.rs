//! The acknowledgement of commits: with a thread, without one, and before they are durable.

use crate::common;
use std::future::pending;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::common::{Names, block_on, put_name, schema};
use statehold_store::{CommitFuture, Durability, Options, ReadView, Store, Tracked};

fn add(store: &Store, name: &str) -> CommitFuture {
    let mut txn = store.begin_write().unwrap();
    put_name(&mut txn, name);
    txn.commit_async()
}

fn relaxed() -> Options {
    // The interval never elapses in these tests.
    let flush_every = Duration::from_secs(3600);
    Options::default().durability(Durability::Relaxed { flush_every })
}

/// A task may hold it while it waits, on any thread.
fn is_for_tasks<F: Future + Send + 'static>(future: F) -> F {
    future
}

#[test]
fn async_commit_ends_when_visible_and_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path(), &schema()).unwrap();
        // Both are queued before the test awaits the first.
        let (first, second) = (add(&store, "a"), add(&store, "b"));
        let second = block_on(is_for_tasks(second)).unwrap();
        assert_eq!(second.index(), 3);
        assert_eq!(store.index(), 3);
        let first = block_on(first).unwrap();
        assert!(first.get::<Names>("a").is_some() && first.get::<Names>("b").is_none());
        let commits: Vec<_> = store.changes_since(0).unwrap().map(Result::unwrap).collect();
        assert_eq!(commits.len(), 2, "the journal has the acknowledged commits");
    }
    assert_eq!(Store::open(dir.path(), &schema()).unwrap().index(), 3);
}

#[test]
fn dropping_a_commit_future_does_not_cancel_it() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path(), &schema()).unwrap();
        drop(add(&store, "a"));
        let mut polled = pin!(add(&store, "b"));
        let _ = polled.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    let store = Store::open(dir.path(), &schema()).unwrap();
    assert_eq!((store.index(), store.snapshot().count::<Names>()), (3, 2));
}

#[test]
fn flush_waits_for_commits_without_a_waiter() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &schema()).unwrap();
    let _unawaited = add(&store, "a");
    assert_eq!(store.flush().unwrap(), 2);
    assert_eq!(store.index(), 2);
}

#[test]
fn a_commit_in_memory_is_acknowledged_at_once() {
    let store = Store::in_memory(&schema());
    let mut commit = pin!(add(&store, "a"));
    let polled = commit.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(snapshot)) if snapshot.index() == 2));
}

#[test]
fn relaxed_commit_is_visible_and_wakes_before_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_with(dir.path(), &schema(), &relaxed()).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let count = |view: &Tracked| view.count::<Names>();
    let mut reader = pin!(store.blocking_async(1, pending(), count));
    assert!(reader.as_mut().poll(&mut context).is_pending());
    for at in 1..=3 {
        let mut txn = store.begin_write().unwrap();
        put_name(&mut txn, &format!("name-{at}"));
        assert_eq!(txn.commit().unwrap(), at + 1);
    }
    assert_eq!(store.snapshot().count::<Names>(), 3);
    let Poll::Ready(answer) = reader.as_mut().poll(&mut context) else { panic!("not woken") };
    assert_eq!(answer.unwrap().index, 4);
    let durable = || store.changes_since(0).unwrap().count();
    assert_eq!(durable(), 0);
    assert_eq!(store.flush().unwrap(), 4);
    assert_eq!(durable(), 3);
    let mut txn = store.begin_write().unwrap();
    put_name(&mut txn, "last");
    txn.commit().unwrap();
    assert_eq!(block_on(store.flush_async()).unwrap().index(), 5);
    assert_eq!(durable(), 4);
}

#[test]
fn relaxed_commits_are_flushed_periodically_and_on_close() {
    let dir = tempfile::tempdir().unwrap();
    {
        let flush_every = Duration::from_millis(1);
        let options = Options::default().durability(Durability::Relaxed { flush_every });
        let store = Store::open_with(dir.path(), &schema(), &options).unwrap();
        drop(add(&store, "a"));
        while store.changes_since(0).unwrap().count() == 0 {
            std::thread::yield_now();
        }
    }
    {
        let store = Store::open_with(dir.path(), &schema(), &relaxed()).unwrap();
        drop(add(&store, "b"));
    }
    assert_eq!(Store::open(dir.path(), &schema()).unwrap().index(), 3);
}

#[test]
fn relaxed_commit_waits_when_too_many_bytes_are_pending() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_with(dir.path(), &schema(), &relaxed()).unwrap();
    for at in 0..4 {
        let mut txn = store.begin_write().unwrap();
        put_name(&mut txn, &format!("{at}{}", "x".repeat(1000)));
        txn.upsert::<common::Volumes>(common::Volume {
            plugin: "p".repeat(3000),
            external: String::new(),
            nodes: vec![uuid::Uuid::nil(); 500_000],
            ..common::Volume::new("default", "large")
        })
        .unwrap();
        txn.commit().unwrap();
    }
    let durable = store.changes_since(0).unwrap().count();
    assert!((1..4).contains(&durable), "{durable} of 4 commits of 8 MB are durable");
}
