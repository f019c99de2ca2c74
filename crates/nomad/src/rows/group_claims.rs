//! Sticky claims: the host volumes that a task group returns to.

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{Index, IndexSet, Table};
use uuid::Uuid;

/// The claim of a job's task group on a host volume, which outlives the group's allocations.
///
/// At most one for each volume and group, created when an allocation of the group is placed on the
/// volume's node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct TaskGroupClaim {
    /// Its ID, for lookup and deletion.
    #[filterable(rename = "ID")]
    pub id: Uuid,
    /// The namespace of the job, first part of the key.
    pub namespace: Box<str>,
    /// The job, second part of the key.
    #[filterable(rename = "JobID")]
    pub job_id: Box<str>,
    /// The task group, third part of the key.
    #[filterable(rename = "TaskGroupName")]
    pub task_group: Box<str>,
    /// The allocation that used the volume last.
    #[filterable(rename = "AllocID")]
    pub alloc_id: Uuid,
    /// The volume, last part of the key.
    #[filterable(rename = "VolumeID")]
    pub volume_id: Uuid,
    /// The volume's name, as the group requests it.
    pub volume_name: Box<str>,
}

/// Table of the sticky claims, by namespace, job, task group and volume.
#[derive(Clone, Copy, Debug)]
pub struct TaskGroupClaims;

impl TaskGroupClaims {
    /// Claims by their own ID.
    pub const BY_ID: Index<Self, Uuid> =
        Self::INDEX.unique("id", |claim, keys| keys.add(claim.id)).serves("ID");

    /// Claims by the namespace and the ID of their job.
    pub const BY_JOB: Index<Self, (String, String)> =
        Self::INDEX.non_unique("job", |claim, keys| {
            keys.add((&claim.namespace, &claim.job_id));
        });
}

impl Table for TaskGroupClaims {
    const NAME: &'static str = "task_group_claims";
    const VERSION: u16 = 1;
    type Key = (String, (String, String, Uuid));
    type Row = TaskGroupClaim;

    fn key(row: &TaskGroupClaim) -> (&str, (&str, &str, Uuid)) {
        (&row.namespace, (&row.job_id, &row.task_group, row.volume_id))
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&Self::BY_ID).add(&Self::BY_JOB);
    }
}
