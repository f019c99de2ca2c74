//! Progress reports of long operations.

/// Number of rows between two reports.
const EVERY: u64 = 4096;

/// The current step of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Rows are written to a backup or dump.
    Writing,
    /// Rows are read from a backup or dump.
    Reading,
    /// The rows that were read become the state, durably.
    Replacing,
    /// The pages of the files are checked.
    CheckingFiles,
    /// Rows are loaded and indexes built.
    Loading,
    /// The operation is complete.
    Done,
}

/// Progress of a backup, a restore or a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The current step.
    pub step: Step,
    /// Number of rows that this step has processed.
    pub rows: u64,
    /// Number of rows of this step, if known.
    pub rows_total: Option<u64>,
}

/// Reports progress to the caller at intervals.
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

    /// Counts one more row of this step.
    pub(super) fn row(&mut self) {
        self.now.rows += 1;
        if self.now.rows.is_multiple_of(EVERY) {
            (self.tell)(self.now);
        }
    }

    /// Reports the end of the operation.
    pub(super) fn done(&mut self, rows: u64) {
        (self.tell)(Progress { step: Step::Done, rows, rows_total: Some(rows) });
    }

    /// Returns the number of rows of this step so far.
    pub(super) fn rows(&self) -> u64 {
        self.now.rows
    }
}
