//! The filter fields of plugins.

use std::collections::BTreeMap;

use statehold_filter::Filterable;
use statehold_store::{Entry, ReadView};
use uuid::Uuid;

use super::HealthCounts;
use crate::{
    health::{PluginHealth, plugin_instances},
    rows::{CsiPlugin, PluginInfo, PluginRole},
    views::PluginStub,
};

/// A plugin with its health at the time of the read.
#[derive(Clone, Debug, Filterable)]
#[filterable(rename_all = "PascalCase")]
#[filterable(computed(name = "CreateIndex", with = Self::create_index, ty = u64))]
#[filterable(computed(name = "ModifyIndex", with = Self::modify_index, ty = u64))]
pub struct PluginItem {
    #[filterable(flatten(deref))]
    plugin: Entry<CsiPlugin>,
    /// Its controllers, by node.
    controllers: BTreeMap<Uuid, PluginInfo>,
    /// Its node plugins, by node.
    nodes: BTreeMap<Uuid, PluginInfo>,
    #[filterable(flatten)]
    counts: HealthCounts,
}

impl PluginItem {
    /// The fields that are read from the rows of instances.
    pub const INSTANCE_FIELDS: [&str; 2] = ["Controllers", "Nodes"];

    /// Creates the item of a plugin, with its health and its instances as of `view`. Cost: reads
    /// each instance.
    pub fn new<V: ReadView>(view: &V, plugin: &Entry<CsiPlugin>) -> Self {
        let infos = |role| {
            let instances = plugin_instances(view, &plugin.id, role);
            instances.map(|row| (row.node_id, row.info.clone())).collect()
        };
        Self {
            controllers: infos(PluginRole::Controller),
            nodes: infos(PluginRole::Node),
            ..Self::without_instances(view, plugin)
        }
    }

    /// Like [`new`](Self::new), without the instances, for filters that read none of
    /// [`INSTANCE_FIELDS`](Self::INSTANCE_FIELDS). Cost: independent of the number of instances.
    pub fn without_instances<V: ReadView>(view: &V, plugin: &Entry<CsiPlugin>) -> Self {
        Self {
            plugin: plugin.clone(),
            controllers: BTreeMap::new(),
            nodes: BTreeMap::new(),
            counts: HealthCounts::new(&PluginHealth::of(view, plugin)),
        }
    }

    /// Returns the plugin.
    pub fn plugin(&self) -> &Entry<CsiPlugin> {
        &self.plugin
    }

    /// Returns the JSON view for a list.
    pub fn stub(&self) -> PluginStub<'_> {
        let plugin = &self.plugin;
        let required = plugin.controller_required;
        PluginStub::new(plugin, self.counts.health(&plugin.provider, &plugin.version, required))
    }

    fn create_index(&self) -> u64 {
        self.plugin.create_index()
    }

    fn modify_index(&self) -> u64 {
        self.plugin.modify_index()
    }
}
