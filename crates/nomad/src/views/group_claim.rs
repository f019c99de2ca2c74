//! The view of a sticky claim.

use serde::Serialize;
use statehold_store::Entry;
use uuid::Uuid;

use crate::rows::TaskGroupClaim;

/// A sticky claim, in lists and alone.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TaskGroupClaimView<'v> {
    #[serde(rename = "ID")]
    id: Uuid,
    namespace: &'v str,
    #[serde(rename = "JobID")]
    job_id: &'v str,
    task_group_name: &'v str,
    #[serde(rename = "AllocID")]
    alloc_id: Uuid,
    #[serde(rename = "VolumeID")]
    volume_id: Uuid,
    volume_name: &'v str,
    create_index: u64,
    modify_index: u64,
}

impl<'v> TaskGroupClaimView<'v> {
    /// Creates the view of `entry`.
    pub fn new(entry: &'v Entry<TaskGroupClaim>) -> Self {
        Self {
            id: entry.id,
            namespace: &entry.namespace,
            job_id: &entry.job_id,
            task_group_name: &entry.task_group,
            alloc_id: entry.alloc_id,
            volume_id: entry.volume_id,
            volume_name: &entry.volume_name,
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
        }
    }
}
