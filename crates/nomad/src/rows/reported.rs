//! Host volumes that nodes report, each in its own row, because a node may have any number of them.

use serde::{Deserialize, Serialize};
use statehold_store::Table;
use uuid::Uuid;

use super::NodeHostVolume;

/// A host volume that a node reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedHostVolume {
    /// The node, first half of the key.
    pub node_id: Uuid,
    /// The volume as the node reports it; its name is the second half of the key.
    pub volume: NodeHostVolume,
}

/// Table of the host volumes that nodes report, by node and name.
#[derive(Clone, Copy, Debug)]
pub struct ReportedHostVolumes;

impl Table for ReportedHostVolumes {
    const NAME: &'static str = "reported_host_volumes";
    const VERSION: u16 = 1;
    type Key = (Uuid, String);
    type Row = ReportedHostVolume;

    fn key(row: &ReportedHostVolume) -> (Uuid, &str) {
        (row.node_id, &row.volume.name)
    }
}
