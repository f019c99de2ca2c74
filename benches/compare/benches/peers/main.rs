//! The store beside others over the same rows: plain redb, SQLite, native_db, and ordered maps in
//! memory.
//!
//! `cargo bench --bench peers` in `benches/compare`; names are `<case>/<rows>/<store>`. Every
//! result is checked. The maps are not durable: they are the floor of a read in memory. Reads use a
//! transaction or snapshot that stays open; `snapshot_and_get` measures a new one with a single
//! get.
//!
//! Goals at a million rows, beside the results on two busy cores with slow memory:
//!
//! | call | goal | result |
//! |---|---|---|
//! | get by id, by name | at most 1.5 times the locked `BTreeMap` | 1.3, 0.7 |
//! | get by id, by name | imbl's time at least 1.3 times | 0.8, 1.7 |
//! | get by id, by name | redb's 3 times | 1.5, 2.2 |
//! | get by id, by name | SQLite's 4 times | 2.0, 2.5 |
//! | prefix of 20 | `BTreeMap` 1.5, imbl 1.3, redb 3, SQLite 40 times | 0.9, 1.4, 14, 14 |
//!
//! A get fetches a leaf, its entry and the row from memory at random; with slow memory that is most
//! of its time, and the other stores spend theirs on work that caches well. Tried: separators with
//! and without a common prefix and eight bytes of each key in the node, keys and values inside and
//! outside the node, and 8, 12 and 16 entries per node; the current layout was the fastest.

mod maps;
mod native;
mod ours;
mod redb;
mod rows;
mod sqlite;

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};

use self::rows::{PER_PLUGIN, Peer, id, name, namespace, plugin, volume};

/// Rows of the tables; all stores are measured at one size before the next.
const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];

/// A step coprime to every size, so that reads are scattered and visit every row.
const STRIDE: usize = 7_919;

/// Rows of the larger transaction.
const BATCH: usize = 100;

/// Calls `measure` with each store in turn, filled.
macro_rules! each_store {
    ($rows:expr, $measure:ident) => {
        each_store!($rows, $measure, ours::Statehold, maps::Locked, maps::Imbl, redb::Redb,
            sqlite::Sqlite, native::Native)
    };
    ($rows:expr, $measure:ident, $($peer:ty),*) => {
        $({
            let dir = tempfile::tempdir().unwrap();
            $measure(&<$peer>::filled(dir.path(), $rows));
        })*
    };
}

fn measure<P: Peer>(criterion: &mut Criterion, rows: usize, peer: &P) {
    let payload = volume(0).payload.len();
    let mut bench = |case: &str, run: &mut dyn FnMut(&mut BenchmarkGroup<'_, WallTime>)| {
        let mut group = criterion.benchmark_group(format!("{case}/{rows}"));
        run(&mut group);
        group.finish();
    };
    let mut at = 0;
    let mut next = move || {
        at = (at + STRIDE) % rows;
        at
    };
    bench("get_by_id", &mut |group| {
        group.bench_function(P::NAME, |bencher| {
            peer.reading(|reader| {
                bencher.iter(|| assert_eq!(black_box(reader.by_id(id(next()))), payload));
            });
        });
    });
    bench("get_by_name", &mut |group| {
        group.bench_function(P::NAME, |bencher| {
            peer.reading(|reader| {
                bencher.iter(|| {
                    let at = next();
                    let seen = reader.by_name(namespace(at), &name(at));
                    assert_eq!(black_box(seen), payload);
                });
            });
        });
    });
    bench("prefix_20", &mut |group| {
        group.bench_function(P::NAME, |bencher| {
            peer.reading(|reader| {
                bencher.iter(|| {
                    let seen = reader.by_plugin(&plugin(next()));
                    assert_eq!(black_box(seen), payload * PER_PLUGIN);
                });
            });
        });
    });
    bench("snapshot_and_get", &mut |group| {
        group.bench_function(P::NAME, |bencher| {
            bencher.iter(|| {
                let seen = peer.reading(|reader| reader.by_id(id(next())));
                assert_eq!(black_box(seen), payload);
            });
        });
    });
    bench("scan", &mut |group| {
        group.sample_size(10);
        group.bench_function(P::NAME, |bencher| {
            peer.reading(|reader| {
                bencher.iter(|| assert_eq!(black_box(reader.scan()), payload * rows));
            });
        });
    });
    for (case, count) in [("replace_1", 1), ("replace_100", BATCH)] {
        bench(case, &mut |group| {
            group.sample_size(20);
            group.bench_function(P::NAME, |bencher| {
                bencher.iter(|| peer.replace(&mut (0..count).map(|_| volume(next()))));
            });
        });
    }
}

fn stores(criterion: &mut Criterion) {
    // A trial run does not need large tables.
    let trial = std::env::args().any(|arg| arg == "--test");
    for rows in if trial { &[1_000][..] } else { &SIZES } {
        let mut measure_one = |peer: &dyn Measured| peer.measure(criterion, *rows);
        each_store!(*rows, measure_one);
    }
}

/// A peer behind a trait object.
trait Measured {
    fn measure(&self, criterion: &mut Criterion, rows: usize);
}

impl<P: Peer> Measured for P {
    fn measure(&self, criterion: &mut Criterion, rows: usize) {
        measure(criterion, rows, self);
    }
}

criterion_group!(benches, stores);
criterion_main!(benches);
