//! The views of a CSI volume.

use serde::{Serialize, Serializer};
use statehold_store::{Entry, ReadView};
use uuid::Uuid;

use super::AllocationStub;
use crate::{
    health::{HealthReader, VolumeHealth, claims_on},
    modes::Capability,
    rows::{Allocations, CsiClaim, CsiVolume, Labels, MountOptions, Topology, TopologyRequest},
};

/// A volume in a list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/csi.go, CSIVolListStub.
pub struct VolumeStub<'v> {
    #[serde(rename = "ID")]
    id: &'v str,
    namespace: &'v str,
    name: &'v str,
    #[serde(rename = "ExternalID")]
    external_id: &'v str,
    topologies: &'v [Topology],
    access_mode: &'v str,
    attachment_mode: &'v str,
    current_readers: u64,
    current_writers: u64,
    schedulable: bool,
    #[serde(rename = "PluginID")]
    plugin_id: &'v str,
    provider: &'v str,
    controller_required: bool,
    controllers_healthy: u64,
    controllers_expected: u64,
    nodes_healthy: u64,
    nodes_expected: u64,
    /// The time at which the volume ran out of a resource: never. Nomad encodes a time that was
    /// never set as `null`.
    resource_exhausted: (),
    create_index: u64,
    modify_index: u64,
    create_time: i64,
    modify_time: i64,
}

impl<'v> VolumeStub<'v> {
    /// Creates the view of `entry` with its health.
    pub fn new(entry: &'v Entry<CsiVolume>, health: VolumeHealth<'v>) -> Self {
        Self {
            id: &entry.id,
            namespace: &entry.namespace,
            name: &entry.name,
            external_id: &entry.external_id,
            topologies: &entry.topologies,
            access_mode: &entry.access_mode,
            attachment_mode: &entry.attachment_mode,
            current_readers: entry.claims.readers,
            current_writers: entry.claims.writers,
            schedulable: health.schedulable,
            plugin_id: &entry.plugin_id,
            provider: health.plugin.provider,
            controller_required: health.plugin.controller_required,
            controllers_healthy: health.plugin.controllers_healthy,
            controllers_expected: health.plugin.controllers_expected,
            nodes_healthy: health.plugin.nodes_healthy,
            nodes_expected: health.plugin.nodes_expected,
            resource_exhausted: (),
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
            create_time: entry.create_time,
            modify_time: entry.modify_time,
        }
    }
}

/// The mount options of a volume, without the flags.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MountOptionsView<'v> {
    #[serde(rename = "FSType")]
    fs_type: &'v str,
    #[serde(rename = "MountFlags")]
    mount_flags: Option<[&'static str; 1]>,
}

impl<'v> MountOptionsView<'v> {
    /// Creates the view of `options`.
    pub fn new(options: Option<&'v MountOptions>) -> Self {
        let Some(options) = options else { return Self { fs_type: "", mount_flags: None } };
        // Nomad: nomad/structs/csi.go redacts the flags of CSIMountOptions likewise.
        let mount_flags = (!options.mount_flags.is_empty()).then_some(["[REDACTED]"]);
        Self { fs_type: &options.fs_type, mount_flags }
    }
}

/// A volume with all its fields.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: command/agent/csi_endpoint.go, structsCSIVolumeToApi.
pub struct VolumeView<'v> {
    #[serde(rename = "ID")]
    id: &'v str,
    name: &'v str,
    #[serde(rename = "ExternalID")]
    external_id: &'v str,
    namespace: &'v str,
    requested_topologies: Option<&'v TopologyRequest>,
    topologies: &'v [Topology],
    access_mode: &'v str,
    attachment_mode: &'v str,
    mount_options: MountOptionsView<'v>,
    secrets: (),
    parameters: &'v Labels,
    context: &'v Labels,
    capacity: i64,
    requested_capacity_min: i64,
    requested_capacity_max: i64,
    requested_capabilities: Option<&'v [Capability]>,
    #[serde(rename = "CloneID")]
    clone_id: &'v str,
    #[serde(rename = "SnapshotID")]
    snapshot_id: &'v str,
    read_allocs: AllocationIds,
    write_allocs: AllocationIds,
    schedulable: bool,
    #[serde(rename = "PluginID")]
    plugin_id: &'v str,
    provider: &'v str,
    provider_version: &'v str,
    controller_required: bool,
    controllers_healthy: u64,
    controllers_expected: u64,
    nodes_healthy: u64,
    nodes_expected: u64,
    /// The time at which the volume ran out of a resource: never. Nomad encodes a time that was
    /// never set as `null`.
    resource_exhausted: (),
    create_index: u64,
    modify_index: u64,
    create_time: i64,
    modify_time: i64,
    allocations: Vec<AllocationStub<'v>>,
}

