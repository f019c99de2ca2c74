//! The writes of startup, as steps that a full disk only delays.
//!
//! A server that exited because its first write failed could neither serve reads nor report the cause, and a supervisor
//! would restart it in a loop. So the first step that fails because the store takes no writes waits, together with all
//! later steps, and `recovery` runs them in order once the store takes writes.
//!
//! Invariant: a step is repeated from its beginning, so a second run MUST be harmless.

use std::collections::VecDeque;
use std::fmt::{self, Display};
use std::sync::Arc;

use parking_lot::Mutex;
use statehold_store::Store;

/// The queue of waiting steps. Clones share it.
#[derive(Clone, Default)]
pub struct StartWork(Arc<Mutex<VecDeque<Step>>>);

impl fmt::Debug for StartWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `try_lock`, because a running step holds the lock.
        let waiting = self.0.try_lock();
        let names = waiting.iter().flat_map(|steps| steps.iter().map(|step| step.name));
        f.debug_list().entries(names).finish()
    }
}

struct Step {
    name: &'static str,
    run: Box<dyn FnMut() -> Result<(), String> + Send>,
}

impl StartWork {
    /// Runs a step, or queues it behind waiting ones. Queues a step as well if it fails because the store takes no
    /// writes.
    ///
    /// # Errors
    /// The step failed while the store takes writes.
    pub fn run<E: Display>(
        &self,
        store: &Store,
        name: &'static str,
        mut step: impl FnMut() -> Result<(), E> + Send + 'static,
    ) -> Result<(), E> {
        // Held while the step runs, so that a later step can't run before it.
        let mut waiting = self.0.lock();
        if waiting.is_empty() {
            match step() {
                Err(error) if store.failure().is_some() => {
                    tracing::error!(%error, step = name, "startup waits for a disk that takes writes");
                }
                done => return done,
            }
        }
        let run = Box::new(move || step().map_err(|error| error.to_string()));
        waiting.push_back(Step { name, run });
        Ok(())
    }

    /// Queues a step that failed because the store took no writes, or runs it at once if the store takes them by now.
    pub fn defer(
        &self,
        store: &Store,
        name: &'static str,
        mut step: impl FnMut() -> Result<(), String> + Send + 'static,
    ) {
        let mut waiting = self.0.lock();
        // Checked under the lock, which `resume` takes after the store was reopened: a step is never left behind.
        if store.failure().is_some() || !waiting.is_empty() {
            waiting.push_back(Step { name, run: Box::new(step) });
        } else if let Err(error) = step() {
            tracing::error!(%error, step = name, "a step of startup failed");
        }
    }

    /// Runs the waiting steps, until one fails because the store takes no writes again. May block the thread.
    pub fn resume(&self, store: &Store) {
        let mut waiting = self.0.lock();
        while let Some(step) = waiting.front_mut() {
            match (step.run)() {
                Ok(()) => tracing::info!(step = step.name, "finished a delayed step of startup"),
                Err(_) if store.failure().is_some() => return,
                // The disk is not the cause, so another run would fail as well.
                Err(error) => {
                    tracing::error!(%error, step = step.name, "a step of startup failed");
                }
            }
            waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use statehold_store::Schema;

    use super::*;

    #[test]
    fn a_step_that_fails_with_a_writable_store_is_an_error() {
        let (work, store) = (StartWork::default(), Store::in_memory(&Schema::new()));
        assert_eq!(work.run(&store, "fails", || Err("no")), Err("no"));
        assert_eq!(work.run(&store, "works", || Ok::<_, String>(())), Ok(()));
        assert!(work.0.lock().is_empty());
    }

    #[test]
    fn waiting_steps_run_in_order_once_the_store_takes_writes() {
        let (work, store) = (StartWork::default(), Store::in_memory(&Schema::new()));
        let ran = Arc::new(Mutex::new(Vec::new()));
        let step = |name: &'static str, result: Result<(), String>| {
            let ran = Arc::clone(&ran);
            let run = Box::new(move || {
                ran.lock().push(name);
                result.clone()
            });
            Step { name, run }
        };
        work.0.lock().extend([step("first", Ok(())), step("second", Err("no".to_owned()))]);
        let third = Arc::clone(&ran);
        let waits = move || {
            third.lock().push("third");
            Ok::<_, String>(())
        };
        assert_eq!(work.run(&store, "third", waits), Ok(()));
        assert!(ran.lock().is_empty(), "a step must wait for the steps before it");
        work.resume(&store);
        assert_eq!(*ran.lock(), ["first", "second", "third"]);
        assert!(work.0.lock().is_empty());
    }
}
