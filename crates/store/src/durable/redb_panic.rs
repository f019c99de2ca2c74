//! Catches panics of redb: returns them as errors, without a message on stderr.
//!
//! redb verifies much of a file but not all: contradictory pages make it panic. Each call that may meet such a
//! file MUST go through [`catch_redb_panic`], which returns the panic as an error. A panic of the caller's own
//! code (an index function, a migration) is a bug of that code and keeps unwinding, message included.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

/// redb panicked.
#[derive(Debug)]
pub(super) struct Contradiction;

thread_local! {
    /// Number of nested calls of [`catch_redb_panic`] in this thread.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Whether redb raised the last panic of this thread inside [`catch_redb_panic`].
    static BY_REDB: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Returns whether the panic was raised in redb. Slices and `unwrap` report the location of their caller, so
/// this includes an index out of bounds.
fn is_by_redb(info: &PanicHookInfo<'_>) -> bool {
    info.location().is_some_and(|place| {
        // The directory of the crate's sources: `redb-4.6.0` from a registry, `redb` in a workspace.
        place.file().split(['/', '\\']).any(|part| part == "redb" || part.starts_with("redb-"))
    })
}

/// Installs a hook that passes every panic to the previous hook, except those of redb inside
/// [`catch_redb_panic`].
///
/// The hook is global, because Rust has no other kind. A program that sets its own later replaces this one and
/// gets redb's messages again; nothing else changes.
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

/// Counts a nested call, including one that unwinds.
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

/// Runs `work`. Returns a panic of redb as an error and propagates every other panic.
///
/// # Panics
/// If `work` panics outside redb.
pub(super) fn catch_redb_panic<R>(work: impl FnOnce() -> R) -> Result<R, Contradiction> {
    // A hook cannot be replaced while its thread unwinds, so a store dropped then keeps the message.
    if !std::thread::panicking() {
        HOOK.call_once(install);
    }
    // Saved for an enclosing call: a file that is closed while redb's panic unwinds gets here too.
    let around = BY_REDB.replace(false);
    let caught = {
        let _depth = Depth::enter();
        panic::catch_unwind(AssertUnwindSafe(work))
    };
    let by_redb = BY_REDB.replace(around);
    caught.or_else(|panic| {
        // Threads started by `work` have no guard, so their panics count as the caller's own.
        if by_redb { Err(Contradiction) } else { panic::resume_unwind(panic) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_of_the_callers_code_keeps_unwinding() {
        let caught = panic::catch_unwind(|| catch_redb_panic(|| panic!("the caller's own")));
        let text = *caught.unwrap_err().downcast::<&str>().unwrap();
        assert_eq!(text, "the caller's own");
    }

    #[test]
    fn work_without_a_panic_returns_its_result() {
        assert_eq!(catch_redb_panic(|| 7).unwrap(), 7);
    }
}
