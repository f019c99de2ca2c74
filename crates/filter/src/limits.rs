//! What an expression may cost, each limit with a name and a default.

/// Bounds on one expression; past one of them compilation fails with an error that names it.
///
/// # Examples
/// ```
/// use statehold_filter::Limits;
/// let limits = Limits { nesting: 8, ..Limits::default() };
/// assert_eq!(limits.text, 65_536);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest expression in bytes; 65,536 by default.
    pub text: usize,
    /// Deepest nesting of parentheses, `not` before a parenthesis and quantifiers; 64 by default.
    ///
    /// Values above [`Limits::NESTING_MAX`] count as that.
    pub nesting: usize,
    /// Deepest nesting of quantifiers; 4 by default.
    ///
    /// Each level multiplies the cost of asking by the length of the list that it goes through: with `any a as x { any a as y { .. } }`
    /// a list of a thousand elements is asked a million times.
    pub quantifiers: usize,
    /// Most clauses, connectives and quantifiers together; 10,000 by default.
    pub nodes: usize,
    /// Most values in one list `[..]`; 1,000 by default.
    pub list: usize,
    /// Most bytes of compiled regular expressions, all of an expression together; 1 MiB by default.
    ///
    /// Unicode classes take at least 4 KiB each; where case is ignored, large ranges and classes take up to 68 KiB more.
    pub pattern: usize,
}

impl Limits {
    /// The deepest nesting that can be asked for: every pass is safe up to here on a thread with 1 MiB of stack.
    pub const NESTING_MAX: usize = 128;
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
        }
    }
}
