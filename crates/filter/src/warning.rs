//! Expressions that are valid, but hardly mean what they say.

use std::fmt;

use crate::span::Span;

/// Something in an expression that is valid, but always has the same answer or misleads.
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

/// What is odd about an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarningKind {
    /// The field never holds a number this large or small.
    OutOfRange {
        /// The bits of the field's type.
        bits: u8,
    },
    /// The field never holds this text: it is none of its names, no UUID in the usual form or more than a character.
    NeverEqual,
    /// A bare word on the right is text, although a field of this name exists.
    FieldAsText,
}

impl Warning {
    /// What is odd.
    pub fn kind(&self) -> &WarningKind {
        &self.kind
    }

    /// Where.
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
