//! The JSON of volume types, their access lists and their encryption.
#![expect(clippy::option_option, reason = "a member that is null and one that is not there differ")]

use serde::Serialize;
use uuid::Uuid;

use super::{Viewer, member_if};
use crate::{
    Pairs,
    caller::policy,
    rows::{TypeAccess, VolumeType},
    time::timestamp,
};

/// The extra specs that members see.
// Cinder: cinder/policies/types_extra_specs.py, USER_VISIBLE_EXTRA_SPECS.
const SHOWN_SPECS: [&str; 3] = ["RESKEY:availability_zones", "multiattach", "replication_enabled"];

/// A volume type.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct VolumeTypeView<'v> {
    id: Uuid,
    name: &'v str,
    is_public: bool,
    description: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_specs: Option<Pairs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qos_specs_id: Option<Option<Uuid>>,
    #[serde(rename = "os-volume-type-access:is_public", skip_serializing_if = "Option::is_none")]
    access: Option<bool>,
}

impl<'v> VolumeTypeView<'v> {
    /// Returns the view of a stored type.
    // Cinder: cinder/api/v3/views/types.py, ViewBuilder.show.
    pub fn new(viewer: Viewer<'_>, row: &'v VolumeType) -> Self {
        let caller = viewer.caller;
        Self {
            id: row.id,
            name: &row.name,
            is_public: row.is_public,
            description: row.description.as_deref(),
            extra_specs: caller.allows(policy::TYPE_SHOW_SPECS).then(|| shown_specs(viewer, row)),
            qos_specs_id: member_if(caller.allows(policy::TYPE_SHOW_QOS), row.qos_specs_id),
            access: caller.allows(policy::TYPE_SHOW_ACCESS).then_some(row.is_public),
        }
    }

    /// Returns the view of a type that was just created.
    pub fn created(viewer: Viewer<'_>, row: &'v VolumeType) -> Self {
        Self { qos_specs_id: None, ..Self::new(viewer, row) }
    }

    /// Returns the view of a type that was just updated, and of the default type.
    pub fn updated(viewer: Viewer<'_>, row: &'v VolumeType) -> Self {
        Self { qos_specs_id: None, access: None, ..Self::new(viewer, row) }
    }
}

/// Returns the extra specs of a type that the caller may see.
pub fn shown_specs(viewer: Viewer<'_>, row: &VolumeType) -> Pairs {
    let mut specs = row.extra_specs.clone();
    if !viewer.caller.allows(policy::TYPE_SPEC_SENSITIVE) {
        specs.retain(|key, _| is_shown(key));
    }
    specs
}

/// Returns whether members may see an extra spec, and filter by it.
pub(crate) fn is_shown(key: &str) -> bool {
    SHOWN_SPECS.contains(&key)
}

/// A project with access to a private type.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct TypeAccessView<'v> {
    volume_type_id: Uuid,
    project_id: &'v str,
}

impl<'v> TypeAccessView<'v> {
    /// Returns the view of `row`.
    pub fn new(row: &'v TypeAccess) -> Self {
        Self { volume_type_id: row.volume_type_id, project_id: &row.project_id }
    }
}

/// The encryption of a type; an empty object if it has none.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct EncryptionView<'v> {
    #[serde(flatten)]
    members: Option<EncryptionMembers<'v>>,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
struct EncryptionMembers<'v> {
    created_at: String,
    updated_at: Option<String>,
    deleted_at: Option<String>,
    deleted: bool,
    encryption_id: Uuid,
    cipher: Option<&'v str>,
    key_size: Option<i64>,
    provider: &'v str,
    control_location: &'v str,
    volume_type_id: Uuid,
}

impl<'v> EncryptionView<'v> {
    /// Returns the view of `row`.
    // Cinder: cinder/api/contrib/volume_type_encryption.py, VolumeTypeEncryptionController.index.
    pub fn new(row: &'v VolumeType) -> Self {
        let members = row.encryption.as_ref().map(|encryption| EncryptionMembers {
            created_at: timestamp(encryption.created_at),
            updated_at: encryption.updated_at.map(timestamp),
            deleted_at: None,
            deleted: false,
            encryption_id: encryption.id,
            cipher: encryption.cipher.as_deref(),
            key_size: encryption.key_size,
            provider: &encryption.provider,
            control_location: &encryption.control_location,
            volume_type_id: row.id,
        });
        Self { members }
    }
}
