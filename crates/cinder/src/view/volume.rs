//! The JSON of a volume.
#![expect(clippy::option_option, reason = "a member that is null and one that is not there differ")]

use std::borrow::Cow;

use serde::Serialize;
use statehold_store::{KeyRange, Order, ReadView};
use uuid::Uuid;

use super::{Links, Viewer, member_if};
use crate::{
    Pairs,
    caller::policy,
    ops::is_consistency_type,
    rows::{AttachStatus, Attachment, Group, Volume, VolumeType},
    time::{timestamp, timestamp_exact},
};

/// Admin metadata that owners see.
// Cinder: cinder/api/api_utils.py, add_visible_admin_metadata.
const SHOWN_ADMIN_METADATA: [&str; 2] = ["readonly", "attached_mode"];

/// A volume in a list.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct VolumeStub<'v> {
    id: Uuid,
    name: Option<&'v str>,
    links: Links<'v>,
}

impl<'v> VolumeStub<'v> {
    /// Returns the view of `row`.
    pub fn new(viewer: Viewer<'v>, row: &'v Volume) -> Self {
        let links = viewer.links("volumes", row.id);
        Self { id: row.id, name: row.name.as_deref(), links }
    }
}

/// An attachment of a volume.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct AttachedView<'v> {
    id: Uuid,
    attachment_id: Uuid,
    volume_id: Uuid,
    server_id: Option<Uuid>,
    host_name: Option<&'v str>,
    device: Option<&'v str>,
    attached_at: Option<String>,
}

/// A volume alone, or in a detailed list.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct VolumeView<'v> {
    id: Uuid,
    status: &'static str,
    size: u32,
    availability_zone: Option<&'v str>,
    created_at: String,
    updated_at: Option<String>,
    name: Option<&'v str>,
    description: Option<&'v str>,
    volume_type: Option<&'v str>,
    snapshot_id: Option<Uuid>,
    source_volid: Option<Uuid>,
    metadata: Cow<'v, Pairs>,
    links: Links<'v>,
    user_id: &'v str,
    bootable: &'static str,
    encrypted: bool,
    replication_status: Option<&'v str>,
    consistencygroup_id: Option<Uuid>,
    multiattach: bool,
    attachments: Vec<AttachedView<'v>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    migration_status: Option<Option<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<Option<Uuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_id: Option<Option<&'v str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_targets: Option<Option<bool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_uuid: Option<Option<Uuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_name: Option<Option<&'v str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume_type_id: Option<Option<Uuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_key_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumes_quota: Option<bool>,
    #[serde(rename = "os-vol-tenant-attr:tenant_id", skip_serializing_if = "Option::is_none")]
    tenant: Option<&'v str>,
    #[serde(rename = "os-vol-mig-status-attr:migstat", skip_serializing_if = "Option::is_none")]
    migstat: Option<Option<&'static str>>,
    #[serde(rename = "os-vol-mig-status-attr:name_id", skip_serializing_if = "Option::is_none")]
    name_id: Option<Option<Uuid>>,
    #[serde(rename = "os-vol-host-attr:host", skip_serializing_if = "Option::is_none")]
    host: Option<Option<&'v str>>,
    #[serde(rename = "volume_image_metadata", skip_serializing_if = "Option::is_none")]
    image_metadata: Option<&'v Pairs>,
}

impl<'v> VolumeView<'v> {
    /// Returns the view of a stored volume.
    pub fn new(view: &'v impl ReadView, viewer: Viewer<'v>, row: &'v Volume) -> Self {
        Self::build(view, viewer, row, true)
    }

    /// Returns the view of a volume that was just created, which shows microseconds and lacks the
    /// extended members.
    pub fn created(view: &'v impl ReadView, viewer: Viewer<'v>, row: &'v Volume) -> Self {
        Self {
            created_at: timestamp_exact(row.created_at),
            ..Self::build(view, viewer, row, false)
        }
    }

    /// Returns the view of a volume that was just updated, which lacks the extended members.
    pub fn updated(view: &'v impl ReadView, viewer: Viewer<'v>, row: &'v Volume) -> Self {
        Self::build(view, viewer, row, false)
    }

