//! Jobs: the plugin instances they expect, and the volumes their groups request.

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{Index, IndexSet, OldRow, RowError, Table};

use super::old::JobV1;

/// A job, reduced to its volumes and plugins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct Job {
    /// The namespace, first half of the key.
    pub namespace: Box<str>,
    /// Its ID, second half of the key.
    #[filterable(rename = "ID")]
    pub id: Box<str>,
    /// `service`, `batch`, `system` or `sysbatch`.
    #[filterable(rename = "Type")]
    pub kind: Box<str>,
    /// `pending`, `running` or `dead`.
    pub status: Box<str>,
    /// Whether it was stopped.
    pub stop: bool,
    /// Its task groups.
    #[filterable(rename = "TaskGroups")]
    pub groups: Vec<TaskGroup>,
    /// Its first registration, in unix nanoseconds.
    pub create_time: i64,
    /// Its last change, in unix nanoseconds.
    pub modify_time: i64,
}

impl Job {
    /// Returns whether it has been stopped or is dead.
    pub fn is_over(&self) -> bool {
        // A stopped job expects nothing, although its last allocations may still run.
        self.stop || &*self.status == "dead"
    }

    /// Returns whether it runs once on every feasible node.
    pub(crate) fn is_system(&self) -> bool {
        // Nomad: nomad/structs/csi.go, CSIPlugin.UpdateExpectedWithJob treats only `system`
        // specially.
        &*self.kind == "system"
    }

    /// Returns the group of that name.
    pub(crate) fn group(&self, name: &str) -> Option<&TaskGroup> {
        self.groups.iter().find(|group| &*group.name == name)
    }

    /// Returns the IDs of the plugins that its tasks run, each once.
    pub(crate) fn plugin_ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> =
            self.groups.iter().flat_map(|group| &group.plugins).map(|plugin| &*plugin.id).collect();
        // A plugin in two groups of a job MUST add its key once.
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// Tasks that are placed together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct TaskGroup {
    /// Its name within the job.
    pub name: Box<str>,
    /// The number of allocations of the group.
    pub count: u64,
    /// The volumes that each allocation requests.
    pub volumes: Vec<VolumeRequest>,
    /// The plugins that its tasks run.
    #[filterable(skip)]
    pub plugins: Vec<TaskPlugin>,
}

/// A volume that an allocation requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct VolumeRequest {
    /// The name of the request within the group.
    pub name: Box<str>,
    /// The kind of volume.
    #[filterable(rename = "Type")]
    pub kind: RequestKind,
    /// The volume's ID, without the suffix that `per_alloc` adds.
    pub source: Box<str>,
    /// Whether it is read-only.
    pub read_only: bool,
    /// Whether each allocation has its own volume, `source[0]`, `source[1]`, ...
    pub per_alloc: bool,
    /// Whether the group returns to the host volume that it had.
    pub sticky: bool,
}

/// The kind of a requested volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "kebab-case")]
pub enum RequestKind {
    /// A host volume.
    #[default]
    Host,
    /// A CSI volume.
    Csi,
}

/// A task that runs a storage plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskPlugin {
    /// The plugin's ID.
    pub id: Box<str>,
    /// The role of the plugin.
    pub kind: PluginKind,
}

/// The role of the plugin that a task runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PluginKind {
    /// Mounts volumes on its node.
    #[default]
    Node,
    /// Calls the storage provider.
    Controller,
    /// Both.
    Monolith,
}

impl PluginKind {
    /// Returns whether it is a controller.
    pub(crate) fn controls(self) -> bool {
        matches!(self, Self::Controller | Self::Monolith)
    }

    /// Returns whether it is a node plugin.
    pub(crate) fn serves_node(self) -> bool {
        matches!(self, Self::Node | Self::Monolith)
    }
}

/// Table of the jobs, by namespace and ID.
#[derive(Clone, Copy, Debug)]
pub struct Jobs;

impl Jobs {
    /// Jobs by the plugins that they run.
    pub const BY_PLUGIN: Index<Self, String> = Self::INDEX.non_unique("plugin", |job, keys| {
        // Without this index each read of a plugin would scan every job.
        for id in job.plugin_ids() {
            keys.add(id);
        }
    });
}

impl Table for Jobs {
    const NAME: &'static str = "jobs";
    const VERSION: u16 = 2;
    type Key = (String, String);
    type Row = Job;

    fn key(row: &Job) -> (&str, &str) {
        (&row.namespace, &row.id)
    }

    fn migrate(old: OldRow<'_>) -> Result<Job, RowError> {
        match old.version() {
            1 => old.read::<JobV1>().map(Job::from),
            _ => Err(old.unknown(Self::VERSION)),
        }
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&Self::BY_PLUGIN);
    }
}
