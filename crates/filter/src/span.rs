//! Positions in the text of an expression.

use std::ops::Range;

/// A stretch of an expression, in bytes from its start.
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
    /// The bytes from `start` up to, not including, `end`; an end before the start counts as the start.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end: if end < start { start } else { end } }
    }

    /// The first byte.
    pub const fn start(self) -> usize {
        self.start
    }

    /// The byte after the last one.
    pub const fn end(self) -> usize {
        self.end
    }

    /// How many bytes there are; 0 marks a place between two characters.
    pub const fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether this is a place between two characters.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The smallest span that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self::new(self.start.min(other.start), self.end.max(other.end))
    }

    /// The part of `text` that the span covers, or `""` when it does not fit that text.
    pub fn text(self, text: &str) -> &str {
        text.get(Range::from(self)).unwrap_or_default()
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.start..span.end
    }
}
