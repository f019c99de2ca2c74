//! Waits for changes: on a thread, in a task, for another result, and with the change feed.
//!
//! `cargo run --example watch`

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use statehold::store::{CommitError, FeedError, Options, Order, Store, Table, Tracked};

#[derive(Serialize, Deserialize, Table)]
#[table(name = "jobs", crate = statehold::store)]
struct Job {
    #[table(key)]
    name: String,
    status: String,
}

async fn put(store: &Store, name: &str, status: &str) -> Result<u64, CommitError> {
    let commit = {
        // A transaction must not be held across an await, because it blocks all other writers.
        let Ok(mut txn) = store.begin_write() else { panic!("the disk failed") };
        let job = Job { name: name.into(), status: status.into() };
        if let Err(error) = txn.put(job) {
            panic!("{error}");
        }
        txn.commit_async()
    };
    Ok(commit.await?.index())
}

fn status(view: &Tracked, name: &str) -> Option<String> {
    Job::BY_KEY.get(view, name).map(|job| job.status.clone())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let options = Options::default().history(3);
    let schema = Job::schema();
    let store = Arc::new(Store::open_with(dir.path(), &schema, &options)?);
    let soon = Instant::now() + Duration::from_secs(60);
    let timeout = || tokio::time::sleep(Duration::from_secs(60));

    // A thread waits for a row that does not exist yet. Absent keys are watched like any other.
    let thread = std::thread::spawn({
        let store = Arc::clone(&store);
        move || store.blocking(1, soon, |view| status(view, "web"))
    });
    let other = put(&store, "db", "running").await?;
    let index = put(&store, "web", "pending").await?;
    let answer = thread.join().map_err(|_| "the reader panicked")??;
    println!("thread: web is {:?} at index {}", answer.value, answer.index);
    assert_eq!(answer.value.as_deref(), Some("pending"));
    assert!(answer.index > other);

    // A task waits for its next change.
    let next = store.blocking_async(index, timeout(), |view| status(view, "web"));
    let (answer, written) = tokio::join!(next, put(&store, "web", "running"));
    let (answer, index) = (answer?, written?);
    println!("task: web is {:?} at index {}", answer.value, answer.index);
    assert_eq!((answer.value.as_deref(), answer.index), (Some("running"), index));

    // Another task reads all jobs, but waits for a change of their number only.
    let all = Job::BY_KEY.all();
    let count = |view: &Tracked| Job::BY_KEY.scan(view, &all, Order::Ascending).count();
    let more = store.blocking_changed_async(index, timeout(), count);
    let writes = async {
        put(&store, "db", "stopped").await?;
        put(&store, "cache", "pending").await
    };
    let (answer, written) = tokio::join!(more, writes);
    let (answer, index) = (answer?, written?);
    println!("changed: {} jobs at index {}", answer.value, answer.index);
    assert_eq!((answer.value, answer.index), (3, index));
    assert_eq!(store.parked(), 0);

    // The change feed returns every commit after an index, in order, also after a restart.
    let mut seen = other;
    for commit in store.changes_since(seen)? {
        let commit = commit?;
        for change in &commit.changes {
            if let Some(job) = change.row(&Job::BY_KEY)? {
                println!("feed: {} {} is {}", commit.index, job.name, job.status);
            }
        }
        assert_eq!(commit.index, seen + 1);
        seen = commit.index;
    }
    assert_eq!(seen, index);

    // A reader that fell behind the retained commits gets `Compacted`.
    store.checkpoint()?;
    match store.changes_since(0) {
        Err(FeedError::Compacted { oldest }) => println!("feed: begins at {oldest} now"),
        other => panic!("expected Compacted, got {other:?}"),
    }
    Ok(())
}
