//! The JSON of what providers tell: their volumes and snapshots.

use serde::Serialize;

use crate::{
    ops::CreatedSnapshot,
    provider::{ExternalVolume, Snapshot},
    rows::Labels,
};

/// A volume as its provider tells of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExternalVolumeView<'v> {
    #[serde(rename = "ExternalID")]
    external_id: &'v str,
    capacity_bytes: i64,
    volume_context: &'v Labels,
    #[serde(rename = "CloneID")]
    clone_id: &'v str,
    #[serde(rename = "SnapshotID")]
    snapshot_id: &'v str,
    #[serde(rename = "PublishedExternalNodeIDs")]
    published_external_node_ids: &'v [Box<str>],
    is_abnormal: bool,
    status: &'v str,
}

impl<'v> ExternalVolumeView<'v> {
    /// The view of `volume`.
    pub fn new(volume: &'v ExternalVolume) -> Self {
        Self {
            external_id: &volume.external_id,
            capacity_bytes: volume.capacity,
            volume_context: &volume.context,
            clone_id: &volume.clone_id,
            snapshot_id: &volume.snapshot_id,
            published_external_node_ids: &volume.attached_to,
            is_abnormal: volume.abnormal,
            status: &volume.status,
        }
    }
}

/// A snapshot as its provider reports it. The fields that only requests fill are empty.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SnapshotView<'v> {
    #[serde(rename = "ID")]
    id: &'v str,
    #[serde(rename = "ExternalSourceVolumeID")]
    external_source_volume_id: &'v str,
    size_bytes: i64,
    create_time: i64,
    is_ready: bool,
    #[serde(rename = "SourceVolumeID")]
    source_volume_id: &'v str,
    #[serde(rename = "PluginID")]
    plugin_id: &'v str,
    name: &'static str,
    secrets: (),
    parameters: (),
}

impl<'v> SnapshotView<'v> {
    /// Returns the view of a snapshot that was just taken.
    pub fn taken(taken: &'v CreatedSnapshot) -> Self {
        let view = Self::listed(&taken.plugin_id, &taken.snapshot);
        Self { source_volume_id: &taken.volume_id, ..view }
    }

    /// Returns the view of a snapshot in a list of its plugin's. The volume's ID is empty, because
    /// providers know only their own.
    pub fn listed(plugin_id: &'v str, snapshot: &'v Snapshot) -> Self {
        Self {
            id: &snapshot.id,
            external_source_volume_id: &snapshot.external_volume_id,
            size_bytes: snapshot.size,
            create_time: snapshot.create_time,
            is_ready: snapshot.ready,
            source_volume_id: "",
            plugin_id,
            name: "",
            secrets: (),
            parameters: (),
        }
    }
}
