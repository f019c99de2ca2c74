//! Goal: concurrent threads observe a store in accordance with its guarantees.
//!
//! Method: threads transfer money between accounts, by compare and set and in plain transactions, read
//! snapshots and wait in blocking queries, and each records its observations. Afterwards the whole history is
//! checked for consistency: every commit has its own index; the states at those indexes follow from each other;
//! every read is the state at its index; no commit acknowledged before a read began is missing in it; every
//! waiter sees the last state eventually.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use statehold_store::{
    Expect, KeyRange, Order, ReadView, Schema, Store, Table, Tracked, WriteError,
};

const ACCOUNTS: u8 = 5;
const MONEY: u64 = 1000;
const WRITERS: u64 = 3;
const TRANSFERS: u64 = 150;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Table)]
#[table(name = "accounts")]
struct Account {
    #[table(key)]
    id: u8,
    #[table(index)]
    money: u64,
}

type State = BTreeMap<u8, u64>;

/// A commit that was acknowledged.
struct Write {
    index: u64,
    /// The balances that it read, and the balances that it wrote.
    before: State,
    after: State,
}

/// One observation of a reader.
struct Read {
    /// The last index acknowledged to any thread before the read began.
    known: u64,
    index: u64,
    state: State,
}

fn state(view: &impl ReadView) -> State {
    let all = view.scan::<Account>(&KeyRange::all(), Order::Ascending);
    all.map(|account| (account.id, account.money)).collect()
}

/// The same by the secondary index, which MUST agree.
fn state_by_index(view: &impl ReadView) -> State {
    let all = view.scan_by(&Account::BY_MONEY, &KeyRange::all(), Order::Descending);
    all.map(|account| (account.id, account.money)).collect()
}

/// Transfers money; every other time by compare and set against an older snapshot.
fn transfer(store: &Store, luck: &mut fastrand::Rng, cas: bool) -> Option<Write> {
    let (from, to) = (luck.u8(..ACCOUNTS), luck.u8(..ACCOUNTS));
    if from == to {
        return None;
    }
    let old = store.snapshot();
    let mut txn = store.begin_write().unwrap();
    let read = |id: u8| {
        let entry = if cas { old.get::<Account>(id) } else { txn.get::<Account>(id) };
        entry.map(|entry| (entry.money, entry.modify_index())).unwrap()
    };
    let ((rich, rich_at), (poor, poor_at)) = (read(from), read(to));
    let amount = luck.u64(..=rich.min(50));
    let before = State::from([(from, rich), (to, poor)]);
    let after = State::from([(from, rich - amount), (to, poor + amount)]);
    for (id, expected) in [(from, rich_at), (to, poor_at)] {
        let account = Account { id, money: after[&id] };
        let written = if cas {
            txn.upsert_if::<Account>(account, Expect::ModifyIndex(expected))
        } else {
            txn.upsert::<Account>(account)
        };
        match written {
            Ok(_) => {}
            // Another thread was faster: drop the transaction with its earlier writes.
            Err(WriteError::Unexpected { .. }) if cas => return None,
            Err(error) => panic!("{error}"),
        }
    }
    Some(Write { index: txn.commit().unwrap(), before, after })
}

fn check(first: State, last: u64, mut writes: Vec<Write>, reads: &[Read]) {
    writes.sort_unstable_by_key(|write| write.index);
    // The first commit has the index 2.
    let mut states = vec![State::new(), State::new(), first];
    for write in writes {
        assert_eq!(write.index, states.len() as u64, "an index was given twice, or skipped");
        let mut state = states[states.len() - 1].clone();
        for (id, money) in &write.before {
            assert_eq!(state[id], *money, "commit {}: an update was lost", write.index);
        }
        state.extend(write.after);
        assert_eq!(state.values().sum::<u64>(), MONEY);
        states.push(state);
    }
    assert_eq!(states.len() as u64, last + 1, "a commit exists that no thread made");
    for read in reads {
        assert!(read.index >= read.known, "{} was acknowledged before {}", read.known, read.index);
        let index = usize::try_from(read.index).unwrap();
        assert_eq!(read.state, states[index], "a read at index {index} is of another state");
    }
}

