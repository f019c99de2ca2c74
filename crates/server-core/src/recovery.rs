//! Writes go on by themselves after a disk was full.
//!
//! A store refuses writes after a failed one. This task opens its files again until that succeeds, so that an
//! operator only has to free space.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use statehold_store::{CommitError, ReopenError, Store};
use tokio::sync::watch;

use crate::start_work::StartWork;

/// How often the store is looked at while it takes writes, and the first pause between two attempts.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest pause between two attempts: each opens both files.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// How long a store takes writes before its next failure counts as a new one, with a first pause of its own.
const SETTLED: Duration = Duration::from_secs(60);

/// Bytes that the disk MUST take before the files are opened again: the store would fail at its next write
/// otherwise, and say in between that it takes writes.
const ROOM: usize = 512 << 10;

/// How often [`failed`] looks whether a write failed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Waits until the store refuses writes, and returns why.
pub async fn wait_for_failure(store: &Store) -> CommitError {
    loop {
        if let Some(failure) = store.failure() {
            return failure;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Starts the task; it ends when `stopped` becomes true. It also runs the steps of the start that wait for the
/// store.
pub fn start(
    store: &Arc<Store>,
    data_dir: &Path,
    work: StartWork,
    stopped: &watch::Receiver<bool>,
) {
    let (store, mut stopped) = (Arc::clone(store), stopped.clone());
    let data_dir = data_dir.to_owned();
    tokio::spawn(async move {
        let mut pause = RETRY_FIRST;
        let mut reopened_at: Option<Instant> = None;
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return,
                () = tokio::time::sleep(pause) => {}
            }
            if store.failure().is_none() {
                if reopened_at.is_none_or(|at| at.elapsed() >= SETTLED) {
                    pause = RETRY_FIRST;
                }
                continue;
            }
            if let Err(error) = has_room(&data_dir) {
                pause = (pause * 2).min(RETRY_MAX);
                tracing::warn!(%error, retry_seconds = pause.as_secs(), "the data directory takes no data");
                continue;
            }
            let reopened = {
                let (store, work) = (Arc::clone(&store), work.clone());
                let reopen = move || {
                    let reopened = store.reopen();
                    if reopened.is_ok() {
                        work.resume(&store);
                    }
                    reopened
                };
                tokio::task::spawn_blocking(reopen).await
            };
            match reopened {
                Ok(Ok(index)) => {
                    // Only a store that then goes on for a while was not full any more.
                    pause = (pause * 2).min(RETRY_MAX);
                    reopened_at = Some(Instant::now());
                    tracing::warn!(index, "the store takes writes again");
                }
                // No later attempt can succeed: an operator has to look at the disk.
                Ok(Err(error @ (ReopenError::Unproved { .. } | ReopenError::Behind { .. }))) => {
                    pause = RETRY_MAX;
                    tracing::error!(%error, "the store can't take writes again without a restart");
                }
                Ok(Err(error)) => {
                    pause = (pause * 2).min(RETRY_MAX);
                    tracing::warn!(%error, retry_seconds = pause.as_secs(), "reopening the store failed");
                }
                Err(error) => {
                    pause = RETRY_MAX;
                    tracing::error!(%error, "reopening the store panicked");
                }
            }
        }
    });
}

/// Checks that the disk of a directory takes [`ROOM`] bytes, with a file that has no name when it returns.
fn has_room(dir: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(dir)?;
    file.write_all(&vec![0; ROOM])?;
    file.sync_all()
}
