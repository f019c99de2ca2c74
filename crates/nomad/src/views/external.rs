//! The views of a provider's volumes and snapshots.

use serde::Serialize;

use crate::{
    ops::CreatedSnapshot,
    provider::{ExternalVolume, Snapshot},
    rows::Labels,
};

/// A volume as its provider reports it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/csi.go, CSIVolumeExternalStub.
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
    /// Creates the view of `volume`.
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
// Nomad: nomad/structs/csi.go, CSISnapshot.
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
    // Secrets are never returned, although the field exists in Nomad's type.
    secrets: (),
    parameters: (),
}

impl<'v> SnapshotView<'v> {
    /// Creates the view of a snapshot that was just created.
    pub fn created(created: &'v CreatedSnapshot) -> Self {
        let view = Self::listed(&created.plugin_id, &created.snapshot);
        Self { source_volume_id: &created.volume_id, ..view }
    }

    /// Creates the view of a snapshot in a list. The volume's ID is empty, because providers know
    /// only their own IDs.
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
