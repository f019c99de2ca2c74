//! Rows as earlier versions of their tables stored them, and their migrations.
//!
//! Fields are stored in order and without names, so these types MUST NOT change. A directory that
//! recorded the shape of a version is opened only if its type here has that shape.

use std::collections::BTreeMap;

use serde::Deserialize;
use uuid::Uuid;

use super::{
    Allocation, Claim, CsiClaim, CsiPlugin, CsiPluginInstance, CsiVolume, Job, Labels,
    MountOptions, Namespace, Node, NodeHostVolume, PluginInfo, PluginRole, RequestKind, TaskGroup,
    TaskPlugin, Topology, TopologyRequest, VolumeRequest,
};
use crate::{
    modes::{Capability, ClaimMode, ClaimState},
    secrets::Secrets,
};

/// Before namespaces had more than a description.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub(super) struct NamespaceV1 {
    name: Box<str>,
    description: Box<str>,
}

impl From<NamespaceV1> for Namespace {
    fn from(old: NamespaceV1) -> Self {
        Self { name: old.name, description: old.description, ..Self::default() }
    }
}

/// Before nodes had host volumes.
#[derive(Deserialize)]
pub(super) struct NodeV1 {
    id: Uuid,
    name: Box<str>,
    datacenter: Box<str>,
    node_pool: Box<str>,
    node_class: Box<str>,
    status: Box<str>,
    scheduling_eligibility: Box<str>,
    attributes: Labels,
    meta: Labels,
    controller_plugins: BTreeMap<Box<str>, PluginInfo>,
    node_plugins: BTreeMap<Box<str>, PluginInfo>,
    create_time: i64,
    modify_time: i64,
}

impl From<NodeV1> for Node {
    fn from(old: NodeV1) -> Self {
        Self {
            id: old.id,
            name: old.name,
            datacenter: old.datacenter,
            node_pool: old.node_pool,
            node_class: old.node_class,
            status: old.status,
            scheduling_eligibility: old.scheduling_eligibility,
            attributes: old.attributes,
            meta: old.meta,
            controller_plugins: old.controller_plugins,
            node_plugins: old.node_plugins,
            create_time: old.create_time,
            modify_time: old.modify_time,
            // Version 1 had no dynamic host volumes, so there was nothing to delete with the node.
            gc_volumes_on_node_gc: false,
            unmoved_host_volumes: Vec::new(),
        }
    }
}

/// Before the host volumes of a node had their own rows.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub(super) struct NodeV2 {
    id: Uuid,
    name: Box<str>,
    datacenter: Box<str>,
    node_pool: Box<str>,
    node_class: Box<str>,
    status: Box<str>,
    scheduling_eligibility: Box<str>,
    attributes: Labels,
    meta: Labels,
    controller_plugins: BTreeMap<Box<str>, PluginInfo>,
    node_plugins: BTreeMap<Box<str>, PluginInfo>,
    host_volumes: BTreeMap<Box<str>, NodeHostVolume>,
    gc_volumes_on_node_gc: bool,
    create_time: i64,
    modify_time: i64,
}

impl From<NodeV2> for Node {
    fn from(old: NodeV2) -> Self {
        Self {
            id: old.id,
            name: old.name,
            datacenter: old.datacenter,
            node_pool: old.node_pool,
            node_class: old.node_class,
            status: old.status,
            scheduling_eligibility: old.scheduling_eligibility,
            attributes: old.attributes,
            meta: old.meta,
            controller_plugins: old.controller_plugins,
            node_plugins: old.node_plugins,
            gc_volumes_on_node_gc: old.gc_volumes_on_node_gc,
            create_time: old.create_time,
            modify_time: old.modify_time,
            // The key of the map was the name that lookups used.
            unmoved_host_volumes: (old.host_volumes.into_iter())
                .map(|(name, volume)| NodeHostVolume { name, ..volume })
                .collect(),
        }
    }
}

/// Before a request could be sticky.
#[derive(Deserialize)]
pub(super) struct VolumeRequestV1 {
    name: Box<str>,
    kind: RequestKind,
    source: Box<str>,
    read_only: bool,
    per_alloc: bool,
}

impl From<VolumeRequestV1> for VolumeRequest {
    fn from(old: VolumeRequestV1) -> Self {
        Self {
            name: old.name,
            kind: old.kind,
            source: old.source,
            read_only: old.read_only,
            per_alloc: old.per_alloc,
            // Version 1 could not express sticky volumes; no group may start to hold one by a
            // migration.
            sticky: false,
        }
    }
}

/// Before a request could be sticky.
#[derive(Deserialize)]
pub(super) struct TaskGroupV1 {
    name: Box<str>,
    count: u64,
    volumes: Vec<VolumeRequestV1>,
    plugins: Vec<TaskPlugin>,
}

