//! The store's calls, each beside a floor in the same run.
//!
//! `cargo bench --bench store`. `benches/compare` measures other stores beside it, and loads of
//! many clients, waiters and rows.

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
use statehold_filter::{Filter, Filterable};
use statehold_store::{
    Index, IndexSet, KeyRange, Options, Order, QueryResult, ReadView, Schema, Store, Table,
    Tracked, WatchError, plan,
};

/// Rows in the tables that are read.
const ROWS: usize = 100_000;
/// Readers parked while one row changes.
const PARKED: [usize; 2] = [10_000, 100_000];
/// Rows that share a plugin.
const PER_PLUGIN: usize = 20;
/// Rows of the larger transaction.
const BATCH: usize = 100;
/// Bytes of a row beside its key.
const PAYLOAD: usize = 480;
/// A step coprime to [`ROWS`], so that gets are scattered and visit every row.
const STRIDE: usize = 7_919;

#[derive(Clone, Serialize, Deserialize, Filterable)]
struct Volume {
    namespace: String,
    id: String,
    plugin: String,
    payload: String,
}

struct Volumes;

const BY_PLUGIN: Index<Volumes, String> =
    Volumes::INDEX.non_unique("plugin", |volume, keys| keys.add(&volume.plugin)).serves("plugin");

impl Table for Volumes {
    const NAME: &'static str = "volumes";
    const VERSION: u16 = 1;
    type Key = (String, String);
    type Row = Volume;

    fn key(row: &Volume) -> (&str, &str) {
        (&row.namespace, &row.id)
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&BY_PLUGIN);
    }
}

fn id(at: usize) -> String {
    format!("volume-{at:08}")
}

fn volume(at: usize) -> Volume {
    let plugin = format!("plugin-{:08}", at / PER_PLUGIN);
    Volume { namespace: "default".into(), id: id(at), plugin, payload: "x".repeat(PAYLOAD) }
}

fn schema() -> Schema {
    Schema::new().table::<Volumes>()
}

fn filled(rows: usize) -> Store {
    fill(Store::in_memory(&schema()), rows)
}

fn fill(store: Store, rows: usize) -> Store {
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

fn snapshot(c: &mut Criterion) {
    let store = filled(1);
    let mut group = c.benchmark_group("snapshot");
    group.bench_function("statehold", |b| b.iter(|| black_box(store.snapshot()).index()));
    let floor = RwLock::new(Arc::new(1u64));
    group.bench_function("floor_rwlock_arc_clone", |b| {
        b.iter(|| *black_box(Arc::clone(&*floor.read())));
    });
    group.finish();
}

/// A filter that an index serves in part, beside the same filter evaluated on every row.
fn filter(c: &mut Criterion) {
    let store = filled(ROWS);
    let view = store.snapshot();
    let text = format!("plugin == {:?} and id != {:?}", "plugin-00000007", id(7 * PER_PLUGIN));
    let filter = Filter::<Volume>::compile(&text).unwrap();
    let mut group = c.benchmark_group("filter/100k");
    group.bench_function("planned", |b| {
        b.iter(|| {
            let all = KeyRange::all();
            let plan = plan::<Volumes>(&view, &all, Order::Ascending, &filter.conjuncts());
            assert_eq!(plan.filter(|row| filter.matches(row)).count(), PER_PLUGIN - 1);
        });
    });
    group.bench_function("scan", |b| {
        b.iter(|| {
            let rows = view.scan::<Volumes>(&KeyRange::all(), Order::Ascending);
            assert_eq!(rows.filter(|row| filter.matches(row)).count(), PER_PLUGIN - 1);
        });
    });
    group.finish();
}

fn commit(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let durable = fill(Store::open(dir.path(), &schema()).unwrap(), ROWS);
    let memory = filled(ROWS);
    let path = dir.path().join("floor");
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    for rows in [1, BATCH] {
        let mut group = c.benchmark_group(format!("commit/{rows}"));
        group.throughput(Throughput::Elements(rows as u64));
        for (name, store) in [("durable", &durable), ("in_memory", &memory)] {
            let mut at = 0;
            group.bench_function(name, |b| {
                b.iter(|| {
                    let mut txn = store.begin_write().unwrap();
                    for _ in 0..rows {
                        at = (at + STRIDE) % ROWS;
                        txn.upsert::<Volumes>(volume(at)).unwrap();
                    }
                    let index = txn.commit().unwrap();
                    assert_eq!(index, store.index());
                });
            });
        }
        let bytes = vec![0u8; PAYLOAD * rows];
        group.bench_function("floor_append_fdatasync", |b| {
            b.iter(|| {
                file.write_all(&bytes).unwrap();
                file.sync_data().unwrap();
            });
        });
        group.finish();
    }
}

/// Records that it was woken, and by which reader.
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

type Blocked<'s> = Pin<Box<dyn Future<Output = Result<QueryResult<Option<u64>>, WatchError>> + 's>>;

fn wake(c: &mut Criterion) {
    let trial = std::env::args().any(|arg| arg == "--test");
    for parked in if trial { &PARKED[..1] } else { &PARKED } {
        wake_among(c, *parked);
    }
}

fn wake_among(c: &mut Criterion, parked: usize) {
    let mut options = Options::default();
    options.parked_max = parked;
    let store = fill(Store::in_memory_with(&schema(), &options), parked + 1);
    let ids: Vec<String> = (0..=parked).map(id).collect();
    let last = Arc::new(AtomicUsize::new(0));
    let count = Arc::new(AtomicUsize::new(0));
    let wakers: Vec<Waker> = (0..parked)
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
    let mut readers: Vec<_> = (0..parked).map(park).collect();
    let change = |at: usize| {
        let mut txn = store.begin_write().unwrap();
        txn.upsert::<Volumes>(volume(at)).unwrap();
        txn.commit().unwrap()
    };
    let mut group = c.benchmark_group(format!("wake/{parked}"));
    let mut at = 0;
    group.bench_function("commit_wake_answer_park", |b| {
        b.iter(|| {
            at = (at + STRIDE) % parked;
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
    group.bench_function("commit_unwatched", |b| {
        b.iter(|| {
            let before = count.load(Ordering::SeqCst);
            black_box(change(parked));
            assert_eq!(count.load(Ordering::SeqCst), before, "no reader is woken");
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default();
    targets = get, snapshot, filter, commit, wake
}
criterion_main!(benches);
