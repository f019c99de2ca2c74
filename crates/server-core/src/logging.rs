//! Log lines: where they go, and how much is told.

mod lines;

use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

use crate::logging::lines::Lines;

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object for each line.
    Json,
}

/// What the lines of this program come from.
pub const PREFIX: &str = "statehold";

/// The levels that operators know, and those that they mean.
const LEVELS: [(&str, LevelFilter); 6] = [
    ("INFO", LevelFilter::INFO),
    ("DEBUG", LevelFilter::DEBUG),
    ("WARNING", LevelFilter::WARN),
    ("WARN", LevelFilter::WARN),
    ("ERROR", LevelFilter::ERROR),
    ("CRITICAL", LevelFilter::ERROR),
];

static FILTER: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

static LINES: OnceLock<Lines> = OnceLock::new();

/// Sends log lines to standard error. No caller waits until they are written.
pub fn start(level: Level, format: LogFormat) -> io::Result<()> {
    let (filter, handle) = reload::Layer::new(LevelFilter::from_level(level));
    // Only the first of several would be heard.
    let _ = FILTER.set(handle);
    let queue = Lines::start(io::stderr())?;
    let _ = LINES.set(queue.clone());
    let lines = fmt::layer().with_writer(queue);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(lines.with_ansi(io::stderr().is_terminal())).init(),
        LogFormat::Json => {
            registry.with(lines.json().flatten_event(true).with_span_list(false)).init();
        }
    }
    Ok(())
}

/// Writes the lines that wait, before the process ends. Gives up after a second.
pub fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush();
    }
}

/// Returns the lines that were dropped because standard error was not read.
pub fn dropped_lines() -> u64 {
    LINES.get().map_or(0, Lines::dropped)
}

/// How much is told, as operators call it.
pub fn level() -> &'static str {
    let now = LevelFilter::current();
    let found = LEVELS.iter().find(|(_, level)| *level == now);
    // More than any of them.
    found.map_or("DEBUG", |(name, _)| name)
}

/// The level that an operator calls `text`.
pub fn parse_level(text: &str) -> Option<LevelFilter> {
    let found = LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, level)| *level)
}

/// Whether lines come from what begins with `prefix`.
pub fn matches_prefix(prefix: &str) -> bool {
    PREFIX.starts_with(prefix)
}

/// Says how much is to be told from now on.
pub fn set_level(level: LevelFilter) {
    let done = FILTER.get().map(|handle| handle.reload(level));
    if let Some(Err(error)) = done {
        tracing::error!(%error, "the log level stays as it is");
    }
}
