//! The JSON of a transfer and of QoS specs.
#![expect(clippy::option_option, reason = "a member that is null and one that is not there differ")]

use serde::Serialize;
use uuid::Uuid;

use super::{Links, Viewer, when};
use crate::{
    Pairs,
    rows::{QosSpecs, Transfer, VolumeType},
    time::{timestamp, timestamp_exact},
};

/// The links of transfers are the same under both of their paths.
const COLLECTION: &str = "os-volume-transfer";

/// A transfer in a list, and in the answer to who took the volume.
#[derive(Clone, Debug, Serialize)]
pub struct TransferStub<'v> {
    id: Uuid,
    volume_id: Uuid,
    name: Option<&'v str>,
    links: Links<'v>,
}

impl<'v> TransferStub<'v> {
    /// The view of `row`.
    pub fn new(viewer: Viewer<'v>, row: &'v Transfer) -> Self {
        let links = viewer.links(COLLECTION, row.id);
        Self { id: row.id, volume_id: row.volume_id, name: row.name.as_deref(), links }
    }
}

/// A transfer alone, or in a list with all there is to say.
#[derive(Clone, Serialize)]
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

/// Nothing of the key.
impl std::fmt::Debug for TransferView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransferView").field("stub", &self.stub).finish_non_exhaustive()
    }
}

impl<'v> TransferView<'v> {
    /// The view of a stored transfer.
    pub fn new(viewer: Viewer<'v>, row: &'v Transfer) -> Self {
        let (snapshots, history) = (viewer.version.at_least(55), viewer.version.at_least(57));
        Self {
            stub: TransferStub::new(viewer, row),
            created_at: timestamp(row.created_at),
            auth_key: None,
            no_snapshots: snapshots.then_some(row.no_snapshots),
            destination_project_id: when(history, None),
            source_project_id: history.then_some(&row.project_id),
            // What was accepted is gone.
            accepted: history.then_some(false),
        }
    }

    /// The view of a transfer that was just made: the only one that tells the key.
    pub fn created(viewer: Viewer<'v>, row: &'v Transfer, key: &'v str) -> Self {
        let created_at = timestamp_exact(row.created_at);
        Self { created_at, auth_key: Some(key), ..Self::new(viewer, row) }
    }
}

/// QoS specs.
#[derive(Clone, Debug, Serialize)]
pub struct QosView<'v> {
    id: Uuid,
    name: &'v str,
    consumer: &'v str,
    specs: &'v Pairs,
}

impl<'v> QosView<'v> {
    /// The view of `row`.
    pub fn new(row: &'v QosSpecs) -> Self {
        Self { id: row.id, name: &row.name, consumer: &row.consumer, specs: &row.specs }
    }

    /// The links of `row`, which stand beside it.
    pub fn links(viewer: Viewer<'v>, row: &QosSpecs) -> Links<'v> {
        viewer.links("qos-specs", row.id)
    }
}

/// A type that is bound to QoS specs.
#[derive(Clone, Debug, Serialize)]
pub struct QosAssociationView<'v> {
    association_type: &'static str,
    name: &'v str,
    id: Uuid,
}

impl<'v> QosAssociationView<'v> {
    /// The view of `row`.
    pub fn new(row: &'v VolumeType) -> Self {
        Self { association_type: "volume_type", name: &row.name, id: row.id }
    }
}
