//! Allocations: instances of a job's group on a node, and the volumes they ask for.

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{Index, IndexSet, OldRow, RowError, Table};
use uuid::Uuid;

use super::{RequestKind, TaskPlugin, VolumeRequest, old::AllocationV1};
use crate::fmt::beginning;

/// An instance of a task group on a node.
///
/// The fields that end in `_json` are shown to clients as they came and mean nothing here: each is
/// empty or holds one JSON value.
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
    /// The group of its job.
    pub task_group: Box<str>,
    /// What the scheduler wants of it: `run`, `stop` or `evict`.
    pub desired_status: Box<str>,
    /// Why.
    pub desired_description: Box<str>,
    /// What the node says of it: `pending`, `running`, `complete`, `failed`, `lost` or `unknown`.
    pub client_status: Box<str>,
    /// Why.
    pub client_description: Box<str>,
    /// The evaluation that will replace it.
    #[filterable(rename = "FollowupEvalID")]
    pub followup_eval_id: Box<str>,
    /// The allocation that replaced it.
    pub next_allocation: Box<str>,
    /// Allocations that had to go for it.
    pub preempted_allocations: Vec<Box<str>>,
    /// The allocation that it had to go for.
    pub preempted_by_allocation: Box<str>,
    /// What the scheduler should do with it next.
    #[filterable(skip)]
    pub desired_transition_json: Box<str>,
    /// Its tasks.
    #[filterable(skip)]
    pub task_states_json: Box<str>,
    /// Its part in a deployment.
    #[filterable(skip)]
    pub deployment_status_json: Box<str>,
    /// Where it came from.
    #[filterable(skip)]
    pub reschedule_tracker_json: Box<str>,
    /// The volumes that its group asks for.
    #[filterable(skip)]
    pub volumes: Vec<VolumeRequest>,
    /// The plugins that its tasks are.
    #[filterable(skip)]
    pub plugins: Vec<TaskPlugin>,
    /// When it was first seen, in unix nanoseconds.
    pub create_time: i64,
    /// When it was last changed, in unix nanoseconds.
    pub modify_time: i64,
}

impl Allocation {
    /// Whether the scheduler wants it gone.
    pub fn is_server_terminal(&self) -> bool {
        matches!(&*self.desired_status, "stop" | "evict")
    }

    /// Whether its node says that it has ended.
    pub fn is_client_terminal(&self) -> bool {
        matches!(&*self.client_status, "complete" | "failed" | "lost")
    }

    /// Whether it has ended, or will.
    pub fn is_terminal(&self) -> bool {
        self.is_server_terminal() || self.is_client_terminal()
    }

    /// Whether it uses its volumes, or is about to: wanted, or still running.
    pub(crate) fn is_using_volumes(&self) -> bool {
        &*self.desired_status == "run" || &*self.client_status == "running"
    }

    /// Whether it counts as an instance that its system job expects.
    pub(crate) fn is_expected(&self) -> bool {
        matches!(&*self.client_status, "" | "pending" | "running")
    }

    /// The IDs of the CSI volumes that it asks for, with the number that `per_alloc` appends.
    pub fn csi_sources(&self) -> impl Iterator<Item = String> {
        self.sources(RequestKind::Csi)
    }

    /// The names of the host volumes that it asks for, in the same way.
    pub fn host_sources(&self) -> impl Iterator<Item = String> {
        self.sources(RequestKind::Host)
    }

    fn sources(&self, kind: RequestKind) -> impl Iterator<Item = String> {
        self.volumes.iter().filter(move |request| request.kind == kind).map(|request| {
            let suffix = if request.per_alloc { self.number_suffix() } else { "" };
            format!("{}{suffix}", request.source)
        })
    }

    /// The `[0]` at the end of its name, empty when there is none.
    fn number_suffix(&self) -> &str {
        let from = self.name.rfind('[').filter(|_| self.name.ends_with(']'));
        from.and_then(|from| self.name.get(from..)).unwrap_or_default()
    }
}

/// Bytes of a host volume's name that are in a key.
const INDEXED_NAME_MAX: usize = 1024;

/// Table of the allocations, by ID.
#[derive(Clone, Copy, Debug)]
pub struct Allocations;

impl Allocations {
    /// Allocations by the node they are on.
    pub const BY_NODE: Index<Self, Uuid> = Self::INDEX.non_unique("node", |allocation, keys| {
        if let Some(node) = allocation.node_id {
            keys.add(node);
        }
    });

    /// Allocations that have not ended on their node by that node and the names of the host volumes
    /// that they ask for; of a long name by its beginning, see [`Allocations::indexed_name`].
    pub const BY_HOST_VOLUME: Index<Self, (Uuid, String)> =
        Self::INDEX.non_unique("host_volume", |allocation, keys| {
            let Some(node) = allocation.node_id.filter(|_| !allocation.is_client_terminal()) else {
                return;
            };
            let mut sources: Vec<String> = allocation.host_sources().collect();
            for source in &mut sources {
                source.truncate(Self::indexed_name(source).len());
            }
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

    /// The part of a host volume's name that is in keys, at most 1 KiB: keys have a limit, and names in
    /// requests of jobs have none.
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

    fn asks(name: &str, per_alloc: bool) -> Vec<String> {
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
    fn per_alloc_requests_carry_the_allocations_number() {
        assert_eq!(asks("job.group[7]", true), ["data[7]"]);
        assert_eq!(asks("job[1].group[12]", true), ["data[12]"]);
    }

    #[test]
    fn other_requests_name_the_volume_itself() {
        assert_eq!(asks("job.group[7]", false), ["data"]);
        assert_eq!(asks("unnumbered", true), ["data"]);
    }
}
