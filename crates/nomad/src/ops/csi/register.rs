//! Registers volumes that exist at their provider, new ones and known ones: all volumes of a
//! request or none.
//!
//! Nomad: `nomad/csi_endpoint.go`, `CSIVolume.Register`; `nomad/state/state_store.go`,
//! `UpsertCSIVolume`.

use std::{collections::BTreeMap, fmt};

use statehold_store::{ReadView, WriteError, WriteTxn};

use crate::{
    controller::{ControllerError, any_controller},
    fmt::Quoted,
    health::PluginHealth,
    ops::claims::move_claims,
    provider::CreatedVolume,
    rows::{
        CsiPlugin, CsiPlugins, CsiVolume, CsiVolumes, DEFAULT_NAMESPACE, Namespaces, VolumeKey,
    },
    update::{self, UpdateError},
    volume_spec::{VolumeSpec, VolumeSpecError},
};

/// Why volumes could not be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// The request names no volumes.
    MissingDefinition,
    /// A volume violates a rule that needs no other state.
    Invalid(VolumeSpecError),
    /// The plugin does not exist.
    NoPlugin {
        /// Its ID.
        plugin: Box<str>,
    },
    /// The plugin requires a controller, and none is healthy.
    NoHealthyControllers {
        /// The plugin's ID.
        plugin: Box<str>,
    },
    /// The plugin has no controller that could create volumes.
    NoController,
    /// The plugin's controller does not support creating volumes.
    CreateUnsupported,
    /// The provider rejected the volume.
    Controller(ControllerError),
    /// A registered volume cannot be updated as requested.
    Update(UpdateError),
    /// The namespace does not exist.
    NoNamespace {
        /// The volume's ID.
        volume: Box<str>,
        /// The namespace.
        namespace: Box<str>,
    },
    /// The plugin of a registered volume now reports a different provider.
    IdentityChanged {
        /// The volume's ID.
        volume: Box<str>,
    },
    /// Another volume has the same data at the provider: deleting one would delete the data of
    /// both.
    DataTaken {
        /// The volume's ID.
        volume: Box<str>,
        /// The provider's ID of the data.
        external_id: Box<str>,
    },
    /// The store failed.
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
            Self::NoController => f.write_str("plugin has no controller"),
            Self::CreateUnsupported => f.write_str("plugin does not support creating volumes"),
            Self::Controller(error) => error.fmt(f),
            Self::Update(error) => write!(f, "unable to update volume: {error}"),
            Self::NoNamespace { volume, namespace } => {
                write!(f, "volume {volume} is in nonexistent namespace {namespace}")
            }
            Self::IdentityChanged { volume } => {
                write!(f, "volume identity cannot be updated: {volume}")
            }
            Self::DataTaken { volume, external_id } => write!(
                f,
                "volume {volume}: external ID {} belongs to another volume of the plugin; \
                 deregister that one first",
                Quoted(external_id)
            ),
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

/// The result of a provider's call for a volume, before it is recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ProviderResult {
    /// The volume that was created.
    pub(super) created: Option<CreatedVolume>,
    /// The capacity after an expansion, in bytes.
    pub(super) capacity: Option<i64>,
}

/// Registers volumes without calling a provider. `namespace` is that of the request, for volumes
/// that name none.
///
/// A volume that is registered already is updated in the fields that may change. Returns the keys
/// in the order of the request; after the commit, a snapshot has the rows.
pub fn register(
    txn: &mut WriteTxn<'_>,
    now: i64,
    namespace: &str,
    volumes: Vec<VolumeSpec>,
) -> Result<Vec<VolumeKey>, RegisterError> {
    if volumes.is_empty() {
        return Err(RegisterError::MissingDefinition);
    }
    let named = |spec| (with_namespace(spec, namespace), ProviderResult::default());
    write_volumes(txn, now, volumes.into_iter().map(named).collect())
}

/// Fails if a volume's data belongs to another volume.
///
/// Permissions on a namespace grant no access to data of other namespaces: a caller that may write
/// to one namespace could otherwise register another's external ID there, and read or delete the
/// data. A management token needs no check. `namespace` is that of the request, for volumes that
/// name none.
pub fn check_own_data(
    view: &impl ReadView,
    namespace: &str,
    volumes: &[VolumeSpec],
) -> Result<(), RegisterError> {
    // The volumes of this request by their data, because two of one request MUST NOT share data
    // either.
    let mut requested: BTreeMap<(&str, &str), (&str, &str)> = BTreeMap::new();
    for spec in volumes {
        let own = own_namespace(spec, namespace);
        // A registered volume passed the check before, or an operator shared its data on purpose.
        if view.get::<CsiVolumes>((own, &spec.id)).is_some() {
            continue;
        }
        // Nomad: nomad/structs/csi.go, CSIVolume.RemoteID: a volume without an external ID has its
        // own ID.
        let named = if spec.external_id.is_empty() { &spec.id } else { &spec.external_id };
        let volume = (own, &*spec.id);
        let first = *requested.entry((&spec.plugin_id, named)).or_insert(volume);
        if first != volume || volumes_sharing_data(view, spec, own, named).next().is_some() {
            return Err(data_taken(spec, named));
        }
    }
    Ok(())
}

