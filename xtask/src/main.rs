//! `cargo xtask`: the checks of this workspace that no other tool has.
//!
//! [`tidy`] is the only subcommand. It reads the sources and the pages, and writes nothing.

mod tidy;

use std::env;
use std::path::Path;
use std::process::ExitCode;

/// The exit status for a wrong command line, as of most Unix programs.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    // One subcommand needs no parser, whose build would take longer than the checks.
    if arguments != ["tidy"] {
        eprintln!("usage: cargo xtask tidy");
        return ExitCode::from(USAGE);
    }
    // The manifest's directory and not the current one, so that it runs from anywhere.
    let Some(root) = Path::new(env!("CARGO_MANIFEST_DIR")).parent() else {
        eprintln!("xtask must be a directory of the workspace");
        return ExitCode::from(USAGE);
    };
    match tidy::run(root) {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            for finding in &findings {
                eprintln!("{finding}");
            }
            eprintln!("tidy: {} findings", findings.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("tidy: {error}");
            ExitCode::from(USAGE)
        }
    }
}
