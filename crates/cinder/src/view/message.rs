//! The JSON of messages, default types and limits.

use serde::Serialize;
use statehold_store::ReadView;
use uuid::Uuid;

use super::{Links, Viewer};
use crate::{
    config::Config,
    quota::{quota_limit, quota_usage},
    rows::{DefaultType, Message, QuotaKind, QuotaResource},
    time::timestamp,
};

/// Guaranteed lifetime of a message, in nanoseconds: 30 days.
// Cinder: cinder/message/api.py, the option `message_ttl`.
const KEPT_NS: i64 = 30 * 86_400 * 1_000_000_000;

/// A message.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct MessageView<'v> {
    id: Uuid,
    event_id: &'v str,
    user_message: &'v str,
    message_level: &'static str,
    created_at: String,
    guaranteed_until: String,
    request_id: &'v str,
    links: Links<'v>,
    resource_type: &'v str,
    resource_uuid: Uuid,
}

impl<'v> MessageView<'v> {
    /// Returns the view of `row`.
    // Cinder: cinder/api/v3/views/messages.py, ViewBuilder.detail.
    pub fn new(viewer: Viewer<'v>, row: &'v Message) -> Self {
        Self {
            id: row.id,
            event_id: &row.event_id,
            user_message: &row.user_message,
            message_level: Message::LEVEL,
            created_at: timestamp(row.created_at),
            guaranteed_until: timestamp(row.created_at.saturating_add(KEPT_NS)),
            request_id: &row.request_id,
            links: viewer.links("messages", row.id),
            resource_type: &row.resource_type,
            resource_uuid: row.resource_uuid,
        }
    }
}

/// The type of a project's volumes that are created without one.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct DefaultTypeView<'v> {
    project_id: &'v str,
    volume_type_id: Uuid,
}

impl<'v> DefaultTypeView<'v> {
    /// Returns the view of `row`.
    pub fn new(row: &'v DefaultType) -> Self {
        Self { project_id: &row.project_id, volume_type_id: row.volume_type_id }
    }
}

/// The limits and usage of a project: `/limits`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct LimitsView {
    rate: [(); 0],
    absolute: Absolute,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct Absolute {
    max_total_volumes: i64,
    max_total_snapshots: i64,
    max_total_volume_gigabytes: i64,
    max_total_backups: i64,
    max_total_backup_gigabytes: i64,
    #[serde(flatten)]
    used: Option<Used>,
}

// The usage, for callers that may see it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the API's members")]
struct Used {
    total_volumes_used: i64,
    total_gigabytes_used: i64,
    total_snapshots_used: i64,
    total_backups_used: i64,
    total_backup_gigabytes_used: i64,
}

impl LimitsView {
    /// Returns the limits of `project`, and with `shows_used` its usage.
    // Cinder: cinder/api/contrib/used_limits.py, UsedLimitsController.index.
    pub fn new(view: &impl ReadView, config: &Config, project: &str, shows_used: bool) -> Self {
        let max = |kind| quota_limit(view, config, project, QuotaResource::all(kind));
        let used = |kind| quota_usage(view, config, project, QuotaResource::all(kind)).in_use;
        let absolute = Absolute {
            max_total_volumes: max(QuotaKind::Volumes),
            max_total_snapshots: max(QuotaKind::Snapshots),
            max_total_volume_gigabytes: max(QuotaKind::Gigabytes),
            max_total_backups: max(QuotaKind::Backups),
            max_total_backup_gigabytes: max(QuotaKind::BackupGigabytes),
            used: shows_used.then(|| Used {
                total_volumes_used: used(QuotaKind::Volumes),
                total_gigabytes_used: used(QuotaKind::Gigabytes),
                total_snapshots_used: used(QuotaKind::Snapshots),
                total_backups_used: used(QuotaKind::Backups),
                total_backup_gigabytes_used: used(QuotaKind::BackupGigabytes),
            }),
        };
        // Cinder: cinder/api/views/limits.py; clients expect `rate`, though no rate is limited
        // here.
        Self { rate: [], absolute }
    }
}
