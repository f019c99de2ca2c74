//! Schema violations, with the field that violates the schema.
//!
//! Cinder: `cinder/api/validation/validators.py`, `_SchemaValidator.validate`.

use std::fmt;

use serde_json::Value;

use crate::python;

/// A body that violates the schema of its operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    place: Place,
    reason: Box<str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// The whole body.
    Root,
    /// A field, and its value as Python prints it.
    Member { name: Box<str>, value: Box<str> },
}

impl SchemaError {
    /// Returns the error for `value` of the field `name`. An empty name means the whole body.
    pub(crate) fn at(name: &str, value: &Value, reason: String) -> Self {
        let place = if name.is_empty() {
            Place::Root
        } else {
            Place::Member { name: name.into(), value: python::str(value).into() }
        };
        Self { place, reason: reason.into() }
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Root => f.write_str(&self.reason),
            Place::Member { name, value } => write!(
                f,
                "Invalid input for field/attribute {name}. Value: {value}. {}",
                self.reason
            ),
        }
    }
}

impl std::error::Error for SchemaError {}
