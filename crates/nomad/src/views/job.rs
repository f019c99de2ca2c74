//! The views of a job.
//!
//! Only the volumes and plugins of a job are stored. The other fields are Nomad's defaults, because
//! clients read them without a check for their presence.

use std::collections::BTreeMap;

use serde::Serialize;
use statehold_store::{Entry, ReadView};

use crate::{
    list::job_allocations,
    rows::{Job, PluginKind, RequestKind, TaskGroup},
};

/// The priority of a job that sets none. Nomad: `nomad/structs/structs.go`, `JobDefaultPriority`.
const PRIORITY: u8 = 50;

/// The datacenters of a job that names none: all.
const DATACENTERS: [&str; 1] = ["*"];

/// The type of a job that names none.
const SERVICE: &str = "service";

/// The number of a task group's allocations by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TaskGroupSummary {
    /// Allocations that wait for placement: 0, because this server places none.
    pub queued: u64,
    /// Allocations that completed.
    pub complete: u64,
    /// Allocations that failed.
    pub failed: u64,
    /// Allocations that run.
    pub running: u64,
    /// Allocations that are pending.
    pub starting: u64,
    /// Allocations that were lost with their node.
    pub lost: u64,
    /// Allocations whose node is disconnected.
    pub unknown: u64,
}

impl TaskGroupSummary {
    fn count(&mut self, client_status: &str) {
        let counter = match client_status {
            "complete" => &mut self.complete,
            "failed" => &mut self.failed,
            "running" => &mut self.running,
            "lost" => &mut self.lost,
            "unknown" => &mut self.unknown,
            // Nomad counts `pending` as starting; an empty status is not reported yet.
            _ => &mut self.starting,
        };
        *counter += 1;
    }
}

/// The number of a job's allocations by task group and status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobSummary {
    groups: BTreeMap<Box<str>, TaskGroupSummary>,
    /// Whether an allocation runs or is pending.
    alive: bool,
}

impl JobSummary {
    /// Counts the allocations of `job`.
    pub fn of<V: ReadView>(view: &V, job: &Job) -> Self {
        // Groups without allocations are listed with zeros, too.
        let groups = job.groups.iter().map(|group| (group.name.clone(), <_>::default()));
        let mut summary = Self { groups: groups.collect(), alive: false };
        for allocation in job_allocations(view, &job.namespace, &job.id) {
            let group = summary.groups.entry(allocation.task_group.clone()).or_default();
            group.count(&allocation.client_status);
            // Groups that a new version of the job dropped still count here.
            summary.alive |= !allocation.is_terminal();
        }
        summary
    }

    /// Returns the counts by task group.
    pub fn groups(&self) -> impl Iterator<Item = (&Box<str>, &TaskGroupSummary)> {
        self.groups.iter()
    }

    /// Returns the status of the job: the stored one, else the one that Nomad would derive.
    pub fn status<'v>(&self, job: &'v Job) -> &'v str {
        // Nomad: nomad/state/state_store.go, getJobStatus.
        match &*job.status {
            _ if job.is_over() => "dead",
            "" if self.alive => "running",
            "" => "pending",
            known => known,
        }
    }
}

/// The summary of a job's allocations.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/structs.go, JobSummary.
pub struct JobSummaryView<'v> {
    #[serde(rename = "JobID")]
    job_id: &'v str,
    namespace: &'v str,
    summary: &'v BTreeMap<Box<str>, TaskGroupSummary>,
    children: Children,
    create_index: u64,
    modify_index: u64,
}

impl<'v> JobSummaryView<'v> {
    /// Creates the view of `summary`, the summary of `entry`.
    pub fn new(entry: &'v Entry<Job>, summary: &'v JobSummary) -> Self {
        Self {
            job_id: &entry.id,
            namespace: &entry.namespace,
            summary: &summary.groups,
            children: Children::default(),
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
        }
    }
}

/// The children of a periodic job: always none.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Children {
    pending: u8,
    running: u8,
    dead: u8,
}

/// A job in a list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/structs.go, JobListStub.
pub struct JobStub<'v> {
    #[serde(rename = "ID")]
    id: &'v str,
    #[serde(rename = "ParentID")]
    parent_id: &'static str,
    name: &'v str,
    namespace: &'v str,
    datacenters: [&'static str; 1],
    r#type: &'v str,
    priority: u8,
    periodic: bool,
    parameterized_job: bool,
    stop: bool,
    status: &'v str,
    status_description: &'static str,
    job_summary: JobSummaryView<'v>,
    create_index: u64,
    modify_index: u64,
    job_modify_index: u64,
    submit_time: i64,
}

