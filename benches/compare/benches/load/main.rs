//! What a bench of single calls doesn't show: many clients, many waiters, a million rows, a checkpoint at work.
//!
//! `cargo bench --bench load` in `benches/compare` prints tables. Rivals and floors take turns with the store in short rounds,
//! so that what else the machine does hits all of them; every result is checked.

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

/// How much is done.
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
/// To see that everything runs.
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
