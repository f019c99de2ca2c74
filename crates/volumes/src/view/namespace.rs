//! The JSON of a namespace.

use serde::Serialize;
use statehold_store::Entry;

use crate::rows::Namespace;

/// A namespace, in lists and alone.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NamespaceView<'v> {
    name: &'v str,
    description: &'v str,
    create_index: u64,
    modify_index: u64,
}

impl<'v> NamespaceView<'v> {
    /// The view of `entry`.
    pub fn new(entry: &'v Entry<Namespace>) -> Self {
        Self {
            name: &entry.name,
            description: &entry.description,
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
        }
    }
}
