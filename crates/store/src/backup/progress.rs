//! How far long work is.

/// Rows between two calls.
const EVERY: u64 = 4096;

/// What the work is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Rows are written to a backup or dump.
    Writing,
    /// Rows are read from a backup or dump.
    Reading,
    /// What was read is made the state, durably.
    Replacing,
    /// The pages of the files are checked.
    CheckingFiles,
    /// Rows are loaded and indexes built.
    Loading,
    /// All of it is done.
    Done,
}

/// How far a backup, a restore or a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What it is at.
    pub step: Step,
    /// Rows that this step is through with.
    pub rows: u64,
    /// Rows that it has to do, where that is known.
    pub rows_total: Option<u64>,
}

/// Tells the caller from time to time.
pub(super) struct Meter<'m> {
    tell: &'m mut dyn FnMut(Progress),
    now: Progress,
}

impl<'m> Meter<'m> {
    pub(super) fn new(tell: &'m mut dyn FnMut(Progress)) -> Self {
        Self { tell, now: Progress { step: Step::Done, rows: 0, rows_total: None } }
    }

    /// Begins a step.
    pub(super) fn begin(&mut self, step: Step, rows_total: Option<u64>) {
        self.now = Progress { step, rows: 0, rows_total };
        (self.tell)(self.now);
    }

    /// One more row of this step.
    pub(super) fn row(&mut self) {
        self.now.rows += 1;
        if self.now.rows.is_multiple_of(EVERY) {
            (self.tell)(self.now);
        }
    }

    /// Ends the work.
    pub(super) fn done(&mut self, rows: u64) {
        (self.tell)(Progress { step: Step::Done, rows, rows_total: Some(rows) });
    }

    /// Rows of this step so far.
    pub(super) fn rows(&self) -> u64 {
        self.now.rows
    }
}
