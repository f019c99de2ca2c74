//! Errors of request bodies.

use std::fmt;

/// Why a request body could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    kind: DecodeErrorKind,
    text: Box<str>,
}

/// The kind of a [`DecodeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The body is empty.
    Empty,
    /// The body is not JSON, or is truncated.
    Syntax,
    /// A field has a value of the wrong type.
    Type,
    /// A field has an invalid value of the right type.
    Value,
}

impl DecodeError {
    pub(super) fn new(kind: DecodeErrorKind, text: impl Into<Box<str>>) -> Self {
        Self { kind, text: text.into() }
    }

    pub(super) fn value(text: impl fmt::Display) -> Self {
        Self::new(DecodeErrorKind::Value, text.to_string())
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> DecodeErrorKind {
        self.kind
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for DecodeError {}
