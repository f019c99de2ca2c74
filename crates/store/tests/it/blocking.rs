//! Blocking queries: the changes that wake them, those that must not, and their deregistration.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::common::{BY_NODE, Names, Volume, Volumes, put_name, schema};
use statehold_store::{
    Attempt, BeginError, KeyRange, Options, Order, ReadView, Store, Tracked, WatchError, WriteTxn,
};
use uuid::Uuid;

/// Counts its wake-ups, so that a test polls by hand and needs no clock.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn commit(store: &Store, write: impl FnOnce(&mut WriteTxn<'_>)) -> u64 {
    let mut txn = store.begin_write().unwrap();
    write(&mut txn);
    txn.commit().unwrap()
}

fn store() -> Store {
    let store = Store::in_memory(&schema());
    commit(&store, |txn| {
        put_name(txn, "a");
        txn.upsert::<Volumes>(Volume::new("default", "vol-1")).unwrap();
    });
    store
}

/// Parks `query` and runs `write`. Returns whether that woke the reader, and its result.
fn woken_by<R>(
    store: &Store,
    query: impl FnMut(&Tracked) -> R,
    write: impl FnOnce(&mut WriteTxn<'_>),
) -> Option<(R, u64)> {
    let wakes = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut context = Context::from_waker(&waker);
    let since = store.index();
    let mut blocked = pin!(store.blocking_async(since, pending(), query));
    assert!(blocked.as_mut().poll(&mut context).is_pending(), "it should wait");
    assert_eq!(store.parked(), 1);
    let index = commit(store, write);
    if wakes.0.load(Ordering::SeqCst) == 0 {
        assert!(blocked.as_mut().poll(&mut context).is_pending());
        return None;
    }
    match blocked.as_mut().poll(&mut context) {
        Poll::Ready(answer) => {
            let answer = answer.unwrap();
            assert!(answer.index > since && answer.index <= index);
            assert_eq!(store.parked(), 0, "an answered reader leaves nothing");
            Some((answer.value, answer.index))
        }
        Poll::Pending => None,
    }
}

#[test]
fn a_changed_row_wakes_its_reader() {
    let store = store();
    let size = |view: &Tracked| view.get::<Volumes>(("default", "vol-1")).map(|v| v.size);
    let grown = woken_by(&store, size, |txn| {
        let mut volume = Volume::new("default", "vol-1");
        volume.size = 9;
        txn.upsert::<Volumes>(volume).unwrap();
    });
    assert_eq!(grown, Some((Some(9), 3)));
    let gone = woken_by(&store, size, |txn| {
        txn.delete::<Volumes>(("default", "vol-1")).unwrap();
    });
    assert_eq!(gone, Some((None, 4)));
}

#[test]
fn a_reader_of_an_absent_key_is_woken_when_it_appears() {
    let store = store();
    let there = |view: &Tracked| view.get::<Names>("b").is_some();
    assert_eq!(woken_by(&store, there, |txn| put_name(txn, "b")), Some((true, 3)));
}

#[test]
fn changes_of_neighbours_wake_no_reader() {
    let store = store();
    let there = |view: &Tracked| view.get::<Names>("b").is_some();
    assert_eq!(woken_by(&store, there, |txn| put_name(txn, "bb")), None);
    let volumes = |view: &Tracked| {
        let range = KeyRange::<(String, String)>::starting_with_prefix("default", "vol-");
        view.scan::<Volumes>(&range, Order::Ascending).count()
    };
    assert_eq!(
        woken_by(&store, volumes, |txn| {
            txn.upsert::<Volumes>(Volume::new("default", "disk")).unwrap();
            txn.upsert::<Volumes>(Volume::new("default-2", "vol-1")).unwrap();
            put_name(txn, "c");
        }),
        None
    );
}

#[test]
fn scan_is_woken_by_inserts_changes_and_deletes() {
    let store = store();
    let count = |view: &Tracked| view.scan::<Names>(&KeyRange::all(), Order::Descending).count();
    assert_eq!(woken_by(&store, count, |txn| put_name(txn, "b")).map(|w| w.0), Some(2));
    assert_eq!(woken_by(&store, count, |txn| put_name(txn, "b")).map(|w| w.0), Some(2));
    let gone = woken_by(&store, count, |txn| {
        txn.delete::<Names>("b").unwrap();
    });
    assert_eq!(gone.map(|w| w.0), Some(1));
}

#[test]
fn secondary_index_wakes_readers_when_a_row_enters_or_leaves() {
    let store = store();
    let node = Uuid::from_u128(0xA8 << 120);
    let prefix = "a8".parse().unwrap();
    let on_node = |view: &Tracked| {
        view.scan_by(&BY_NODE, &KeyRange::<Uuid>::hex(&prefix), Order::Ascending).count()
    };
    let placed = |nodes: Vec<Uuid>| Volume { nodes, ..Volume::new("default", "vol-1") };
    let come = woken_by(&store, on_node, |txn| _ = txn.upsert::<Volumes>(placed(vec![node])));
    assert_eq!(come, Some((1, 3)));
    let elsewhere = woken_by(&store, on_node, |txn| {
        txn.upsert::<Volumes>(Volume {
            nodes: vec![Uuid::from_u128(0xA7 << 120)],
            ..Volume::new("default", "vol-2")
        })
        .unwrap();
    });
    assert_eq!(elsewhere, None);
    let gone = woken_by(&store, on_node, |txn| _ = txn.upsert::<Volumes>(placed(vec![])));
    assert_eq!(gone.map(|w| w.0), Some(0));
}

#[test]
fn aborted_transaction_wakes_no_reader() {
    let store = store();
    let wakes = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut context = Context::from_waker(&waker);
    let mut blocked = pin!(
        store.blocking_async(store.index(), pending(), |view: &Tracked| { view.count::<Names>() })
    );
    assert!(blocked.as_mut().poll(&mut context).is_pending());
    let mut txn = store.begin_write().unwrap();
    put_name(&mut txn, "b");
    drop(txn);
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
}

#[test]
fn dropped_reader_leaves_no_registration() {
    let store = store();
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut blocked = pin!(store.blocking_async(store.index(), pending(), |view: &Tracked| {
            view.get::<Names>("a").is_some() && view.count::<Volumes>() > 0
        }));
        assert!(blocked.as_mut().poll(&mut context).is_pending());
        assert_eq!(store.parked(), 1);
    }
    assert_eq!(store.parked(), 0);
}

