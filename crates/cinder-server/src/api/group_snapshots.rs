//! Group snapshots.

use axum::http::StatusCode;
use statehold_cinder::{
    GroupApi, GroupSnapshot, GroupSnapshotStub, GroupSnapshotView, create_group_snapshot,
    delete_group_snapshot, find_group_snapshot, input, policy, reset_group_snapshot_status,
};
use statehold_store::{Snapshot, WriteTxn};
use uuid::Uuid;

use crate::api::list::{Collection, list_visible_by};
use crate::api::operation::{accepted, of, ok};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{ApiError, CinderReply, CinderRequest, written_row};
use statehold_cinder::input::bodies;

/// The routes of group snapshots.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/group_snapshots", "Lists group snapshots.", list)
        .since(14)
        .page::<GroupSnapshot>(LIST, of::<GroupSnapshotStub<'_>>),
    routes::write(
        "POST",
        "/v3/group_snapshots",
        "Creates a snapshot of each volume of a group.",
        create,
    )
    .since(14)
    .body(bodies::GROUP_SNAPSHOT_CREATE)
    .reply(accepted("group_snapshot", of::<GroupSnapshotStub<'_>>)),
    routes::list(
        "/v3/group_snapshots/detail",
        "Lists group snapshots with all their members.",
        list_detail,
    )
    .since(14)
    .page::<GroupSnapshot>(DETAIL, of::<GroupSnapshotView<'_>>),
    routes::read("/v3/group_snapshots/{id}", "Shows a group snapshot.", show)
        .since(14)
        .reply(ok("group_snapshot", of::<GroupSnapshotView<'_>>)),
    routes::write("DELETE", "/v3/group_snapshots/{id}", "Deletes a group snapshot.", delete)
        .since(14),
    routes::write(
        "POST",
        "/v3/group_snapshots/{id}/action",
        "Resets the status of a group snapshot.",
        act,
    )
    .since(14)
    .body(bodies::GROUP_SNAPSHOT_ACTION),
];

const LIST: Collection = Collection {
    path: "group_snapshots",
    rows: "group_snapshots",
    links: Some("group_snapshot_links"),
};
const DETAIL: Collection = Collection { path: "group_snapshots/detail", ..LIST };

/// First version whose lists have pages, orders and filters.
// Cinder: cinder/api/microversions.py, GROUP_SNAPSHOT_PAGINATION.
const PAGES_SINCE: u16 = 29;

const API: GroupApi = GroupApi::Groups;

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::GROUP_SNAPSHOT_GET_ALL)?;
    let visible = |row: &GroupSnapshot| API.lists(view, row.group_type_id);
    let show = GroupSnapshotStub::new;
    list_visible_by::<GroupSnapshot, _>(view, call, &parameters(call), LIST, visible, show)
}

fn list_detail(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::GROUP_SNAPSHOT_GET_ALL)?;
    let visible = |row: &GroupSnapshot| API.lists(view, row.group_type_id);
    let show = |row| GroupSnapshotView::new(call.viewer, row);
    list_visible_by::<GroupSnapshot, _>(view, call, &parameters(call), DETAIL, visible, show)
}

/// Returns the parameters that the version of the request reads.
fn parameters(call: &CinderRequest<'_>) -> Vec<(String, String)> {
    let pages = call.cx.version.at_least(PAGES_SINCE);
    // Earlier versions ignore the others instead of rejecting them.
    let taken = call.query.iter().filter(|(key, _)| pages || key == "all_tenants");
    taken.cloned().collect()
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = find_group_snapshot(view, &call.cx, API, call.id())?;
    CinderReply::ok("group_snapshot", &GroupSnapshotView::new(call.viewer, row))
}

fn create(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let spec = input::group_snapshot_spec(call.body)?;
    create_group_snapshot(txn, &call.cx, API, call.new_id, &spec, Uuid::new_v4)?;
    let row = written_row::<GroupSnapshot>(txn, call.new_id)?;
    CinderReply::named(StatusCode::ACCEPTED, "group_snapshot", &GroupSnapshotStub::created(row))
}

fn delete(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    delete_group_snapshot(txn, &call.cx, API, call.id())?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}

fn act(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let status = input::group_snapshot_action(call.body, call.cx.version)?;
    reset_group_snapshot_status(txn, &call.cx, call.id(), &status)?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}