impl<'v> VolumeView<'v> {
    /// Creates the view of `entry`, with its health and the allocations that claim it as of `view`.
    pub fn new<V: ReadView>(view: &'v V, entry: &'v Entry<CsiVolume>) -> Self {
        let health = HealthReader::new(view).of(entry);
        let active = claims_on(view, entry).filter(|row| row.active.is_some());
        let (writers, readers): (Vec<_>, Vec<_>) = active.partition(|row| row.writing().is_some());
        let ids = |rows: Vec<&Entry<CsiClaim>>| {
            AllocationIds(rows.into_iter().map(|row| row.allocation_id).collect())
        };
        // Readers come first, each part ordered by ID, so that equal states serialise equally.
        let (readers, writers) = (ids(readers), ids(writers));
        let allocations: Vec<_> = (readers.0.iter().chain(&writers.0))
            // The claim of a deleted allocation has no stub to show.
            .filter_map(|id| view.get::<Allocations>(*id))
            .map(AllocationStub::new)
            .collect();
        let capabilities = &entry.requested_capabilities;
        Self {
            id: &entry.id,
            name: &entry.name,
            external_id: &entry.external_id,
            namespace: &entry.namespace,
            requested_topologies: entry.requested_topologies.as_ref(),
            topologies: &entry.topologies,
            access_mode: &entry.access_mode,
            attachment_mode: &entry.attachment_mode,
            mount_options: MountOptionsView::new(entry.mount_options.as_ref()),
            secrets: (),
            parameters: &entry.parameters,
            context: &entry.context,
            capacity: entry.capacity,
            requested_capacity_min: entry.requested_capacity_min,
            requested_capacity_max: entry.requested_capacity_max,
            // Go encodes a slice that was never set as `null`.
            requested_capabilities: (!capabilities.is_empty()).then_some(capabilities),
            clone_id: &entry.clone_id,
            snapshot_id: &entry.snapshot_id,
            read_allocs: readers,
            write_allocs: writers,
            schedulable: health.schedulable,
            plugin_id: &entry.plugin_id,
            provider: health.plugin.provider,
            provider_version: health.plugin.version,
            controller_required: health.plugin.controller_required,
            controllers_healthy: health.plugin.controllers_healthy,
            controllers_expected: health.plugin.controllers_expected,
            nodes_healthy: health.plugin.nodes_healthy,
            nodes_expected: health.plugin.nodes_expected,
            resource_exhausted: (),
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
            create_time: entry.create_time,
            modify_time: entry.modify_time,
            allocations,
        }
    }
}

/// A volume as returned to the holder of a claim: the fields that a node needs to use it, and the
/// number of claims.
///
/// Its cost is independent of the number of claims, jobs and plugin instances, because every claim
/// request returns it. Clients that need the other claims read the volume.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/csi.go, CSIVolumeClaimResponse.Volume.
pub struct ClaimedVolumeView<'v> {
    #[serde(rename = "ID")]
    id: &'v str,
    name: &'v str,
    #[serde(rename = "ExternalID")]
    external_id: &'v str,
    namespace: &'v str,
    topologies: &'v [Topology],
    access_mode: &'v str,
    attachment_mode: &'v str,
    mount_options: MountOptionsView<'v>,
    parameters: &'v Labels,
    context: &'v Labels,
    capacity: i64,
    requested_capabilities: Option<&'v [Capability]>,
    current_readers: u64,
    current_writers: u64,
    schedulable: bool,
    #[serde(rename = "PluginID")]
    plugin_id: &'v str,
    provider: &'v str,
    provider_version: &'v str,
    controller_required: bool,
    controllers_healthy: u64,
    nodes_healthy: u64,
    create_index: u64,
    modify_index: u64,
    create_time: i64,
    modify_time: i64,
}

impl<'v> ClaimedVolumeView<'v> {
    /// Creates the view of `entry`, with its health as of `view`.
    pub fn new<V: ReadView>(view: &'v V, entry: &'v Entry<CsiVolume>) -> Self {
        // Without the expected counts, which would read each job of the plugin.
        let health = VolumeHealth::for_claim(view, entry);
        let capabilities = &entry.requested_capabilities;
        Self {
            id: &entry.id,
            name: &entry.name,
            external_id: &entry.external_id,
            namespace: &entry.namespace,
            topologies: &entry.topologies,
            access_mode: &entry.access_mode,
            attachment_mode: &entry.attachment_mode,
            mount_options: MountOptionsView::new(entry.mount_options.as_ref()),
            parameters: &entry.parameters,
            context: &entry.context,
            capacity: entry.capacity,
            requested_capabilities: (!capabilities.is_empty()).then_some(capabilities),
            current_readers: entry.claims.readers,
            current_writers: entry.claims.writers,
            schedulable: health.schedulable,
            plugin_id: &entry.plugin_id,
            provider: health.plugin.provider,
            provider_version: health.plugin.version,
            controller_required: health.plugin.controller_required,
            controllers_healthy: health.plugin.controllers_healthy,
            nodes_healthy: health.plugin.nodes_healthy,
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
            create_time: entry.create_time,
            modify_time: entry.modify_time,
        }
    }
}

/// An object whose names are the claiming allocations. The values are `null`: clients look into
/// `Allocations`.
#[derive(Clone, Debug)]
struct AllocationIds(Vec<Uuid>);

impl Serialize for AllocationIds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|id| (id, ())))
    }
}
