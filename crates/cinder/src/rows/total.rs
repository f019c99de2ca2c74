//! Running totals of volumes and their snapshots.

use serde::{Deserialize, Serialize};
use statehold_store::Table;

/// The number and size of volumes and of their snapshots: of all, of one back end, of one project,
/// or of both.
///
/// Every write of a volume or snapshot updates these rows in its transaction, so that no request
/// counts volumes. A row whose counts are all 0 is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_totals", key(host, project_id))]
pub struct Total {
    /// The back end, `host@backend` without a pool; none is all volumes, placed or not.
    pub host: Option<Box<str>>,
    /// The project; none is all projects.
    pub project_id: Option<Box<str>>,
    /// The number of volumes.
    pub volumes: u64,
    /// The sum of their sizes, in GiB.
    pub volume_gib: u64,
    /// The number of snapshots of them.
    pub snapshots: u64,
    /// The sum of the snapshots' sizes, in GiB.
    pub snapshot_gib: u64,
}
