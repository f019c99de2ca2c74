//! Resumes writes after a full disk.
//!
//! A store rejects writes after a failed one. This task retries to reopen its files, so that an operator only needs to
//! free space.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use statehold_store::{CommitError, ReopenError, Store};
use tokio::sync::watch;

use crate::start_work::StartWork;

/// The interval between two checks of a writable store, and the first pause between two attempts.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest pause between two attempts, each of which opens both files.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// A failure this long after a reopen counts as a new one, which starts again with the first pause.
const SETTLED: Duration = Duration::from_secs(60);

/// Bytes that the disk MUST take before the files are reopened: the store would otherwise fail at its next write, and
/// report in between that it takes writes.
const ROOM: usize = 512 << 10;

/// The interval at which [`wait_for_failure`] checks the store.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Waits until the store rejects writes, and returns the failure.
pub async fn wait_for_failure(store: &Store) -> CommitError {
    // Polled, because the store reports a failure to its observer only.
    loop {
        if let Some(failure) = store.failure() {
            return failure;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Starts the task, which ends when `stopped` becomes true. It also resumes the steps of startup that wait for the
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
                // After a failure that follows a reopen at once the pause stays long: the disk is still full.
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
                // Opening files and running the steps of startup both block.
                tokio::task::spawn_blocking(reopen).await
            };
            match reopened {
                Ok(Ok(index)) => {
                    // The pause grows here, too: only a store that stays writable for `SETTLED` has recovered.
                    pause = (pause * 2).min(RETRY_MAX);
                    reopened_at = Some(Instant::now());
                    tracing::warn!(index, "the store takes writes again");
                }
                // No later attempt can succeed: an operator MUST repair the disk.
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

/// Checks that the disk of a directory takes [`ROOM`] bytes, with an unlinked file that is gone on return.
fn has_room(dir: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(dir)?;
    file.write_all(&vec![0; ROOM])?;
    file.sync_all()
}
