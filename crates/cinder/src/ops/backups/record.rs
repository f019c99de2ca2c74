//! Backup records: the description of a backup that another cloud needs to restore it.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use super::create::{container_of, id_of_container};
use crate::{
    Pairs,
    caller::policy,
    context::{Context, find_backup},
    errors::{BackupRefusal, Error},
    quota,
    rows::{Backup, BackupStatus, Task, WorkTarget},
    status_machine::BackupOperation,
    time::timestamp,
    work::queue,
};

/// The backup service in records.
///
/// Stock tools recognise a driver by the prefix. Records of earlier releases have another name, so
/// an import does not check it.
const SERVICE: &str = "cinder.backup.drivers.statehold.LocalDirBackupDriver";

/// The content of a record, encoded in base64.
#[derive(Debug, Serialize, Deserialize)]
struct RecordFields {
    id: Uuid,
    volume_id: Uuid,
    snapshot_id: Option<Uuid>,
    parent_id: Option<Uuid>,
    display_name: Option<Box<str>>,
    display_description: Option<Box<str>>,
    size: u32,
    object_count: u32,
    container: Option<Box<str>>,
    availability_zone: Option<Box<str>>,
    created_at: Option<String>,
    /// In Unix nanoseconds: it orders incremental backups.
    data_timestamp_ns: Option<i64>,
    #[serde(default)]
    backup_metadata: Pairs,
    volume_name: Option<Box<str>>,
    #[serde(default)]
    bootable: bool,
    #[serde(default)]
    image_metadata: Pairs,
    /// The ID under which the data is stored: a record may be imported under another `id`.
    data_id: Option<Uuid>,
    volume_description: Option<Box<str>>,
    #[serde(default)]
    volume_metadata: Pairs,
}

/// A backup record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct BackupRecord {
    /// The service that holds the backup.
    pub backup_service: Box<str>,
    /// The content: JSON in base64.
    pub backup_url: Box<str>,
}

/// Exports the record of a backup, for a cloud with access to its data. Admins only.
///
/// # Errors
/// [`Error`]; [`BackupRefusal::Export`] unless it is available.
// Cinder: cinder/backup/api.py, API.export_record.
pub fn export_backup(
    view: &impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<BackupRecord, Error> {
    cx.caller.check(policy::BACKUP_EXPORT)?;
    let row = Backup::clone(find_backup(view, cx.caller, id)?);
    cx.caller.check_on(policy::BACKUP_EXPORT, &row)?;
    BackupOperation::Export.check(&row)?;
    let fields = RecordFields {
        data_id: Some(row.data()),
        id: row.id,
        volume_id: row.volume_id,
        snapshot_id: row.snapshot_id,
        parent_id: row.parent_id,
        display_name: row.name,
        display_description: row.description,
        size: row.size,
        object_count: row.object_count,
        container: Some(row.container),
        availability_zone: row.availability_zone,
        created_at: Some(timestamp(row.created_at)),
        data_timestamp_ns: Some(row.data_timestamp),
        backup_metadata: row.metadata,
        volume_name: row.volume_name,
        bootable: row.bootable,
        image_metadata: row.image_metadata,
        volume_description: row.volume_description,
        volume_metadata: row.volume_metadata,
    };
    let fields = serde_json::to_vec(&fields).map_err(|_| Error::Malformed)?;
    Ok(BackupRecord {
        backup_service: SERVICE.into(),
        backup_url: BASE64_STANDARD.encode(fields).into(),
    })
}

/// Imports a backup record and returns its ID. The row is `creating`, and a worker verifies that
/// the data exists. Admins only.
///
/// The backup belongs to the caller's project. The record's `id` may have been changed: the data is
/// located by the ID that it was exported with.
///
/// # Errors
/// [`Error`]: [`BackupRefusal::Exists`] if the ID is taken, the status 400 for an incremental
/// backup whose parent is missing.
// Cinder: cinder/backup/api.py, API.import_record.
pub fn import_backup(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    record: &BackupRecord,
) -> Result<Uuid, Error> {
    cx.caller.check(policy::BACKUP_IMPORT)?;
    let fields = decode_record(&record.backup_url)?;
    if txn.get::<Backup>(fields.id).is_some() {
        return Err(BackupRefusal::Exists.into());
    }
    // Without a row for the parent, a deletion of its data would not be rejected.
    if let Some(parent) = fields.parent_id.filter(|id| txn.get::<Backup>(*id).is_none()) {
        return Err(Error::input(format!(
            "Backup {parent} must be imported first, because this backup is incremental to it."
        )));
    }
    let project = &cx.caller.project;
    quota::charge(txn, cx.config, project, &quota::of_backup(1, fields.size))?;
    let id = fields.id;
    // Earlier releases wrote no `data_id`, but a container that is the data's location.
    let at = || fields.container.as_deref().and_then(id_of_container);
    let data = fields.data_id.or_else(at).unwrap_or(id);
    txn.upsert::<Backup>(Backup {
        id,
        project_id: project.clone(),
        user_id: cx.caller.user.clone(),
        volume_id: fields.volume_id,
        snapshot_id: fields.snapshot_id,
        parent_id: fields.parent_id,
        name: fields.display_name,
        description: fields.display_description,
        size: fields.size,
        status: BackupStatus::Creating,
        availability_zone: fields.availability_zone,
        // The record's own may be any string, and the data is in this one.
        container: container_of(data),
        object_count: fields.object_count,
        fail_reason: None,
        created_at: cx.now,
        updated_at: None,
        data_timestamp: fields.data_timestamp_ns.unwrap_or(cx.now),
        metadata: fields.backup_metadata,
        volume_name: fields.volume_name,
        bootable: fields.bootable,
        image_metadata: fields.image_metadata,
        data_id: (data != id).then_some(data),
        volume_description: fields.volume_description,
        volume_metadata: fields.volume_metadata,
    })?;
    queue(txn, cx, (WorkTarget::Backup, id), Task::CheckBackup, None)?;
    Ok(id)
}

fn decode_record(url: &str) -> Result<RecordFields, Error> {
    let damaged = || Error::input("Can't parse backup record.");
    let json = BASE64_STANDARD.decode(url).map_err(|_| damaged())?;
    let value: serde_json::Value = serde_json::from_slice(&json).map_err(|_| damaged())?;
    if value.get("id").is_none() {
        return Err(Error::input("Provided backup record is missing an id"));
    }
    serde_json::from_value(value)
        .map_err(|error| Error::input(format!("Can't parse backup record: {error}.")))
}
