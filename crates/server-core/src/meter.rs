//! Meters a read while it runs: its evaluation steps, its time, and the presence of its client.
//!
//! A computation reports each row that it reads. Between two slices of time the meter checks the clock, the client and
//! the queue: a read ends when its time is over or its client disconnected, and hands its turn on when another caller
//! waits.
//!
//! A blocking query has one meter for all its runs. Once they cost as much as one run may, the next run returns the
//! current state, changed or not: the protocol allows that at any time, and a rejection would punish the client for the
//! writes of others.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use statehold_filter::Budget;

use crate::edge_metrics::{EdgeMetrics, RefusalReason};
use crate::limits::Limits;
use crate::rejection::Rejection;
use crate::socket::{Departure, Peer};
use crate::turns::Turn;

/// The time between two checks of the queue, the clock and the client. A caller waits at most this long for the turn of
/// another one, unless a single row takes longer.
const SLICE: Duration = Duration::from_millis(10);

/// Steps between two checks of the clock: about ten microseconds.
pub const STEPS_PER_CHECK: u64 = 512;

/// The remedies for a filter that is too costly, appended to its error.
pub const FILTER_HELP: &str = "help: the server sets `row_steps` by --filter-row-steps-max and \
    `call_steps` by --filter-steps-max; ask for less with a prefix, a page or a condition that an index \
    serves";

/// The status of a request whose client disconnected. It is only logged and counted.
// nginx: NGX_HTTP_CLIENT_CLOSED_REQUEST.
pub const CLIENT_LEFT: u16 = 499;

/// The limits of one read, from the flags.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// `--filter-steps-max`.
    pub steps: u64,
    /// `--read-time-max`.
    pub time: Duration,
}

impl From<&Limits> for Allowed {
    fn from(limits: &Limits) -> Self {
        Self { steps: limits.filter_steps_max, time: limits.read_time_max }
    }
}

/// The meter of one read.
#[derive(Debug)]
pub struct Meter {
    allowed: Allowed,
    metrics: EdgeMetrics,
    peer: Option<Peer>,
    departure: Departure,
    /// The turn of the current run.
    turn: Option<Turn>,
    /// Maximum number of other requests' turns that a run waited for.
    waited: u64,
    /// The remaining evaluation steps of the current run.
    budget: Budget,
    /// Steps of the current run since the last check.
    since_check: u64,
    slice_began: Instant,
    /// Computing time of the current run before this slice.
    run_time: Duration,
    run_steps: u64,
    /// The cost of all ended runs.
    spent: Cost,
    /// The cost of the last ended run.
    last: Cost,
    /// The rejection of the current run, if it was rejected.
    refusal: Option<Rejection>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    steps: u64,
    time: Duration,
}

impl Meter {
    /// Creates the meter of a read with the limits `allowed`, which ends when `peer` disconnects.
    pub fn new(allowed: Allowed, metrics: EdgeMetrics, peer: Option<Peer>) -> Self {
        Self {
            allowed,
            metrics,
            peer,
            departure: Departure::default(),
            turn: None,
            waited: 0,
            budget: Budget::new(allowed.steps),
            since_check: 0,
            slice_began: Instant::now(),
            run_time: Duration::ZERO,
            run_steps: 0,
            spent: Cost::default(),
            last: Cost::default(),
            refusal: None,
        }
    }

    /// Begins a run with the full budget.
    pub fn begin(&mut self, turn: Option<Turn>) {
        self.turn = turn;
        self.budget = Budget::new(self.allowed.steps);
        self.since_check = 0;
        self.slice_began = Instant::now();
        self.run_time = Duration::ZERO;
        self.run_steps = 0;
        self.refusal = None;
    }

    /// Ends a run and releases its turn.
    pub fn end(&mut self) {
        self.waited = self.waited.max(self.turn.take().map_or(0, |turn| turn.waited()));
        let time = self.run_time.saturating_add(self.slice_began.elapsed());
        let steps = self.run_steps.saturating_add(self.budget.steps() - self.budget.left());
        self.last = Cost { steps, time };
        self.spent.steps = self.spent.steps.saturating_add(steps);
        self.spent.time = self.spent.time.saturating_add(time);
    }

    /// Returns the maximum number of other requests' turns that a run waited for.
    pub fn waited(&self) -> u64 {
        self.waited
    }

    /// Returns whether another run like the last one would, together with all ended runs, exceed the limits of one run.
    pub fn is_spent(&self) -> bool {
        // `spent` includes the last run, whose cost is the estimate of the next one.
        self.spent.steps.saturating_add(self.last.steps) > self.allowed.steps
            || self.spent.time.saturating_add(self.last.time) > self.allowed.time
    }