    fn build(view: &'v impl ReadView, viewer: Viewer<'v>, row: &'v Volume, stored: bool) -> Self {
        let (caller, version) = (viewer.caller, viewer.version);
        let admin = caller.is_admin();
        let migrations = caller.allows(policy::VOLUME_SHOW_MIGRATION);
        let tenant = stored && caller.allows(policy::VOLUME_SHOW_PROJECT);
        let volume_type = row.volume_type_id.and_then(|id| view.get::<VolumeType>(id));
        let migration = row.migration_status.map(|status| status.as_str());
        // Cinder: cinder/api/v3/views/volumes.py, ViewBuilder.detail: before 3.69 an unknown value
        // reads `true`.
        let shared = row.shared_targets.or((!version.at_least(69)).then_some(true));
        Self {
            id: row.id,
            status: row.status.shown(),
            size: row.size,
            availability_zone: Some(&*row.availability_zone).filter(|zone| !zone.is_empty()),
            created_at: timestamp(row.created_at),
            updated_at: row.updated_at.map(timestamp),
            name: row.name.as_deref(),
            description: row.description.as_deref(),
            volume_type: volume_type.map(|found| &*found.name),
            snapshot_id: row.snapshot_id,
            source_volid: row.source_volid,
            metadata: metadata(row),
            links: viewer.links("volumes", row.id),
            user_id: &row.user_id,
            // The reference serves this flag as a string.
            bootable: if row.bootable { "true" } else { "false" },
            encrypted: row.encrypted,
            replication_status: row.replication_status.as_deref(),
            // Clients of the older API look here for the group.
            consistencygroup_id: row.group_id.filter(|id| is_consistency(view, *id)),
            multiattach: row.multiattach,
            attachments: attachments(view, viewer, row),
            migration_status: member_if(admin, migration),
            group_id: member_if(version.at_least(13), row.group_id),
            provider_id: member_if(admin && version.at_least(21), row.provider_id.as_deref()),
            shared_targets: member_if(version.at_least(48), shared),
            service_uuid: member_if(version.at_least(48), row.service_uuid),
            // Clusters do not exist here.
            cluster_name: member_if(admin && version.at_least(61), None),
            volume_type_id: member_if(version.at_least(63), row.volume_type_id),
            encryption_key_id: row.encryption_key_id.filter(|_| version.at_least(64)),
            consumes_quota: version.at_least(65).then_some(row.consumes_quota),
            // These members come from extensions that run on show and detailed lists only. Cinder:
            // cinder/api/contrib/volume_tenant_attribute.py, volume_mig_status_attribute.py,
            // volume_host_attribute.py and volume_image_metadata.py.
            tenant: tenant.then_some(&row.project_id),
            migstat: member_if(stored && migrations, migration),
            name_id: member_if(stored && migrations, row.name_id),
            host: member_if(stored && caller.allows(policy::VOLUME_SHOW_HOST), row.host.as_deref()),
            image_metadata: Some(&row.image_metadata).filter(|pairs| stored && !pairs.is_empty()),
        }
    }
}

/// Returns whether a group is a consistency group.
fn is_consistency(view: &impl ReadView, group: Uuid) -> bool {
    view.get::<Group>(group).is_some_and(|group| is_consistency_type(view, group.group_type_id))
}

/// Returns the user's metadata with the admin metadata that owners see.
fn metadata(row: &Volume) -> Cow<'_, Pairs> {
    if row.admin_metadata.is_empty() {
        return Cow::Borrowed(&row.metadata);
    }
    let mut all = row.metadata.clone();
    for key in SHOWN_ADMIN_METADATA {
        if let Some(value) = row.admin_metadata.get(key) {
            all.insert(key.into(), value.clone());
        }
    }
    Cow::Owned(all)
}

fn attachments<'v>(
    view: &'v impl ReadView,
    viewer: Viewer<'v>,
    row: &Volume,
) -> Vec<AttachedView<'v>> {
    if row.attach_status == AttachStatus::Detached {
        return Vec::new();
    }
    view.scan_by(&Attachment::BY_VOLUME, &KeyRange::exact(row.id), Order::Ascending)
        .filter(|attachment| attachment.attach_status == AttachStatus::Attached)
        .map(|attachment| AttachedView {
            // The volume's ID, too: the reference has it in both members.
            id: row.id,
            attachment_id: attachment.id,
            volume_id: row.id,
            server_id: attachment.instance,
            // Cinder: cinder/api/v2/views/volumes.py, ViewBuilder._get_attachments hides hosts from
            // members.
            host_name: attachment.host.as_deref().filter(|_| viewer.caller.is_admin()),
            device: attachment.mountpoint.as_deref(),
            attached_at: attachment.attached_at.map(timestamp),
        })
        .collect()
}
