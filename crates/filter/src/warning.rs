//! Warnings about valid expressions that are probably mistakes.

use std::fmt;

use crate::span::Span;

/// A valid part of an expression that always has the same result, or is misleading.
///
/// # Examples
/// ```
/// use statehold_filter::{Filter, Filterable, WarningKind};
///
/// #[derive(Filterable)]
/// struct Row {
///     priority: u8,
/// }
///
/// let filter = Filter::<Row>::compile("priority == 300")?;
/// assert!(matches!(filter.warnings()[0].kind(), WarningKind::OutOfRange { bits: 8 }));
/// assert!(!filter.matches(&Row { priority: 44 }));
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub(crate) kind: WarningKind,
    pub(crate) span: Span,
}

/// The reason of a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarningKind {
    /// No value of the field is this large or small.
    OutOfRange {
        /// The bits of the field's type.
        bits: u8,
    },
    /// No value of the field is this string: it is not one of its names, not a canonical UUID, or
    /// longer than a character.
    NeverEqual,
    /// A bare word on the right is a string, although a field of this name exists.
    FieldAsText,
}

impl Warning {
    /// Returns the reason.
    pub fn kind(&self) -> &WarningKind {
        &self.kind
    }

    /// Returns the source range.
    pub fn span(&self) -> Span {
        self.span
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            WarningKind::OutOfRange { bits } => {
                write!(f, "the field has {bits} bits and never holds a number this large or small")
            }
            WarningKind::NeverEqual => f.write_str("the field never holds this text"),
            WarningKind::FieldAsText => {
                f.write_str("this is compared as text, not with the field of this name")
            }
        }
    }
}
