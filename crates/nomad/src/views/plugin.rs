//! The views of a plugin.

use std::collections::BTreeMap;

use serde::Serialize;
use statehold_store::{Entry, ReadView};
use uuid::Uuid;

use super::AllocationStub;
use crate::{
    health::{PluginHealth, expectations, plugin_instances},
    list::plugin_allocations,
    rows::{ControllerInfo, CsiPlugin, NodeInfo, PluginInfo, PluginRole},
};

/// A plugin in a list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/csi.go, CSIPluginListStub.
pub struct PluginStub<'v> {
    #[serde(rename = "ID")]
    id: &'v str,
    provider: &'v str,
    controller_required: bool,
    controllers_healthy: u64,
    controllers_expected: u64,
    nodes_healthy: u64,
    nodes_expected: u64,
    create_index: u64,
    modify_index: u64,
}

impl<'v> PluginStub<'v> {
    /// Creates the view of `entry` with its health.
    pub fn new(entry: &'v Entry<CsiPlugin>, health: PluginHealth<'v>) -> Self {
        Self {
            id: &entry.id,
            provider: health.provider,
            controller_required: health.controller_required,
            controllers_healthy: health.controllers_healthy,
            controllers_expected: health.controllers_expected,
            nodes_healthy: health.nodes_healthy,
            nodes_expected: health.nodes_expected,
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
        }
    }
}

/// A node's report of a plugin.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/node.go, CSIInfo.
pub struct PluginInfoView<'v> {
    #[serde(rename = "PluginID")]
    plugin_id: &'v str,
    #[serde(rename = "AllocID")]
    alloc_id: &'v str,
    healthy: bool,
    health_description: &'v str,
    /// `null` if it was not reported, as Nomad encodes a time that was never set.
    update_time: Option<&'v str>,
    provider: &'v str,
    provider_version: &'v str,
    requires_controller_plugin: bool,
    requires_topologies: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    controller_info: Option<ControllerInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_info: Option<&'v NodeInfo>,
}

impl<'v> PluginInfoView<'v> {
    /// Creates the view of `info`.
    pub fn new(info: &'v PluginInfo) -> Self {
        Self {
            plugin_id: &info.plugin_id,
            alloc_id: &info.alloc_id,
            healthy: info.healthy,
            health_description: &info.health_description,
            update_time: Some(&*info.update_time).filter(|time| !time.is_empty()),
            provider: &info.provider,
            provider_version: &info.provider_version,
            requires_controller_plugin: info.requires_controller_plugin,
            requires_topologies: info.requires_topologies,
            controller_info: info.controller,
            node_info: info.node.as_ref(),
        }
    }
}

/// The number of instances of a plugin that a job expects.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct JobExpectation<'v> {
    namespace: &'v str,
    #[serde(rename = "ID")]
    id: &'v str,
    expected: u64,
}

type Jobs<'v> = BTreeMap<&'v str, BTreeMap<&'v str, JobExpectation<'v>>>;

/// A plugin with all its fields.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: command/agent/csi_endpoint.go, structsCSIPluginToApi.
pub struct PluginView<'v> {
    #[serde(rename = "ID")]
    id: &'v str,
    provider: &'v str,
    version: &'v str,
    controller_required: bool,
    controllers: BTreeMap<Uuid, PluginInfoView<'v>>,
    nodes: BTreeMap<Uuid, PluginInfoView<'v>>,
    allocations: Option<Vec<AllocationStub<'v>>>,
    controller_jobs: Jobs<'v>,
    node_jobs: Jobs<'v>,
    controllers_healthy: u64,
    controllers_expected: u64,
    nodes_healthy: u64,
    nodes_expected: u64,
    create_index: u64,
    modify_index: u64,
    create_time: i64,
    modify_time: i64,
}

impl<'v> PluginView<'v> {
    /// Removes the allocations of namespaces that the reader may not see.
    #[must_use]
    pub fn seen_by(mut self, sees: impl Fn(&str) -> bool) -> Self {
        if let Some(allocations) = &mut self.allocations {
            allocations.retain(|allocation| sees(allocation.namespace()));
        }
        // Nomad encodes no allocations as `null`, also after filtering.
        self.allocations = self.allocations.filter(|allocations| !allocations.is_empty());
        self
    }

    /// Creates the view of `entry`, with the allocations of `namespace` that run it; `*` selects
    /// every namespace.
    pub fn new<V: ReadView>(view: &'v V, entry: &'v Entry<CsiPlugin>, namespace: &str) -> Self {
        let health = PluginHealth::of(view, entry);
        let infos = |role| {
            let instances = plugin_instances(view, &entry.id, role);
            instances.map(|row| (row.node_id, PluginInfoView::new(&row.info))).collect()
        };
        let (mut controller_jobs, mut node_jobs) = (Jobs::new(), Jobs::new());
        for found in expectations(view, &entry.id) {
            let (namespace, id) = (&*found.job.namespace, &*found.job.id);
            for (runs, jobs, expected) in [
                (found.runs_controllers, &mut controller_jobs, found.controllers),
                (found.runs_nodes, &mut node_jobs, found.nodes),
            ] {
                // A job that runs only the other role is not listed under this one.
                if runs {
                    let job = JobExpectation { namespace, id, expected };
                    jobs.entry(namespace).or_default().insert(id, job);
                }
            }
        }
        let allocations = plugin_allocations(view, entry, namespace);
        let allocations: Vec<_> = allocations.into_iter().map(AllocationStub::new).collect();
        Self {
            id: &entry.id,
            provider: health.provider,
            version: health.version,
            controller_required: health.controller_required,
            controllers: infos(PluginRole::Controller),
            nodes: infos(PluginRole::Node),
            allocations: (!allocations.is_empty()).then_some(allocations),
            controller_jobs,
            node_jobs,
            controllers_healthy: health.controllers_healthy,
            controllers_expected: health.controllers_expected,
            nodes_healthy: health.nodes_healthy,
            nodes_expected: health.nodes_expected,
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
            create_time: entry.create_time,
            modify_time: entry.modify_time,
        }
    }
}
