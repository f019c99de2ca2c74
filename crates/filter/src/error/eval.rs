//! Errors that a row causes: it does not fit the expression, or costs too much.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::render::render;
use crate::ast::Operator;
use crate::span::Span;

/// A row that a compiled expression cannot be evaluated for.
///
/// Data with a schema causes only [`EvalErrorKind::TooCostly`]; all other kinds need JSON or a
/// [`Value`](crate::Value). Creating an error allocates nothing.
///
/// # Examples
/// ```
/// use serde_json::json;
/// use statehold_filter::{EvalErrorKind, Filter};
///
/// let filter = Filter::<serde_json::Value>::compile("size == 3")?;
/// let error = filter.try_matches(&json!({ "size": [1, 2] })).unwrap_err();
/// assert!(matches!(error.kind(), EvalErrorKind::OperatorKind { .. }));
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    kind: EvalErrorKind,
    text: Arc<str>,
    span: Span,
}

/// The reason why a row cannot be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EvalErrorKind {
    /// A struct has no field of that name.
    UnknownField,
    /// A part of the selector is inside a value without fields or elements.
    NothingInside,
    /// The index is past the end of the list.
    IndexRange,
    /// The part is neither an index of the list nor a key of the map.
    BadKey,
    /// A field is selected inside a name that is bound to an index or key.
    NameHasNoFields,
    /// The literal cannot be read as the kind of the value.
    ValueSyntax,
    /// The literal is a number outside the range of the value's kind.
    ValueRange,
    /// The operator does not apply to the kind of the value.
    OperatorKind {
        /// The operator.
        operator: Operator,
    },
    /// `any` or `all` over a value that is neither a list nor a map with string keys.
    NotACollection,
    /// Evaluation needs more steps than its limit: `Limits::row_steps`, or the shared
    /// [`Budget`](crate::Budget).
    TooCostly {
        /// The limit in steps.
        max: u64,
        /// Whether the limit is that of a shared budget.
        shared: bool,
    },
}

impl EvalErrorKind {
    /// Returns the name of the kind in the serialised form.
    pub fn name(&self) -> &'static str {
        match self {
            Self::UnknownField => "unknown_field",
            Self::NothingInside => "nothing_inside",
            Self::IndexRange => "index_range",
            Self::BadKey => "bad_key",
            Self::NameHasNoFields => "name_has_no_fields",
            Self::ValueSyntax => "value_syntax",
            Self::ValueRange => "value_range",
            Self::OperatorKind { .. } => "operator_kind",
            Self::NotACollection => "not_a_collection",
            Self::TooCostly { .. } => "too_costly",
        }
    }
}

impl fmt::Display for EvalErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField => f.write_str("the value has no field of this name"),
            Self::NothingInside => f.write_str("a value in the path has no fields or elements"),
            Self::IndexRange => f.write_str("the list is shorter than this index"),
            Self::BadKey => f.write_str("this is not an index or key of the value"),
            Self::NameHasNoFields => f.write_str("an index or key has no fields"),
            Self::ValueSyntax => f.write_str("the literal can't be read as the kind of the value"),
            Self::ValueRange => f.write_str("the literal is a number out of the value's range"),
            Self::OperatorKind { operator } => {
                write!(f, "`{operator}` does not apply to the kind of the value")
            }
            Self::NotACollection => {
                f.write_str("`any` and `all` need a list or a map with text keys")
            }
            Self::TooCostly { max, shared: false } => {
                write!(f, "this row needs more than {max} steps of evaluation (limit `row_steps`)")
            }
            Self::TooCostly { max, shared: true } => {
                write!(
                    f,
                    "these rows need more than {max} steps of evaluation (limit `call_steps`)"
                )
            }
        }
    }
}

impl EvalError {
    pub(crate) fn new(kind: EvalErrorKind, text: Arc<str>, span: Span) -> Self {
        Self { kind, text, span }
    }

    /// Returns the kind of error.
    pub fn kind(&self) -> &EvalErrorKind {
        &self.kind
    }

    /// Returns whether the row was rejected only for its cost, so it could match.
    ///
    /// Servers MUST then reject the whole request, because a list without the row would look
    /// complete.
    pub fn is_too_costly(&self) -> bool {
        matches!(self.kind, EvalErrorKind::TooCostly { .. })
    }

    /// Returns the message in one line, without the expression.
    pub fn message(&self) -> String {
        self.kind.to_string()
    }

    /// Returns a suggested change of the expression or the request, if there is one.
    pub fn help(&self) -> Option<&'static str> {
        match self.kind {
            EvalErrorKind::TooCostly { shared: false, .. } => {
                Some("nest fewer `any` and `all`, or search shorter lists and strings")
            }
            EvalErrorKind::TooCostly { shared: true, .. } => Some(
                "use fewer clauses, or ask for fewer rows: by pages, or by a field with an index",
            ),
            _ => None,
        }
    }

    /// Returns the whole expression.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the source range of the clause that failed.
    pub fn span(&self) -> Span {
        self.span
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        render(f, &self.kind, &self.text, self.span, None, self.help())
    }
}

impl Error for EvalError {}

impl Serialize for EvalError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = serializer.serialize_struct("EvalError", 5)?;
        form.serialize_field("kind", self.kind.name())?;
        form.serialize_field("message", &self.message())?;
        form.serialize_field("offset", &self.span.start())?;
        form.serialize_field("length", &self.span.len())?;
        form.serialize_field("help", &self.help())?;
        form.end()
    }
}
