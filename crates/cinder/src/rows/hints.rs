//! Scheduler hints: on which back ends a new volume may be.

use serde::{Deserialize, Serialize};
use statehold_store::Table;
use uuid::Uuid;

/// The hints of a volume that is being created. They are deleted with its work, because no later work
/// heeds them.
// Cinder: cinder/scheduler/filters/affinity_filter.py and json_filter.py, which read the same hints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_scheduler_hints")]
pub struct SchedulerHints {
    /// The volume.
    #[table(key)]
    pub volume: Uuid,
    /// It MUST be on a back end that has one of these volumes, unless there are none.
    pub same_host: Vec<Uuid>,
    /// It MUST NOT be on a back end that has one of these volumes.
    pub different_host: Vec<Uuid>,
    /// A JSON query that its back end MUST match.
    pub query: Option<Box<str>>,
}

impl SchedulerHints {
    /// Returns whether nothing is demanded.
    pub fn is_empty(&self) -> bool {
        self.same_host.is_empty() && self.different_host.is_empty() && self.query.is_none()
    }
}
