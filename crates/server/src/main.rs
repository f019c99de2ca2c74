//! The `statehold` program: the reference server, and a filter for JSON on standard input.
//!
//! Here the world is touched: sockets, clocks, randomness, files. The rules of the domain live in
//! `statehold-nomad` and `statehold-cinder`; handlers parse, call it and render.

mod block_storage;
mod cli;
mod clock;
mod cloud_metrics;
mod connection;
mod descriptors;
mod edge_metrics;
mod filter_command;
mod http;
mod logging;
mod maintenance;
mod metrics;
mod parse_errors;
mod private;
mod providers;
mod recovery;
mod regular;
mod schema;
mod serve;
mod signals;
mod socket;
mod start_work;
mod stderr;
mod stdout;
mod watcher;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command, PolicyCommand};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Filter(args) => return filter_command::run(&args),
        Command::Serve(args) => serve::run(&args).map_err(Into::into),
        Command::Backup { dir, file } => maintenance::backup(&dir, &file),
        Command::Restore { file, dir, args } => maintenance::restore(&file, &dir, &args),
        Command::Verify { dir } => maintenance::verify(&dir),
        Command::Dump { dir, file } => maintenance::dump(&dir, file.as_deref()),
        Command::Load { dir, args } => maintenance::load(&dir, &args),
        Command::Inspect { dir } => maintenance::inspect(&dir),
        Command::Salvage(args) => maintenance::salvage(&args),
        Command::Policy(PolicyCommand::Show { policy }) => {
            block_storage::show_policy(policy.as_deref())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stderr::write_line(&format_args!("statehold: {error}"));
            ExitCode::FAILURE
        }
    }
}
