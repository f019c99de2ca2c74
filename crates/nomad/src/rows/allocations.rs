//! Allocations: instances of a task group on a node, and the volumes they request.

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{Index, IndexSet, OldRow, RowError, Table};
use uuid::Uuid;

use super::{RequestKind, TaskPlugin, VolumeRequest, old::AllocationV1};
use crate::fmt::beginning;

/// An instance of a task group on a node.
///
/// The fields that end in `_json` are returned to clients unchanged and are never interpreted: each
/// is empty or holds one JSON value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct Allocation {
    /// Its ID, the key.
    #[filterable(rename = "ID")]
    pub id: Uuid,
    /// The namespace of its job.
    pub namespace: Box<str>,
    /// The evaluation that placed it.
    #[filterable(rename = "EvalID")]
    pub eval_id: Box<str>,
    /// Job, group and number: `example.cache[0]`.
    pub name: Box<str>,
    /// The node it is on, if any.
    #[filterable(rename = "NodeID")]
    pub node_id: Option<Uuid>,
    /// The name of that node.
    pub node_name: Box<str>,
    /// Its job.
    #[filterable(rename = "JobID")]
    pub job_id: Box<str>,
    /// The type of its job.
    pub job_type: Box<str>,
    /// The version of its job.
    pub job_version: u64,
    /// Its task group.
    pub task_group: Box<str>,
    /// The desired status, set by the scheduler: `run`, `stop` or `evict`.
    pub desired_status: Box<str>,
    /// The reason for the desired status.
    pub desired_description: Box<str>,
    /// The actual status, reported by the node: `pending`, `running`, `complete`, `failed`, `lost`
    /// or `unknown`.
    pub client_status: Box<str>,
    /// The reason for the actual status.
    pub client_description: Box<str>,
    /// The evaluation that will replace it.
    #[filterable(rename = "FollowupEvalID")]
    pub followup_eval_id: Box<str>,
    /// The allocation that replaced it.
    pub next_allocation: Box<str>,
    /// The allocations that it preempted.
    pub preempted_allocations: Vec<Box<str>>,
    /// The allocation that preempted it.
    pub preempted_by_allocation: Box<str>,
    /// The scheduler's next action for it.
    #[filterable(skip)]
    pub desired_transition_json: Box<str>,
    /// The states of its tasks.
    #[filterable(skip)]
    pub task_states_json: Box<str>,
    /// Its status in a deployment.
    #[filterable(skip)]
    pub deployment_status_json: Box<str>,
    /// Its rescheduling history.
    #[filterable(skip)]
    pub reschedule_tracker_json: Box<str>,
    /// The volumes that its group requests.
    #[filterable(skip)]
    pub volumes: Vec<VolumeRequest>,
    /// The plugins that its tasks run.
    #[filterable(skip)]
    pub plugins: Vec<TaskPlugin>,
    /// Its creation time, in unix nanoseconds.
    pub create_time: i64,
    /// Its last change, in unix nanoseconds.
    pub modify_time: i64,
}

impl Allocation {
    /// Returns whether the scheduler has stopped it.
    // Nomad: nomad/structs/structs.go, Allocation.ServerTerminalStatus.
    pub fn is_server_terminal(&self) -> bool {
        matches!(&*self.desired_status, "stop" | "evict")
    }

    /// Returns whether its node reports that it has ended.
    // Nomad: nomad/structs/structs.go, Allocation.ClientTerminalStatus.
    pub fn is_client_terminal(&self) -> bool {
        matches!(&*self.client_status, "complete" | "failed" | "lost")
    }

    /// Returns whether it has ended or has been stopped.
    pub fn is_terminal(&self) -> bool {
        self.is_server_terminal() || self.is_client_terminal()
    }

    /// Returns whether it uses its volumes or will: its desired status is `run`, or it still runs.
    pub(crate) fn is_using_volumes(&self) -> bool {
        &*self.desired_status == "run" || &*self.client_status == "running"
    }

    /// Returns whether it counts as an expected instance of its system job.
    pub(crate) fn is_expected(&self) -> bool {
        matches!(&*self.client_status, "" | "pending" | "running")
    }

    /// Returns the IDs of the CSI volumes that it requests, with the suffix that `per_alloc`
    /// appends.
    pub fn csi_sources(&self) -> impl Iterator<Item = String> {
        self.sources(RequestKind::Csi)
    }

