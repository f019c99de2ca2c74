//! A small scheduler: jobs, allocations, leases of nodes, and loops that wait for the data they act on.
//!
//! `cargo run --example scheduler`
//!
//! The tutorial in `docs/tutorial.md` builds this program step by step.

use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use statehold::filter::{Filter, Filterable};
use statehold::store::{
    KeyPart, Order, ReadView, Schema, Snapshot, Store, Table, Tracked, WatchError, WriteTxn,
};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long a lease is valid after a heartbeat, in milliseconds.
const LEASE_MS: u64 = 10_000;

/// Leases that one transaction expires at most.
const EXPIRED_MAX: usize = 100;

/// The longest wait of a query before it returns an unchanged result.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// A number of equal allocations that a user requests.
#[derive(Clone, Debug, Serialize, Deserialize, Table)]
#[table(name = "jobs", crate = statehold::store)]
struct Job {
    #[table(key)]
    name: String,
    count: u32,
}

/// The promise of a node to report again before a time.
#[derive(Clone, Debug, Serialize, Deserialize, Table)]
#[table(name = "leases", crate = statehold::store)]
struct Lease {
    #[table(key)]
    node: String,
    #[table(index)]
    expires_at_ms: u64,
}

/// The state of an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KeyPart, Filterable)]
#[serde(rename_all = "lowercase")]
#[key_part(crate = statehold::store)]
#[filterable(crate = statehold::filter)]
enum Status {
    Pending,
    Running,
    Lost,
}

/// One of the `count` instances of a job, on a node.
#[derive(Clone, Debug, Serialize, Deserialize, Table, Filterable)]
#[table(name = "allocations", key(job, number), crate = statehold::store)]
#[table(index(name = "node_status", on(node, status), serves = "node"))]
#[filterable(crate = statehold::filter)]
struct Allocation {
    job: String,
    number: u32,
    node: String,
    status: Status,
}

fn schema() -> Schema {
    Job::schema().and(Lease::schema()).and(Allocation::schema())
}

/// Stores a job, and returns the commit's index: the job is on disk.
fn submit(store: &Store, name: &str, count: u32) -> Result<u64, Error> {
    let mut txn = store.begin_write()?;
    txn.put(Job { name: name.into(), count })?;
    Ok(txn.commit()?)
}

/// Returns the numbers of the jobs' allocations that do not exist or are lost.
fn missing(view: &impl ReadView) -> Vec<(String, u32)> {
    let mut missing = Vec::new();
    for job in Job::BY_KEY.scan(view, &Job::BY_KEY.all(), Order::Ascending) {
        for number in 0..job.count {
            let allocation = Allocation::BY_KEY.get(view, (&job.name, number));
            if allocation.is_none_or(|allocation| allocation.status == Status::Lost) {
                missing.push((job.name.clone(), number));
            }
        }
    }
    missing
}

/// Returns the nodes that hold a lease, in the order of their names.
fn nodes(view: &impl ReadView) -> Vec<String> {
    let all = Lease::BY_KEY.all();
    Lease::BY_KEY.scan(view, &all, Order::Ascending).map(|lease| lease.node.clone()).collect()
}

/// Places the missing allocations, each on the node with the fewest. Returns their number.
fn place(txn: &mut WriteTxn<'_>) -> Result<usize, Error> {
    let mut placed = 0;
    for (job, number) in missing(txn) {
        // The transaction reads its own writes, so that each placement counts for the next one.
        let load = |node: &String| {
            let of_node = Allocation::BY_NODE_STATUS.starting_with(node);
            txn.count_by(&Allocation::BY_NODE_STATUS, &of_node)
        };
        let Some(node) = nodes(txn).into_iter().min_by_key(load) else { break };
        txn.put(Allocation { job, number, node, status: Status::Pending })?;
        placed += 1;
    }
    Ok(placed)
}

/// Places allocations whenever some are missing, until the store is closed.
fn run_scheduler(store: &Store) -> Result<(), Error> {
    let mut index = 0;
    loop {
        let query = |view: &Tracked| (missing(view), nodes(view));
        let found = match store.blocking_changed(index, Instant::now() + WAIT_MAX, query) {
            Err(WatchError::Closed) => return Ok(()),
            found => found?,
        };
        index = found.index;
        if !found.value.0.is_empty() {
            let mut txn = store.begin_write()?;
            place(&mut txn)?;
            txn.commit()?;
        }
    }
}