impl<'v> JobStub<'v> {
    /// Creates the view of `entry` with the counts of `summary`.
    pub fn new(entry: &'v Entry<Job>, summary: &'v JobSummary) -> Self {
        Self {
            id: &entry.id,
            parent_id: "",
            // A job's name is not stored, and defaults to its ID.
            name: &entry.id,
            namespace: &entry.namespace,
            datacenters: DATACENTERS,
            r#type: kind(entry),
            priority: PRIORITY,
            periodic: false,
            parameterized_job: false,
            stop: entry.stop,
            status: summary.status(entry),
            status_description: "",
            job_summary: JobSummaryView::new(entry, summary),
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
            job_modify_index: entry.modify_index(),
            // Nomad's submit time is that of the last registration.
            submit_time: entry.modify_time,
        }
    }
}

fn kind(job: &Job) -> &str {
    if job.kind.is_empty() { SERVICE } else { &job.kind }
}

/// A job with all its fields.
#[allow(clippy::struct_excessive_bools, reason = "Nomad: the fields of its job")]
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/structs.go, Job.
pub struct JobView<'v> {
    region: &'static str,
    namespace: &'v str,
    #[serde(rename = "ID")]
    id: &'v str,
    #[serde(rename = "ParentID")]
    parent_id: &'static str,
    name: &'v str,
    r#type: &'v str,
    priority: u8,
    all_at_once: bool,
    datacenters: [&'static str; 1],
    node_pool: &'static str,
    constraints: (),
    affinities: (),
    spreads: (),
    task_groups: Vec<GroupView<'v>>,
    update: (),
    periodic: (),
    parameterized_job: (),
    payload: (),
    meta: (),
    stop: bool,
    dispatched: bool,
    status: &'v str,
    status_description: &'static str,
    stable: bool,
    version: u64,
    submit_time: i64,
    create_index: u64,
    modify_index: u64,
    job_modify_index: u64,
}

impl<'v> JobView<'v> {
    /// Creates the view of `entry`. Cost: reads its allocations for the status.
    pub fn new<V: ReadView>(view: &V, entry: &'v Entry<Job>) -> Self {
        Self {
            region: "global",
            namespace: &entry.namespace,
            id: &entry.id,
            parent_id: "",
            name: &entry.id,
            r#type: kind(entry),
            priority: PRIORITY,
            all_at_once: false,
            datacenters: DATACENTERS,
            node_pool: crate::rows::DEFAULT_NODE_POOL,
            constraints: (),
            affinities: (),
            spreads: (),
            task_groups: entry.groups.iter().map(GroupView::new).collect(),
            update: (),
            periodic: (),
            parameterized_job: (),
            payload: (),
            meta: (),
            stop: entry.stop,
            dispatched: false,
            status: JobSummary::of(view, entry).status(entry),
            status_description: "",
            stable: false,
            version: 0,
            submit_time: entry.modify_time,
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
            job_modify_index: entry.modify_index(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GroupView<'v> {
    name: &'v str,
    count: u64,
    volumes: BTreeMap<&'v str, RequestView<'v>>,
    tasks: Vec<TaskView<'v>>,
}

impl<'v> GroupView<'v> {
    fn new(group: &'v TaskGroup) -> Self {
        let requests = group.volumes.iter().map(|request| {
            let view = RequestView {
                name: &request.name,
                r#type: match request.kind {
                    RequestKind::Host => "host",
                    RequestKind::Csi => "csi",
                },
                source: &request.source,
                read_only: request.read_only,
                per_alloc: request.per_alloc,
                sticky: request.sticky,
            };
            (&*request.name, view)
        });
        let tasks = group.plugins.iter().map(|plugin| {
            let kind = match plugin.kind {
                PluginKind::Node => "node",
                PluginKind::Controller => "controller",
                PluginKind::Monolith => "monolith",
            };
            // The names of tasks are not stored.
            TaskView {
                name: &plugin.id,
                csi_plugin_config: PluginConfig { id: &plugin.id, r#type: kind },
            }
        });
        Self {
            name: &group.name,
            count: group.count,
            volumes: requests.collect(),
            tasks: tasks.collect(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RequestView<'v> {
    name: &'v str,
    r#type: &'static str,
    source: &'v str,
    read_only: bool,
    per_alloc: bool,
    sticky: bool,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TaskView<'v> {
    name: &'v str,
    #[serde(rename = "CSIPluginConfig")]
    csi_plugin_config: PluginConfig<'v>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PluginConfig<'v> {
    #[serde(rename = "ID")]
    id: &'v str,
    r#type: &'static str,
}
