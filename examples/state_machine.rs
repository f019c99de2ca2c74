//! Uses the store as the state machine of a replicated log: entries have the log's indexes, and
//! snapshots go to members that fell behind.
//!
//! `cargo run --example state_machine`

use std::error::Error;
use std::path::Path;

use serde::{Deserialize, Serialize};
use statehold::store::{BeginError, Entry, Store, Table};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Table)]
#[table(name = "values", crate = statehold::store)]
struct Value {
    #[table(key)]
    name: String,
    value: i64,
}

/// The command of a log entry.
#[derive(Clone)]
enum Command {
    Set(&'static str, i64),
    /// Adds an amount; fails without effect if the result would be negative.
    Add(&'static str, i64),
    Remove(&'static str),
    /// The blank first entry of a leader.
    Nothing,
}

struct StateMachine {
    store: Store,
}

impl StateMachine {
    fn open(dir: &Path) -> Result<Self, Box<dyn Error>> {
        Ok(Self { store: Store::open(dir, &Value::schema())? })
    }

    /// Returns the last applied entry, after which the log must continue on a restart.
    fn applied(&self) -> u64 {
        self.store.index()
    }

    /// Applies an entry: durable on return. An entry that was applied before is skipped, because
    /// logs repeat entries after a restart.
    fn apply(&self, index: u64, command: &Command) -> Result<(), Box<dyn Error>> {
        let mut txn = match self.store.begin_write_at(index) {
            Err(BeginError::IndexNotGreater { .. }) => return Ok(()),
            begun => begun?,
        };
        match command {
            Command::Set(name, value) => {
                txn.put(Value { name: (*name).into(), value: *value })?;
            }
            Command::Add(name, more) => {
                let value = Value::BY_KEY.get(&txn, *name).map_or(0, |value| value.value) + more;
                if value >= 0 {
                    txn.put(Value { name: (*name).into(), value })?;
                }
            }
            Command::Remove(name) => {
                Value::BY_KEY.delete(&mut txn, *name)?;
            }
            Command::Nothing => {}
        }
        // Also without a write: an entry without effect counts as applied.
        assert_eq!(txn.commit()?, index);
        Ok(())
    }

    /// Returns a snapshot and its entry. Entries are applied concurrently.
    fn snapshot(&self) -> Result<(u64, Vec<u8>), Box<dyn Error>> {
        let mut bytes = Vec::new();
        let index = self.store.backup(&mut bytes)?;
        Ok((index, bytes))
    }

    /// Replaces the whole state by a snapshot, entirely or not at all.
    fn install(&self, index: u64, snapshot: &[u8]) -> Result<(), Box<dyn Error>> {
        Ok(self.store.restore_at(index, snapshot)?)
    }

    fn get(&self, name: &str) -> Option<Entry<Value>> {
        Value::BY_KEY.get(&self.store.snapshot(), name).cloned()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (dir, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
    // The indexes are the log's. Some are missing here, such as those of configuration changes. So
    // is 1, the blank entry of the first leader: a store's commits begin at 2.
    let log = [
        (2, Command::Nothing),
        (3, Command::Set("a", 5)),
        (4, Command::Add("a", -9)),
        (6, Command::Add("b", 2)),
        (7, Command::Add("a", 1)),
        (9, Command::Remove("b")),
    ];

    let leader = StateMachine::open(dir.path())?;
    for (index, command) in &log[..4] {
        leader.apply(*index, command)?;
    }
    let (index, snapshot) = leader.snapshot()?;
    println!("snapshot of {} bytes at entry {index}", snapshot.len());
    assert_eq!(index, 6);

    // A restart: the log repeats some entries.
    drop(leader);
    let leader = StateMachine::open(dir.path())?;
    println!("opened again: applied up to {}", leader.applied());
    assert_eq!(leader.applied(), 6);
    for (index, command) in &log[2..] {
        leader.apply(*index, command)?;
    }

    // A member that was far behind gets the snapshot, then the entries after it.
    let follower = StateMachine::open(other.path())?;
    follower.apply(log[0].0, &log[0].1)?;
    follower.install(index, &snapshot)?;
    assert_eq!(follower.applied(), index);
    for (index, command) in &log[4..] {
        follower.apply(*index, command)?;
    }

    for member in [&leader, &follower] {
        let a = member.get("a").ok_or("a is gone")?;
        println!(
            "a = {}, created at {}, modified at {}",
            a.value,
            a.create_index(),
            a.modify_index()
        );
        assert_eq!((a.value, a.create_index(), a.modify_index()), (6, 3, 7));
        assert!(member.get("b").is_none());
        assert_eq!(member.applied(), 9);
    }
    Ok(())
}
