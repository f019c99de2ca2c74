//! Declarations of parameters, shared by request parsing and the OpenAPI document.

use serde_json::{Value, json};

/// A query parameter, or a header, of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The name.
    pub name: &'static str,
    /// The type of the value.
    pub kind: Kind,
    /// Its meaning, in one sentence.
    pub doc: &'static str,
}

/// The type of a parameter's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any string.
    Text,
    /// A prefix of a UUID: an even number of hexadecimal digits, hyphens optional.
    EvenHex,
    /// A boolean, in the spellings of the API.
    Flag,
    /// A whole number of at least 0.
    Count,
    /// A duration in Go's notation.
    Duration,
    /// Any string, in a header of that name.
    Header,
}

impl Parameter {
    /// Creates an optional parameter.
    pub const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, doc }
    }

    /// Creates a parameter whose value is any string.
    pub const fn text(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::Text, doc)
    }

    /// Creates a boolean parameter.
    pub const fn flag(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::Flag, doc)
    }

    /// Creates a header whose value is any string.
    pub const fn header(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::Header, doc)
    }

    /// Creates a parameter whose value is a prefix of a UUID.
    pub const fn even_hex(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::EvenHex, doc)
    }

    /// Returns the Parameter Object of the OpenAPI document.
    pub fn describe(&self) -> Value {
        let schema = match self.kind {
            Kind::Text | Kind::Header => json!({ "type": "string" }),
            Kind::EvenHex => json!({ "type": "string", "pattern": "^[0-9A-Fa-f-]*$" }),
            // Each API accepts spellings beside `true` and `false`.
            Kind::Flag => json!({ "type": ["boolean", "string"] }),
            Kind::Count => json!({ "type": "integer", "minimum": 0 }),
            Kind::Duration => json!({ "type": "string", "examples": ["5m", "1h30m"] }),
        };
        let place = if self.kind == Kind::Header { "header" } else { "query" };
        json!({ "name": self.name, "in": place, "description": self.doc, "schema": schema })
    }
}
