//! The view of a namespace.

use serde::Serialize;
use statehold_store::Entry;

use crate::rows::{Labels, Namespace, NamespaceAccess, NamespaceCapabilities};

/// A namespace, in lists and alone.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NamespaceView<'v> {
    name: &'v str,
    description: &'v str,
    quota: &'v str,
    capabilities: Option<&'v NamespaceCapabilities>,
    node_pool_configuration: Option<&'v NamespaceAccess>,
    vault_configuration: Option<&'v NamespaceAccess>,
    consul_configuration: Option<&'v NamespaceAccess>,
    meta: Option<&'v Labels>,
    required_extra_claims: Option<&'v Labels>,
    optional_extra_claims: Option<&'v Labels>,
    create_index: u64,
    modify_index: u64,
}

impl<'v> NamespaceView<'v> {
    /// Creates the view of `entry`.
    pub fn new(entry: &'v Entry<Namespace>) -> Self {
        // Go encodes a map that was never set as `null`.
        let labels = |labels: &'v Labels| Some(labels).filter(|labels| !labels.is_empty());
        Self {
            name: &entry.name,
            description: &entry.description,
            quota: &entry.quota,
            capabilities: entry.capabilities.as_ref(),
            node_pool_configuration: entry.node_pool_configuration.as_ref(),
            vault_configuration: entry.vault_configuration.as_ref(),
            consul_configuration: entry.consul_configuration.as_ref(),
            meta: labels(&entry.meta),
            required_extra_claims: labels(&entry.required_extra_claims),
            optional_extra_claims: labels(&entry.optional_extra_claims),
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
        }
    }
}
