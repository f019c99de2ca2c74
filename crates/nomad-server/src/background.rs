//! Periodic background tasks, each step on a thread that may block.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// Runs `step` with `state` every `interval` until the server shuts down. `name` is the task's name in the log.
///
/// A panic ends the task, because the step may have left its state half changed.
pub(crate) async fn run_every<S: Send + 'static>(
    interval: Duration,
    name: &'static str,
    mut state: S,
    step: fn(&mut S),
    mut stopped: watch::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval(interval);
    // After a step that took longer than the interval, the next one waits instead of running in a burst.
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
