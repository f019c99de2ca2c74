//! Standard error of the commands.

use std::fmt;
use std::io::{self, Write as _};

/// Writes a line and ignores failures: a closed reader MUST NOT change the exit status, as the panic of `eprintln!`
/// would.
pub(crate) fn write_line(line: &dyn fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