    /// Returns the names of the host volumes that it requests, with the same suffix.
    pub fn host_sources(&self) -> impl Iterator<Item = String> {
        self.sources(RequestKind::Host)
    }

    fn sources(&self, kind: RequestKind) -> impl Iterator<Item = String> {
        self.volumes.iter().filter(move |request| request.kind == kind).map(|request| {
            let suffix = if request.per_alloc { self.number_suffix() } else { "" };
            format!("{}{suffix}", request.source)
        })
    }

    /// Returns the `[0]` at the end of its name, empty if there is none.
    // Nomad: nomad/structs/funcs.go, AllocSuffix.
    fn number_suffix(&self) -> &str {
        let from = self.name.rfind('[').filter(|_| self.name.ends_with(']'));
        from.and_then(|from| self.name.get(from..)).unwrap_or_default()
    }
}

/// Maximum length of a host volume's name in an index key, in bytes.
const INDEXED_NAME_MAX: usize = 1024;

/// Table of the allocations, by ID.
#[derive(Clone, Copy, Debug)]
pub struct Allocations;

impl Allocations {
    /// Allocations by their node.
    pub const BY_NODE: Index<Self, Uuid> = Self::INDEX.non_unique("node", |allocation, keys| {
        if let Some(node) = allocation.node_id {
            keys.add(node);
        }
    });

    /// Allocations that have not ended on their node, by that node and the names of the host
    /// volumes that they request. Long names are cut, see [`Allocations::indexed_name`].
    pub const BY_HOST_VOLUME: Index<Self, (Uuid, String)> =
        Self::INDEX.non_unique("host_volume", |allocation, keys| {
            let Some(node) = allocation.node_id.filter(|_| !allocation.is_client_terminal()) else {
                return;
            };
            let mut sources: Vec<String> = allocation.host_sources().collect();
            for source in &mut sources {
                source.truncate(Self::indexed_name(source).len());
            }
            // Two requests of one volume MUST add its key once.
            sources.sort_unstable();
            sources.dedup();
            for source in &sources {
                keys.add((node, source));
            }
        });

    /// Allocations that have not ended on their node, by that node.
    pub const UNENDED: Index<Self, Uuid> = Self::INDEX.non_unique("unended", |allocation, keys| {
        if let Some(node) = allocation.node_id.filter(|_| !allocation.is_client_terminal()) {
            keys.add(node);
        }
    });

    /// Returns the part of a host volume's name that index keys hold, at most 1 KiB, because keys
    /// have a maximum length and names in jobs have none.
    pub fn indexed_name(name: &str) -> &str {
        beginning(name, INDEXED_NAME_MAX)
    }

    /// Allocations by the namespace and the ID of their job.
    pub const BY_JOB: Index<Self, (String, String)> =
        Self::INDEX.non_unique("job", |allocation, keys| {
            keys.add((&allocation.namespace, &allocation.job_id));
        });
}

impl Table for Allocations {
    const NAME: &'static str = "allocations";
    const VERSION: u16 = 2;
    type Key = Uuid;
    type Row = Allocation;

    fn key(row: &Allocation) -> Uuid {
        row.id
    }

    fn migrate(old: OldRow<'_>) -> Result<Allocation, RowError> {
        match old.version() {
            1 => old.read::<AllocationV1>().map(Allocation::from),
            _ => Err(old.unknown(Self::VERSION)),
        }
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&Self::BY_NODE);
        set.add(&Self::BY_HOST_VOLUME).add(&Self::UNENDED);
        set.add(&Self::BY_JOB);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested_sources(name: &str, per_alloc: bool) -> Vec<String> {
        let request = VolumeRequest {
            kind: RequestKind::Csi,
            source: "data".into(),
            per_alloc,
            ..Default::default()
        };
        let host = VolumeRequest { source: "host".into(), ..Default::default() };
        let allocation =
            Allocation { name: name.into(), volumes: vec![request, host], ..Default::default() };
        allocation.csi_sources().collect()
    }

    #[test]
    fn per_alloc_requests_append_the_index_of_the_allocation() {
        assert_eq!(requested_sources("job.group[7]", true), ["data[7]"]);
        assert_eq!(requested_sources("job[1].group[12]", true), ["data[12]"]);
    }

    #[test]
    fn other_requests_use_the_source_unchanged() {
        assert_eq!(requested_sources("job.group[7]", false), ["data"]);
        assert_eq!(requested_sources("unnumbered", true), ["data"]);
    }
}
