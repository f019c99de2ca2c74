//! The JSON of a transfer and of QoS specs.
#![expect(clippy::option_option, reason = "a member that is null and one that is not there differ")]

use serde::Serialize;
use uuid::Uuid;

use super::{Links, Viewer, member_if};
use crate::{
    Pairs,
    rows::{QosSpecs, Transfer, VolumeType},
    time::{timestamp, timestamp_exact},
};

/// The collection in links, which is the same for both paths of transfers.
const COLLECTION: &str = "os-volume-transfer";

/// A transfer in a list, and in the response to its acceptance.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct TransferStub<'v> {
    id: Uuid,
    volume_id: Uuid,
    name: Option<&'v str>,
    links: Links<'v>,
}

impl<'v> TransferStub<'v> {
    /// Returns the view of `row`.
    pub fn new(viewer: Viewer<'v>, row: &'v Transfer) -> Self {
        let links = viewer.links(COLLECTION, row.id);
        Self { id: row.id, volume_id: row.volume_id, name: row.name.as_deref(), links }
    }
}

/// A transfer alone, or in a detailed list.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct TransferView<'v> {
    #[serde(flatten)]
    stub: TransferStub<'v>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_key: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_snapshots: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_project_id: Option<Option<&'v str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_project_id: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<bool>,
}

/// Omits the key, because logs MUST NOT hold credentials.
impl std::fmt::Debug for TransferView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransferView").field("stub", &self.stub).finish_non_exhaustive()
    }
}

impl<'v> TransferView<'v> {
    /// Returns the view of a stored transfer.
    pub fn new(viewer: Viewer<'v>, row: &'v Transfer) -> Self {
        // Cinder: cinder/api/views/transfers.py, ViewBuilder.detail.
        let (snapshots, history) = (viewer.version.at_least(55), viewer.version.at_least(57));
        Self {
            stub: TransferStub::new(viewer, row),
            created_at: timestamp(row.created_at),
            auth_key: None,
            no_snapshots: snapshots.then_some(row.no_snapshots),
            destination_project_id: member_if(history, None),
            source_project_id: history.then_some(&row.project_id),
            // Acceptance deletes the row, so a stored transfer was never accepted.
            accepted: history.then_some(false),
        }
    }

    /// Returns the view of a transfer that was just created: the only view that contains the key.
    pub fn created(viewer: Viewer<'v>, row: &'v Transfer, key: &'v str) -> Self {
        // Only the hash of the key is stored, so the key cannot be shown again.
        let created_at = timestamp_exact(row.created_at);
        Self { created_at, auth_key: Some(key), ..Self::new(viewer, row) }
    }
}

/// QoS specs.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct QosView<'v> {
    id: Uuid,
    name: &'v str,
    consumer: &'v str,
    specs: &'v Pairs,
}

impl<'v> QosView<'v> {
    /// Returns the view of `row`.
    // Cinder: cinder/api/views/qos_specs.py, ViewBuilder.detail.
    pub fn new(row: &'v QosSpecs) -> Self {
        Self { id: row.id, name: &row.name, consumer: &row.consumer, specs: &row.specs }
    }

    /// Returns the links of `row`, which are placed beside it in a response.
    pub fn links(viewer: Viewer<'v>, row: &QosSpecs) -> Links<'v> {
        viewer.links("qos-specs", row.id)
    }
}

/// A type that refers to QoS specs.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct QosAssociationView<'v> {
    association_type: &'static str,
    name: &'v str,
    id: Uuid,
}

impl<'v> QosAssociationView<'v> {
    /// Returns the view of `row`.
    pub fn new(row: &'v VolumeType) -> Self {
        Self { association_type: "volume_type", name: &row.name, id: row.id }
    }
}
