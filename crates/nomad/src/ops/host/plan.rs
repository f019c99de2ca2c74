//! Plans operations on host volumes: every check that is possible before the node is called.
//!
//! Nomad: `nomad/host_volume_endpoint.go`, `HostVolume.Create`, `Register` and `Delete`.

use statehold_store::ReadView;
use uuid::Uuid;

use super::{
    DEFAULT_HOST_PLUGIN,
    error::{HostOperation, HostStateError, HostVolumeError},
    placement::{place_volume, pool_exists},
};
use crate::{
    health::host_volume_users,
    host_volume_spec::HostVolumeSpec,
    id::parse_id,
    modes::{Capability, access_mode, attachment_mode},
    rows::{
        DEFAULT_NAMESPACE, HostVolume, HostVolumeState, HostVolumes, LostNodes, Namespaces, Nodes,
    },
};

/// A volume that its node has to create or adopt, before
/// [`record_host_volume`](super::record_host_volume).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostVolumePlan {
    pub(super) volume: HostVolume,
    pub(super) spec: HostVolumeSpec,
    pub(super) operation: HostOperation,
    pub(super) is_new: bool,
}

impl HostVolumePlan {
    /// Returns the request for the node that `node_id` names.
    pub fn volume(&self) -> &HostVolume {
        &self.volume
    }

    /// Returns the operation that the node has to execute.
    pub fn operation(&self) -> HostOperation {
        self.operation
    }

    /// Returns whether the volume is new: if recording it fails, the node's work should be undone.
    pub fn is_new(&self) -> bool {
        self.is_new
    }
}

/// Plans to create a volume on a node, or to update an existing one.
///
/// `namespace` is that of the request, for a volume that names none; `fresh` becomes the ID of a
/// new volume; `now` is in unix nanoseconds.
pub fn plan_host_create(
    view: &impl ReadView,
    now: i64,
    namespace: &str,
    mut spec: HostVolumeSpec,
    fresh: Uuid,
) -> Result<HostVolumePlan, HostVolumeError> {
    let known = check(view, namespace, &mut spec)?;
    let mut volume = base(&spec, known, now, fresh);
    if volume.plugin_id.is_empty() {
        volume.plugin_id = DEFAULT_HOST_PLUGIN.into();
    }
    // Nomad: nomad/structs/host_volumes.go, HostVolume.CanonicalizeForCreate.
    if let Some(known) = known {
        // The volume stays on its node: the constraints of an update are ignored, as in Nomad.
        volume.constraints.clone_from(&known.constraints);
        volume.capacity = known.capacity;
        volume.host_path.clone_from(&known.host_path);
        volume.node_id = known.node_id;
        // A deleted node can neither apply nor reject the update.
        if view.get::<Nodes>(known.node_id).is_none() {
            let error = HostStateError::NoNode { node: known.node_id.to_string().into() };
            return Err(HostVolumeError::State { volume: spec.name.clone(), error });
        }
    } else {
        // An update may remove the capabilities; only a new volume gets the default.
        volume.requested_capabilities = or_default(volume.requested_capabilities);
        volume.node_id = named_node(view, &spec)
            .map_err(|error| HostVolumeError::State { volume: spec.name.clone(), error })?;
    }
    place_volume(view, &mut volume)
        .map_err(|error| HostVolumeError::Placement { volume: spec.name.clone(), error })?;
    Ok(HostVolumePlan { volume, spec, operation: HostOperation::Create, is_new: known.is_none() })
}

/// Plans to adopt a volume that exists on a node. The arguments are those of [`plan_host_create`].
pub fn plan_host_register(
    view: &impl ReadView,
    now: i64,
    namespace: &str,
    mut spec: HostVolumeSpec,
    fresh: Uuid,
) -> Result<HostVolumePlan, HostVolumeError> {
    if spec.node_id.is_empty() {
        return Err(HostVolumeError::MissingNodeId);
    }
    if spec.host_path.is_empty() {
        return Err(HostVolumeError::MissingHostPath);
    }
    let known = check(view, namespace, &mut spec)?;
    let mut volume = base(&spec, known, now, fresh);
    volume.capacity = spec.capacity;
    volume.host_path.clone_from(&spec.host_path);
    // Nomad: nomad/structs/host_volumes.go, HostVolume.CanonicalizeForRegister.
    if let Some(known) = known {
        volume.constraints.clone_from(&known.constraints);
    } else {
        volume.requested_capabilities = or_default(volume.requested_capabilities);
    }
    volume.node_id = named_node(view, &spec)
        .map_err(|error| HostVolumeError::State { volume: volume.id.to_string().into(), error })?;
    if let Some(node) = view.get::<Nodes>(volume.node_id) {
        volume.node_pool.clone_from(&node.node_pool);
    }
    Ok(HostVolumePlan { volume, spec, operation: HostOperation::Register, is_new: known.is_none() })
}

/// Runs the checks of both operations: the volume's own rules, its namespace, and the volume that
/// it updates.
fn check<'v>(
    view: &'v impl ReadView,
    namespace: &str,
    spec: &mut HostVolumeSpec,
) -> Result<Option<&'v HostVolume>, HostVolumeError> {
    if spec.namespace.is_empty() {
        spec.namespace = if namespace.is_empty() { DEFAULT_NAMESPACE } else { namespace }.into();
    }
    // Before the lookups, so that a malformed request is reported as such.
    spec.validate().map_err(HostVolumeError::Invalid)?;
    if view.get::<Namespaces>(&spec.namespace).is_none() {
        return Err(HostVolumeError::NoNamespace { namespace: spec.namespace.clone() });
    }
    updated_volume(view, spec)
}

