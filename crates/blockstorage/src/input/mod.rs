//! Request bodies: from bytes to what operations take.
//!
//! A body that isn't of the right form is refused with the text that clients know, before anything
//! is looked up. Which members there may be depends on the version.

mod action;
mod attachment;
mod backup;
mod group;
mod hints;
mod manage;
mod resources;
mod service;
mod transfer;
mod volume;

pub use self::{
    action::{VolumeAction, volume_action},
    attachment::{attachment_action, attachment_connector, attachment_spec},
    backup::{
        BackupAction, backup_action, backup_change, backup_record, backup_spec, restore_spec,
    },
    group::{
        GroupAction, cgsnapshot_spec, consistency_change, consistency_delete,
        consistency_source_spec, consistency_spec, group_action, group_change,
        group_snapshot_action, group_snapshot_spec, group_source_spec, group_spec, group_specs,
        group_type_change, group_type_spec,
    },
    hints::scheduler_hints,
    manage::{manage_snapshot_spec, manage_volume_spec},
    resources::{
        SnapshotAction, TypeAction, default_type_name, encryption_change, extra_spec, extra_specs,
        metadata, metadata_item, snapshot_action, snapshot_change, snapshot_spec, type_action,
        type_change, type_encryption, type_spec,
    },
    service::{CleanupRequest, ServiceRequest, cleanup_request, cluster_request, service_request},
    transfer::{qos_change, qos_keys, qos_spec, transfer_key, transfer_spec},
    volume::{volume_change, volume_spec},
};

use serde_json::Value;

use crate::{error::Error, schema::Members};

/// The one action of the body of a request to `/action`, and its argument.
pub(crate) fn one_action(body: &[u8]) -> Result<(String, Value), Error> {
    let body: Value = serde_json::from_slice(body).map_err(|_| Error::MalformedBody)?;
    let Value::Object(members) = body else { return Err(Error::MalformedBody) };
    let mut members = members.into_iter();
    match (members.next(), members.next()) {
        (Some(action), None) => Ok(action),
        _ => Err(Error::MalformedBody),
    }
}

/// The member that was meant by `key`, or by the older `display_` and it.
fn either<'m>(members: &'m Members, key: &'m str, old: &'m str) -> &'m str {
    if members.has(old) && !members.has(key) { old } else { key }
}

/// A text without blanks around it, if there is one.
fn trimmed(members: &Members, key: &str) -> Option<Box<str>> {
    members.text(key).map(|text| text.trim().into())
}

/// Refuses texts that are too long.
fn check_length(text: Option<&str>, name: &str) -> Result<(), Error> {
    let most = crate::schema::TEXT_MAX;
    match text.map(|text| text.chars().count()) {
        Some(count) if count > most => {
            Err(Error::input(format!("{name} has {count} characters, more than {most}.")))
        }
        _ => Ok(()),
    }
}
