//! Durations of many calls, and their percentiles.

use std::fmt;
use std::time::{Duration, Instant};

#[derive(Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn time<R>(&mut self, call: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = call();
        self.0.push(start.elapsed());
        result
    }

    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Returns the duration that `percent` of a hundred calls do not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() - 1) * percent / 100]
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99) = (self.percentile(50), self.percentile(99));
        write!(f, "p50 {p50:>9.1?}  p99 {p99:>9.1?}  of {}", self.0.len())
    }
}
