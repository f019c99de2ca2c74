//! Writes go on by themselves after a disk was full.
//!
//! A store refuses writes after a failed one. This task opens its files again until that succeeds, so that an
//! operator only has to free space.

use std::sync::Arc;
use std::time::Duration;

use statehold_store::{CommitError, ReopenError, Store};
use tokio::sync::watch;

/// How often the store is looked at while it takes writes, and the first pause between two attempts.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest pause between two attempts: each opens both files.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// How often [`failed`] looks whether a write failed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Waits until the store refuses writes, and returns why.
pub(crate) async fn failed(store: &Store) -> CommitError {
    loop {
        if let Some(failure) = store.failure() {
            return failure;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Starts the task; it ends when `stopped` becomes true.
pub(crate) fn start(store: &Arc<Store>, stopped: &watch::Receiver<bool>) {
    let (store, mut stopped) = (Arc::clone(store), stopped.clone());
    tokio::spawn(async move {
        let mut pause = RETRY_FIRST;
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return,
                () = tokio::time::sleep(pause) => {}
            }
            if store.failure().is_none() {
                pause = RETRY_FIRST;
                continue;
            }
            let reopened = {
                let store = Arc::clone(&store);
                tokio::task::spawn_blocking(move || store.reopen()).await
            };
            match reopened {
                Ok(Ok(index)) => {
                    pause = RETRY_FIRST;
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
