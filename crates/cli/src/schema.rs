//! The schema of a data directory: the tables of both domains, whichever API is served.
//!
//! One schema for all commands, because a store MUST be opened with every table that has rows.

use std::fmt;

use statehold_store::Schema;

use crate::cli::TableArgs;

/// Returns all tables of this build.
pub(crate) fn schema() -> Schema {
    statehold_nomad::schema().and(statehold_cinder::schema())
}

/// Returns a schema that also keeps and drops the tables that a command names.
///
/// # Errors
/// Returns the message for a table of this build, or for one that is named twice.
pub(crate) fn with_tables(mut schema: Schema, tables: &TableArgs) -> Result<Schema, String> {
    let named = tables.keep.iter().map(|name| (name, true));
    for (name, keep) in named.chain(tables.drop_table.iter().map(|name| (name, false))) {
        if schema.mentions(name) {
            return Err(format!("the table {name:?} is one of this build, or is named twice"));
        }
        schema = if keep { schema.keep(name) } else { schema.drop_table(name) };
    }
    Ok(schema)
}

/// The remedies for rows of a table that this build lacks, as flags: the store names its own methods.
pub(crate) struct LackingTable<'a>(pub(crate) &'a str);

impl fmt::Display for LackingTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0;
        write!(
            f,
            "there are rows of the table {name:?}, which this build lacks: use a build that has it, keep \
             them as bytes with --keep {name}, or delete them with --drop-table {name}"
        )
    }
}
