//! The descriptions of volumes and snapshots, which `meta.json` stores beside the data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statehold_nomad::provider::{Snapshot, VolumeSource};

/// A volume's description.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VolumeMeta {
    pub(crate) name: Box<str>,
    /// In bytes.
    pub(crate) capacity: i64,
    /// The volume it was copied from; empty if none.
    pub(crate) clone_id: Box<str>,
    /// The snapshot it was created from; empty if none.
    pub(crate) snapshot_id: Box<str>,
    /// The attachments, by the provider's ID of the node.
    pub(crate) attached: BTreeMap<Box<str>, Attachment>,
}

/// The attachment of a volume to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attachment {
    pub(crate) read_only: bool,
}

impl VolumeMeta {
    /// Returns whether the volume was created from that source.
    pub(crate) fn is_copy_of(&self, source: Option<VolumeSource<'_>>) -> bool {
        let (volume, snapshot) = match source {
            None => ("", ""),
            Some(VolumeSource::Volume(id)) => (id, ""),
            Some(VolumeSource::Snapshot(id)) => ("", id),
        };
        *self.clone_id == *volume && *self.snapshot_id == *snapshot
    }
}

/// A snapshot's description.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotMeta {
    pub(crate) name: Box<str>,
    pub(crate) external_volume_id: Box<str>,
    /// In bytes.
    pub(crate) size: i64,
    /// In unix seconds.
    pub(crate) create_time: i64,
}

impl SnapshotMeta {
    /// Returns the snapshot as the provider reports it.
    pub(crate) fn to_snapshot(&self, id: &str) -> Snapshot {
        Snapshot {
            id: id.into(),
            external_volume_id: self.external_volume_id.clone(),
            size: self.size,
            create_time: self.create_time,
            ready: true,
        }
    }
}