impl From<TaskGroupV1> for TaskGroup {
    fn from(old: TaskGroupV1) -> Self {
        Self {
            name: old.name,
            count: old.count,
            volumes: old.volumes.into_iter().map(Into::into).collect(),
            plugins: old.plugins,
        }
    }
}

/// Before a request could be sticky.
#[derive(Deserialize)]
pub(super) struct JobV1 {
    namespace: Box<str>,
    id: Box<str>,
    kind: Box<str>,
    status: Box<str>,
    stop: bool,
    groups: Vec<TaskGroupV1>,
    create_time: i64,
    modify_time: i64,
}

impl From<JobV1> for Job {
    fn from(old: JobV1) -> Self {
        Self {
            namespace: old.namespace,
            id: old.id,
            kind: old.kind,
            status: old.status,
            stop: old.stop,
            groups: old.groups.into_iter().map(Into::into).collect(),
            create_time: old.create_time,
            modify_time: old.modify_time,
        }
    }
}

/// Before a request could be sticky.
#[derive(Deserialize)]
pub(super) struct AllocationV1 {
    id: Uuid,
    namespace: Box<str>,
    eval_id: Box<str>,
    name: Box<str>,
    node_id: Option<Uuid>,
    node_name: Box<str>,
    job_id: Box<str>,
    job_type: Box<str>,
    job_version: u64,
    task_group: Box<str>,
    desired_status: Box<str>,
    desired_description: Box<str>,
    client_status: Box<str>,
    client_description: Box<str>,
    followup_eval_id: Box<str>,
    next_allocation: Box<str>,
    preempted_allocations: Vec<Box<str>>,
    preempted_by_allocation: Box<str>,
    desired_transition_json: Box<str>,
    task_states_json: Box<str>,
    deployment_status_json: Box<str>,
    reschedule_tracker_json: Box<str>,
    volumes: Vec<VolumeRequestV1>,
    plugins: Vec<TaskPlugin>,
    create_time: i64,
    modify_time: i64,
}

impl From<AllocationV1> for Allocation {
    fn from(old: AllocationV1) -> Self {
        Self {
            id: old.id,
            namespace: old.namespace,
            eval_id: old.eval_id,
            name: old.name,
            node_id: old.node_id,
            node_name: old.node_name,
            job_id: old.job_id,
            job_type: old.job_type,
            job_version: old.job_version,
            task_group: old.task_group,
            desired_status: old.desired_status,
            desired_description: old.desired_description,
            client_status: old.client_status,
            client_description: old.client_description,
            followup_eval_id: old.followup_eval_id,
            next_allocation: old.next_allocation,
            preempted_allocations: old.preempted_allocations,
            preempted_by_allocation: old.preempted_by_allocation,
            desired_transition_json: old.desired_transition_json,
            task_states_json: old.task_states_json,
            deployment_status_json: old.deployment_status_json,
            reschedule_tracker_json: old.reschedule_tracker_json,
            volumes: old.volumes.into_iter().map(Into::into).collect(),
            plugins: old.plugins,
            create_time: old.create_time,
            modify_time: old.modify_time,
        }
    }
}

/// Before the instances of a plugin had their own rows.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub(super) struct CsiPluginV1 {
    id: Box<str>,
    provider: Box<str>,
    version: Box<str>,
    controller_required: bool,
    controllers: BTreeMap<Uuid, PluginInfo>,
    nodes: BTreeMap<Uuid, PluginInfo>,
    create_time: i64,
    modify_time: i64,
}

impl From<CsiPluginV1> for CsiPlugin {
    fn from(old: CsiPluginV1) -> Self {
        let mut plugin = Self {
            id: old.id,
            provider: old.provider,
            version: old.version,
            controller_required: old.controller_required,
            create_time: old.create_time,
            modify_time: old.modify_time,
            ..Self::default()
        };
        // An instance in both maps becomes two rows, one for each role.
        for (role, infos) in
            [(PluginRole::Controller, old.controllers), (PluginRole::Node, old.nodes)]
        {
            for (node_id, info) in infos {
                plugin.instances_mut(role).add(info.healthy);
                // The plugin's row decides, because it was the key under which the report was
                // found.
                let info = PluginInfo { plugin_id: plugin.id.clone(), ..info };
                plugin.unmoved_instances.push(CsiPluginInstance { role, node_id, info });
            }
        }
        plugin
    }
}

/// Before claims stored the time they were taken.
#[derive(Deserialize)]
pub(super) struct ClaimV1 {
    allocation_id: Uuid,
    node_id: Option<Uuid>,
    external_node_id: Box<str>,
    mode: ClaimMode,
    access_mode: Box<str>,
    attachment_mode: Box<str>,
    state: ClaimState,
}

impl From<ClaimV1> for Claim {
    fn from(old: ClaimV1) -> Self {
        Self {
            allocation_id: old.allocation_id,
            node_id: old.node_id,
            external_node_id: old.external_node_id,
            mode: old.mode,
            access_mode: old.access_mode,
            attachment_mode: old.attachment_mode,
            state: old.state,
            // Unknown. A release without a time matches any claim, so old claims can still be
            // released.
            since: 0,
        }
    }
}

