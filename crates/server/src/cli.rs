//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use statehold_store::PARKED_MAX_DEFAULT;

/// The largest request body by default, in bytes.
const BODY_MAX_DEFAULT: usize = 4 << 20;

/// Connections that may be open at the same time by default.
const CONNECTIONS_MAX_DEFAULT: usize = 10_000;

/// A state store for control planes behind Nomad's volumes and plugins API.
#[derive(Debug, Parser)]
#[command(name = "statehold", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the HTTP API from a data directory.
    Serve(ServeArgs),
    /// Print the JSON values on standard input that match a filter expression, a line each.
    ///
    /// The input is one array, or one value a line. The exit status is 0 when something matched,
    /// 1 when nothing did, 2 when the expression or the input is bad.
    Filter {
        /// The expression, such as `Schedulable == true and "us-1b" in Zones`.
        expression: String,
        /// Read the extended dialect: `<`, `in [..]`, `starts with`, sizes, durations, times and more.
        #[arg(long)]
        extended: bool,
    },
    /// Write a backup of a data directory that no server has open.
    Backup {
        /// The data directory.
        dir: PathBuf,
        /// The file to write; it must not exist. It will hold secrets.
        file: PathBuf,
    },
    /// Replace everything in a data directory by what a backup holds.
    Restore {
        /// The backup.
        file: PathBuf,
        /// The data directory; created when absent.
        dir: PathBuf,
    },
    /// Check every checksum, row and index of a data directory.
    Verify {
        /// The data directory.
        dir: PathBuf,
    },
    /// Print everything in a data directory as lines of JSON, secrets included.
    Dump {
        /// The data directory.
        dir: PathBuf,
    },
    /// Replace everything in a data directory by the lines of a dump on standard input.
    Load {
        /// The data directory; created when absent.
        dir: PathBuf,
    },
    /// Print what a data directory holds: the index, and each table with its rows.
    Inspect {
        /// The data directory.
        dir: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on. Anyone who can reach it can read and write everything.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4646")]
    pub(crate) bind: SocketAddr,

    /// The directory that keeps the state; created when absent.
    #[arg(long, value_name = "DIR", default_value = "statehold-data")]
    pub(crate) data_dir: PathBuf,

    /// The largest request body; a larger one is answered 413.
    #[arg(long, value_name = "BYTES", default_value_t = BODY_MAX_DEFAULT)]
    pub(crate) body_max: usize,

    /// Connections that may be open at the same time; more wait to be accepted.
    #[arg(long, value_name = "CONNECTIONS", default_value_t = CONNECTIONS_MAX_DEFAULT)]
    pub(crate) connections_max: usize,

    /// Requests that may wait in blocking queries at the same time; one more is answered 429.
    #[arg(long, value_name = "REQUESTS", default_value_t = PARKED_MAX_DEFAULT)]
    pub(crate) parked_max: usize,
}
