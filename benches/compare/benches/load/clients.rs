//! Durable commits by one and by many clients, beside a synced append and the best group commits of
//! others.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use futures::future::join_all;
use statehold_store::{ReadView, Store};

use crate::Scale;
use crate::ours::{Statehold, Volumes};
use crate::redb::Redb;
use crate::rows::{Peer, id, volume};
use crate::sqlite::Sqlite;
use crate::times::Times;

const CLIENTS: [usize; 4] = [1, 8, 64, 256];

/// Rows that a rival puts into one transaction.
const GROUPS: [usize; 3] = [16, 64, 256];

/// Bytes of an encoded row.
const ROW_BYTES: usize = 480;

/// A step coprime to the number of rows.
const STRIDE: usize = 7_919;

/// Minimum number of commits of all clients together.
const COMMITS_MIN: usize = 4_000;

/// A measurement that takes turns with others.
struct Case<'c> {
    name: String,
    round: Box<dyn FnMut() -> (usize, Times) + 'c>,
    commits: usize,
    spent: Duration,
    times: Times,
}

impl<'c> Case<'c> {
    fn new(name: String, round: impl FnMut() -> (usize, Times) + 'c) -> Self {
        let (commits, spent, times) = (0, Duration::ZERO, Times::default());
        Self { name, round: Box::new(round), commits, spent, times }
    }

    fn rate(&self) -> f64 {
        self.commits as f64 / self.spent.as_secs_f64()
    }
}

pub fn measure(scale: Scale) {
    let dir = tempfile::tempdir().unwrap();
    // The tables have rows that are replaced in random order, because commits that only append do
    // not represent a store's load.
    let rows = scale.rows / 10;
    let store = Statehold::filled(dir.path(), rows).store;
    let path = dir.path().join("floor");
    let mut floor = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let sqlite = Sqlite::filled(dir.path(), rows);
    let redb = Redb::filled(dir.path(), rows);
    let next = RefCell::new(0);
    let next = || {
        *next.borrow_mut() += STRIDE;
        *next.borrow() % rows
    };
    let mut cases = vec![Case::new("append and fdatasync".into(), || append(&mut floor, scale))];
    for clients in CLIENTS {
        let store = &store;
        let name = format!("statehold, {clients} clients");
        cases.push(Case::new(name, move || commit(store, clients, scale)));
    }
    for clients in CLIENTS {
        let store = &store;
        let name = format!("statehold, {clients} tasks");
        cases.push(Case::new(name, move || commit_in_tasks(store, clients, scale)));
    }
    let (sqlite, redb, next) = (&sqlite, &redb, &next);
    for group in GROUPS {
        cases.push(Case::new(format!("sqlite, groups of {group}"), move || {
            grouped(sqlite, group, scale, next)
        }));
        cases.push(Case::new(format!("redb, groups of {group}"), move || {
            grouped(redb, group, scale, next)
        }));
    }
    for _ in 0..scale.rounds {
        for case in &mut cases {
            let start = Instant::now();
            let (commits, times) = (case.round)();
            case.spent += start.elapsed();
            case.commits += commits;
            case.times.append(times);
        }
    }
    for case in &cases {
        println!("{:<28} {:>9.0} rows/s   {}", case.name, case.rate(), case.times);
    }
    let rate = |name: &str| cases.iter().find(|case| case.name == name).map_or(0.0, Case::rate);
    let median = |case: &Case<'_>| case.times.percentile(50).as_secs_f64();
    let over_floor = median(&cases[1]) / median(&cases[0]);
    println!("a durable commit of one row takes {over_floor:.1} times the append");
    // Concurrent clients do not know each other's rows, so a rival's group is as large as their
    // number.
    for peer in ["sqlite", "redb"] {
        let group = rate(&format!("{peer}, groups of 64"));
        let (threads, tasks) = (rate("statehold, 64 clients"), rate("statehold, 64 tasks"));
        println!("64 clients, tasks: {:.1}, {:.1} times {peer}", threads / group, tasks / group);
    }
}

fn append(file: &mut File, scale: Scale) -> (usize, Times) {
    let bytes = [0; ROW_BYTES];
    let mut times = Times::default();
    for _ in 0..scale.commits {
        times.time(|| {
            file.write_all(&bytes).unwrap();
            file.sync_data().unwrap();
        });
    }
    (scale.commits, times)
}

/// Returns the commits of each client in a round.
fn commits_each(clients: usize, scale: Scale) -> usize {
    (scale.commits.max(COMMITS_MIN.min(scale.rows)) / clients).max(5)
}

/// Returns the row that a client replaces.
fn row_of(client: usize, at: usize, each: usize, scale: Scale) -> usize {
    (client * each + at) * STRIDE % (scale.rows / 10)
}

fn check(store: &Store, before: u64, clients: usize, each: usize, scale: Scale) {
    let commits = clients * each;
    assert_eq!(store.index(), before + commits as u64, "a commit each");
    let snapshot = store.snapshot();
    let written = |client, at| {
        snapshot.get::<Volumes>(id(row_of(client, at, each, scale))).unwrap().modify_index()
    };
    assert!((0..clients).all(|client| (0..each).all(|at| written(client, at) > before)));
}

/// Clients that are threads.
fn commit(store: &Store, clients: usize, scale: Scale) -> (usize, Times) {
    let each = commits_each(clients, scale);
    let before = store.index();
    let mut times = Times::default();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|client| {
                scope.spawn(move || {
                    let mut times = Times::default();
                    for at in 0..each {
                        let row = volume(row_of(client, at, each, scale));
                        times.time(|| {
                            let mut txn = store.begin_write().unwrap();
                            txn.upsert::<Volumes>(row).unwrap();
                            txn.commit().unwrap();
                        });
                    }
                    times
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| times.append(thread.join().unwrap()));
    });
    check(store, before, clients, each, scale);
    (clients * each, times)
}

/// Clients that are tasks of one thread, as in a server.
fn commit_in_tasks(store: &Store, clients: usize, scale: Scale) -> (usize, Times) {
    let each = commits_each(clients, scale);
    let before = store.index();
    let times = RefCell::new(Times::default());
    let times_of = &times;
    let client = async |client: usize| {
        for at in 0..each {
            let row = volume(row_of(client, at, each, scale));
            let start = Instant::now();
            let commit = {
                let mut txn = store.begin_write().unwrap();
                txn.upsert::<Volumes>(row).unwrap();
                txn.commit_async()
            };
            commit.await.unwrap();
            times_of.borrow_mut().push(start.elapsed());
        }
    };
    block_on(join_all((0..clients).map(&client)));
    check(store, before, clients, each, scale);
    (clients * each, times.into_inner())
}

/// The throughput of many clients of a store that one thread fills in groups.
fn grouped(
    peer: &impl Peer,
    group: usize,
    scale: Scale,
    next: impl Fn() -> usize,
) -> (usize, Times) {
    let groups = (scale.commits * 4 / group).max(2);
    let mut times = Times::default();
    for _ in 0..groups {
        let rows: Vec<_> = (0..group).map(|_| volume(next())).collect();
        times.time(|| peer.replace(&mut rows.into_iter()));
    }
    (groups * group, times)
}
