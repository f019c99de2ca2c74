//! Bounds on expressions and on their evaluation, each with a name and a default.

/// Bounds of one expression. Compilation fails with an error that names the exceeded limit, and so
/// does an evaluation that needs more than its steps.
///
/// A step of evaluation is one operand of `and` or `or`, one element of a list or entry of a map,
/// one part of a long selector, or [`Limits::STEP_BYTES`] bytes of a compared string: a few
/// nanoseconds, at most about a hundred. The
/// [front page](crate#limits) has the table.
///
/// # Examples
/// ```
/// use statehold_filter::Limits;
/// let limits = Limits { nesting: 8, ..Limits::default() };
/// assert_eq!(limits.text, 65_536);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum length of an expression in bytes; 65,536 by default.
    pub text: usize,
    /// Maximum nesting of parentheses, `not` before a parenthesis and quantifiers; 64 by default.
    ///
    /// Values above [`Limits::NESTING_MAX`] are clamped to it.
    pub nesting: usize,
    /// Maximum nesting of quantifiers; 4 by default.
    ///
    /// Each level multiplies the cost of evaluation by the length of its list: with
    /// `any a as x { any a as y { .. } }` a list of a thousand elements is evaluated a million
    /// times.
    pub quantifiers: usize,
    /// Maximum number of clauses, connectives and quantifiers together; 10,000 by default.
    pub nodes: usize,
    /// Maximum number of values in one list `[..]`; 1,000 by default.
    pub list: usize,
    /// Maximum bytes of all compiled regular expressions of an expression together; 1 MiB by
    /// default.
    ///
    /// Unicode classes take at least 4 KiB each; where case is ignored, large ranges and classes
    /// take up to 68 KiB more.
    pub pattern: usize,
    /// Maximum number of evaluation steps for one row; [`Limits::ROW_STEPS`] by default.
    ///
    /// A row that needs more fails with
    /// [`EvalErrorKind::TooCostly`](crate::EvalErrorKind::TooCostly). An expression that is
    /// known to need more, because it iterates over arrays of fixed length, does not compile.
    pub row_steps: u64,
    /// Maximum number of evaluation steps for all rows of one call; [`Limits::CALL_STEPS`] by
    /// default.
    ///
    /// The size of [`Filter::budget`](crate::Filter::budget), for
    /// [`Filter::matches_within`](crate::Filter::matches_within).
    pub call_steps: u64,
}

impl Limits {
    /// Maximum of [`Limits::nesting`]: every pass is safe up to here on a thread with 1 MiB of
    /// stack.
    pub const NESTING_MAX: usize = 128;

    /// Default of [`Limits::row_steps`]: two nested quantifiers over a list of almost a thousand
    /// elements. No row takes longer than about a hundred milliseconds.
    pub const ROW_STEPS: u64 = 1_000_000;

    /// Default of [`Limits::call_steps`]: a hundred clauses for each of a million rows, at most
    /// some seconds.
    pub const CALL_STEPS: u64 = 100_000_000;

    /// Bytes of a string compared in one step; a search costs a multiple.
    pub const STEP_BYTES: usize = 64;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text: 64 << 10,
            nesting: 64,
            quantifiers: 4,
            nodes: 10_000,
            list: 1_000,
            pattern: 1 << 20,
            row_steps: Self::ROW_STEPS,
            call_steps: Self::CALL_STEPS,
        }
    }
}