/// Before claims had their own rows; with [`ClaimV1`], before they stored the time they were taken.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub(super) struct CsiVolumeV2<C> {
    namespace: Box<str>,
    id: Box<str>,
    name: Box<str>,
    external_id: Box<str>,
    plugin_id: Box<str>,
    provider: Box<str>,
    provider_version: Box<str>,
    controller_required: bool,
    requested_topologies: Option<TopologyRequest>,
    topologies: Vec<Topology>,
    access_mode: Box<str>,
    attachment_mode: Box<str>,
    mount_options: Option<MountOptions>,
    secrets: Secrets,
    parameters: Labels,
    context: Labels,
    capacity: i64,
    requested_capacity_min: i64,
    requested_capacity_max: i64,
    requested_capabilities: Vec<Capability>,
    clone_id: Box<str>,
    snapshot_id: Box<str>,
    read_claims: BTreeMap<Uuid, C>,
    write_claims: BTreeMap<Uuid, C>,
    past_claims: BTreeMap<Uuid, C>,
    create_time: i64,
    modify_time: i64,
}

impl<C: Into<Claim>> From<CsiVolumeV2<C>> for CsiVolume {
    fn from(old: CsiVolumeV2<C>) -> Self {
        let mut volume = Self {
            namespace: old.namespace,
            id: old.id,
            name: old.name,
            external_id: old.external_id,
            plugin_id: old.plugin_id,
            provider: old.provider,
            provider_version: old.provider_version,
            controller_required: old.controller_required,
            requested_topologies: old.requested_topologies,
            topologies: old.topologies,
            access_mode: old.access_mode,
            attachment_mode: old.attachment_mode,
            mount_options: old.mount_options,
            secrets: old.secrets,
            parameters: old.parameters,
            context: old.context,
            capacity: old.capacity,
            requested_capacity_min: old.requested_capacity_min,
            requested_capacity_max: old.requested_capacity_max,
            requested_capabilities: old.requested_capabilities,
            clone_id: old.clone_id,
            snapshot_id: old.snapshot_id,
            create_time: old.create_time,
            modify_time: old.modify_time,
            ..Self::default()
        };
        // A claim may be in two maps: active and being released. Both become one row.
        let mut rows = BTreeMap::<Uuid, CsiClaim>::new();
        let mut row = |allocation_id, place: fn(&mut CsiClaim) -> &mut Option<Claim>, claim| {
            let new = || CsiClaim {
                namespace: volume.namespace.clone(),
                volume_id: volume.id.clone(),
                allocation_id,
                ..CsiClaim::default()
            };
            *place(rows.entry(allocation_id).or_insert_with(new)) =
                Some(Claim { allocation_id, ..claim });
        };
        // The map that held a claim decided whether it writes.
        for (allocation, claim) in old.read_claims {
            let claim = Claim { mode: ClaimMode::Read, ..claim.into() };
            row(allocation, |row| &mut row.active, claim);
        }
        for (allocation, claim) in old.write_claims {
            let claim = Claim { mode: ClaimMode::Write, ..claim.into() };
            row(allocation, |row| &mut row.active, claim);
        }
        for (allocation, claim) in old.past_claims {
            row(allocation, |row| &mut row.past, claim.into());
        }
        for row in rows.into_values() {
            // The counts did not exist in version 2, and listings read only them.
            volume.count_claim(&CsiClaim::default(), &row);
            volume.unmoved_claims.push(row);
        }
        volume
    }
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use statehold_store::{Schema, Table};

    use super::*;

    /// The shapes of earlier versions, as recorded in directories. A line MUST NOT change.
    const RECORDED: &str = include_str!("../../tests/it/old_shapes.txt");

    /// A table of rows of any type, to compute their shape.
    struct Of<R>(PhantomData<fn() -> R>);

    impl<R: Serialize + DeserializeOwned + Send + Sync + 'static> Table for Of<R> {
        const NAME: &'static str = "old";
        const VERSION: u16 = 1;
        type Key = u8;
        type Row = R;

        fn key(_: &R) -> u8 {
            0
        }
    }

    fn line<R: Serialize + DeserializeOwned + Send + Sync + 'static>(of: &str) -> String {
        let shape = Schema::new().table::<Of<R>>().shapes().next().unwrap();
        format!("{of}: {}\n", shape.text)
    }

    #[test]
    fn old_row_types_have_their_recorded_shapes() {
        let found = [
            line::<NamespaceV1>("namespaces/1"),
            line::<NodeV2>("nodes/2"),
            line::<CsiPluginV1>("csi_plugins/1"),
            line::<CsiVolumeV2<Claim>>("csi_volumes/2"),
        ];
        assert_eq!(found.concat(), RECORDED);
    }
}
