//! Standard output of the commands that print their result.

use std::fs;
use std::io::{self, Stdout, StdoutLock, Write as _};
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, fstat};

/// Runs `write` on standard output, flushes it, and returns the result of `write`.
///
/// # Errors
/// Returns the error of the last flush too: a full disk MUST fail the command.
pub(crate) fn print<R>(write: impl FnOnce(&mut StdoutLock<'_>) -> io::Result<R>) -> io::Result<R> {
    check()?;
    let mut to = io::stdout().lock();
    let done = write(&mut to)?;
    to.flush()?;
    Ok(done)
}

/// Fails if the process was started with a closed standard output.
///
/// Rust's runtime opens `/dev/null` for reading and writing in place of a closed standard stream before
/// `main`, so every write would succeed and a script would take an empty result for a whole one. A shell's
/// `> /dev/null` opens it for writing only, and is accepted. So is one that the process shares with
/// another standard stream, as programs pass it that start others without any output: the runtime opens
/// one for each stream.
pub(crate) fn check() -> io::Result<()> {
    if is_stand_in(&io::stdout()) && !is_shared(&io::stdout()) {
        return Err(io::Error::new(
            io::ErrorKind::BrokenPipe,
            "standard output is closed, or is /dev/null opened for reading and writing; redirect it to a \
             file, a pipe or, to discard the result, with > /dev/null",
        ));
    }
    Ok(())
}

/// Returns whether `stdout` is `/dev/null` as Rust's runtime opens it.
fn is_stand_in(stdout: &Stdout) -> bool {
    let (Ok(flags), Ok(about), Ok(null)) =
        (fcntl_getfl(stdout), fstat(stdout), fs::metadata("/dev/null"))
    else {
        return false;
    };
    flags & OFlags::RWMODE == OFlags::RDWR && about.st_rdev == null.rdev() && null.rdev() != 0
}

/// Returns whether another standard stream is the same open file as `stdout`, which MUST be `/dev/null`.
///
/// Streams that are the same open file have their flags in common, so a flag that is changed for one of
/// them is changed for the other. Appending to `/dev/null` is no different from writing to it.
fn is_shared(stdout: &Stdout) -> bool {
    let Ok(before) = fcntl_getfl(stdout) else { return false };
    let appends = |flags: rustix::io::Result<OFlags>| flags.map(|flags| flags & OFlags::APPEND);
    let others = || [appends(fcntl_getfl(io::stdin())), appends(fcntl_getfl(io::stderr()))];
    let others_before = others();
    // A file that rejects the flag can't be probed; it counts as not shared, so the command reports an error.
    if fcntl_setfl(stdout, before ^ OFlags::APPEND).is_err() {
        return false;
    }
    let shared = others_before.iter().zip(others()).any(|(before, now)| *before != now);
    // On `/dev/null` a flag that stays set has no effect.
    let _ = fcntl_setfl(stdout, before);
    shared
}
