//! Namespaces, in which volumes, jobs and allocations have their names.

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::Table;

/// The namespace that always exists.
pub const DEFAULT_NAMESPACE: &str = "default";

/// A namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct Namespace {
    /// Its name, the key.
    pub name: Box<str>,
    /// For people.
    pub description: Box<str>,
}

/// Table of the namespaces, by name.
#[derive(Clone, Copy, Debug)]
pub struct Namespaces;

impl Table for Namespaces {
    const NAME: &'static str = "namespaces";
    const VERSION: u16 = 1;
    type Key = String;
    type Row = Namespace;

    fn key(row: &Namespace) -> &str {
        &row.name
    }
}
