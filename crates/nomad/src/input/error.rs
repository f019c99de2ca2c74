//! What is wrong with a request body.

use std::fmt;

/// Why a request body couldn't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    kind: DecodeErrorKind,
    text: Box<str>,
}

/// The kind of a [`DecodeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// There is no body.
    Empty,
    /// It is not JSON, or ends too early.
    Syntax,
    /// A field holds a value of another type.
    Type,
    /// A field holds a value of the right type that means nothing.
    Value,
}

impl DecodeError {
    pub(super) fn new(kind: DecodeErrorKind, text: impl Into<Box<str>>) -> Self {
        Self { kind, text: text.into() }
    }

    pub(super) fn value(text: impl fmt::Display) -> Self {
        Self::new(DecodeErrorKind::Value, text.to_string())
    }

    /// What kind of fault it is.
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
