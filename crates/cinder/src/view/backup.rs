//! The JSON of a backup.
#![expect(clippy::option_option, reason = "a member that is null and one that is not there differ")]

use serde::Serialize;
use statehold_store::ReadView;
use uuid::Uuid;

use super::{Links, Viewer, member_if};
use crate::{Pairs, caller::policy, ops::has_dependents, rows::Backup, time::timestamp};

/// A backup in a list, and in responses to changes.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct BackupStub<'v> {
    id: Uuid,
    name: Option<&'v str>,
    links: Links<'v>,
}

impl<'v> BackupStub<'v> {
    /// Returns the view of `row`.
    pub fn new(viewer: Viewer<'v>, row: &'v Backup) -> Self {
        Self { id: row.id, name: row.name.as_deref(), links: viewer.links("backups", row.id) }
    }
}

/// A backup alone, or in a detailed list.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct BackupView<'v> {
    #[serde(flatten)]
    stub: BackupStub<'v>,
    status: &'static str,
    size: u32,
    object_count: u32,
    availability_zone: Option<&'v str>,
    container: &'v str,
    created_at: String,
    updated_at: Option<String>,
    description: Option<&'v str>,
    fail_reason: Option<&'v str>,
    volume_id: Uuid,
    is_incremental: bool,
    has_dependent_backups: bool,
    snapshot_id: Option<Uuid>,
    data_timestamp: String,
    #[serde(rename = "os-backup-project-attr:project_id", skip_serializing_if = "Option::is_none")]
    project_id: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'v Pairs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<Option<&'v str>>,
}

impl<'v> BackupView<'v> {
    /// Returns the view of `row`, a row of `view`.
    pub fn new(viewer: Viewer<'v>, view: &impl ReadView, row: &'v Backup) -> Self {
        let version = viewer.version;
        let owner = viewer.caller.allows(policy::BACKUP_SHOW_PROJECT);
        Self {
            stub: BackupStub::new(viewer, row),
            status: row.status.as_str(),
            size: row.size,
            object_count: row.object_count,
            availability_zone: row.availability_zone.as_deref(),
            container: &row.container,
            created_at: timestamp(row.created_at),
            updated_at: row.updated_at.map(timestamp),
            // Cinder: cinder/api/views/backups.py, ViewBuilder.detail.
            description: row.description.as_deref(),
            fail_reason: row.fail_reason.as_deref(),
            volume_id: row.volume_id,
            is_incremental: row.parent_id.is_some(),
            has_dependent_backups: has_dependents(view, row),
            snapshot_id: row.snapshot_id,
            data_timestamp: timestamp(row.data_timestamp),
            project_id: (version.at_least(18) && owner).then_some(&row.project_id),
            metadata: version.at_least(43).then_some(&row.metadata),
            user_id: member_if(version.at_least(56) && owner, Some(&*row.user_id)),
        }
    }
}
