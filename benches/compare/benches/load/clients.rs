//! Durable commits by one and by many clients, beside an append that is synced and the best that others do with groups.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use statehold_store::{ReadView, Schema, Store};

use crate::Scale;
use crate::ours::Volumes;
use crate::redb::Redb;
use crate::rows::{Peer, id, volume};
use crate::sqlite::Sqlite;
use crate::times::Times;

const CLIENTS: [usize; 4] = [1, 8, 64, 256];

/// Rows that a rival puts into one transaction.
const GROUPS: [usize; 3] = [16, 64, 256];

/// Bytes of a row as they are written.
const ROW_BYTES: usize = 480;

/// Commits of all clients together, at the least.
const COMMITS_MIN: usize = 2_000;

/// One thing that is measured in turns with others.
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
    let store = Store::open(dir.path(), &Schema::new().table::<Volumes>()).unwrap();
    let path = dir.path().join("floor");
    let mut floor = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let sqlite = Sqlite::filled(dir.path(), 0);
    let redb = Redb::filled(dir.path(), 0);
    let mut fresh = 0;
    let mut cases = vec![Case::new("append and fdatasync".into(), || append(&mut floor, scale))];
    for clients in CLIENTS {
        let store = &store;
        let name = format!("statehold, {clients} clients");
        cases.push(Case::new(name, move || commit(store, clients, scale)));
    }
    let (sqlite, redb, fresh) = (&sqlite, &redb, std::cell::RefCell::new(&mut fresh));
    for group in GROUPS {
        let fresh = &fresh;
        cases.push(Case::new(format!("sqlite, groups of {group}"), move || {
            grouped(sqlite, group, scale, &mut fresh.borrow_mut())
        }));
        cases.push(Case::new(format!("redb, groups of {group}"), move || {
            grouped(redb, group, scale, &mut fresh.borrow_mut())
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
    let best = |prefix: &str| {
        let rates = cases.iter().filter(|case| case.name.starts_with(prefix)).map(Case::rate);
        rates.fold(0.0, f64::max)
    };
    let floor = cases[0].times.percentile(50).as_secs_f64();
    let alone = cases[1].times.percentile(50).as_secs_f64();
    let many = cases[3].rate();
    println!("a durable commit of one row takes {:.1} times the append", alone / floor);
    println!("64 clients: {:.1} times the best groups of sqlite", many / best("sqlite"));
    println!("64 clients: {:.1} times the best groups of redb", many / best("redb"));
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

fn commit(store: &Store, clients: usize, scale: Scale) -> (usize, Times) {
    let each = scale.commits.min(scale.commits.max(COMMITS_MIN) / clients).max(5);
    let before = store.index();
    let mut times = Times::default();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|client| {
                scope.spawn(move || {
                    let mut times = Times::default();
                    for at in 0..each {
                        let row = volume(client * each + at);
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
    let commits = clients * each;
    assert_eq!(store.index(), before + commits as u64, "a commit each");
    let snapshot = store.snapshot();
    assert!((0..commits).all(|at| snapshot.get::<Volumes>(id(at)).is_some()));
    (commits, times)
}

/// What many clients get from a store that one thread fills in groups.
fn grouped(
    peer: &impl Peer,
    group: usize,
    scale: Scale,
    fresh: &mut usize,
) -> (usize, Times) {
    let groups = (scale.commits * 4 / group).max(2);
    let mut times = Times::default();
    for _ in 0..groups {
        let rows: Vec<_> = (*fresh..*fresh + group).map(volume).collect();
        *fresh += group;
        times.time(|| peer.replace(&mut rows.into_iter()));
    }
    peer.reading(|reader| assert!(reader.by_id(id(*fresh - 1)) > 0));
    (groups * group, times)
}

