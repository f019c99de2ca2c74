//! The `statehold` program: the reference server, and a filter for JSON on standard input.
//!
//! The commands are here; the APIs that `serve` links are `statehold-nomad-server` and `statehold-cinder-server`.

mod cli;
mod descriptors;
mod filter_command;
mod maintenance;
mod schema;
mod serve;
mod signals;
mod stderr;
mod stdout;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command, PolicyCommand};
use statehold_cinder_server::show_policy;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        // Its exit status follows grep: 1 means that no row matched, so errors are 2.
        Command::Filter(args) => return filter_command::run(&args),
        Command::Serve(args) => serve::run(&args).map_err(Into::into),
        Command::Backup { dir, file } => maintenance::backup(&dir, &file),
        Command::Restore { file, dir, args } => maintenance::restore(&file, &dir, &args),
        Command::Verify { dir } => maintenance::verify(&dir),
        Command::Dump { dir, file } => maintenance::dump(&dir, file.as_deref()),
        Command::Load { dir, args } => maintenance::load(&dir, &args),
        Command::Inspect { dir } => maintenance::inspect(&dir),
        Command::Salvage(args) => maintenance::salvage(&args),
        Command::Policy(PolicyCommand::Show { policy }) => print_policy(policy.as_deref()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stderr::write_line(&format_args!("statehold: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints the policy of a file merged into the defaults, or the defaults alone.
fn print_policy(path: Option<&Path>) -> Result<(), Box<dyn std::error::Error>> {
    let policy = show_policy(path)?;
    stdout::print(|to| to.write_all(policy.as_bytes()))?;
    Ok(())
}
