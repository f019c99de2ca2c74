//! Panics of redb, as errors and without a message on stderr.
//!
//! redb checks much of a file but not all: contradictory pages make it panic. Each call that may meet such
//! a file goes through [`catch_redb_panic`], which returns the panic as an error. A panic of the caller's own
//! code (an index's function, a migration) is a bug there and goes on unwinding, message included.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

/// A panic of redb was caught.
#[derive(Debug)]
pub(super) struct Contradiction;

thread_local! {
    /// Nested calls of [`catch_redb_panic`] in this thread.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Whether the last panic of this thread inside of [`catch_redb_panic`] was raised by redb.
    static BY_REDB: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Whether the panic's place is in redb. Slices and `unwrap` report the place of their caller, so this holds
/// for an index out of bounds too.
fn is_by_redb(info: &PanicHookInfo<'_>) -> bool {
    info.location().is_some_and(|place| {
        // The folder of the crate's sources: `redb-4.6.0` from a registry, `redb` in a workspace.
        place.file().split(['/', '\\']).any(|part| part == "redb" || part.starts_with("redb-"))
    })
}

/// Passes every panic on to the hook that was installed before, except those of redb inside of [`catch_redb_panic`].
///
/// The hook is global, because there is no other: a program that sets its own one later replaces this
/// one and gets redb's messages again, nothing else changes.
fn install() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let inside = DEPTH.get() > 0;
        let quiet = inside && is_by_redb(info);
        BY_REDB.set(quiet);
        if !quiet {
            before(info);
        }
    }));
}

/// Counts a call, also one that unwinds.
struct Depth;

impl Depth {
    fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Runs `work`; returns a panic of redb as an error and passes every other panic on.
///
/// # Panics
/// When `work` panics outside of redb.
pub(super) fn catch_redb_panic<R>(work: impl FnOnce() -> R) -> Result<R, Contradiction> {
    // A hook can't be replaced while its thread unwinds: a store that is dropped then keeps the message.
    if !std::thread::panicking() {
        HOOK.call_once(install);
    }
    // Kept for a call around this one: a file that is closed while redb's panic unwinds comes here too.
    let around = BY_REDB.replace(false);
    let caught = {
        let _depth = Depth::enter();
        panic::catch_unwind(AssertUnwindSafe(work))
    };
    let by_redb = BY_REDB.replace(around);
    caught.or_else(|panic| {
        // Threads that `work` starts have no guard: their panics come here as the caller's own.
        if by_redb { Err(Contradiction) } else { panic::resume_unwind(panic) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_callers_code_goes_on_unwinding() {
        let caught = panic::catch_unwind(|| catch_redb_panic(|| panic!("the caller's own")));
        let text = *caught.unwrap_err().downcast::<&str>().unwrap();
        assert_eq!(text, "the caller's own");
    }

    #[test]
    fn work_without_a_panic_returns_its_result() {
        assert_eq!(catch_redb_panic(|| 7).unwrap(), 7);
    }
}
