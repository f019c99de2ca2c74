//! Namespaces, which scope the names of volumes, jobs and allocations.

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{OldRow, RowError, Table};

use super::{Labels, old::NamespaceV1};

/// The namespace that always exists.
pub const DEFAULT_NAMESPACE: &str = "default";

/// A namespace.
///
/// The server interprets only its name. The other fields are stored because clients such as
/// Terraform compare the namespace that they read with the one that they wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct Namespace {
    /// Its name, the key.
    pub name: Box<str>,
    /// Human-readable description.
    pub description: Box<str>,
    /// The quota that limits it. Always empty, because quotas are not supported.
    pub quota: Box<str>,
    /// The task drivers and network modes that its jobs may use.
    pub capabilities: Option<NamespaceCapabilities>,
    /// The node pools that its jobs may use.
    pub node_pool_configuration: Option<NamespaceAccess>,
    /// The Vault clusters that its jobs may use.
    pub vault_configuration: Option<NamespaceAccess>,
    /// The Consul clusters that its jobs may use.
    pub consul_configuration: Option<NamespaceAccess>,
    /// User-defined key/value metadata.
    pub meta: Labels,
    /// Claims that workload identities of its jobs must have.
    pub required_extra_claims: Labels,
    /// Claims that workload identities of its jobs have by default.
    pub optional_extra_claims: Labels,
}

/// The task drivers and network modes of a namespace. `None` is no restriction; an empty list of
/// enabled ones enables none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[serde(rename_all = "PascalCase")]
#[filterable(rename_all = "PascalCase")]
pub struct NamespaceCapabilities {
    /// The only task drivers that jobs may use.
    pub enabled_task_drivers: Option<Vec<Box<str>>>,
    /// The task drivers that jobs must not use.
    pub disabled_task_drivers: Option<Vec<Box<str>>>,
    /// The only network modes that jobs may use.
    pub enabled_network_modes: Option<Vec<Box<str>>>,
    /// The network modes that jobs must not use.
    pub disabled_network_modes: Option<Vec<Box<str>>>,
}

/// The named resources that the jobs of a namespace may use, by patterns with `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[serde(rename_all = "PascalCase")]
#[filterable(rename_all = "PascalCase")]
pub struct NamespaceAccess {
    /// The resource of jobs that name none.
    pub default: Box<str>,
    /// The only resources that jobs may use, besides the default; `None` is no restriction.
    pub allowed: Option<Vec<Box<str>>>,
    /// The resources that jobs must not use.
    pub denied: Option<Vec<Box<str>>>,
}

/// Table of the namespaces, by name.
#[derive(Clone, Copy, Debug)]
pub struct Namespaces;

impl Table for Namespaces {
    const NAME: &'static str = "namespaces";
    const VERSION: u16 = 2;
    type Key = String;
    type Row = Namespace;

    fn key(row: &Namespace) -> &str {
        &row.name
    }

    fn migrate(old: OldRow<'_>) -> Result<Namespace, RowError> {
        match old.version() {
            1 => old.read::<NamespaceV1>().map(Namespace::from),
            _ => Err(old.unknown(Self::VERSION)),
        }
    }
}
