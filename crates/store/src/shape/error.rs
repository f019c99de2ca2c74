//! Reasons why a row type cannot be the type of a table's rows.

use crate::error::SchemaError;

/// A part of a row type at which no stored row can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(super) field: String,
    pub(super) why: Why,
}

impl Unreadable {
    pub(crate) fn of_table(self, table: &'static str) -> SchemaError {
        SchemaError::Unreadable { table, field: self.field.into(), reason: self.why.reason() }
    }
}

/// The calls of a reader that the codec always rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Json,
    InternallyTagged,
    Untagged,
    AdjacentlyTagged,
    Flatten,
    Ignored,
    Any,
    Identifier,
}

impl Why {
    /// Returns the reason for a call of `deserialize_any` by the visitor of this type.
    pub(super) fn any(visitor: &str) -> Self {
        // serde and serde_json use these names for their visitors; others get the general reason.
        if visitor.contains("TaggedContentVisitor") {
            Self::InternallyTagged
        } else if visitor.contains("ContentVisitor") || visitor.contains("UntaggedUnitVisitor") {
            Self::Untagged
        } else if visitor.contains("serde_json") {
            Self::Json
        } else {
            Self::Any
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Json => {
                "a serde_json::Value needs a format with kinds, which rows are stored without; \
                 store it as a String with its JSON"
            }
            Self::InternallyTagged => {
                "an enum with #[serde(tag = ..)] is read by names, which rows are stored without; \
                 remove the attribute here and give the API a type of its own"
            }
            Self::Untagged => {
                "an enum with #[serde(untagged)] is read by the kinds of its values, which rows are \
                 stored without; remove the attribute here and give the API a type of its own"
            }
            Self::AdjacentlyTagged => {
                "an enum with #[serde(tag = .., content = ..)] is read by names, which rows are stored \
                 without; remove the attribute here and give the API a type of its own"
            }
            Self::Flatten => {
                "a struct with #[serde(flatten)] is read by the names of its fields, which rows are \
                 stored without; remove the attribute here and give the API a type of its own"
            }
            Self::Ignored => {
                "its reader skips a value of any kind, and rows are stored without kinds; \
                 read it as the type that is written"
            }
            Self::Any => {
                "its Deserialize asks for a value of any kind (deserialize_any), and rows are stored \
                 without kinds; store it as a String or as an enum that lists the kinds"
            }
            Self::Identifier => {
                "its Deserialize asks for a name (deserialize_identifier), and rows are stored without \
                 names; derive it, or read the fields in their order"
            }
        }
    }
}
