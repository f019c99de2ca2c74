//! Kills a writing process again and again, and checks the files that it leaves.
//!
//! `cargo run --release --example kill_writer -- ROUNDS`
//!
//! Each round starts this program again as the writer: threads that commit as fast as they can and
//! print each acknowledged commit. After a random number of them the writer is killed with SIGKILL,
//! at an arbitrary moment. Then every acknowledged transaction must be present, the pending one of
//! each thread entirely or not at all, the index must not have decreased, and every checksum of the
//! files must be correct.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use statehold::store::{Order, Schema, Store, Table};

/// Threads that write.
const WRITERS: u64 = 4;

/// Events that a writer keeps; it deletes older ones.
const KEPT: u64 = 20;

/// The last event of a writer.
#[derive(Serialize, Deserialize, Table)]
#[table(name = "counters", crate = statehold::store)]
struct Counter {
    #[table(key)]
    writer: u64,
    value: u64,
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "events", key(writer, value), crate = statehold::store)]
struct Event {
    writer: u64,
    value: u64,
    payload: Vec<u8>,
}

fn schema() -> Schema {
    Counter::schema().and(Event::schema())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some("write"), Some(dir)) => write(Path::new(&dir)),
        (rounds, None) => {
            let rounds = rounds.map_or(Ok(20), str::parse)?;
            let dir = tempfile::tempdir()?;
            let mut luck = fastrand::Rng::new();
            let mut last = Seen::default();
            let mut acknowledged = 0;
            for round in 1..=rounds {
                let seen = killed(dir.path(), luck.u32(1..2000))?;
                acknowledged += seen.commits;
                last = check(dir.path(), &last, &seen)
                    .map_err(|error| format!("round {round} of {rounds}: {error}"))?;
            }
            println!("{rounds} kills, {acknowledged} acknowledged commits, none lost");
            Ok(())
        }
        _ => Err("usage: kill_writer [ROUNDS]".into()),
    }
}

/// Runs the writer, which never ends by itself.
fn write(dir: &Path) -> Result<(), Box<dyn Error>> {
    let store = Store::open(dir, &schema())?;
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn({
                    let store = &store;
                    move || commits(store, writer)
                })
            })
            .collect();
        for writer in writers {
            match writer.join() {
                Ok(Err(error)) => eprintln!("{error}"),
                _ => eprintln!("a writer panicked"),
            }
        }
    });
    Err("a writer ended".into())
}

fn commits(store: &Store, writer: u64) -> Result<(), String> {
    let text = |error: &dyn Error| error.to_string();
    let counter = Counter::BY_KEY.get(&store.snapshot(), writer).cloned();
    let mut value = counter.map_or(0, |counter| counter.value);
    loop {
        value += 1;
        let mut txn = store.begin_write().map_err(|error| text(&error))?;
        txn.put(Counter { writer, value }).map_err(|error| text(&error))?;
        let payload = vec![value.to_le_bytes()[0]; 64 << (value % 7)];
        txn.put(Event { writer, value, payload }).map_err(|error| text(&error))?;
        if value > KEPT {
            let old = (writer, value - KEPT);
            Event::BY_KEY.delete(&mut txn, old).map_err(|error| text(&error))?;
        }
        let index = txn.commit().map_err(|error| text(&error))?;
        let line = format!("{writer} {value} {index}\n");
        std::io::stdout().lock().write_all(line.as_bytes()).map_err(|error| text(&error))?;
        if value % 50 == writer {
            store.checkpoint().map_err(|error| text(&error))?;
        }
    }
}

/// The output of a writer process, or the contents found after it.
#[derive(Default)]
struct Seen {
    /// The last event of each writer.
    values: BTreeMap<u64, u64>,
    index: u64,
    commits: u64,
}

/// Starts a writer process and kills it after some acknowledged commits.
fn killed(dir: &Path, after: u32) -> Result<Seen, Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("write")
        .arg(dir)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let mut seen = Seen::default();
    for line in BufReader::new(output).lines() {
        let line = line?;
        let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        // Only complete lines count: the last one may be cut off.
        let [writer, value, index] = numbers[..] else { break };
        seen.values.insert(writer, value);
        seen.index = seen.index.max(index);
        seen.commits += 1;
        if seen.commits == u64::from(after) {
            child.kill()?;
        }
    }
    let status = child.wait()?;
    if seen.commits < u64::from(after) {
        return Err(format!("the writer ended by itself: {status}").into());
    }
    Ok(seen)
}

/// Checks the store after a writer that printed `seen` was killed; before it the store held `last`.
fn check(dir: &Path, last: &Seen, seen: &Seen) -> Result<Seen, String> {
    let report = Store::verify(dir, &schema()).map_err(|error| error.to_string())?;
    let store = Store::open(dir, &schema()).map_err(|error| error.to_string())?;
    let view = store.snapshot();
    if report.index != view.index() || view.index() < seen.index.max(last.index) {
        let (found, said) = (view.index(), seen.index);
        return Err(format!(
            "the index is {found}, {said} was acknowledged, before it {}",
            last.index
        ));
    }
    let mut found = Seen { index: view.index(), ..Seen::default() };
    for writer in 0..WRITERS {
        let value = Counter::BY_KEY.get(&view, writer).map_or(0, |counter| counter.value);
        let before = last.values.get(&writer).copied().unwrap_or(0);
        let acknowledged = seen.values.get(&writer).copied().unwrap_or(before);
        if value != acknowledged && value != acknowledged + 1 {
            return Err(format!("writer {writer} is at {value}, {acknowledged} was acknowledged"));
        }
        let of_writer = Event::BY_KEY.starting_with(writer);
        let events = Event::BY_KEY.scan(&view, &of_writer, Order::Ascending).map(|event| {
            let whole = event.payload.iter().all(|byte| *byte == event.value.to_le_bytes()[0]);
            if whole { event.value } else { 0 }
        });
        if !events.eq(value.saturating_sub(KEPT) + 1..=value) {
            return Err(format!("writer {writer} is at {value}, but its events are others"));
        }
        found.values.insert(writer, value);
    }
    // Every commit created one event and the first one had index 2, so none is missing.
    let commits: u64 = found.values.values().sum();
    if commits > 0 && commits + 1 != found.index {
        return Err(format!("{commits} commits were found at index {}", found.index));
    }
    Ok(found)
}
