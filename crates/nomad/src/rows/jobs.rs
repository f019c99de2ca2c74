//! Jobs: how many instances of a plugin they want, and which volumes their groups ask for.

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{Index, IndexSet, OldRow, RowError, Table};

use super::old::JobV1;

/// A job, as far as volumes and plugins are concerned.
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
    /// Whether somebody stopped it.
    pub stop: bool,
    /// Its task groups.
    #[filterable(rename = "TaskGroups")]
    pub groups: Vec<TaskGroup>,
    /// When it was first registered, in unix nanoseconds.
    pub create_time: i64,
    /// When it was last changed, in unix nanoseconds.
    pub modify_time: i64,
}

impl Job {
    /// Whether it wants nothing to run any more.
    pub fn is_over(&self) -> bool {
        self.stop || &*self.status == "dead"
    }

    /// Whether it runs once on every fitting node.
    pub(crate) fn is_system(&self) -> bool {
        &*self.kind == "system"
    }

    /// The group of that name.
    pub(crate) fn group(&self, name: &str) -> Option<&TaskGroup> {
        self.groups.iter().find(|group| &*group.name == name)
    }

    /// The IDs of the plugins that its tasks run, each once.
    pub(crate) fn plugin_ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> =
            self.groups.iter().flat_map(|group| &group.plugins).map(|plugin| &*plugin.id).collect();
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
    /// How many allocations of it the job wants.
    pub count: u64,
    /// The volumes that each allocation asks for.
    pub volumes: Vec<VolumeRequest>,
    /// The plugins that its tasks are.
    #[filterable(skip)]
    pub plugins: Vec<TaskPlugin>,
}

/// A volume that an allocation asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct VolumeRequest {
    /// What the group calls it.
    pub name: Box<str>,
    /// The kind of volume.
    #[filterable(rename = "Type")]
    pub kind: RequestKind,
    /// The volume's ID, without the suffix that `per_alloc` adds.
    pub source: Box<str>,
    /// Whether it is only read.
    pub read_only: bool,
    /// Whether each allocation has a volume of its own, `source[0]`, `source[1]`, ...
    pub per_alloc: bool,
    /// Whether the group comes back to the host volume that it had.
    pub sticky: bool,
}

/// The kind of a requested volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "kebab-case")]
pub enum RequestKind {
    /// A volume of the node itself.
    #[default]
    Host,
    /// A CSI volume.
    Csi,
}

/// A task that is a storage plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskPlugin {
    /// The plugin's ID.
    pub id: Box<str>,
    /// Which half of a plugin it is.
    pub kind: PluginKind,
}

/// Which half of a plugin a task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PluginKind {
    /// Makes volumes usable on the node it runs on.
    #[default]
    Node,
    /// Talks to the storage provider.
    Controller,
    /// Both.
    Monolith,
}

impl PluginKind {
    /// Whether it is a controller.
    pub(crate) fn controls(self) -> bool {
        matches!(self, Self::Controller | Self::Monolith)
    }

    /// Whether it is a node plugin.
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
