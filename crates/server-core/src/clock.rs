//! The time: read here and nowhere else.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix nanoseconds.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Unix seconds.
pub fn now_seconds() -> i64 {
    now() / 1_000_000_000
}
