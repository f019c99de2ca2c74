//! Loads that a bench of single calls does not represent: many clients, many waiters, a million
//! rows, a checkpoint in progress.
//!
//! `cargo bench --bench load` in `benches/compare` prints tables. Rivals and floors take turns with
//! the store in short rounds, so that other load on the machine affects all of them; every result
//! is checked.
//!
//! Goals, beside the results on two busy cores with slow memory and a virtual disk:
//!
//! | measurement | goal | result |
//! |---|---|---|
//! | durable commit of one row | at most 2.2 times the synced append | 1.7 to 2.2 |
//! | 64 clients | 4 times SQLite with groups of 64, 3 times redb | tasks 2.3 and 2.5, threads 1.0 and 1.1 |
//! | one of 100,000 woken | p99 below 25 us | p99 45 us from the beginning of the transaction, p50 27 us |
//! | open a million rows with three indexes | below 2.5 s | 4.3 s while other programs ran |
//!
//! A commit copies a leaf of each index and increments the reference count of its rows: in a table
//! larger than the cache, that is two thirds of a commit's time. Threads pay for two more context
//! switches each, which is why servers should use `commit_async`. Tried: 8 and 12 entries per node
//! (not faster), larger caches in the allocator (not faster).

mod clients;
mod memory;
#[path = "../peers/ours.rs"]
mod ours;
#[path = "../peers/redb.rs"]
mod redb;
#[path = "../peers/rows.rs"]
#[allow(dead_code, reason = "only some questions are asked here")]
mod rows;
mod size;
#[path = "../peers/sqlite.rs"]
mod sqlite;
mod times;
mod waiters;

/// The size of the measurements.
#[derive(Clone, Copy)]
pub struct Scale {
    /// Rows of the large tables.
    rows: usize,
    /// Rounds in which rivals take turns.
    rounds: usize,
    /// Commits of a client in a round; of a lone client.
    commits: usize,
    /// Numbers of parked waiters.
    parked: &'static [usize],
}

const WHOLE: Scale = Scale { rows: 1_000_000, rounds: 5, commits: 400, parked: &[10_000, 100_000] };
/// The smallest size, to check that everything runs.
const TRIAL: Scale = Scale { rows: 2_000, rounds: 1, commits: 10, parked: &[100] };

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let scale = if args.iter().any(|arg| arg == "--test") { TRIAL } else { WHOLE };
    let wanted = args.iter().skip(1).find(|arg| !arg.starts_with('-'));
    let sections: [(&str, fn(Scale)); 4] = [
        ("memory", memory::measure),
        ("clients", clients::measure),
        ("waiters", waiters::measure),
        ("size", size::measure),
    ];
    for (name, measure) in sections {
        if wanted.is_none_or(|wanted| name.contains(&**wanted)) {
            println!("\n== {name}");
            measure(scale);
        }
    }
}
