//! Bodies about backups.

use super::{Action, parse_action};
use crate::{
    errors::Error,
    ops::{BackupChange, BackupRecord, BackupSpec, RestoreSpec, check_backup_status},
    schema::{
        Check, Field, Rule, closed,
        format::Format,
        kinds::{
            ANY, BOOLEAN, DESCRIPTION, META, META_OR_NULL, STRING, TEXT, TEXT_OR_NULL, UUID,
            UUID_OR_NULL,
        },
        parse_member,
    },
    version::Microversion,
};

/// `POST /backups`.
// Cinder: cinder/api/schemas/backups.py, create.
pub(super) const CREATE: Rule =
    closed(&[Check::Fields(&[Field::required("backup", BACKUP)]), Check::Closed]);

pub(super) const BACKUP: Rule = closed(&[
    Check::Fields(&[
        Field::required("volume_id", UUID),
        Field::new("container", TEXT_OR_NULL),
        Field::new("description", DESCRIPTION),
        Field::new("incremental", BOOLEAN),
        Field::new("force", BOOLEAN),
        Field::new("name", TEXT_OR_NULL),
        Field::new("snapshot_id", UUID_OR_NULL),
        Field::since("metadata", METADATA_SINCE, META_OR_NULL),
        Field::since("availability_zone", 51, TEXT_OR_NULL),
    ]),
    Check::Closed,
]);

/// The version from which backups have metadata.
const METADATA_SINCE: u16 = 43;

/// Reads a body that asks for a backup.
///
/// # Errors
/// [`Error`] with the status 400.
///
/// ```
/// use statehold_cinder::{Microversion, input::backup_spec};
/// let body = br#"{"backup": {"volume_id": "55b0e944-2497-40a3-bf66-27d3349273b9", "force": "on"}}"#;
/// let spec = backup_spec(body, Microversion::MAX)?;
/// assert!(spec.force && !spec.incremental);
/// # Ok::<(), statehold_cinder::Error>(())
/// ```
pub fn backup_spec(body: &[u8], version: Microversion) -> Result<BackupSpec, Error> {
    let members = parse_member(body, "backup", &CREATE, version)?;
    Ok(BackupSpec {
        volume_id: members.text("volume_id").unwrap_or_default(),
        snapshot_id: members.text("snapshot_id"),
        name: members.trimmed("name"),
        description: members.trimmed("description"),
        container: members.text("container").filter(|container| !container.is_empty()),
        incremental: members.bool("incremental").unwrap_or_default(),
        force: members.bool("force").unwrap_or_default(),
        availability_zone: members.text("availability_zone").filter(|zone| !zone.is_empty()),
        metadata: members.pairs("metadata").unwrap_or_default(),
    })
}

/// `PUT /backups/{id}`.
// Cinder: cinder/api/schemas/backups.py, update, which allows null and then fails on it.
pub(super) const UPDATE: Rule =
    closed(&[Check::Fields(&[Field::required("backup", CHANGE)]), Check::Closed]);

pub(super) const CHANGE: Rule = closed(&[
    Check::Fields(&[
        Field::new("name", TEXT_OR_NULL),
        Field::new("description", DESCRIPTION),
        Field::since("metadata", METADATA_SINCE, META),
    ]),
    Check::Closed,
]);

/// Reads a body that changes a backup.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn backup_change(body: &[u8], version: Microversion) -> Result<BackupChange, Error> {
    let members = parse_member(body, "backup", &UPDATE, version)?;
    let text = |key| members.has(key).then(|| members.trimmed(key));
    Ok(BackupChange {
        name: text("name"),
        description: text("description"),
        metadata: members.pairs("metadata"),
    })
}

/// `POST /backups/{id}/restore`.
// Cinder: cinder/api/schemas/backups.py, restore, which allows null and then fails on it.
pub(super) const RESTORE: Rule =
    closed(&[Check::Fields(&[Field::required("restore", TARGET)]), Check::Closed]);

pub(super) const TARGET: Rule = closed(&[
    Check::Fields(&[Field::new("name", TEXT_OR_NULL), Field::new("volume_id", UUID_OR_NULL)]),
    Check::Closed,
]);

/// Reads a body that asks for a backup to be restored.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn restore_spec(body: &[u8]) -> Result<RestoreSpec, Error> {
    let members = parse_member(body, "restore", &RESTORE, Microversion::MAX)?;
    Ok(RestoreSpec { volume_id: members.text("volume_id"), name: members.trimmed("name") })
}

/// `POST /backups/import_record`.
// Cinder: cinder/api/schemas/backups.py, import_record.
pub(super) const IMPORT: Rule =
    closed(&[Check::Fields(&[Field::required("backup-record", RECORD)]), Check::Closed]);

pub(super) const RECORD: Rule = closed(&[
    Check::Fields(&[Field::required("backup_service", TEXT), Field::required("backup_url", URL)]),
    Check::Closed,
]);

const URL: Rule =
    Rule { types: STRING, checks: &[Check::MinChars(1), Check::Format(Format::Base64)] };

/// Reads the record of a backup.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn backup_record(body: &[u8]) -> Result<BackupRecord, Error> {
    let members = parse_member(body, "backup-record", &IMPORT, Microversion::MAX)?;
    Ok(BackupRecord {
        backup_service: members.text("backup_service").unwrap_or_default(),
        backup_url: members.text("backup_url").unwrap_or_default(),
    })
}

/// An action on a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupAction {
    /// `os-reset_status`.
    ResetStatus(Box<str>),
    /// `os-force_delete`.
    ForceDelete,
}

// Cinder: cinder/api/schemas/admin_actions.py, reset_status_backup.
pub(super) const RESET: Rule =
    closed(&[Check::Fields(&[Field::required("status", STATUS)]), Check::Closed]);

const STATUS: Rule =
    Rule { types: STRING, checks: &[Check::Format(Format::Status(check_backup_status))] };

/// The actions on a backup.
pub(super) const ACTIONS: &[Action] =
    &[Action::new("os-reset_status", &RESET), Action::new("os-force_delete", &ANY)];

/// Reads the body of a request to a backup's `/action`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn backup_action(body: &[u8]) -> Result<BackupAction, Error> {
    let (action, members) = parse_action(body, ACTIONS, Microversion::MAX)?;
    Ok(match action {
        "os-reset_status" => BackupAction::ResetStatus(members.lower("status").unwrap_or_default()),
        "os-force_delete" => BackupAction::ForceDelete,
        _ => return Err(Error::UnknownAction { action: action.into() }),
    })
}
