//! The JSON of a snapshot.
#![expect(clippy::option_option, reason = "a member that is null and one that is not there differ")]

use serde::Serialize;
use uuid::Uuid;

use super::{Viewer, member_if};
use crate::{
    Pairs,
    caller::policy,
    rows::Snapshot,
    time::{timestamp, timestamp_exact},
};

/// A snapshot in a list.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct SnapshotStub<'v> {
    id: Uuid,
    created_at: String,
    updated_at: Option<String>,
    name: Option<&'v str>,
    description: Option<&'v str>,
    volume_id: Uuid,
    status: &'static str,
    size: u32,
    metadata: &'v Pairs,
}

impl<'v> SnapshotStub<'v> {
    /// Returns the view of `row`.
    pub fn new(row: &'v Snapshot) -> Self {
        Self {
            id: row.id,
            created_at: timestamp(row.created_at),
            updated_at: row.updated_at.map(timestamp),
            name: row.name.as_deref(),
            description: row.description.as_deref(),
            volume_id: row.volume_id,
            status: row.status.as_str(),
            size: row.size,
            metadata: &row.metadata,
        }
    }
}

/// A snapshot alone, or in a detailed list.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct SnapshotView<'v> {
    #[serde(flatten)]
    stub: SnapshotStub<'v>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_snapshot_id: Option<Option<Uuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumes_quota: Option<bool>,
    #[serde(
        rename = "os-extended-snapshot-attributes:project_id",
        skip_serializing_if = "Option::is_none"
    )]
    project_id: Option<&'v str>,
    #[serde(
        rename = "os-extended-snapshot-attributes:progress",
        skip_serializing_if = "Option::is_none"
    )]
    progress: Option<String>,
}

impl<'v> SnapshotView<'v> {
    /// Returns the view of a stored snapshot.
    pub fn new(viewer: Viewer<'_>, row: &'v Snapshot) -> Self {
        let version = viewer.version;
        // Cinder: cinder/api/contrib/extended_snapshot_attributes.py.
        let reader = viewer.caller.allows(policy::SNAPSHOT_SHOW_EXTENDED);
        Self {
            stub: SnapshotStub::new(row),
            group_snapshot_id: member_if(version.at_least(14), row.group_snapshot_id),
            user_id: version.at_least(41).then_some(&row.user_id),
            consumes_quota: version.at_least(65).then_some(row.consumes_quota),
            project_id: reader.then_some(&row.project_id),
            progress: reader.then(|| format!("{}%", row.progress)),
        }
    }

    /// Returns the view of a snapshot that was just created or updated, without its project and
    /// progress. A new one shows microseconds.
    pub fn written(viewer: Viewer<'_>, row: &'v Snapshot) -> Self {
        let mut view = Self { project_id: None, progress: None, ..Self::new(viewer, row) };
        // The reference shows microseconds until it has read the row back.
        if row.updated_at.is_none() {
            view.stub.created_at = timestamp_exact(row.created_at);
        }
        view
    }
}
