//! Backups and their records.

use axum::http::StatusCode;
use serde_json::{Value, json};
use statehold_cinder::{
    Backup, BackupStub, BackupView, Volume, create_backup, delete_backup, export_backup,
    find_backup, import_backup,
    input::{self, BackupAction},
    parse_id, policy, reset_backup_status, restore_backup, update_backup,
};
use statehold_store::{ReadView as _, Snapshot, WriteTxn};
use uuid::Uuid;

use crate::api::list::{Collection, list_all_by};
use crate::api::operation::{DONE, Reply, Shape, accepted, of, ok};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{ApiError, CinderReply, CinderRequest, written_row};
use statehold_cinder::BackupRecord;
use statehold_cinder::input::bodies;

/// The routes of backups.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/backups", "Lists backups.", list).page::<Backup>(LIST, of::<BackupStub<'_>>),
    routes::write("POST", "/v3/backups", "Creates a backup of a volume or snapshot.", create)
        .body(bodies::BACKUP_CREATE)
        .reply(accepted("backup", of::<BackupStub<'_>>)),
    routes::list("/v3/backups/detail", "Lists backups with all their members.", list_detail)
        .page::<Backup>(DETAIL, of::<BackupView<'_>>),
    routes::write(
        "POST",
        "/v3/backups/import_record",
        "Imports the record of a backup of another cloud.",
        import,
    )
    .body(bodies::BACKUP_IMPORT)
    .reply(Reply(201, Shape::Member("backup", of::<BackupStub<'_>>))),
    routes::read("/v3/backups/{id}", "Shows a backup.", show)
        .reply(ok("backup", of::<BackupView<'_>>)),
    routes::write(
        "PUT",
        "/v3/backups/{id}",
        "Updates the name, description or metadata of a backup.",
        update,
    )
    .since(9)
    .body(bodies::BACKUP_UPDATE)
    .reply(ok("backup", of::<BackupStub<'_>>)),
    routes::write("DELETE", "/v3/backups/{id}", "Deletes a backup.", delete).reply(DONE),
    routes::write(
        "POST",
        "/v3/backups/{id}/restore",
        "Restores a backup to a volume, new or existing.",
        restore,
    )
    .body(bodies::BACKUP_RESTORE)
    .reply(accepted("restore", of::<Value>)),
    routes::read(
        "/v3/backups/{id}/export_record",
        "Exports the record of a backup, for another cloud.",
        export,
    )
    .reply(ok("backup-record", of::<BackupRecord>)),
    routes::write("POST", "/v3/backups/{id}/action", "Acts on a backup.", act)
        .body(bodies::BACKUP_ACTION)
        .reply(DONE),
];

const LIST: Collection =
    Collection { path: "backups", rows: "backups", links: Some("backups_links") };
const DETAIL: Collection = Collection { path: "backups/detail", ..LIST };

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::BACKUP_GET_ALL)?;
    list_all_by::<Backup, _>(view, call, call.query, LIST, |row| BackupStub::new(call.viewer, row))
}

fn list_detail(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::BACKUP_GET_ALL)?;
    let show = |row| BackupView::new(call.viewer, view, row);
    list_all_by::<Backup, _>(view, call, call.query, DETAIL, show)
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = find_backup(view, call.cx.caller, call.id())?;
    CinderReply::ok("backup", &BackupView::new(call.viewer, view, row))
}

fn create(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let spec = input::backup_spec(call.body, call.cx.version)?;
    create_backup(txn, &call.cx, call.new_id, spec)?;
    stub_reply(txn, call, call.new_id, StatusCode::ACCEPTED)
}

/// Returns the reply with the short form of a backup.
fn stub_reply(
    txn: &WriteTxn<'_>,
    call: &CinderRequest<'_>,
    id: Uuid,
    status: StatusCode,
) -> Result<CinderReply, ApiError> {
    let row = written_row::<Backup>(txn, id)?;
    CinderReply::named(status, "backup", &BackupStub::new(call.viewer, row))
}

fn update(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let change = input::backup_change(call.body, call.cx.version)?;
    update_backup(txn, &call.cx, call.id(), change)?;
    // The row exists, because its update succeeded.
    let id = parse_id(call.id()).ok_or_else(ApiError::unknown_operation)?;
    stub_reply(txn, call, id, StatusCode::OK)
}

fn delete(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    delete_backup(txn, &call.cx, call.id(), false)?;
    Ok(CinderReply::empty_json(StatusCode::ACCEPTED))
}

fn restore(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let spec = input::restore_spec(call.body)?;
    // A restore without a volume creates one with the new ID.
    let volume = restore_backup(txn, &call.cx, call.id(), call.new_id, spec)?;
    // Read without a check of its policy: the reply to a restore names the volume that it writes.
    let name = txn.get::<Volume>(volume).and_then(|row| row.name.as_deref());
    let restored = json!({
        "backup_id": parse_id(call.id()),
        "volume_id": volume,
        "volume_name": name,
    });
    CinderReply::named(StatusCode::ACCEPTED, "restore", &restored)
}

fn export(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    CinderReply::ok("backup-record", &export_backup(view, &call.cx, call.id())?)
}

fn import(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let record = input::backup_record(call.body)?;
    let id = import_backup(txn, &call.cx, &record)?;
    // Cinder: cinder/api/contrib/backups.py, BackupsController.import_record: 201, unlike other creations.
    stub_reply(txn, call, id, StatusCode::CREATED)
}

fn act(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let (cx, id) = (&call.cx, call.id());
    match input::backup_action(call.body)? {
        BackupAction::ResetStatus(status) => reset_backup_status(txn, cx, id, &status)?,
        BackupAction::ForceDelete => delete_backup(txn, cx, id, true)?,
    }
    Ok(CinderReply::empty_json(StatusCode::ACCEPTED))
}