#[test]
fn deadline_returns_the_last_value_and_zero_never_waits() {
    let store = store();
    let past = Instant::now();
    let answer = store.blocking(store.index(), past, |view| view.count::<Names>()).unwrap();
    assert_eq!((answer.value, answer.index), (1, 2));
    let far = past + Duration::from_secs(3600);
    let answer = store.blocking(0, far, |view| view.count::<Names>()).unwrap();
    assert_eq!((answer.value, answer.index), (1, 2));
}

#[test]
fn the_index_of_an_untouched_store_is_one() {
    let store = Store::in_memory(&schema());
    let answer = store.blocking(0, Instant::now(), |view| view.count::<Names>()).unwrap();
    assert_eq!((answer.value, answer.index), (0, 1));
}

#[test]
fn reader_beyond_the_limit_fails_and_others_stay_parked() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default().parked_max(1);
    let store = Store::open_with(dir.path(), &schema(), &options).unwrap();
    commit(&store, |txn| put_name(txn, "a"));
    let mut context = Context::from_waker(Waker::noop());
    let names = |view: &Tracked| view.count::<Names>();
    let mut first = pin!(store.blocking_async(2, pending(), names));
    assert!(first.as_mut().poll(&mut context).is_pending());
    let second = store.blocking(2, Instant::now() + Duration::from_secs(3600), names);
    assert_eq!(second.unwrap_err(), WatchError::TooMany { parked_max: 1 });
    assert_eq!(store.parked(), 1);
}

/// Parks a reader that waits for another result and runs `writes` one by one. Returns the number of writes
/// after which it returned, and its result.
fn changed_after(
    store: &Store,
    min_index: u64,
    writes: &[&dyn Fn(&mut WriteTxn<'_>)],
) -> Option<(usize, usize, u64)> {
    let mut context = Context::from_waker(Waker::noop());
    let count = |view: &Tracked| view.scan::<Names>(&KeyRange::all(), Order::Ascending).count();
    let mut reader = pin!(store.blocking_changed_async(min_index, pending(), count));
    for at in 0..=writes.len() {
        if let Poll::Ready(answer) = reader.as_mut().poll(&mut context) {
            let answer = answer.unwrap();
            assert_eq!(store.parked(), 0, "an answered reader leaves nothing");
            return Some((at, answer.value, answer.index));
        }
        assert_eq!(store.parked(), 1);
        if let Some(write) = writes.get(at) {
            commit(store, write);
        }
    }
    None
}

#[test]
fn reader_stays_parked_while_its_result_is_equal() {
    let store = store();
    let same = |txn: &mut WriteTxn<'_>| put_name(txn, "a");
    let more = |txn: &mut WriteTxn<'_>| put_name(txn, "b");
    let writes: [&dyn Fn(&mut WriteTxn<'_>); 4] = [&same, &same, &more, &same];
    assert_eq!(changed_after(&store, 2, &writes), Some((3, 2, 5)));
    // A change before the call returns at once, because the caller has not seen its result.
    assert_eq!(changed_after(&store, 2, &[]), Some((0, 2, 5)));
    assert_eq!(changed_after(&store, 0, &[]), Some((0, 2, 5)));
    assert_eq!(changed_after(&store, 5, &[&same, &same]), None);
}

#[test]
fn deadline_returns_the_newest_index_with_an_equal_result() {
    let store = store();
    let past = Instant::now();
    let mut runs = 0;
    let answer = store.blocking_changed(store.index(), past, |view| {
        runs += 1;
        if runs == 1 {
            commit(&store, |txn| put_name(txn, "a"));
        }
        view.count::<Names>()
    });
    assert_eq!(answer.unwrap().index, 3, "or the next call would answer at once");
}

/// The only moment at which a commit finds no reader to wake: after the read, before the parking.
#[test]
fn a_commit_between_the_read_and_the_parking_is_not_lost() {
    let store = store();
    let since = store.index();
    let mut runs = 0;
    let mut query = |view: &Tracked| {
        runs += 1;
        let found = view.get::<Names>("b").is_some();
        if runs == 1 {
            commit(&store, |txn| put_name(txn, "b"));
        }
        found
    };
    let Ok(Attempt::Parked(parked)) = store.try_blocking(since, &mut query) else {
        panic!("the run before the commit has no news")
    };
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(parked).poll(&mut context).is_ready(), "parked on a changed range");
    let Ok(Attempt::Ready(answer)) = store.try_blocking(since, &mut query) else {
        panic!("there are news")
    };
    assert_eq!((answer.value, answer.index), (true, since + 1));
    assert_eq!(store.parked(), 0);
}

/// Readers that wait for each next value see the effect of every commit eventually, independent of timing.
#[test]
fn no_wake_up_is_lost_between_racing_writers_and_readers() {
    const COMMITS: i64 = 400;
    let store = store();
    let far = Instant::now() + Duration::from_secs(60);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut index = 1;
                loop {
                    let size = |view: &Tracked| {
                        view.get::<Volumes>(("default", "vol-1")).map_or(0, |v| v.size)
                    };
                    let answer = store.blocking(index, far, size).unwrap();
                    assert!(answer.index > index, "the index of a range only grows");
                    index = answer.index;
                    if answer.value == COMMITS {
                        return;
                    }
                }
            });
        }
        for size in 2..=COMMITS {
            commit(&store, |txn| {
                let volume = Volume { size, ..Volume::new("default", "vol-1") };
                txn.upsert::<Volumes>(volume).unwrap();
            });
        }
    });
    assert_eq!(store.parked(), 0);
}

