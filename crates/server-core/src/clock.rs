//! The wall clock. The server reads it here only; the domain crates take the time as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the time in Unix nanoseconds; 0 if the system clock is before 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Returns the time in Unix seconds.
pub fn now_seconds() -> i64 {
    now() / 1_000_000_000
}
