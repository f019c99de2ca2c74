//! Registering volumes that exist at their provider, new ones and known ones, all of a request or
//! none.

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

/// Why volumes couldn't be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// The request names no volumes.
    MissingDefinition,
    /// A volume can't be right as it was sent.
    Invalid(VolumeSpecError),
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
    /// The plugin has no controller that could make volumes.
    NoController,
    /// The plugin's controller can't make volumes.
    CreateUnsupported,
    /// The provider says that the volume can't be used as asked.
    Controller(ControllerError),
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
    /// Another volume is the same data of the provider: deleting one would delete the other's.
    DataTaken {
        /// The volume's ID.
        volume: Box<str>,
        /// The provider's name for the data.
        external_id: Box<str>,
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

/// What a provider answered about a volume, before it is recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The volume that it made.
    pub(super) created: Option<CreatedVolume>,
    /// What it enlarged the volume to, in bytes.
    pub(super) capacity: Option<i64>,
}

/// Registers volumes without asking any provider; `namespace` is that of the request, for volumes
/// that name none.
///
/// A volume that is registered already takes over what may change. The keys come back in the order
/// of the request; after the commit, a snapshot has the rows.
pub fn register(
    txn: &mut WriteTxn<'_>,
    now: i64,
    namespace: &str,
    volumes: Vec<VolumeSpec>,
) -> Result<Vec<VolumeKey>, RegisterError> {
    if volumes.is_empty() {
        return Err(RegisterError::MissingDefinition);
    }
    let named = |spec| (with_namespace(spec, namespace), Answer::default());
    put(txn, now, volumes.into_iter().map(named).collect())
}

/// Refuses to register volumes whose data another volume is.
///
/// Rights to a namespace are no rights to the data of others: a caller that may write to one namespace
/// could otherwise register another's external ID there, and read or delete the data. Callers that may
/// do everything need no check. `namespace` is that of the request, for volumes that name none.
pub fn check_own_data(
    view: &impl ReadView,
    namespace: &str,
    volumes: &[VolumeSpec],
) -> Result<(), RegisterError> {
    // The volumes of this request by their data: one request is no way around the rule for two.
    let mut requested: BTreeMap<(&str, &str), (&str, &str)> = BTreeMap::new();
    for spec in volumes {
        let own = own_namespace(spec, namespace);
        // A volume that is registered already was allowed then: an operator may have shared it on purpose.
        if view.get::<CsiVolumes>((own, &spec.id)).is_some() {
            continue;
        }
        let named = if spec.external_id.is_empty() { &spec.id } else { &spec.external_id };
        let volume = (own, &*spec.id);
        let first = *requested.entry((&spec.plugin_id, named)).or_insert(volume);
        if first != volume || sharers(view, spec, own, named).next().is_some() {
            return Err(taken(spec, named));
        }
    }
    Ok(())
}

/// Refuses to create volumes as copies of volumes in other namespaces, for the same reason as
/// [`check_own_data`].
pub fn check_own_sources(
    view: &impl ReadView,
    namespace: &str,
    volumes: &[VolumeSpec],
) -> Result<(), RegisterError> {
    for spec in volumes {
        let own = own_namespace(spec, namespace);
        let mut sources = CsiVolumes::with_data(view, &spec.plugin_id, &spec.clone_id).peekable();
        // Data that no volume here is belongs to no namespace.
        if sources.peek().is_some() && sources.all(|row| *row.namespace != *own) {
            return Err(taken(spec, &spec.clone_id));
        }
    }
    Ok(())
}

fn own_namespace<'s>(spec: &'s VolumeSpec, namespace: &'s str) -> &'s str {
    if spec.namespace.is_empty() { namespace } else { &spec.namespace }
}

fn taken(spec: &VolumeSpec, external_id: &str) -> RegisterError {
    RegisterError::DataTaken { volume: spec.id.clone(), external_id: external_id.into() }
}

/// The other volumes that are the data which the provider of `spec` calls `remote_id`.
fn sharers<'v>(
    view: &'v impl ReadView,
    spec: &VolumeSpec,
    namespace: &str,
    remote_id: &'v str,
) -> impl Iterator<Item = &'v CsiVolume> {
    let (namespace, id) = (Box::<str>::from(namespace), spec.id.clone());
    CsiVolumes::with_data(view, &spec.plugin_id, remote_id)
        .filter(move |row| (&row.namespace, &row.id) != (&namespace, &id))
}

/// The volume in the namespace of its request, if it names none.
pub(super) fn with_namespace(mut spec: VolumeSpec, namespace: &str) -> VolumeSpec {
    if spec.namespace.is_empty() {
        spec.namespace = if namespace.is_empty() { DEFAULT_NAMESPACE } else { namespace }.into();
    }
    spec
}

/// Writes all volumes or none.
pub(super) fn put(
    txn: &mut WriteTxn<'_>,
    now: i64,
    volumes: Vec<(VolumeSpec, Answer)>,
) -> Result<Vec<VolumeKey>, RegisterError> {
    let mut rows: Vec<CsiVolume> = Vec::with_capacity(volumes.len());
    // The place of each volume's last row. Looking through the rows instead would cost the square of their
    // number, in the one write transaction that there is.
    let mut places: BTreeMap<VolumeKey, usize> = BTreeMap::new();
    for (spec, answer) in volumes {
        // A volume may be in the request twice: then the second changes the first.
        let key = VolumeKey { namespace: spec.namespace.clone(), id: spec.id.clone() };
        let earlier = places.insert(key, rows.len()).and_then(|place| rows.get(place));
        // Two requests may have asked the provider for one name at the same time.
        if let Some(made) = &answer.created
            && sharers(txn, &spec, &spec.namespace, &made.external_id).next().is_some()
        {
            return Err(taken(&spec, &made.external_id));
        }
        let row = prepare(txn, now, spec, earlier, &answer)?;
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

/// Checks the volume alone, and that its plugin could serve it.
pub(super) fn check_plugin<'v>(
    view: &'v impl ReadView,
    spec: &VolumeSpec,
) -> Result<&'v CsiPlugin, RegisterError> {
    spec.validate().map_err(RegisterError::Invalid)?;
    let Some(plugin) = view.get::<CsiPlugins>(&spec.plugin_id) else {
        return Err(RegisterError::NoPlugin { plugin: spec.plugin_id.clone() });
    };
    let facts = PluginHealth::health(plugin);
    if facts.controller_required && facts.controllers_healthy == 0 {
        return Err(RegisterError::NoHealthyControllers { plugin: spec.plugin_id.clone() });
    }
    Ok(plugin)
}

/// The row of a volume, from what is known of it, what is asked for, and what its provider answered.
pub(super) fn prepare(
    view: &impl ReadView,
    now: i64,
    spec: VolumeSpec,
    earlier: Option<&CsiVolume>,
    answer: &Answer,
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

/// A volume that nobody knew; what its provider made is what it is.
fn new_row(mut spec: VolumeSpec, now: i64, made: Option<&CreatedVolume>) -> CsiVolume {
    if let Some(made) = made {
        spec.external_id.clone_from(&made.external_id);
        spec.capacity = made.capacity;
        spec.context.clone_from(&made.context);
        spec.topologies.clone_from(&made.topologies);
    }
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
