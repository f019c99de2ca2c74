//! Steps that run again and again beside requests, each on a thread that may wait.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// Runs `step` with `state` every `interval` until the server stops.
///
/// A step that panicked ends its loop, because its state may be half changed; `name` says in the log which one.
pub(crate) async fn run_every<S: Send + 'static>(
    interval: Duration,
    name: &'static str,
    mut state: S,
    step: fn(&mut S),
    mut stopped: watch::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval(interval);
    // A step that took longer than the interval is followed by a pause, not by a burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        let run = move || {
            step(&mut state);
            state
        };
        match tokio::task::spawn_blocking(run).await {
            Ok(same) => state = same,
            Err(error) => {
                tracing::error!(%error, name, "a background task panicked and stays ended until a restart");
                return;
            }
        }
    }
}
