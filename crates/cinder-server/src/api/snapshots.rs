//! Snapshots, their metadata and their actions.

use axum::http::StatusCode;
use serde_json::json;
use statehold_cinder::{
    SnapshotStub, SnapshotView, create_snapshot, delete_snapshot, delete_snapshot_metadata,
    find_snapshot,
    input::{self, SnapshotAction},
    policy, report_snapshot_status, reset_snapshot_status, set_snapshot_metadata,
    snapshot_metadata_item, unmanage_snapshot, update_snapshot,
};
use statehold_store::{Snapshot, WriteTxn};

use crate::api::list::{Collection, list_all_by};
use crate::api::operation::{DONE, EMPTY, OK_EMPTY, accepted, of, ok};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{ApiError, CinderReply, CinderRequest, written_row};
use statehold_cinder::Pairs;
use statehold_cinder::input::bodies;

/// The routes of snapshots.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/snapshots", "Lists snapshots.", list)
        .page::<Row>(LIST, of::<SnapshotStub<'_>>),
    routes::write("POST", "/v3/snapshots", "Creates a snapshot of a volume.", create)
        .body(bodies::SNAPSHOT_CREATE)
        .reply(accepted("snapshot", of::<SnapshotView<'_>>)),
    routes::list("/v3/snapshots/detail", "Lists snapshots with all their members.", list_detail)
        .page::<Row>(DETAIL, of::<SnapshotView<'_>>),
    routes::read("/v3/snapshots/{id}", "Shows a snapshot.", show)
        .reply(ok("snapshot", of::<SnapshotView<'_>>)),
    routes::write(
        "PUT",
        "/v3/snapshots/{id}",
        "Updates the name or description of a snapshot.",
        update,
    )
    .body(bodies::SNAPSHOT_UPDATE)
    .reply(ok("snapshot", of::<SnapshotView<'_>>)),
    routes::write("DELETE", "/v3/snapshots/{id}", "Deletes a snapshot.", delete),
    routes::write("POST", "/v3/snapshots/{id}/action", "Acts on a snapshot.", act)
        .body(bodies::SNAPSHOT_ACTION)
        .reply(DONE)
        .or(&[EMPTY]),
    routes::read("/v3/snapshots/{id}/metadata", "Shows the metadata of a snapshot.", metadata)
        .reply(ok("metadata", of::<Pairs>)),
    routes::write(
        "POST",
        "/v3/snapshots/{id}/metadata",
        "Adds metadata to a snapshot.",
        merge_metadata,
    )
    .body(bodies::METADATA)
    .reply(ok("metadata", of::<Pairs>)),
    routes::write(
        "PUT",
        "/v3/snapshots/{id}/metadata",
        "Replaces the metadata of a snapshot.",
        replace_metadata,
    )
    .body(bodies::METADATA)
    .reply(ok("metadata", of::<Pairs>)),
    routes::read(
        "/v3/snapshots/{id}/metadata/{key}",
        "Shows one key of the metadata of a snapshot.",
        metadata_item,
    )
    .reply(ok("meta", of::<Pairs>)),
    routes::write(
        "PUT",
        "/v3/snapshots/{id}/metadata/{key}",
        "Sets one key of the metadata of a snapshot.",
        set_metadata_item,
    )
    .body(bodies::METADATA_ITEM)
    .reply(ok("meta", of::<Pairs>)),
    routes::write(
        "DELETE",
        "/v3/snapshots/{id}/metadata/{key}",
        "Deletes one key of the metadata of a snapshot.",
        delete_metadata_item,
    )
    .reply(OK_EMPTY),
];

const LIST: Collection =
    Collection { path: "snapshots", rows: "snapshots", links: Some("snapshots_links") };
const DETAIL: Collection = Collection { path: "snapshots/detail", ..LIST };

type Row = statehold_cinder::Snapshot;

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::SNAPSHOT_GET_ALL)?;
    list_all_by::<Row, _>(view, call, call.query, LIST, SnapshotStub::new)
}

fn list_detail(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::SNAPSHOT_GET_ALL)?;
    list_all_by::<Row, _>(view, call, call.query, DETAIL, |row| SnapshotView::new(call.viewer, row))
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = find_snapshot(view, call.cx.caller, call.id())?;
    CinderReply::ok("snapshot", &SnapshotView::new(call.viewer, row))
}

fn create(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let spec = input::snapshot_spec(call.body)?;
    create_snapshot(txn, &call.cx, call.new_id, spec)?;
    let row = written_row::<Row>(txn, call.new_id)?;
    CinderReply::named(StatusCode::ACCEPTED, "snapshot", &SnapshotView::written(call.viewer, row))
}

fn update(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let change = input::snapshot_change(call.body)?;
    update_snapshot(txn, &call.cx, call.id(), change)?;
    let row = find_snapshot(txn, call.cx.caller, call.id())?;
    CinderReply::ok("snapshot", &SnapshotView::written(call.viewer, row))
}

fn delete(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    delete_snapshot(txn, &call.cx, call.id(), false)?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}

fn act(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let (cx, id) = (&call.cx, call.id());
    match input::snapshot_action(call.body)? {
        SnapshotAction::ResetStatus(status) => reset_snapshot_status(txn, cx, id, &status)?,
        SnapshotAction::ForceDelete => delete_snapshot(txn, cx, id, true)?,
        // The reports of Nova, and `os-unmanage`, have replies without a content type of JSON.
        // Cinder: cinder/api/contrib/snapshot_actions.py and snapshot_unmanage.py return `webob.Response(202)`.
        SnapshotAction::Report { status, progress } => {
            report_snapshot_status(txn, cx, id, &status, progress)?;
            return Ok(CinderReply::empty(StatusCode::ACCEPTED));
        }
        SnapshotAction::Unmanage => {
            unmanage_snapshot(txn, cx, id)?;
            return Ok(CinderReply::empty(StatusCode::ACCEPTED));
        }
    }
    Ok(CinderReply::empty_json(StatusCode::ACCEPTED))
}

fn metadata(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = find_snapshot(view, call.cx.caller, call.id())?;
    call.cx.caller.check_on(policy::SNAPSHOT_METADATA_GET, &**row)?;
    CinderReply::ok("metadata", &row.metadata)
}

fn metadata_item(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let key = call.segment("key");
    let value = snapshot_metadata_item(view, &call.cx, call.id(), key)?;
    CinderReply::ok("meta", &json!({ key: value }))
}

/// Adds pairs and keeps the others.
fn merge_metadata(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    write_metadata(txn, call, false)
}

/// Replaces all pairs.
fn replace_metadata(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    write_metadata(txn, call, true)
}

fn write_metadata(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
    replace: bool,
) -> Result<CinderReply, ApiError> {
    let metadata = input::snapshot_metadata(call.body)?;
    // The error of an unknown snapshot goes before that of invalid pairs, as in Cinder.
    find_snapshot(txn, call.cx.caller, call.id())?;
    let pairs = metadata.into_pairs()?;
    let all = set_snapshot_metadata(txn, &call.cx, call.id(), pairs, replace)?;
    CinderReply::ok("metadata", &all)
}

fn set_metadata_item(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    let metadata = input::snapshot_metadata_item(call.body, call.segment("key"))?;
    find_snapshot(txn, call.cx.caller, call.id())?;
    let pairs = metadata.into_pairs()?;
    set_snapshot_metadata(txn, &call.cx, call.id(), pairs.clone(), false)?;
    CinderReply::ok("meta", &pairs)
}

/// Deletes one pair. The reply is empty, unlike those of the other changes of metadata.
// Cinder: cinder/api/v3/snapshot_metadata.py, Controller.delete.
fn delete_metadata_item(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    delete_snapshot_metadata(txn, &call.cx, call.id(), call.segment("key"))?;
    Ok(CinderReply::empty(StatusCode::OK))
}