fn history(store: &Store, seed: u64) {
    let mut txn = store.begin_write().unwrap();
    for id in 0..ACCOUNTS {
        txn.upsert::<Account>(Account { id, money: MONEY / u64::from(ACCOUNTS) }).unwrap();
    }
    assert_eq!(txn.commit().unwrap(), 2);
    let first = state(&store.snapshot());
    let known = AtomicU64::new(2);
    let writing = AtomicU64::new(WRITERS);
    let far = Instant::now() + Duration::from_secs(60);

    let (writes, reads, waits, last) = std::thread::scope(|scope| {
        let (known, writing) = (&known, &writing);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn(move || {
                    let mut luck = fastrand::Rng::with_seed(seed * WRITERS + writer);
                    let mut writes = Vec::new();
                    for at in 0..TRANSFERS {
                        let write = transfer(store, &mut luck, at % 2 == 0);
                        if let Some(write) = &write {
                            known.fetch_max(write.index, Ordering::SeqCst);
                        }
                        writes.extend(write);
                    }
                    writing.fetch_sub(1, Ordering::SeqCst);
                    writes
                })
            })
            .collect();
        let reader = scope.spawn(move || {
            let mut reads = Vec::new();
            while writing.load(Ordering::SeqCst) > 0 {
                let known = known.load(Ordering::SeqCst);
                let view = store.snapshot();
                let state = state(&view);
                assert_eq!(state, state_by_index(&view), "an index is of another state");
                reads.push(Read { known, index: view.index(), state });
            }
            reads
        });
        let waiters: Vec<_> = (0..ACCOUNTS)
            .map(|id| {
                scope.spawn(move || {
                    // The balance of one account, until it exceeds the total.
                    let (mut index, mut seen) = (2, Vec::new());
                    loop {
                        let query = |view: &Tracked| view.get::<Account>(id).unwrap().money;
                        let answer = store.blocking(index, far, query).unwrap();
                        assert!(answer.index > index, "the index of a read went back");
                        index = answer.index;
                        if answer.value > MONEY {
                            return seen;
                        }
                        seen.push(answer);
                    }
                })
            })
            .collect();
        let writes: Vec<Write> =
            writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        let reads = reader.join().unwrap();
        let last = store.index();
        // The final value for the waiters: they hang if a wake-up is lost.
        let mut txn = store.begin_write().unwrap();
        for id in 0..ACCOUNTS {
            txn.upsert::<Account>(Account { id, money: MONEY + 1 }).unwrap();
        }
        txn.commit().unwrap();
        let waits: Vec<_> = waiters.into_iter().map(|waiter| waiter.join().unwrap()).collect();
        (writes, reads, waits, last)
    });

    assert_eq!(store.parked(), 0);
    // The balance of one account at each index, for the waiters.
    let mut moneys: BTreeMap<u8, BTreeMap<u64, u64>> = BTreeMap::new();
    for (id, money) in &first {
        moneys.entry(*id).or_default().insert(2, *money);
    }
    for write in &writes {
        for (id, money) in &write.after {
            moneys.entry(*id).or_default().insert(write.index, *money);
        }
    }
    for (id, answers) in (0..ACCOUNTS).zip(waits) {
        for answer in answers {
            // The index may be a neighbour's, while the row is as of the whole commit.
            let until = moneys[&id].range(..=answer.index).next_back().map(|(_, money)| *money);
            assert_eq!(Some(answer.value), until, "account {id} at index {}", answer.index);
        }
    }
    check(first, last, writes, &reads);
}

#[test]
fn threads_observe_one_history_in_memory() {
    for seed in 0..4 {
        history(&Store::in_memory(&Schema::new().table::<Account>()), seed);
    }
}

#[test]
fn threads_observe_one_history_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    history(&Store::open(dir.path(), &Schema::new().table::<Account>()).unwrap(), 7);
}