/// Starts the pending allocations of a node, until the store is closed.
fn run_node(store: &Store, node: &str) -> Result<(), Error> {
    let mut index = 0;
    let pending = Allocation::BY_NODE_STATUS.exact((node, Status::Pending));
    loop {
        let query = |view: &Tracked| {
            let rows = view.scan_by(&Allocation::BY_NODE_STATUS, &pending, Order::Ascending);
            rows.map(|row| (row.job.clone(), row.number)).collect::<Vec<_>>()
        };
        let found = match store.blocking_changed(index, Instant::now() + WAIT_MAX, query) {
            Err(WatchError::Closed) => return Ok(()),
            found => found?,
        };
        index = found.index;
        if found.value.is_empty() {
            continue;
        }
        let mut txn = store.begin_write()?;
        for (job, number) in found.value {
            Allocation::BY_KEY.update(&mut txn, (&job, number), |row| {
                // The scheduler may have moved it since the query.
                if row.node == node && row.status == Status::Pending {
                    row.status = Status::Running;
                }
            })?;
        }
        txn.commit()?;
    }
}

/// Renews the lease of a node. The time is an argument, as everywhere in a state machine.
fn heartbeat(store: &Store, node: &str, now_ms: u64) -> Result<(), Error> {
    let mut txn = store.begin_write()?;
    txn.put(Lease { node: node.into(), expires_at_ms: now_ms + LEASE_MS })?;
    txn.commit()?;
    Ok(())
}

/// Deletes the leases that expired, and marks the allocations of their nodes lost. Returns the nodes.
fn expire_leases(store: &Store, now_ms: u64) -> Result<Vec<String>, Error> {
    let mut txn = store.begin_write()?;
    let expired = txn.expire_until(&Lease::BY_EXPIRES_AT_MS, now_ms, EXPIRED_MAX)?;
    let nodes: Vec<_> = expired.rows.iter().map(|lease| lease.node.clone()).collect();
    for node in &nodes {
        let of_node = Allocation::BY_NODE_STATUS.starting_with(node);
        let rows = txn.scan_by(&Allocation::BY_NODE_STATUS, &of_node, Order::Ascending);
        let rows: Vec<Allocation> = rows.map(|row| (**row).clone()).collect();
        for row in rows {
            txn.put(Allocation { status: Status::Lost, ..row })?;
        }
    }
    txn.commit()?;
    Ok(nodes)
}

/// Returns the allocations that match an expression, as a client of an API would write it.
fn list(view: &Snapshot, expression: &str) -> Result<Vec<String>, Error> {
    let filter: Filter<Allocation> = Filter::compile(expression)?;
    let all = Allocation::BY_KEY.all();
    let rows = Allocation::BY_KEY.plan(view, &all, Order::Ascending, &filter.conjuncts());
    let rows = rows.filter(|row| filter.matches(row));
    Ok(rows.map(|row| format!("{}[{}] on {}", row.job, row.number, row.node)).collect())
}

/// Waits until a number of allocations is running, and returns a snapshot in which they are.
fn wait_until_running(store: &Store, count: usize) -> Result<Snapshot, Error> {
    let deadline = Instant::now() + WAIT_MAX;
    let running = |view: &Tracked| {
        let rows = Allocation::BY_KEY.scan(view, &Allocation::BY_KEY.all(), Order::Ascending);
        let running = rows.filter(|row| row.status == Status::Running).count();
        (running, view.snapshot())
    };
    let mut index = 0;
    while Instant::now() < deadline {
        let found = store.blocking(index, deadline, running)?;
        if found.value.0 == count {
            return Ok(found.value.1);
        }
        index = found.index;
    }
    Err("the allocations did not start".into())
}

fn main() -> Result<(), Error> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path(), &schema())?;
    thread::scope(|scope| {
        let scheduler = scope.spawn(|| run_scheduler(&store));
        let workers = ["n1", "n2"].map(|node| scope.spawn(|| run_node(&store, node)));

        heartbeat(&store, "n1", 0)?;
        heartbeat(&store, "n2", 0)?;
        let index = submit(&store, "web", 3)?;
        println!("submitted at index {index}: on disk");
        let view = wait_until_running(&store, 3)?;
        println!("running: {:?}", list(&view, "status == running")?);
        println!("on n2: {:?}", list(&view, "node == n2")?);

        // Only n1 reports again, so that the lease of n2 expires.
        heartbeat(&store, "n1", LEASE_MS)?;
        println!("expired: {:?}", expire_leases(&store, LEASE_MS + 1)?);
        let view = wait_until_running(&store, 3)?;
        let running = list(&view, "status == running and node == n1")?;
        println!("running: {running:?}");
        assert_eq!(running, ["web[0] on n1", "web[1] on n1", "web[2] on n1"]);

        store.close()?;
        for thread in workers.into_iter().chain([scheduler]) {
            thread.join().map_err(|_| "a thread panicked")??;
        }
        Ok(())
    })
}
