//! The `statehold` program: the reference server, and a filter for JSON on standard input.
//!
//! Here the world is touched: sockets, clocks, randomness, files. The rules of the domain live in
//! `statehold-volumes`; handlers parse, call it and render.

mod cli;
mod filter_command;
mod http;
mod serve;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => match serve::run(&args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("statehold: {error}");
                ExitCode::FAILURE
            }
        },
        Command::Filter { expression } => filter_command::run(&expression),
    }
}
