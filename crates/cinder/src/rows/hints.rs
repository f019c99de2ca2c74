//! Scheduler hints: constraints on the back end of a new volume.

use serde::{Deserialize, Serialize};
use statehold_store::Table;
use uuid::Uuid;

/// The hints of a volume that is being created. They are deleted with its work item, because no
/// later work reads them.
// Cinder: cinder/scheduler/filters/affinity_filter.py and json_filter.py read the same hints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_scheduler_hints")]
pub struct SchedulerHints {
    /// The volume.
    #[table(key)]
    pub volume: Uuid,
    /// It MUST be on a back end with at least one of these volumes, unless the list is empty.
    pub same_host: Vec<Uuid>,
    /// It MUST NOT be on a back end with any of these volumes.
    pub different_host: Vec<Uuid>,
    /// A JSON query that its back end MUST match.
    pub query: Option<Box<str>>,
}

impl SchedulerHints {
    /// Returns whether the hints constrain nothing.
    pub fn is_empty(&self) -> bool {
        self.same_host.is_empty() && self.different_host.is_empty() && self.query.is_none()
    }
}
