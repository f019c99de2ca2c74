//! Errors in the declaration of tables.

use std::fmt;

/// Reasons why a schema cannot be built: errors in the declaration of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaError {
    /// Two tables of one type or name: they would share rows.
    TableTwice {
        /// The table.
        table: &'static str,
    },
    /// Two indexes of one name in a table: lookups in one would return rows of the other.
    IndexTwice {
        /// The table.
        table: &'static str,
        /// The index.
        index: &'static str,
    },
    /// An index serves a selector that filters on the table's rows do not know.
    UnknownSelector {
        /// The table.
        table: &'static str,
        /// The index.
        index: &'static str,
        /// The selector.
        selector: &'static str,
        /// The selectors of the rows.
        known: Box<[&'static str]>,
    },
    /// An index serves a selector whose values its keys cannot hold, so no plan would ever use it.
    UnfitKeys {
        /// The table.
        table: &'static str,
        /// The index.
        index: &'static str,
        /// The selector.
        selector: &'static str,
        /// The kind of its values.
        kind: Box<str>,
        /// The shape of the index's keys.
        shape: Box<str>,
    },
    /// Rows could be written but never read back: their `Deserialize` needs the type of the next value from the
    /// format, and rows are stored without types and names.
    Unreadable {
        /// The table.
        table: &'static str,
        /// The path of the field, e.g. `spec.options[]`; empty for the row itself.
        field: Box<str>,
        /// The reason why it cannot be read back, and the remedy.
        reason: &'static str,
    },
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TableTwice { table } => {
                write!(f, "the schema has the table {table:?} twice: remove or rename one")
            }
            Self::IndexTwice { table, index } => {
                write!(f, "the table {table:?} has the index {index:?} twice: rename one")
            }
            Self::UnknownSelector { table, index, selector, known } => write!(
                f,
                "table {table}: the index {index} serves `{selector}`, which is no selector of its \
                 rows: correct it to one of {}, or use `serves_stated` for conditions that a program \
                 states",
                known.join(", ")
            ),
            Self::UnfitKeys { table, index, selector, kind, shape } => write!(
                f,
                "table {table}: the index {index} serves `{selector}`, which is a {kind}, with keys of \
                 the shape {shape}, which hold none: change what its keys are made of, or leave \
                 `serves` out"
            ),
            Self::Unreadable { table, field, reason } if field.is_empty() => {
                write!(f, "table {table}: a row can't be read back: {reason}")
            }
            Self::Unreadable { table, field, reason } => {
                write!(f, "table {table}: the field `{field}` can't be read back: {reason}")
            }
        }
    }
}

impl std::error::Error for SchemaError {}
