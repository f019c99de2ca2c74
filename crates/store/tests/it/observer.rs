//! The notifications that an observer receives.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::common::{Names, put_name, schema};
use parking_lot::Mutex;
use statehold_store::{
    Batch, Checkpointed, Committed, Observer, Options, ReadView, Store, Tracked,
};

#[derive(Debug, PartialEq)]
enum Told {
    Committed(u64, usize, Duration),
    Batch(u64, usize),
    Checkpointed(u64, usize, u64),
    Parked(usize),
    Woken(usize),
    RanAgain(bool),
}

/// Its clock advances by a second at each call.
#[derive(Default)]
struct Recorder {
    seconds: AtomicU64,
    told: Mutex<Vec<Told>>,
}

impl Recorder {
    fn add(&self, told: Told) {
        self.told.lock().push(told);
    }

    fn take(&self) -> Vec<Told> {
        std::mem::take(&mut self.told.lock())
    }
}

impl Observer for Recorder {
    fn now(&self) -> Duration {
        Duration::from_secs(self.seconds.fetch_add(1, Ordering::SeqCst))
    }

    fn committed(&self, commit: &Committed) {
        assert!(commit.bytes > 0);
        self.add(Told::Committed(commit.index, commit.changes, commit.took));
    }

    fn batch_written(&self, batch: &Batch) {
        assert!(batch.bytes > 0 && batch.took > Duration::ZERO);
        self.add(Told::Batch(batch.index, batch.commits));
    }

    fn checkpointed(&self, checkpoint: &Checkpointed) {
        assert!(checkpoint.bytes > 0 && checkpoint.took > Duration::ZERO);
        self.add(Told::Checkpointed(checkpoint.index, checkpoint.rows, checkpoint.oldest_change));
    }

    fn parked(&self, parked: usize) {
        self.add(Told::Parked(parked));
    }

    fn woken(&self, readers: usize) {
        self.add(Told::Woken(readers));
    }

    fn ran_again(&self, useful: bool) {
        self.add(Told::RanAgain(useful));
    }
}

#[test]
fn observer_gets_commits_batches_and_checkpoints_with_times() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Arc::new(Recorder::default());
    let options = Options::default().history(0).observer(recorder.clone());
    let store = Store::open_with(dir.path(), &schema(), &options).unwrap();
    let mut txn = store.begin_write().unwrap();
    put_name(&mut txn, "a");
    put_name(&mut txn, "b");
    txn.commit().unwrap();
    // Queued at 0, written from 1 to 2, durable at 3.
    let committed = Told::Committed(2, 2, Duration::from_secs(3));
    assert_eq!(recorder.take(), [Told::Batch(2, 1), committed]);
    store.checkpoint().unwrap();
    assert_eq!(recorder.take(), [Told::Checkpointed(2, 2, 3)]);
}

#[test]
fn observer_gets_readers_and_useful_wake_ups() {
    let recorder = Arc::new(Recorder::default());
    let options = Options::default().observer(recorder.clone());
    let store = Store::in_memory_with(&schema(), &options);
    let mut context = Context::from_waker(Waker::noop());
    let first = |view: &Tracked| (view.count::<Names>() > 1, view.get::<Names>("a").is_some());
    let mut reader = pin!(store.blocking_changed_async(1, pending(), first));
    assert!(reader.as_mut().poll(&mut context).is_pending());
    let mut woken_by = |name: &str| {
        let mut txn = store.begin_write().unwrap();
        put_name(&mut txn, name);
        txn.commit().unwrap();
        let polled = reader.as_mut().poll(&mut context);
        let told = recorder.take();
        let of_readers =
            told.into_iter().filter(|told| !matches!(told, Told::Batch(..) | Told::Committed(..)));
        (polled.is_ready(), of_readers.collect::<Vec<_>>())
    };
    assert_eq!(
        woken_by("b"),
        (
            false,
            // It leaves, and parks again on the reads of the second run.
            vec![
                Told::Parked(1),
                Told::Woken(1),
                Told::Parked(0),
                Told::Parked(1),
                Told::RanAgain(false)
            ]
        )
    );
    let answered = vec![Told::Woken(1), Told::Parked(0), Told::RanAgain(true)];
    assert_eq!(woken_by("a"), (true, answered));
}
