//! Embeds the store: a table, transactions, queries by index and by filter, and a reopen.
//!
//! `cargo run --example embed`

use std::error::Error;

use serde::{Deserialize, Serialize};
use statehold::filter::{Filter, Filterable};
use statehold::store::{Expect, HexPrefix, Order, ReadView, Store, Table, WriteError};
use uuid::Uuid;

/// A row, and by the derive its table.
#[derive(Clone, Debug, Serialize, Deserialize, Table, Filterable)]
#[table(name = "machines", crate = statehold::store)]
#[table(index(name = "pool_memory", on(pool, desc(memory)), serves = "pool"))]
#[filterable(crate = statehold::filter)]
struct Machine {
    #[table(key)]
    id: Uuid,
    #[table(unique)]
    name: String,
    pool: String,
    #[filterable(unit = "bytes")]
    memory: u64,
}

const GIB: u64 = 1 << 30;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let schema = Machine::schema();

    let id: Uuid = "a8198d79-cfdb-6593-a999-1e9adabcba2e".parse()?;
    let index = {
        let store = Store::open(dir.path(), &schema)?;
        let mut txn = store.begin_write()?;
        for (at, gib) in [64, 16, 256].into_iter().enumerate() {
            let id = if at == 0 { id } else { Uuid::from_u128(at as u128) };
            let (name, pool) = (format!("m-{at}"), if at == 1 { "web" } else { "batch" });
            txn.put(Machine { id, name, pool: pool.into(), memory: gib * GIB })?;
        }
        // A unique index rejects a conflicting row; the transaction continues unchanged.
        let twin = Machine { id: Uuid::max(), name: "m-0".into(), pool: "web".into(), memory: GIB };
        let refused = txn.put(twin);
        assert!(matches!(refused, Err(WriteError::NotUnique { index: "name", .. })));
        println!("refused: {}", refused.err().map_or_else(String::new, |e| e.to_string()));
        txn.commit()?
    };
    println!("committed at index {index}: on disk");

    // Rows, stamps and indexes are restored.
    let store = Store::open(dir.path(), &schema)?;
    assert_eq!(store.index(), index);
    let view = store.snapshot();
    let prefix: HexPrefix = "a81".parse()?;
    let by_digits = Machine::BY_KEY.hex(&prefix);
    let by_digits = Machine::BY_KEY.scan(&view, &by_digits, Order::Ascending).next();
    assert_eq!(by_digits.map(|machine| &*machine.name), Some("m-0"));

    let batch = Machine::BY_POOL_MEMORY.starting_with("batch");
    let largest_first: Vec<_> = view
        .scan_by(&Machine::BY_POOL_MEMORY, &batch, Order::Ascending)
        .map(|machine| format!("{} {} GiB", machine.name, machine.memory / GIB))
        .collect();
    println!("largest first: {largest_first:?}");
    assert_eq!(largest_first, ["m-2 256 GiB", "m-0 64 GiB"]);

    // A filter of a client: the planner serves a part by the index, the filter decides the rest.
    let filter: Filter<Machine> = Filter::compile("pool == batch and name != \"m-0\"")?;
    let all = Machine::BY_KEY.all();
    let rows = Machine::BY_KEY.plan(&view, &all, Order::Ascending, &filter.conjuncts());
    println!("plan: {rows:#}");
    let found: Vec<_> = rows.filter(|machine| filter.matches(machine)).collect();
    assert_eq!((found.len(), &*found[0].name), (1, "m-2"));

    // Compare and set: succeeds only if the row has not changed since it was read.
    let read = Machine::BY_KEY.get(&view, id).ok_or("m-0 is gone")?;
    let grown = Machine { memory: 128 * GIB, ..(**read).clone() };
    let mut txn = store.begin_write()?;
    txn.put_if(grown.clone(), Expect::ModifyIndex(read.modify_index()))?;
    let index = txn.commit()?;
    let mut txn = store.begin_write()?;
    let late = txn.put_if(grown, Expect::ModifyIndex(read.modify_index()));
    assert!(
        matches!(late, Err(WriteError::Unexpected { found: Some(found), .. }) if found == index)
    );
    drop(txn);
    assert_eq!(read.memory, 64 * GIB, "the snapshot is as it was");
    println!("m-0 has grown at index {index}; the snapshot before it has not");
    Ok(())
}
