//! Bodies about backups.

use serde_json::Value;

use super::{one_action, trimmed};
use crate::{
    error::Error,
    ops::{BackupChange, BackupRecord, BackupSpec, RestoreSpec},
    schema::{Form, Members, Rule, read},
    version::Microversion,
};

/// From this version on backups have metadata.
const METADATA_SINCE: u16 = 43;
/// From this version on backups have an availability zone.
const ZONE_SINCE: u16 = 51;

const ID: Rule = Rule::Id { null: false };
const TEXT: Rule = Rule::Text { min: 0, null: true };
const META: (&str, Rule) = ("metadata", Rule::Meta { null: true });

const CREATE: &[(&str, Rule)] = &[
    ("volume_id", ID),
    ("name", TEXT),
    ("description", TEXT),
    ("container", TEXT),
    ("incremental", Rule::Bool),
    ("force", Rule::Bool),
    ("snapshot_id", Rule::Id { null: true }),
    META,
    ("availability_zone", Rule::Text { min: 1, null: true }),
];

/// Reads a body that asks for a backup.
///
/// # Errors
/// [`Error`] with the status 400.
///
/// ```
/// use statehold_blockstorage::{Microversion, input::backup_spec};
/// let body = br#"{"backup": {"volume_id": "55b0e944-2497-40a3-bf66-27d3349273b9", "force": "on"}}"#;
/// let spec = backup_spec(body, Microversion::MAX)?;
/// assert!(spec.force && !spec.incremental);
/// # Ok::<(), statehold_blockstorage::Error>(())
/// ```
pub fn backup_spec(body: &[u8], version: Microversion) -> Result<BackupSpec, Error> {
    let known = if version.at_least(ZONE_SINCE) {
        CREATE
    } else if version.at_least(METADATA_SINCE) {
        &CREATE[..CREATE.len() - 1]
    } else {
        &CREATE[..CREATE.len() - 2]
    };
    let members = read(body, "backup", &Form::new(known).required(&["volume_id"]), &[])?;
    Ok(BackupSpec {
        volume_id: members.text("volume_id").unwrap_or_default(),
        snapshot_id: members.text("snapshot_id"),
        name: trimmed(&members, "name"),
        description: trimmed(&members, "description"),
        container: members.text("container").filter(|container| !container.is_empty()),
        incremental: members.bool("incremental").unwrap_or_default(),
        force: members.bool("force").unwrap_or_default(),
        availability_zone: members.text("availability_zone"),
        metadata: members.pairs("metadata").unwrap_or_default(),
    })
}

const UPDATE: &[(&str, Rule)] = &[("name", TEXT), ("description", TEXT), META];

/// Reads a body that changes a backup.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn backup_change(body: &[u8], version: Microversion) -> Result<BackupChange, Error> {
    let known = if version.at_least(METADATA_SINCE) { UPDATE } else { &UPDATE[..2] };
    let members = read(body, "backup", &Form::new(known), &[])?;
    let text = |key| members.has(key).then(|| trimmed(&members, key));
    Ok(BackupChange {
        name: text("name"),
        description: text("description"),
        metadata: members.pairs("metadata"),
    })
}

const RESTORE: Form = Form::new(&[("volume_id", Rule::Id { null: true }), ("name", TEXT)]);

/// Reads a body that asks for a backup to be restored.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn restore_spec(body: &[u8]) -> Result<RestoreSpec, Error> {
    let members = read(body, "restore", &RESTORE, &[])?;
    Ok(RestoreSpec { volume_id: members.text("volume_id"), name: trimmed(&members, "name") })
}

const RECORD: Form = Form::new(&[
    ("backup_service", Rule::Text { min: 1, null: false }),
    ("backup_url", Rule::LongText),
])
.required(&["backup_service", "backup_url"]);

/// Reads the record of a backup.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn backup_record(body: &[u8]) -> Result<BackupRecord, Error> {
    let members = read(body, "backup-record", &RECORD, &[])?;
    Ok(BackupRecord {
        backup_service: members.text("backup_service").unwrap_or_default(),
        backup_url: members.text("backup_url").unwrap_or_default(),
    })
}

/// What is to be done with a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupAction {
    /// `os-reset_status`.
    ResetStatus(Box<str>),
    /// `os-force_delete`.
    ForceDelete,
}

const RESET: Form =
    Form::new(&[("status", Rule::Text { min: 0, null: false })]).required(&["status"]);

/// Reads the body of a request to a backup's `/action`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn backup_action(body: &[u8]) -> Result<BackupAction, Error> {
    let (action, argument) = one_action(body)?;
    match &*action {
        "os-reset_status" => {
            RESET.check(&action, &argument)?;
            let Value::Object(members) = argument else { return Err(Error::MalformedBody) };
            let status = Members(members).text("status").unwrap_or_default();
            Ok(BackupAction::ResetStatus(status))
        }
        "os-force_delete" => Ok(BackupAction::ForceDelete),
        _ => Err(Error::UnknownAction { action: action.into() }),
    }
}
