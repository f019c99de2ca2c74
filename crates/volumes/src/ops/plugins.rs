//! Keeping plugin rows in step with fingerprints, jobs and allocations, in the transaction that
//! changes those.
//!
//! A plugin row stays as long as a node says that it runs the plugin or a job that isn't over wants
//! to.

use std::collections::{BTreeMap, BTreeSet};

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use crate::{
    facts::jobs_running,
    rows::{Allocation, CsiPlugin, CsiPlugins, Node, PluginInfo},
};

/// Takes over what `node` says about its plugins; `None` once the node is gone. `before` is what it
/// said last.
pub(super) fn follow_node(
    txn: &mut WriteTxn<'_>,
    now: i64,
    id: Uuid,
    before: Option<&Node>,
    node: Option<&Node>,
) -> Result<(), WriteError> {
    let mentioned: BTreeSet<&str> =
        [before, node].into_iter().flatten().flat_map(infos).map(|info| &*info.plugin_id).collect();
    for plugin_id in mentioned {
        let old = txn.get::<CsiPlugins>(plugin_id).map(|entry| CsiPlugin::clone(entry));
        let mut plugin = old.clone();
        for info in node.into_iter().flat_map(infos).filter(|info| &*info.plugin_id == plugin_id) {
            // A plugin that was never well is not worth a row.
            if plugin.is_some() || info.healthy {
                let new =
                    || CsiPlugin { id: plugin_id.into(), create_time: now, ..Default::default() };
                adopt(plugin.get_or_insert_with(new), id, info);
            }
        }
        let Some(mut plugin) = plugin else { continue };
        let (controls, serves) = node.map_or((false, false), |node| {
            let says = |infos: &BTreeMap<Box<str>, PluginInfo>| {
                infos.values().any(|info| &*info.plugin_id == plugin_id)
            };
            (says(&node.controller_plugins), says(&node.node_plugins))
        });
        if !controls {
            plugin.controllers.remove(&id);
        }
        if !serves {
            plugin.nodes.remove(&id);
        }
        if old.as_ref() != Some(&plugin) {
            keep_if_wanted(txn, now, plugin)?;
        }
    }
    Ok(())
}

fn infos(node: &Node) -> impl Iterator<Item = &PluginInfo> {
    node.controller_plugins.values().chain(node.node_plugins.values())
}

fn adopt(plugin: &mut CsiPlugin, node: Uuid, info: &PluginInfo) {
    // A plugin that is just starting doesn't know its own name yet.
    if !info.provider.is_empty() {
        plugin.provider.clone_from(&info.provider);
        plugin.version.clone_from(&info.provider_version);
    }
    if info.controller.is_some() {
        plugin.controller_required = info.requires_controller_plugin;
        if info.healthy || plugin.controllers.contains_key(&node) {
            plugin.controllers.insert(node, info.clone());
        }
    }
    if info.node.is_some() && (info.healthy || plugin.nodes.contains_key(&node)) {
        plugin.nodes.insert(node, info.clone());
    }
}

/// Follows a change of the jobs or allocations that `plugin_id` is expected to run in.
pub(super) fn follow_expectation(
    txn: &mut WriteTxn<'_>,
    now: i64,
    plugin_id: &str,
) -> Result<(), WriteError> {
    let row = txn.get::<CsiPlugins>(plugin_id).map(|entry| CsiPlugin::clone(entry));
    let new = || CsiPlugin { id: plugin_id.into(), create_time: now, ..Default::default() };
    keep_if_wanted(txn, now, row.unwrap_or_else(new))
}

/// Forgets the fingerprints that came from `allocation`.
pub(super) fn forget_allocation(
    txn: &mut WriteTxn<'_>,
    now: i64,
    allocation: &Allocation,
) -> Result<(), WriteError> {
    let Some(node) = allocation.node_id else { return Ok(()) };
    let alloc_id = allocation.id.to_string();
    for task in &allocation.plugins {
        let row = txn.get::<CsiPlugins>(&task.id).map(|entry| CsiPlugin::clone(entry));
        let Some(mut plugin) = row else { continue };
        let mut forgot = false;
        for infos in [&mut plugin.controllers, &mut plugin.nodes] {
            if infos.get(&node).is_some_and(|info| info.alloc_id.eq_ignore_ascii_case(&alloc_id)) {
                infos.remove(&node);
                forgot = true;
            }
        }
        if forgot {
            keep_if_wanted(txn, now, plugin)?;
        }
    }
    Ok(())
}

/// How long a plugin that nobody runs is kept, in nanoseconds.
const UNUSED_KEPT: i64 = 3_600_000_000_000;

/// Deletes the plugins that nobody runs, that no job wants to, and that haven't changed for an
/// hour; their IDs.
pub fn collect_plugins(txn: &mut WriteTxn<'_>, now: i64) -> Result<Vec<Box<str>>, WriteError> {
    let plugins = txn.scan::<CsiPlugins>(&KeyRange::<String>::all(), Order::Ascending);
    let unused: Vec<Box<str>> = plugins
        .filter(|plugin| now.saturating_sub(plugin.modify_time) > UNUSED_KEPT)
        .filter(|plugin| !is_wanted(txn, plugin))
        .map(|plugin| plugin.id.clone())
        .collect();
    for id in &unused {
        txn.delete::<CsiPlugins>(id)?;
    }
    Ok(unused)
}

fn is_wanted(view: &impl ReadView, plugin: &CsiPlugin) -> bool {
    let runs = !plugin.controllers.is_empty() || !plugin.nodes.is_empty();
    runs || jobs_running(view, &plugin.id).next().is_some()
}

fn keep_if_wanted(
    txn: &mut WriteTxn<'_>,
    now: i64,
    mut plugin: CsiPlugin,
) -> Result<(), WriteError> {
    if is_wanted(txn, &plugin) {
        plugin.modify_time = now;
        txn.upsert::<CsiPlugins>(plugin)?;
        return Ok(());
    }
    txn.delete::<CsiPlugins>(&plugin.id)?;
    Ok(())
}
