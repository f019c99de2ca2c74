//! The store: point get, durable commit, wake-up. Each beside a floor in the same run.
//!
//! `cargo bench --bench store`

#![allow(clippy::unwrap_used, reason = "a bench that fails should stop")]

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::future::pending;
use std::hint::black_box;
use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use statehold_store::{Answer, ReadView, Schema, Store, Table, Tracked, WatchError};

/// Rows in the tables that are read.
const ROWS: usize = 100_000;
/// Readers parked while one row changes.
const PARKED: usize = 10_000;
/// Bytes of a row beside its key.
const PAYLOAD: usize = 480;
/// A step coprime to [`ROWS`], so that gets jump about and visit every row.
const STRIDE: usize = 7_919;

#[derive(Clone, Serialize, Deserialize)]
struct Volume {
    namespace: String,
    id: String,
    payload: String,
}

struct Volumes;

impl Table for Volumes {
    const NAME: &'static str = "volumes";
    const VERSION: u16 = 1;
    type Key = (String, String);
    type Row = Volume;

    fn key(row: &Volume) -> (&str, &str) {
        (&row.namespace, &row.id)
    }
}

fn id(at: usize) -> String {
    format!("volume-{at:08}")
}

fn volume(at: usize) -> Volume {
    Volume { namespace: "default".into(), id: id(at), payload: "x".repeat(PAYLOAD) }
}

fn schema() -> Schema {
    Schema::new().table::<Volumes>()
}

fn filled(rows: usize) -> Store {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    for at in 0..rows {
        txn.upsert::<Volumes>(volume(at)).unwrap();
    }
    txn.commit().unwrap();
    store
}

fn get(c: &mut Criterion) {
    let store = filled(ROWS);
    let floor: RwLock<BTreeMap<(String, String), Arc<Volume>>> = RwLock::new(
        (0..ROWS).map(|at| (("default".to_owned(), id(at)), Arc::new(volume(at)))).collect(),
    );
    let ids: Vec<String> = (0..ROWS).map(id).collect();
    let mut group = c.benchmark_group("get/100k");
    let mut at = 0;
    group.bench_function("statehold", |b| {
        let view = store.snapshot();
        b.iter(|| {
            at = (at + STRIDE) % ROWS;
            let found = view.get::<Volumes>(("default", &ids[at])).unwrap();
            assert_eq!(black_box(found).payload.len(), PAYLOAD);
        });
    });
    group.bench_function("statehold_new_snapshot", |b| {
        b.iter(|| {
            at = (at + STRIDE) % ROWS;
            let view = store.snapshot();
            let found = view.get::<Volumes>(("default", &ids[at])).unwrap();
            assert_eq!(black_box(found).payload.len(), PAYLOAD);
        });
    });
    let keys: Vec<(String, String)> =
        ids.iter().map(|id| ("default".to_owned(), id.clone())).collect();
    group.bench_function("btreemap_rwlock", |b| {
        b.iter(|| {
            at = (at + STRIDE) % ROWS;
            let map = floor.read();
            let found = map.get(&keys[at]).unwrap();
            assert_eq!(black_box(found).payload.len(), PAYLOAD);
        });
    });
    group.finish();
}

fn commit(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &schema()).unwrap();
    let mut group = c.benchmark_group("commit");
    group.throughput(Throughput::Elements(1));
    let mut at = 0;
    group.bench_function("one_row_durable", |b| {
        b.iter(|| {
            at = (at + STRIDE) % ROWS;
            let mut txn = store.begin_write().unwrap();
            txn.upsert::<Volumes>(volume(at)).unwrap();
            let index = txn.commit().unwrap();
            assert_eq!(index, store.index());
        });
    });
    let memory = filled(ROWS);
    group.bench_function("one_row_in_memory", |b| {
        b.iter(|| {
            at = (at + STRIDE) % ROWS;
            let mut txn = memory.begin_write().unwrap();
            txn.upsert::<Volumes>(volume(at)).unwrap();
            black_box(txn.commit().unwrap());
        });
    });
    let path = dir.path().join("floor");
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let bytes = vec![0u8; PAYLOAD];
    group.bench_function("floor_append_fdatasync", |b| {
        b.iter(|| {
            file.write_all(&bytes).unwrap();
            file.sync_data().unwrap();
        });
    });
    group.finish();
}

/// Notes that it was woken, and by which reader.
struct Woken {
    reader: usize,
    last: Arc<AtomicUsize>,
    count: Arc<AtomicUsize>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.last.store(self.reader, Ordering::SeqCst);
        self.count.fetch_add(1, Ordering::SeqCst);
    }
}

type Blocked<'s> = Pin<Box<dyn Future<Output = Result<Answer<Option<u64>>, WatchError>> + 's>>;

fn wake(c: &mut Criterion) {
    let store = filled(PARKED + 1);
    let ids: Vec<String> = (0..=PARKED).map(id).collect();
    let last = Arc::new(AtomicUsize::new(0));
    let count = Arc::new(AtomicUsize::new(0));
    let wakers: Vec<Waker> = (0..PARKED)
        .map(|reader| {
            Waker::from(Arc::new(Woken {
                reader,
                last: Arc::clone(&last),
                count: Arc::clone(&count),
            }))
        })
        .collect();
    let park = |reader: usize| -> Blocked<'_> {
        let id = &ids[reader];
        let mut blocked: Blocked<'_> =
            Box::pin(store.blocking_async(store.index(), pending(), move |view: &Tracked| {
                view.get::<Volumes>(("default", id)).map(|found| found.modify_index())
            }));
        let mut context = Context::from_waker(&wakers[reader]);
        assert!(blocked.as_mut().poll(&mut context).is_pending());
        blocked
    };
    let mut readers: Vec<_> = (0..PARKED).map(park).collect();
    let change = |at: usize| {
        let mut txn = store.begin_write().unwrap();
        txn.upsert::<Volumes>(volume(at)).unwrap();
        txn.commit().unwrap()
    };
    let mut group = c.benchmark_group("wake");
    let mut at = 0;
    group.bench_function("commit_wake_answer_park_1_of_10k", |b| {
        b.iter(|| {
            at = (at + STRIDE) % PARKED;
            let before = count.load(Ordering::SeqCst);
            let index = change(at);
            assert_eq!(count.load(Ordering::SeqCst), before + 1, "one reader is woken");
            assert_eq!(last.load(Ordering::SeqCst), at, "and it is the right one");
            let mut context = Context::from_waker(&wakers[at]);
            match readers[at].as_mut().poll(&mut context) {
                Poll::Ready(answer) => assert_eq!(answer.unwrap().value, Some(index)),
                Poll::Pending => panic!("a woken reader answers"),
            }
            readers[at] = park(at);
        });
    });
    group.bench_function("commit_with_10k_parked_elsewhere", |b| {
        b.iter(|| {
            let before = count.load(Ordering::SeqCst);
            black_box(change(PARKED));
            assert_eq!(count.load(Ordering::SeqCst), before, "nobody is woken");
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default();
    targets = get, commit, wake
}
criterion_main!(benches);
