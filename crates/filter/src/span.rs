//! Source ranges of expressions.

use std::ops::Range;

/// A range of an expression, in bytes from its start.
///
/// # Examples
/// ```
/// use statehold_filter::Span;
/// let span = Span::new(3, 5);
/// assert_eq!(span.text("ID == x"), "==");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    start: usize,
    end: usize,
}

impl Span {
    /// Creates the range from `start` to `end`, exclusive; an end before the start is clamped to
    /// it.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end: if end < start { start } else { end } }
    }

    /// Returns the first byte.
    pub const fn start(self) -> usize {
        self.start
    }

    /// Returns the end, exclusive.
    pub const fn end(self) -> usize {
        self.end
    }

    /// Returns the number of bytes; 0 for a position between two characters.
    pub const fn len(self) -> usize {
        self.end - self.start
    }

    /// Returns whether this is a position between two characters.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Returns the smallest span that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self::new(self.start.min(other.start), self.end.max(other.end))
    }

    /// Returns the part of `text` in the range; empty if the range does not fit the text.
    pub fn text(self, text: &str) -> &str {
        text.get(Range::from(self)).unwrap_or_default()
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.start..span.end
    }
}