/// Fails if a volume would be a copy of a volume in another namespace, for the same reason as
/// [`check_own_data`].
pub fn check_own_sources(
    view: &impl ReadView,
    namespace: &str,
    volumes: &[VolumeSpec],
) -> Result<(), RegisterError> {
    for spec in volumes {
        let own = own_namespace(spec, namespace);
        let mut sources = CsiVolumes::with_data(view, &spec.plugin_id, &spec.clone_id).peekable();
        // Data without a volume belongs to no namespace.
        if sources.peek().is_some() && sources.all(|row| *row.namespace != *own) {
            return Err(data_taken(spec, &spec.clone_id));
        }
    }
    Ok(())
}

fn own_namespace<'s>(spec: &'s VolumeSpec, namespace: &'s str) -> &'s str {
    if spec.namespace.is_empty() { namespace } else { &spec.namespace }
}

fn data_taken(spec: &VolumeSpec, external_id: &str) -> RegisterError {
    RegisterError::DataTaken { volume: spec.id.clone(), external_id: external_id.into() }
}

/// Returns the other volumes whose data the provider of `spec` calls `remote_id`.
fn volumes_sharing_data<'v>(
    view: &'v impl ReadView,
    spec: &VolumeSpec,
    namespace: &str,
    remote_id: &'v str,
) -> impl Iterator<Item = &'v CsiVolume> {
    let (namespace, id) = (Box::<str>::from(namespace), spec.id.clone());
    CsiVolumes::with_data(view, &spec.plugin_id, remote_id)
        .filter(move |row| (&row.namespace, &row.id) != (&namespace, &id))
}

/// Sets the namespace of a volume that names none to that of its request.
pub(super) fn with_namespace(mut spec: VolumeSpec, namespace: &str) -> VolumeSpec {
    if spec.namespace.is_empty() {
        spec.namespace = if namespace.is_empty() { DEFAULT_NAMESPACE } else { namespace }.into();
    }
    spec
}

/// Writes all volumes or none.
pub(super) fn write_volumes(
    txn: &mut WriteTxn<'_>,
    now: i64,
    volumes: Vec<(VolumeSpec, ProviderResult)>,
) -> Result<Vec<VolumeKey>, RegisterError> {
    let mut rows: Vec<CsiVolume> = Vec::with_capacity(volumes.len());
    // The index of each volume's last row. A search through the rows would take quadratic time, in
    // the only write transaction.
    let mut places: BTreeMap<VolumeKey, usize> = BTreeMap::new();
    for (spec, answer) in volumes {
        // A volume may be in the request twice; the second entry then updates the first.
        let key = VolumeKey { namespace: spec.namespace.clone(), id: spec.id.clone() };
        let earlier = places.insert(key, rows.len()).and_then(|place| rows.get(place));
        // Two requests may have created a volume of one name at the same time.
        if let Some(made) = &answer.created
            && volumes_sharing_data(txn, &spec, &spec.namespace, &made.external_id).next().is_some()
        {
            return Err(data_taken(&spec, &made.external_id));
        }
        let row = build_row(txn, now, spec, earlier, &answer)?;
        rows.push(row);
    }
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        let key = VolumeKey { namespace: row.namespace.clone(), id: row.id.clone() };
        txn.upsert::<CsiVolumes>(row)?;
        move_claims(txn, &key.namespace, &key.id)?;
        keys.push(key);
    }
    Ok(keys)
}

/// Validates a volume, and checks that its plugin can serve it.
pub(super) fn check_plugin<'v>(
    view: &'v impl ReadView,
    spec: &VolumeSpec,
) -> Result<&'v CsiPlugin, RegisterError> {
    spec.validate().map_err(RegisterError::Invalid)?;
    let Some(plugin) = view.get::<CsiPlugins>(&spec.plugin_id) else {
        return Err(RegisterError::NoPlugin { plugin: spec.plugin_id.clone() });
    };
    let health = PluginHealth::from_row(plugin);
    if health.controller_required && health.controllers_healthy == 0 {
        return Err(RegisterError::NoHealthyControllers { plugin: spec.plugin_id.clone() });
    }
    Ok(plugin)
}

/// Builds the row of a volume from the stored row, the request and the provider's result.
pub(super) fn build_row(
    view: &impl ReadView,
    now: i64,
    spec: VolumeSpec,
    earlier: Option<&CsiVolume>,
    answer: &ProviderResult,
) -> Result<CsiVolume, RegisterError> {
    let plugin = check_plugin(view, &spec)?;
    let stored = view.get::<CsiVolumes>((&spec.namespace, &spec.id));
    let known = earlier.or_else(|| stored.map(|entry| &**entry));
    let mut row = if let Some(known) = known {
        let mut row = known.clone();
        let can_expand =
            || any_controller(view, &plugin.id, |controller| controller.supports_expand);
        update::update(&mut row, spec, can_expand, answer.capacity)
            .map_err(RegisterError::Update)?;
        // An empty provider is that of a row from before the plugin reported its name.
        if row.provider != plugin.provider && !row.provider.is_empty() {
            return Err(RegisterError::IdentityChanged { volume: row.id });
        }
        row
    } else {
        new_row(spec, now, answer.created.as_ref())
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

/// Returns the row of a new volume. The provider's result takes precedence over the request.
fn new_row(mut spec: VolumeSpec, now: i64, made: Option<&CreatedVolume>) -> CsiVolume {
    if let Some(made) = made {
        spec.external_id.clone_from(&made.external_id);
        spec.capacity = made.capacity;
        spec.context.clone_from(&made.context);
        spec.topologies.clone_from(&made.topologies);
    }
    // Without topologies from the provider, the required ones are the best known.
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
