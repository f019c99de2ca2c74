//! Errors that only a row without a schema can cause.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::render::render;
use crate::ast::Operator;
use crate::span::Span;

/// A row that a compiled expression can't be answered for.
///
/// Only data without a schema causes it: JSON and [`Value`](crate::Value). Making one allocates nothing.
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

/// Why a row can't be answered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EvalErrorKind {
    /// A struct has no field of that name.
    UnknownField,
    /// A part of the selector asks for something inside of a value that has nothing inside.
    NothingInside,
    /// The list is shorter.
    IndexRange,
    /// The part can't be an index of the list or a key of the map.
    BadKey,
    /// A name that stands for an index or key is asked for a field.
    NameHasNoFields,
    /// The literal can't be read as the kind of the value that was found.
    ValueSyntax,
    /// The literal is a number beyond what the value that was found could be.
    ValueRange,
    /// The operator does not apply to the value that was found.
    OperatorKind {
        /// The operator.
        operator: Operator,
    },
    /// `any` or `all` over something that is neither a list nor a map with text keys.
    NotACollection,
}

impl EvalErrorKind {
    /// The name of the kind, as the serialised form has it.
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
        }
    }
}

impl fmt::Display for EvalErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField => f.write_str("the value has no field of this name"),
            Self::NothingInside => f.write_str("the value on the way has nothing inside"),
            Self::IndexRange => f.write_str("the list is shorter than this index"),
            Self::BadKey => f.write_str("this is no index or key of the value"),
            Self::NameHasNoFields => f.write_str("an index or key has nothing inside"),
            Self::ValueSyntax => f.write_str("the literal can't be read as the kind of the value"),
            Self::ValueRange => f.write_str("the literal is a number out of the value's range"),
            Self::OperatorKind { operator } => {
                write!(f, "`{operator}` does not apply to the kind of the value")
            }
            Self::NotACollection => {
                f.write_str("`any` and `all` need a list or a map with text keys")
            }
        }
    }
}

impl EvalError {
    pub(crate) fn new(kind: EvalErrorKind, text: Arc<str>, span: Span) -> Self {
        Self { kind, text, span }
    }

    /// What is wrong.
    pub fn kind(&self) -> &EvalErrorKind {
        &self.kind
    }

    /// What is wrong, in one line without the expression.
    pub fn message(&self) -> String {
        self.kind.to_string()
    }

    /// The whole expression.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The clause that the row has no answer for.
    pub fn span(&self) -> Span {
        self.span
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        render(f, &self.kind, &self.text, self.span, None, None)
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
        form.serialize_field("help", &None::<&str>)?;
        form.end()
    }
}