#[test]
fn equal_result_under_constant_writes_returns_at_the_deadline() {
    let store = store();
    let since = store.index();
    let mut names = 0;
    // Commits during each run.
    let query = |view: &Tracked| {
        let _ = view.count::<Names>();
        names += 1;
        assert!(names < 1000, "the deadline is never looked at");
        commit(&store, |txn| put_name(txn, "b"));
    };
    let answer = store.blocking_changed(since, Instant::now(), query).unwrap();
    assert!(answer.index > since);
}

#[test]
fn equal_result_under_constant_writes_lets_other_tasks_run() {
    let store = store();
    let since = store.index();
    let (mut runs, wakes) = (0, Arc::new(Counter::default()));
    let query = |view: &Tracked| {
        let _ = view.count::<Names>();
        runs += 1;
        assert!(runs < 1000, "the task never yields");
        commit(&store, |txn| put_name(txn, "b"));
    };
    let waker = Waker::from(Arc::clone(&wakes));
    let mut context = Context::from_waker(&waker);
    let mut timeout = false;
    let mut polls = 0;
    let ends = std::future::poll_fn(|_| {
        if timeout {
            Poll::Ready(())
        } else {
            timeout = true;
            Poll::Pending
        }
    });
    let mut blocked = pin!(store.blocking_changed_async(since, ends, query));
    while blocked.as_mut().poll(&mut context).is_pending() {
        polls += 1;
        assert_eq!(wakes.0.load(Ordering::SeqCst), polls, "it asks to be polled again");
    }
    assert!(polls > 0);
}

#[test]
fn closing_a_store_ends_the_wait_of_its_readers() {
    let store = store();
    let attempt = store.try_blocking(store.index(), |view| view.get::<Names>("b").is_some());
    let Attempt::Parked(mut parked) = attempt.unwrap() else { panic!("nothing is new") };
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(&mut parked).poll(&mut context).is_pending());
    drop(store);
    assert!(pin!(&mut parked).poll(&mut context).is_ready());
}
#[test]
fn reader_of_an_empty_store_is_woken_by_the_first_commit() {
    let store = Store::in_memory(&schema());
    let there = |view: &Tracked| view.get::<Names>("a").is_some();
    let before = store.blocking(0, Instant::now(), there).unwrap();
    assert!(before.index > 0);
    let mut context = Context::from_waker(Waker::noop());
    let mut blocked = pin!(store.blocking_async(before.index, pending(), there));
    assert!(blocked.as_mut().poll(&mut context).is_pending());
    let index = commit(&store, |txn| put_name(txn, "a"));
    let answer = blocked.as_mut().poll(&mut context);
    assert!(matches!(answer, Poll::Ready(Ok(answer)) if answer.value && answer.index == index));
    // A caller cannot choose the index that readers have seen either.
    let other = Store::in_memory(&schema());
    let refused = other.begin_write_at(before.index).unwrap_err();
    assert_eq!(refused, BeginError::IndexTooSmall { given: 1, least: 2 });
}
