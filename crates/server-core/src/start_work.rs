//! The writes of a start, which a full disk only delays.
//!
//! A server that ended because its first write failed could neither answer reads nor say why, and a supervisor
//! would start it again and again. So what a start writes are steps, in order: the first one that fails because
//! the store takes no writes waits with all that follow, and `recovery` runs them once it does.
//!
//! Invariant: a step is run again from its beginning, so that a second run MUST do no harm.

use std::collections::VecDeque;
use std::fmt::{self, Display};
use std::sync::Arc;

use parking_lot::Mutex;
use statehold_store::Store;

/// The steps that wait. Clones share them.
#[derive(Clone, Default)]
pub struct StartWork(Arc<Mutex<VecDeque<Step>>>);

impl fmt::Debug for StartWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    /// Runs a step, unless another one waits already; it waits with that one, or once it failed because the
    /// store takes no writes.
    ///
    /// # Errors
    /// The step failed while the store takes writes.
    pub fn run<E: Display>(
        &self,
        store: &Store,
        name: &'static str,
        mut step: impl FnMut() -> Result<(), E> + Send + 'static,
    ) -> Result<(), E> {
        let mut waiting = self.0.lock();
        if waiting.is_empty() {
            match step() {
                Err(error) if store.failure().is_some() => {
                    tracing::error!(%error, step = name, "the start waits for a disk that takes writes");
                }
                done => return done,
            }
        }
        let run = Box::new(move || step().map_err(|error| error.to_string()));
        waiting.push_back(Step { name, run });
        Ok(())
    }

    /// Adds a step that failed because the store took no writes. It runs at once if the store takes them by now.
    pub fn defer(
        &self,
        store: &Store,
        name: &'static str,
        mut step: impl FnMut() -> Result<(), String> + Send + 'static,
    ) {
        let mut waiting = self.0.lock();
        // Under the lock, which `resume` takes after it opened the store again.
        if store.failure().is_some() || !waiting.is_empty() {
            waiting.push_back(Step { name, run: Box::new(step) });
        } else if let Err(error) = step() {
            tracing::error!(%error, step = name, "a step of the start failed");
        }
    }

    /// Runs the steps that wait, until one fails because the store takes no writes again. May block the thread.
    pub fn resume(&self, store: &Store) {
        let mut waiting = self.0.lock();
        while let Some(step) = waiting.front_mut() {
            match (step.run)() {
                Ok(()) => tracing::info!(step = step.name, "finished a step of the start"),
                Err(_) if store.failure().is_some() => return,
                // Without the disk as its cause, another run would fail again.
                Err(error) => {
                    tracing::error!(%error, step = step.name, "a step of the start failed");
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
    fn a_step_that_fails_with_a_sound_store_is_an_error() {
        let (work, store) = (StartWork::default(), Store::in_memory(&Schema::new()));
        assert_eq!(work.run(&store, "fails", || Err("no")), Err("no"));
        assert_eq!(work.run(&store, "works", || Ok::<_, String>(())), Ok(()));
        assert!(work.0.lock().is_empty());
    }

    #[test]
    fn steps_that_wait_run_in_order_once_the_store_takes_writes() {
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
        assert!(ran.lock().is_empty(), "a step waits for those before it");
        work.resume(&store);
        assert_eq!(*ran.lock(), ["first", "second", "third"]);
        assert!(work.0.lock().is_empty());
    }
}
