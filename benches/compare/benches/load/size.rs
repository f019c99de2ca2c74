//! A large table: opening it, its files, the cost of a checkpoint for concurrent commits, and the
//! cost of dropping it for readers.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use statehold_store::{ReadView, Schema, Store};

use crate::Scale;
use crate::memory::Indexed;
use crate::rows::{id, volume};
use crate::times::Times;

/// Rows of a transaction that fills or replaces.
const BATCH: usize = 1_000;

/// A step coprime to the number of rows.
const STRIDE: usize = 7_919;

pub fn measure(scale: Scale) {
    let dir = tempfile::tempdir().unwrap();
    let schema = Schema::new().table::<Indexed>();
    let store = Store::open(dir.path(), &schema).unwrap();
    replace_all(&store, scale);
    store.checkpoint().unwrap();
    drop(store);
    println!("files of {} rows: {} MiB", scale.rows, bytes_in(dir.path()) >> 20);

    let mut opened = Times::default();
    for _ in 0..scale.rounds {
        let store = opened.time(|| Store::open(dir.path(), &schema).unwrap());
        assert_eq!(store.snapshot().count::<Indexed>(), scale.rows);
    }
    println!("open with three indexes:            {opened}");

    let store = Store::open(dir.path(), &schema).unwrap();
    let (mut alone, mut beside) = (Times::default(), Times::default());
    for _ in 0..scale.rounds {
        alone.append(commits(&store, scale));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let checkpoints = scope.spawn(|| {
                loop {
                    store.checkpoint().unwrap();
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
            beside.append(commits(&store, scale));
            done.store(true, Ordering::Relaxed);
            checkpoints.join().unwrap();
        });
    }
    println!("commit of one row:                  {alone}");
    println!("commit while checkpoints run:       {beside}");

    let quiet = gets(&store, scale, &AtomicBool::new(false), scale.rows.min(200_000));
    let old = store.snapshot();
    replace_all(&store, scale);
    let done = AtomicBool::new(false);
    let mut disturbed = Times::default();
    let mut dropped = Times::default();
    thread::scope(|scope| {
        let reader = scope.spawn(|| gets(&store, scale, &done, usize::MAX));
        dropped.time(|| drop(old));
        done.store(true, Ordering::Relaxed);
        disturbed.append(reader.join().unwrap());
    });
    println!("drop of a snapshot of all old rows: {dropped}");
    println!("get:                                {quiet}");
    println!("get while the old rows are dropped: {disturbed}");
}

fn replace_all(store: &Store, scale: Scale) {
    for from in (0..scale.rows).step_by(BATCH) {
        let mut txn = store.begin_write().unwrap();
        for at in from..scale.rows.min(from + BATCH) {
            txn.upsert::<Indexed>(volume(at)).unwrap();
        }
        txn.commit().unwrap();
    }
}

fn commits(store: &Store, scale: Scale) -> Times {
    let mut times = Times::default();
    for at in 0..scale.commits {
        let row = volume(at * STRIDE % scale.rows);
        times.time(|| {
            let mut txn = store.begin_write().unwrap();
            txn.upsert::<Indexed>(row).unwrap();
            txn.commit().unwrap();
        });
    }
    times
}

/// Reads rows until `done`, at most `count`.
fn gets(store: &Store, scale: Scale, done: &AtomicBool, count: usize) -> Times {
    let mut times = Times::default();
    let mut at = 0;
    for _ in 0..count {
        at = (at + STRIDE) % scale.rows;
        let start = Instant::now();
        assert!(store.snapshot().get::<Indexed>(id(at)).is_some());
        times.push(start.elapsed());
        if done.load(Ordering::Relaxed) {
            break;
        }
    }
    times
}

fn bytes_in(dir: &Path) -> u64 {
    let files = fs::read_dir(dir).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}
