//! Running totals of volumes and their snapshots.

use serde::{Deserialize, Serialize};
use statehold_store::Table;

/// How many volumes there are, of all or of one back end, project, or both; and how many snapshots of
/// them.
///
/// Every write of a volume or snapshot changes these rows in its transaction, so that no answer counts
/// volumes. A row whose counts are all 0 is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_totals", key(host, project_id))]
pub struct Total {
    /// The back end, `host@backend` without a pool; none is all volumes, placed or not.
    pub host: Option<Box<str>>,
    /// The project; none is all.
    pub project_id: Option<Box<str>>,
    /// The number of volumes.
    pub volumes: u64,
    /// Their sizes together, in GiB.
    pub volume_gib: u64,
    /// The number of snapshots of them.
    pub snapshots: u64,
    /// The sizes of the snapshots together, in GiB.
    pub snapshot_gib: u64,
}
