//! Keeps the rows of plugins consistent with fingerprints, jobs and allocations, in the transaction
//! that changes those.
//!
//! A plugin's row exists while a node reports the plugin, or a job that is not over runs it.
//!
//! Nomad: `nomad/state/state_store.go`, `updateNodeCSIPlugins`, `deleteNodeCSIPlugins` and
//! `updateJobCSIPlugins`.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use crate::{
    health::jobs_running,
    rows::{
        Allocation, CsiPlugin, CsiPluginInstance, CsiPluginInstances, CsiPlugins, Node, PluginInfo,
        PluginRole,
    },
};

/// Updates the plugins from the report of a node, `None` once the node is deleted. `before` is its
/// previous report.
///
/// Cost: reads and writes the rows of the plugins in either report, and their instances on this
/// node.
pub(in crate::ops) fn update_node_plugins(
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
        if let Some(plugin) = &mut plugin {
            move_instances(txn, plugin)?;
        }
        let known = PluginRole::ALL.map(|role| stored_info(txn, plugin_id, role, id));
        let mut own = known.clone();
        for info in node.into_iter().flat_map(infos).filter(|info| &*info.plugin_id == plugin_id) {
            // A plugin that was never healthy gets no row.
            if plugin.is_some() || info.healthy {
                let new =
                    || CsiPlugin { id: plugin_id.into(), create_time: now, ..Default::default() };
                apply_report(plugin.get_or_insert_with(new), &mut own, info);
            }
        }
        let Some(mut plugin) = plugin else { continue };
        let reports = |infos: fn(&Node) -> &BTreeMap<Box<str>, PluginInfo>| {
            let of = |node| infos(node).values().any(|info| &*info.plugin_id == plugin_id);
            node.is_some_and(of)
        };
        let [controller, serving] = &mut own;
        if !reports(|node| &node.controller_plugins) {
            *controller = None;
        }
        if !reports(|node| &node.node_plugins) {
            *serving = None;
        }
        let same = known == own;
        for (role, info) in PluginRole::ALL.into_iter().zip(own) {
            put_instance(txn, &mut plugin, role, id, info)?;
        }
        if !same || old.as_ref() != Some(&plugin) {
            keep_if_wanted(txn, now, plugin)?;
        }
    }
    Ok(())
}

fn infos(node: &Node) -> impl Iterator<Item = &PluginInfo> {
    node.controller_plugins.values().chain(node.node_plugins.values())
}

/// Returns the stored report of a node about a plugin in one role.
fn stored_info(
    view: &impl ReadView,
    plugin_id: &str,
    role: PluginRole,
    node: Uuid,
) -> Option<PluginInfo> {
    view.get::<CsiPluginInstances>((plugin_id, role, node)).map(|row| row.info.clone())
}

/// Applies one report to `plugin`; `own` holds the node's instances, in the order of
/// [`PluginRole::ALL`].
fn apply_report(plugin: &mut CsiPlugin, own: &mut [Option<PluginInfo>; 2], info: &PluginInfo) {
    // A plugin that is starting does not know its own name yet.
    if !info.provider.is_empty() {
        plugin.provider.clone_from(&info.provider);
        plugin.version.clone_from(&info.provider_version);
    }
    let [controller, serving] = own;
    if info.controller.is_some() {
        plugin.controller_required = info.requires_controller_plugin;
        // An unhealthy instance is stored only if a healthy one was before. Nomad:
        // nomad/structs/csi.go, CSIPlugin.AddPlugin.
        if info.healthy || controller.is_some() {
            *controller = Some(info.clone());
        }
    }
    if info.node.is_some() && (info.healthy || serving.is_some()) {
        *serving = Some(info.clone());
    }
}

/// Writes or deletes an instance, and updates the counts in the plugin's row, which the caller
/// writes.
fn put_instance(
    txn: &mut WriteTxn<'_>,
    plugin: &mut CsiPlugin,
    role: PluginRole,
    node_id: Uuid,
    info: Option<PluginInfo>,
) -> Result<(), WriteError> {
    let known = stored_info(txn, &plugin.id, role, node_id);
    if known == info {
        return Ok(());
    }
    let counts = plugin.instances_mut(role);
    if let Some(known) = known {
        counts.remove(known.healthy);
    }
    match info {
        Some(info) => {
            counts.add(info.healthy);
            txn.upsert::<CsiPluginInstances>(CsiPluginInstance { role, node_id, info })?;
        }
        None => {
            txn.delete::<CsiPluginInstances>((&plugin.id, role, node_id))?;
        }
    }
    Ok(())
}

/// Moves the instances that an earlier version stored in the plugin's row to rows of their own. The
/// counts stay. The caller writes the plugin without the instances.
pub(in crate::ops) fn move_instances(
    txn: &mut WriteTxn<'_>,
    plugin: &mut CsiPlugin,
) -> Result<(), WriteError> {
    for instance in mem::take(&mut plugin.unmoved_instances) {
        txn.upsert::<CsiPluginInstances>(instance)?;
    }
    Ok(())
}

/// Updates a plugin after a change of the jobs or allocations that it is expected to run in.
pub(in crate::ops) fn update_expected_plugin(
    txn: &mut WriteTxn<'_>,
    now: i64,
    plugin_id: &str,
) -> Result<(), WriteError> {
    let row = txn.get::<CsiPlugins>(plugin_id).map(|entry| CsiPlugin::clone(entry));
    let new = || CsiPlugin { id: plugin_id.into(), create_time: now, ..Default::default() };
    keep_if_wanted(txn, now, row.unwrap_or_else(new))
}

/// Deletes the instances that `allocation` ran.
pub(in crate::ops) fn delete_allocation_instances(
    txn: &mut WriteTxn<'_>,
    now: i64,
    allocation: &Allocation,
) -> Result<(), WriteError> {
    let Some(node) = allocation.node_id else { return Ok(()) };
    let alloc_id = allocation.id.to_string();
    for task in &allocation.plugins {
        let row = txn.get::<CsiPlugins>(&task.id).map(|entry| CsiPlugin::clone(entry));
        let Some(mut plugin) = row else { continue };
        move_instances(txn, &mut plugin)?;
        let mut deleted = false;
        for role in PluginRole::ALL {
            let info = stored_info(txn, &plugin.id, role, node);
            if info.is_some_and(|info| info.alloc_id.eq_ignore_ascii_case(&alloc_id)) {
                put_instance(txn, &mut plugin, role, node, None)?;
                deleted = true;
            }
        }
        if deleted {
            keep_if_wanted(txn, now, plugin)?;
        }
    }
    Ok(())
}

/// Minimum age of an unused plugin before it is deleted, in nanoseconds. Nomad: `nomad/config.go`,
/// `CSIPluginGCThreshold`.
const UNUSED_KEPT: i64 = 3_600_000_000_000;

/// Deletes the plugins without instances and jobs that have not changed for an hour. Returns their
/// IDs.
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
    let runs = PluginRole::ALL.into_iter().any(|role| plugin.instances(role).reporting > 0);
    runs || jobs_running(view, &plugin.id).next().is_some()
}

// Nomad: nomad/state/state_store.go, updateOrGCPlugin.
fn keep_if_wanted(
    txn: &mut WriteTxn<'_>,
    now: i64,
    mut plugin: CsiPlugin,
) -> Result<(), WriteError> {
    move_instances(txn, &mut plugin)?;
    if is_wanted(txn, &plugin) {
        plugin.modify_time = now;
        txn.upsert::<CsiPlugins>(plugin)?;
        return Ok(());
    }
    txn.delete::<CsiPlugins>(&plugin.id)?;
    Ok(())
}