    /// Returns the remaining evaluation steps of the current run.
    pub fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    /// Counts a row, for code that can skip rows but not fail. Returns `false` once the run must be rejected.
    pub fn goes_on(&mut self, filtered: bool) -> bool {
        self.goes_on_after(1, filtered)
    }

    /// Like [`goes_on`](Self::goes_on), for several rows.
    pub fn goes_on_after(&mut self, rows: u64, filtered: bool) -> bool {
        if self.refusal.is_none() {
            let steps = if filtered { STEPS_PER_CHECK } else { 0 };
            self.refusal = self.rows(rows, steps).err();
        }
        self.refusal.is_none()
    }

    /// Returns the rejection of the run, if [`Meter::goes_on`] returned `false`. The caller MUST reply with it, because
    /// the result lacks rows.
    pub fn take_refusal(&mut self) -> Option<Rejection> {
        self.refusal.take()
    }

    /// Counts the run as rejected because its filter needs too many steps, and returns the rejection.
    pub fn too_costly(&mut self, error: &dyn std::fmt::Display) -> Rejection {
        self.metrics.refused(RefusalReason::FilterSteps);
        Rejection::bad_request(format!("{error}\n{FILTER_HELP}")).ending()
    }

    /// Counts a row and the `steps` of its evaluation.
    ///
    /// May block the thread to hand the turn on.
    ///
    /// # Errors
    /// The run exceeded its time limit, or its client disconnected.
    pub fn row(&mut self, steps: u64) -> Result<(), Rejection> {
        self.rows(1, steps)
    }

    fn rows(&mut self, rows: u64, steps: u64) -> Result<(), Rejection> {
        self.run_steps = self.run_steps.saturating_add(rows);
        // Reading a row costs about as much as four steps of evaluation.
        let all = rows.saturating_mul(4).saturating_add(steps);
        self.since_check = self.since_check.saturating_add(all);
        // Reading the clock for each row would cost more than many of the rows.
        if self.since_check < STEPS_PER_CHECK {
            return Ok(());
        }
        self.since_check = 0;
        let now = Instant::now();
        let slice = now.saturating_duration_since(self.slice_began);
        if slice < SLICE {
            return Ok(());
        }
        self.run_time = self.run_time.saturating_add(slice);
        self.check_limits(now)
    }

    fn check_limits(&mut self, now: Instant) -> Result<(), Rejection> {
        // The client first: a read without one counts as cancelled, whatever else it exceeded.
        if let Some(peer) = &self.peer
            && self.departure.client_left(peer, now)
        {
            return Err(client_left(&self.metrics));
        }
        if self.run_time > self.allowed.time {
            self.metrics.refused(RefusalReason::ReadTime);
            return Err(Rejection::by_caller(
                StatusCode::SERVICE_UNAVAILABLE,
                format!(
                    "the query computed for more than {:?}, the limit set by --read-time-max; ask for \
                     less with prefix, namespace, filter or per_page",
                    self.allowed.time
                ),
            )
            .ending());
        }
        if let Some(turn) = &mut self.turn {
            turn.hand_on();
        }
        // The time that other requests computed meanwhile does not count for this read.
        self.slice_began = Instant::now();
        Ok(())
    }
}

/// Counts a read whose client disconnected, and returns its rejection.
pub fn client_left(metrics: &EdgeMetrics) -> Rejection {
    metrics.cancelled();
    let status = StatusCode::from_u16(CLIENT_LEFT).unwrap_or(StatusCode::REQUEST_TIMEOUT);
    Rejection::new(status, "the client left").ending()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(steps: u64, time: Duration) -> Meter {
        Meter::new(Allowed { steps, time }, EdgeMetrics::default(), None)
    }

    #[test]
    fn all_runs_together_cost_at_most_twice_one_run() {
        let mut meter = meter(100, Duration::MAX);
        let mut runs = 0;
        while !meter.is_spent() {
            meter.begin(None);
            (0..30).for_each(|_| meter.row(0).unwrap());
            meter.end();
            runs += 1;
        }
        // Three runs of 30 rows; a fourth would exceed 100.
        assert_eq!(runs, 3);
    }

    #[test]
    fn a_run_that_takes_too_long_is_refused() {
        let mut meter = meter(u64::MAX, Duration::ZERO);
        meter.begin(None);
        let refused = std::iter::repeat_with(|| meter.row(0)).find_map(Result::err).unwrap();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.message().contains("--read-time-max"), "{}", refused.message());
    }
}
