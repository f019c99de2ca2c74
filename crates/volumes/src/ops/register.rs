//! Registering volumes that exist at their provider, new ones and known ones, all of a request or none.

use std::fmt;

use statehold_store::{ReadView, WriteError, WriteTxn};

use crate::{
    facts::PluginFacts,
    merge::{self, UpdateError},
    rows::{CsiPlugins, CsiVolume, CsiVolumes, DEFAULT_NAMESPACE, Namespaces},
    spec::{ValidationError, VolumeSpec},
};

/// Why volumes couldn't be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// The request names no volumes.
    MissingDefinition,
    /// A volume can't be right as it was sent.
    Invalid(ValidationError),
    /// Nobody runs the plugin.
    NoPlugin {
        /// Its ID.
        plugin: Box<str>,
    },
    /// The plugin needs a controller and none is well.
    NoHealthyControllers {
        /// The plugin's ID.
        plugin: Box<str>,
    },
    /// A registered volume can't become what was sent.
    Update(UpdateError),
    /// The namespace doesn't exist.
    NoNamespace {
        /// The volume's ID.
        volume: Box<str>,
        /// The namespace.
        namespace: Box<str>,
    },
    /// The volume's plugin became that of another provider.
    IdentityChanged {
        /// The volume's ID.
        volume: Box<str>,
    },
    /// The store refused.
    Store(WriteError),
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingDefinition => f.write_str("missing volume definition"),
            Self::Invalid(error) => error.fmt(f),
            Self::NoPlugin { plugin } => {
                write!(f, "no CSI plugin named: {plugin} could be found")
            }
            Self::NoHealthyControllers { plugin } => {
                write!(f, "no healthy controllers for CSI plugin: {plugin}")
            }
            Self::Update(error) => write!(f, "unable to update volume: {error}"),
            Self::NoNamespace { volume, namespace } => {
                write!(f, "volume {volume} is in nonexistent namespace {namespace}")
            }
            Self::IdentityChanged { volume } => {
                write!(f, "volume identity cannot be updated: {volume}")
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RegisterError {}

impl From<WriteError> for RegisterError {
    fn from(error: WriteError) -> Self {
        Self::Store(error)
    }
}

/// Which volume: its namespace and its ID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VolumeKey {
    /// The namespace.
    pub namespace: Box<str>,
    /// The ID within it.
    pub id: Box<str>,
}

/// Registers volumes; `namespace` is that of the request, for volumes that name none.
///
/// A volume that is registered already takes over what may change. The keys come back in the order of the request;
/// after the commit, a snapshot has the rows.
pub fn register(
    txn: &mut WriteTxn<'_>,
    now: i64,
    namespace: &str,
    volumes: Vec<VolumeSpec>,
) -> Result<Vec<VolumeKey>, RegisterError> {
    if volumes.is_empty() {
        return Err(RegisterError::MissingDefinition);
    }
    let mut rows: Vec<CsiVolume> = Vec::with_capacity(volumes.len());
    for mut spec in volumes {
        if spec.namespace.is_empty() {
            spec.namespace =
                if namespace.is_empty() { DEFAULT_NAMESPACE } else { namespace }.into();
        }
        // A volume may be in the request twice: then the second changes the first.
        let earlier = rows.iter().rfind(|row| row.namespace == spec.namespace && row.id == spec.id);
        let row = prepare(txn, now, spec, earlier)?;
        rows.push(row);
    }
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        keys.push(VolumeKey { namespace: row.namespace.clone(), id: row.id.clone() });
        txn.upsert::<CsiVolumes>(row)?;
    }
    Ok(keys)
}

fn prepare(
    view: &impl ReadView,
    now: i64,
    spec: VolumeSpec,
    earlier: Option<&CsiVolume>,
) -> Result<CsiVolume, RegisterError> {
    spec.validate().map_err(RegisterError::Invalid)?;
    let Some(plugin) = view.get::<CsiPlugins>(&spec.plugin_id) else {
        return Err(RegisterError::NoPlugin { plugin: spec.plugin_id });
    };
    let facts = PluginFacts::of(view, plugin);
    if facts.controller_required && facts.controllers_healthy == 0 {
        return Err(RegisterError::NoHealthyControllers { plugin: spec.plugin_id });
    }
    let stored = view.get::<CsiVolumes>((&spec.namespace, &spec.id));
    let known = earlier.or_else(|| stored.map(|entry| &**entry));
    let mut row = if let Some(known) = known {
        let mut row = known.clone();
        merge::update(&mut row, spec, plugin).map_err(RegisterError::Update)?;
        if row.provider != plugin.provider && !row.provider.is_empty() {
            return Err(RegisterError::IdentityChanged { volume: row.id });
        }
        row
    } else {
        new_row(spec, now)
    };
    if view.get::<Namespaces>(&row.namespace).is_none() {
        let (volume, namespace) = (row.id, row.namespace);
        return Err(RegisterError::NoNamespace { volume, namespace });
    }
    row.provider.clone_from(&plugin.provider);
    row.provider_version.clone_from(&plugin.version);
    row.controller_required = plugin.controller_required;
    row.modify_time = now;
    Ok(row)
}

fn new_row(spec: VolumeSpec, now: i64) -> CsiVolume {
    let required = || spec.requested_topologies.as_ref().and_then(|wish| wish.required.clone());
    let topologies =
        if spec.topologies.is_empty() { required().unwrap_or_default() } else { spec.topologies };
    CsiVolume {
        namespace: spec.namespace,
        id: spec.id,
        name: spec.name,
        external_id: spec.external_id,
        plugin_id: spec.plugin_id,
        requested_topologies: spec.requested_topologies,
        topologies,
        mount_options: spec.mount_options,
        secrets: spec.secrets,
        parameters: spec.parameters,
        context: spec.context,
        capacity: spec.capacity,
        requested_capacity_min: spec.requested_capacity_min,
        requested_capacity_max: spec.requested_capacity_max,
        requested_capabilities: spec.requested_capabilities,
        clone_id: spec.clone_id,
        snapshot_id: spec.snapshot_id,
        create_time: now,
        ..Default::default()
    }
}
