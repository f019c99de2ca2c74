//! Creates, updates and deletes namespaces. Only an empty namespace can be deleted.
//!
//! Nomad: `nomad/structs/structs.go`, `Namespace.Validate`; `nomad/state/state_store.go`,
//! `DeleteNamespaces`.

use std::fmt;

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::{claims::move_claims, csi::move_instances, host::move_reports};
use crate::{
    fmt::Quoted,
    rows::{
        CsiPlugin, CsiPlugins, CsiVolumes, DEFAULT_NAMESPACE, HostVolumes, Jobs, Namespace,
        NamespaceAccess, Namespaces, Node, Nodes, TaskGroupClaims,
    },
};

/// Maximum length of a namespace's name, in characters.
const NAME_LENGTH_MAX: usize = 128;
/// Maximum length of a namespace's description, in bytes.
const DESCRIPTION_BYTES_MAX: usize = 256;

/// Why a namespace could not be created, updated or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NamespaceError {
    /// The name is empty or too long, or has other characters than letters, digits and hyphens.
    InvalidName {
        /// The name.
        name: Box<str>,
    },
    /// The description has more than 256 bytes.
    LongDescription,
    /// It names a quota, which this server does not support.
    NoQuota {
        /// The quota.
        quota: Box<str>,
    },
    /// A field has both a list of allowed and a list of denied values.
    AllowedAndDenied {
        /// The field.
        field: &'static str,
    },
    /// The namespace does not exist.
    NotFound,
    /// The default namespace cannot be deleted.
    IsDefault,
    /// A job in it is not over.
    HasJob {
        /// The namespace.
        namespace: Box<str>,
        /// The first such job.
        job: Box<str>,
    },
    /// It contains a volume.
    HasVolume {
        /// The namespace.
        namespace: Box<str>,
        /// The first volume.
        volume: Box<str>,
    },
    /// It contains a host volume.
    HasHostVolume {
        /// The namespace.
        namespace: Box<str>,
        /// The first host volume.
        volume: Uuid,
    },
    /// It contains a sticky claim of a task group on a host volume.
    HasGroupClaim {
        /// The namespace.
        namespace: Box<str>,
        /// The first claim.
        claim: Uuid,
    },
    /// The store failed.
    Store(WriteError),
}

impl fmt::Display for NamespaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidName { name } => write!(
                f,
                // Nomad: nomad/structs/structs.go, validNamespaceName.
                "invalid name {}. Must match regex ^[a-zA-Z0-9-]{{1,{NAME_LENGTH_MAX}}}$",
                Quoted(name)
            ),
            Self::LongDescription => {
                write!(f, "description longer than {DESCRIPTION_BYTES_MAX}")
            }
            Self::NoQuota { quota } => write!(f, "quota {} doesn't exist", Quoted(quota)),
            Self::AllowedAndDenied { field } => {
                write!(f, "{field}: only one of Allowed and Denied may be set")
            }
            Self::NotFound => f.write_str("namespace not found"),
            Self::IsDefault => f.write_str("default namespace can not be deleted"),
            Self::HasJob { namespace, job } => write!(
                f,
                "namespace {} contains at least one non-terminal job {}. All jobs must be \
                 terminal in namespace before it can be deleted",
                Quoted(namespace),
                Quoted(job)
            ),
            Self::HasVolume { namespace, volume } => write!(
                f,
                "namespace {} contains at least one CSI volume {}. All CSI volumes in \
                 namespace must be deleted before it can be deleted",
                Quoted(namespace),
                Quoted(volume)
            ),
            Self::HasHostVolume { namespace, volume } => write!(
                f,
                "namespace {} contains at least one host volume \"{volume}\". All host volumes in \
                 namespace must be deleted before it can be deleted",
                Quoted(namespace)
            ),
            Self::HasGroupClaim { namespace, claim } => write!(
                f,
                "namespace {} contains at least one task group volume claim \"{claim}\". All task \
                 group volume claims in namespace must be deleted before it can be deleted",
                Quoted(namespace)
            ),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NamespaceError {}

impl From<WriteError> for NamespaceError {
    fn from(error: WriteError) -> Self {
        Self::Store(error)
    }
}

/// Creates the default namespace if it is missing, and moves lists that earlier versions stored in
/// large rows to rows of their own. Returns whether the namespace was missing.
///
/// A server MUST call it once after it has opened its store, because reads scan only the new rows.
/// Cost: reads each node, plugin and CSI volume.
pub fn bootstrap(txn: &mut WriteTxn<'_>) -> Result<bool, WriteError> {
    move_old_rows(txn)?;
    // An operator may have changed its description, which MUST survive a restart.
    if txn.get::<Namespaces>(DEFAULT_NAMESPACE).is_some() {
        return Ok(false);
    }
    txn.upsert::<Namespaces>(Namespace {
        name: DEFAULT_NAMESPACE.into(),
        // Nomad: nomad/structs/structs.go, DefaultNamespaceDescription.
        description: "Default shared namespace".into(),
        ..Namespace::default()
    })?;
    Ok(true)
}

