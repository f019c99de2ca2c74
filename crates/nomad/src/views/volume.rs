//! The JSON of a volume, in lists and alone.

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
    /// When the volume ran out of a resource: never. Nomad writes a time that was not set as `null`.
    resource_exhausted: (),
    create_index: u64,
    modify_index: u64,
    create_time: i64,
    modify_time: i64,
}

impl<'v> VolumeStub<'v> {
    /// The view of `entry`, about which `facts` are known.
    pub fn new(entry: &'v Entry<CsiVolume>, facts: VolumeHealth<'v>) -> Self {
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
            schedulable: facts.schedulable,
            plugin_id: &entry.plugin_id,
            provider: facts.plugin.provider,
            controller_required: facts.plugin.controller_required,
            controllers_healthy: facts.plugin.controllers_healthy,
            controllers_expected: facts.plugin.controllers_expected,
            nodes_healthy: facts.plugin.nodes_healthy,
            nodes_expected: facts.plugin.nodes_expected,
            resource_exhausted: (),
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
            create_time: entry.create_time,
            modify_time: entry.modify_time,
        }
    }
}

/// How a volume is mounted, without the flags.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MountOptionsView<'v> {
    #[serde(rename = "FSType")]
    fs_type: &'v str,
    #[serde(rename = "MountFlags")]
    mount_flags: Option<[&'static str; 1]>,
}

impl<'v> MountOptionsView<'v> {
    /// The view of `options`.
    pub fn new(options: Option<&'v MountOptions>) -> Self {
        let Some(options) = options else { return Self { fs_type: "", mount_flags: None } };
        let mount_flags = (!options.mount_flags.is_empty()).then_some(["[REDACTED]"]);
        Self { fs_type: &options.fs_type, mount_flags }
    }
}

/// A volume alone.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
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
    /// When the volume ran out of a resource: never. Nomad writes a time that was not set as `null`.
    resource_exhausted: (),
    create_index: u64,
    modify_index: u64,
    create_time: i64,
    modify_time: i64,
    allocations: Vec<AllocationStub<'v>>,
}

impl<'v> VolumeView<'v> {
    /// The view of `entry`, with its plugin's state and the allocations that claim it, as `view`
    /// has them.
    pub fn new<V: ReadView>(view: &'v V, entry: &'v Entry<CsiVolume>) -> Self {
        let facts = HealthReader::new(view).of(entry);
        let active = claims_on(view, entry).filter(|row| row.active.is_some());
        let (writers, readers): (Vec<_>, Vec<_>) = active.partition(|row| row.writing().is_some());
        let ids = |rows: Vec<&Entry<CsiClaim>>| {
            AllocationIds(rows.into_iter().map(|row| row.allocation_id).collect())
        };
        let (readers, writers) = (ids(readers), ids(writers));
        let allocations: Vec<_> = (readers.0.iter().chain(&writers.0))
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
            requested_capabilities: (!capabilities.is_empty()).then_some(capabilities),
            clone_id: &entry.clone_id,
            snapshot_id: &entry.snapshot_id,
            read_allocs: readers,
            write_allocs: writers,
            schedulable: facts.schedulable,
            plugin_id: &entry.plugin_id,
            provider: facts.plugin.provider,
            provider_version: facts.plugin.version,
            controller_required: facts.plugin.controller_required,
            controllers_healthy: facts.plugin.controllers_healthy,
            controllers_expected: facts.plugin.controllers_expected,
            nodes_healthy: facts.plugin.nodes_healthy,
            nodes_expected: facts.plugin.nodes_expected,
            resource_exhausted: (),
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
            create_time: entry.create_time,
            modify_time: entry.modify_time,
            allocations,
        }
    }
}

/// A volume as the holder of a claim on it sees it: what a node needs to use it, and how many claims hold it.
///
/// Costs the same for any number of claims, jobs and instances of the plugin, because every claim is answered
/// with it. Readers that want the other claims read the volume alone.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
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
    /// The view of `entry`, with its plugin's health as `view` has it.
    pub fn new<V: ReadView>(view: &'v V, entry: &'v Entry<CsiVolume>) -> Self {
        let facts = VolumeHealth::for_claim(view, entry);
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
            schedulable: facts.schedulable,
            plugin_id: &entry.plugin_id,
            provider: facts.plugin.provider,
            provider_version: facts.plugin.version,
            controller_required: facts.plugin.controller_required,
            controllers_healthy: facts.plugin.controllers_healthy,
            nodes_healthy: facts.plugin.nodes_healthy,
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
            create_time: entry.create_time,
            modify_time: entry.modify_time,
        }
    }
}

/// An object with the claiming allocations as names. The values say nothing: clients look into
/// `Allocations`.
#[derive(Clone, Debug)]
struct AllocationIds(Vec<Uuid>);

impl Serialize for AllocationIds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|id| (id, ())))
    }
}
