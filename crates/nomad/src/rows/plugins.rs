//! Storage plugins, derived from the reports of nodes and from jobs.

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{OldRow, RowError, Table};

use super::{CsiPluginInstance, PluginRole, old::CsiPluginV1};

/// A storage plugin. Its instances have their own rows, [`CsiPluginInstance`].
///
/// Created by the first healthy fingerprint or the first job that runs it; deleted when neither is
/// left. Each change of an instance also writes this row, whose index covers its instances, because
/// clients wait on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct CsiPlugin {
    /// Its ID, the key.
    #[filterable(rename = "ID")]
    pub id: Box<str>,
    /// The name that it reports.
    pub provider: Box<str>,
    /// The version that it reports.
    pub version: Box<str>,
    /// Whether its volumes need a controller.
    pub controller_required: bool,
    /// Number of its controllers.
    #[filterable(skip)]
    pub controllers: InstanceCounts,
    /// Number of its node plugins.
    #[filterable(skip)]
    pub nodes: InstanceCounts,
    /// Its creation time, in unix nanoseconds.
    pub create_time: i64,
    /// Its last change, in unix nanoseconds.
    pub modify_time: i64,
    /// The instances in a row of version 1. [`bootstrap`](crate::bootstrap), or the next write of
    /// the plugin, moves them to rows of [`CsiPluginInstances`](super::CsiPluginInstances); then it
    /// stays empty.
    #[filterable(skip)]
    pub unmoved_instances: Vec<CsiPluginInstance>,
}

impl CsiPlugin {
    /// Returns the number of its instances in a role.
    pub fn instances(&self, role: PluginRole) -> InstanceCounts {
        match role {
            PluginRole::Controller => self.controllers,
            PluginRole::Node => self.nodes,
        }
    }

    pub(crate) fn instances_mut(&mut self, role: PluginRole) -> &mut InstanceCounts {
        match role {
            PluginRole::Controller => &mut self.controllers,
            PluginRole::Node => &mut self.nodes,
        }
    }
}

/// The number of a plugin's instances in one role.
///
/// Stored in the plugin's row, by the transaction that writes an instance, so that the health of a
/// plugin and of its volumes costs the same for any number of instances. Nomad stores the counts
/// too: `nomad/structs/csi.go`, `CSIPlugin.ControllersHealthy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceCounts {
    /// Instances that report.
    pub reporting: u64,
    /// Those of them that are healthy.
    pub healthy: u64,
}

impl InstanceCounts {
    pub(crate) fn add(&mut self, healthy: bool) {
        self.reporting += 1;
        self.healthy += u64::from(healthy);
    }

    pub(crate) fn remove(&mut self, healthy: bool) {
        // A count never wraps, because a wrong count in a damaged row must not become enormous.
        self.reporting = self.reporting.saturating_sub(1);
        self.healthy = self.healthy.saturating_sub(u64::from(healthy));
    }
}

/// Table of the plugins, by ID.
#[derive(Clone, Copy, Debug)]
pub struct CsiPlugins;

impl Table for CsiPlugins {
    const NAME: &'static str = "csi_plugins";
    const VERSION: u16 = 2;
    type Key = String;
    type Row = CsiPlugin;

    fn key(row: &CsiPlugin) -> &str {
        &row.id
    }

    fn migrate(old: OldRow<'_>) -> Result<CsiPlugin, RowError> {
        match old.version() {
            1 => old.read::<CsiPluginV1>().map(CsiPlugin::from),
            _ => Err(old.unknown(Self::VERSION)),
        }
    }
}