fn move_old_rows(txn: &mut WriteTxn<'_>) -> Result<(), WriteError> {
    let nodes = txn.scan::<Nodes>(&KeyRange::<Uuid>::all(), Order::Ascending);
    let old = nodes.filter(|node| !node.unmoved_host_volumes.is_empty());
    let old: Vec<Node> = old.map(|node| Node::clone(node)).collect();
    for mut node in old {
        // The old row still carries the volumes until it is written below.
        move_reports(txn, &node)?;
        node.unmoved_host_volumes.clear();
        txn.upsert::<Nodes>(node)?;
    }
    let plugins = txn.scan::<CsiPlugins>(&KeyRange::<String>::all(), Order::Ascending);
    let old = plugins.filter(|plugin| !plugin.unmoved_instances.is_empty());
    let old: Vec<CsiPlugin> = old.map(|plugin| CsiPlugin::clone(plugin)).collect();
    for mut plugin in old {
        move_instances(txn, &mut plugin)?;
        txn.upsert::<CsiPlugins>(plugin)?;
    }
    let volumes = txn.scan::<CsiVolumes>(&KeyRange::<(String, String)>::all(), Order::Ascending);
    let old = volumes.filter(|volume| !volume.unmoved_claims.is_empty());
    let old = old.map(|volume| (volume.namespace.clone(), volume.id.clone()));
    for (namespace, id) in old.collect::<Vec<_>>() {
        move_claims(txn, &namespace, &id)?;
    }
    Ok(())
}

/// Creates a namespace, or replaces every field of the existing one.
///
/// # Errors
/// [`NamespaceError::NoQuota`] if it names a quota, because a namespace whose quota is ignored
/// would appear to be limited.
pub fn upsert_namespace(
    txn: &mut WriteTxn<'_>,
    namespace: Namespace,
) -> Result<(), NamespaceError> {
    let name = &namespace.name;
    // Bytes equal characters here, because every allowed one is ASCII.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.is_empty() || name.len() > NAME_LENGTH_MAX || !name.bytes().all(allowed) {
        return Err(NamespaceError::InvalidName { name: namespace.name });
    }
    if namespace.description.len() > DESCRIPTION_BYTES_MAX {
        return Err(NamespaceError::LongDescription);
    }
    if !namespace.quota.is_empty() {
        return Err(NamespaceError::NoQuota { quota: namespace.quota });
    }
    for (field, access) in [
        ("NodePoolConfiguration", &namespace.node_pool_configuration),
        ("VaultConfiguration", &namespace.vault_configuration),
        ("ConsulConfiguration", &namespace.consul_configuration),
    ] {
        // Clients send an empty list for one that was never set.
        let both = |access: &NamespaceAccess| {
            let names = |list: &Option<Vec<_>>| list.as_ref().is_some_and(|list| !list.is_empty());
            names(&access.allowed) && names(&access.denied)
        };
        if access.as_ref().is_some_and(both) {
            return Err(NamespaceError::AllowedAndDenied { field });
        }
    }
    txn.upsert::<Namespaces>(namespace)?;
    Ok(())
}

/// Deletes a namespace that contains nothing except jobs that are over.
pub fn delete_namespace(txn: &mut WriteTxn<'_>, name: &str) -> Result<(), NamespaceError> {
    if txn.get::<Namespaces>(name).is_none() {
        return Err(NamespaceError::NotFound);
    }
    // Requests without a namespace use it, so it has to exist.
    if name == DEFAULT_NAMESPACE {
        return Err(NamespaceError::IsDefault);
    }
    // The order of the checks is Nomad's: clients match on the first message.
    let within = KeyRange::<(String, String)>::starting_with(name);
    if let Some(job) = txn.scan::<Jobs>(&within, Order::Ascending).find(|job| !job.is_over()) {
        return Err(NamespaceError::HasJob { namespace: name.into(), job: job.id.clone() });
    }
    if let Some(volume) = txn.scan::<CsiVolumes>(&within, Order::Ascending).next() {
        return Err(NamespaceError::HasVolume {
            namespace: name.into(),
            volume: volume.id.clone(),
        });
    }
    let within = KeyRange::<(String, Uuid)>::starting_with(name);
    if let Some(volume) = txn.scan::<HostVolumes>(&within, Order::Ascending).next() {
        let (namespace, volume) = (name.into(), volume.id);
        return Err(NamespaceError::HasHostVolume { namespace, volume });
    }
    let within = KeyRange::<(String, (String, String, Uuid))>::starting_with(name);
    if let Some(claim) = txn.scan::<TaskGroupClaims>(&within, Order::Ascending).next() {
        let (namespace, claim) = (name.into(), claim.id);
        return Err(NamespaceError::HasGroupClaim { namespace, claim });
    }
    txn.delete::<Namespaces>(name)?;
    Ok(())
}