/// Returns the volume to update, `None` for a new one. Fails if the update is not allowed.
pub(super) fn updated_volume<'v>(
    view: &'v impl ReadView,
    spec: &HostVolumeSpec,
) -> Result<Option<&'v HostVolume>, HostVolumeError> {
    if spec.id.is_empty() {
        return Ok(None);
    }
    // Validation accepted the ID; a malformed one could not be the key of a row.
    let id = parse_id(&spec.id).ok();
    let known = id.and_then(|id| view.get::<HostVolumes>((&spec.namespace, id)));
    let Some(known) = known else {
        return Err(HostVolumeError::NothingToUpdate { id: spec.id.clone() });
    };
    let users = host_volume_users(view, known).map(|allocation| allocation.id).collect();
    spec.validate_update(known, users)
        .map_err(|violations| HostVolumeError::Update { id: known.id, violations })?;
    Ok(Some(known))
}

/// Returns the row with the requested fields, and those that an existing volume keeps.
fn base(spec: &HostVolumeSpec, known: Option<&HostVolume>, now: i64, fresh: Uuid) -> HostVolume {
    let kept = |own: &str, known: Option<&str>| -> Box<str> {
        if own.is_empty() { known.unwrap_or_default().into() } else { own.into() }
    };
    HostVolume {
        namespace: spec.namespace.clone(),
        id: known.map_or(fresh, |known| known.id),
        name: spec.name.clone(),
        plugin_id: kept(&spec.plugin_id, known.map(|known| &*known.plugin_id)),
        node_pool: kept(&spec.node_pool, known.map(|known| &*known.node_pool)),
        node_id: Uuid::nil(),
        constraints: spec.constraints.clone(),
        requested_capacity_min: spec.requested_capacity_min,
        requested_capacity_max: spec.requested_capacity_max,
        capacity: 0,
        requested_capabilities: spec.requested_capabilities.clone(),
        parameters: spec.parameters.clone(),
        host_path: Box::default(),
        state: HostVolumeState::Pending,
        create_time: known.map_or(now, |known| known.create_time),
        modify_time: now,
    }
}

// Nomad: nomad/structs/host_volumes.go, HostVolume.CanonicalizeForCreate.
fn or_default(capabilities: Vec<Capability>) -> Vec<Capability> {
    if !capabilities.is_empty() {
        return capabilities;
    }
    vec![Capability {
        attachment_mode: attachment_mode::FILE_SYSTEM.into(),
        access_mode: access_mode::SINGLE_NODE_WRITER.into(),
    }]
}

/// Returns the requested node, nil for none. Fails if the pool does not exist or does not contain
/// the node.
fn named_node(view: &impl ReadView, spec: &HostVolumeSpec) -> Result<Uuid, HostStateError> {
    let (node, pool) = (&spec.node_id, &spec.node_pool);
    let mut row = None;
    if !node.is_empty() {
        let found = parse_id(node).ok().and_then(|id| view.get::<Nodes>(id));
        let Some(found) = found else {
            return Err(HostStateError::NoNode { node: node.clone() });
        };
        row = Some(found);
    }
    // Checked even if the node is named: an unknown pool is a mistake in any case.
    if !pool.is_empty() && !pool_exists(view, pool) {
        return Err(HostStateError::NoPool { pool: pool.clone() });
    }
    let Some(row) = row else { return Ok(Uuid::nil()) };
    if !pool.is_empty() && *pool != row.node_pool {
        return Err(HostStateError::NotInPool { node: node.clone(), pool: pool.clone() });
    }
    Ok(row.id)
}

/// A volume that its node has to delete, before [`record_host_delete`](super::record_host_delete).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostDeletePlan {
    pub(super) volume: HostVolume,
    pub(super) force: bool,
}

impl HostDeletePlan {
    /// Returns the request for the node that `node_id` names. A volume with an empty `plugin_id`
    /// was registered, not created: the node keeps its data.
    pub fn volume(&self) -> &HostVolume {
        &self.volume
    }
}

/// Plans to delete a volume; `id` is complete.
///
/// With `force` its row is deleted even if its node cannot be reached.
pub fn plan_host_delete(
    view: &impl ReadView,
    namespace: &str,
    id: &str,
    force: bool,
) -> Result<HostDeletePlan, HostVolumeError> {
    if id.is_empty() {
        return Err(HostVolumeError::MissingId);
    }
    // A malformed ID exists as little as an unknown one, and gets the same error.
    let found = parse_id(id).ok().and_then(|id| view.get::<HostVolumes>((namespace, id)));
    let Some(volume) = found else { return Err(HostVolumeError::NotFound { id: id.into() }) };
    let allocations: Vec<Uuid> =
        host_volume_users(view, volume).map(|allocation| allocation.id).collect();
    if !allocations.is_empty() {
        let node = volume.node_id;
        // The error then says for how long the volume stays in use.
        let lost_node = view.get::<LostNodes>(node).is_some().then_some(node);
        return Err(HostVolumeError::InUse { id: volume.id, allocations, lost_node });
    }
    Ok(HostDeletePlan { volume: HostVolume::clone(volume), force })
}
