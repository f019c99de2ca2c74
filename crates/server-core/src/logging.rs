//! Logging: the format, the level, and the queue of lines to standard error.

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
    /// Human-readable.
    Text,
    /// One JSON object for each line.
    Json,
}

/// The common prefix of this program's log targets.
pub const PREFIX: &str = "statehold";

/// The level names of OpenStack's operators, and the levels that they select. The first name of a level is reported.
// Cinder: cinder/utils.py, LOG_LEVELS; `WARN` and `CRITICAL` are Python's other names.
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

/// Starts logging to standard error. No caller waits until its lines are written. MUST be called once.
///
/// # Errors
/// The thread that writes lines can't be started.
pub fn start(level: Level, format: LogFormat) -> io::Result<()> {
    let (filter, handle) = reload::Layer::new(LevelFilter::from_level(level));
    // Never fails: a second call of this function would panic at `init` below anyway.
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

/// Writes the queued lines, before the process ends. Gives up after a second.
pub fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush();
    }
}

/// Returns the number of lines that were dropped because standard error was not read.
pub fn dropped_lines() -> u64 {
    LINES.get().map_or(0, Lines::dropped)
}

/// Returns the operators' name of the current level.
pub fn level() -> &'static str {
    let now = LevelFilter::current();
    let found = LEVELS.iter().find(|(_, level)| *level == now);
    // `TRACE` has no name among them; `DEBUG` is the closest.
    found.map_or("DEBUG", |(name, _)| name)
}

/// Returns the level of an operators' name, in any case.
pub fn parse_level(text: &str) -> Option<LevelFilter> {
    let found = LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, level)| *level)
}

/// Returns whether this program's log targets match `prefix`.
pub fn matches_prefix(prefix: &str) -> bool {
    PREFIX.starts_with(prefix)
}

/// Sets the level from now on.
pub fn set_level(level: LevelFilter) {
    // Before `start`, as in tests, there is no filter to change.
    let done = FILTER.get().map(|handle| handle.reload(level));
    if let Some(Err(error)) = done {
        tracing::error!(%error, "can't change the log level");
    }
}
