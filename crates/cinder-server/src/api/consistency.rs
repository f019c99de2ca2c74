//! Consistency groups and their snapshots: groups of a reserved type, under the names of the older API.

use axum::http::StatusCode;
use statehold_cinder::{
    CgSnapshotView, ConsistencyGroupView, Group, GroupApi, GroupSnapshot, GroupSnapshotStub,
    GroupStub, create_group, create_group_from, create_group_snapshot, delete_group,
    delete_group_snapshot, find_group, find_group_snapshot, input, policy, update_group,
};
use statehold_store::{Snapshot, WriteTxn};
use uuid::Uuid;

use crate::api::list::{Collection, list_visible_by};
use crate::api::operation::{accepted, of, ok};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{ApiError, CinderReply, CinderRequest, written_row};
use statehold_cinder::input::bodies;

/// The routes of consistency groups and their snapshots.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/consistencygroups", "Lists consistency groups.", list)
        .page::<Group>(LIST, of::<GroupStub<'_>>),
    routes::write("POST", "/v3/consistencygroups", "Creates a consistency group.", create)
        .body(bodies::CONSISTENCY_CREATE)
        .reply(accepted("consistencygroup", of::<GroupStub<'_>>)),
    routes::list(
        "/v3/consistencygroups/detail",
        "Lists consistency groups with all their members.",
        list_detail,
    )
    .page::<Group>(DETAIL, of::<ConsistencyGroupView<'_>>),
    routes::write(
        "POST",
        "/v3/consistencygroups/create_from_src",
        "Creates a consistency group from another one or from a snapshot.",
        create_from,
    )
    .body(bodies::CONSISTENCY_CREATE_FROM)
    .reply(accepted("consistencygroup", of::<GroupStub<'_>>)),
    routes::read("/v3/consistencygroups/{id}", "Shows a consistency group.", show)
        .reply(ok("consistencygroup", of::<ConsistencyGroupView<'_>>)),
    routes::write(
        "POST",
        "/v3/consistencygroups/{id}/delete",
        "Deletes a consistency group; with `force`, its volumes too.",
        delete,
    )
    .body(bodies::CONSISTENCY_DELETE),
    routes::write(
        "PUT",
        "/v3/consistencygroups/{id}",
        "Updates a consistency group, or adds and removes volumes.",
        update,
    )
    .body(bodies::CONSISTENCY_UPDATE),
    routes::write(
        "PUT",
        "/v3/consistencygroups/{id}/update",
        "Updates a consistency group, or adds and removes volumes.",
        update,
    )
    .body(bodies::CONSISTENCY_UPDATE),
    routes::list("/v3/cgsnapshots", "Lists snapshots of consistency groups.", list_snapshots)
        .page::<GroupSnapshot>(SNAPSHOTS, of::<GroupSnapshotStub<'_>>),
    routes::write(
        "POST",
        "/v3/cgsnapshots",
        "Creates a snapshot of each volume of a consistency group.",
        create_snapshot,
    )
    .body(bodies::CGSNAPSHOT_CREATE)
    .reply(accepted("cgsnapshot", of::<GroupSnapshotStub<'_>>)),
    routes::list(
        "/v3/cgsnapshots/detail",
        "Lists snapshots of consistency groups with all their members.",
        list_snapshots_detail,
    )
    .page::<GroupSnapshot>(SNAPSHOTS_DETAIL, of::<CgSnapshotView<'_>>),
    routes::read("/v3/cgsnapshots/{id}", "Shows a snapshot of a consistency group.", show_snapshot)
        .reply(ok("cgsnapshot", of::<CgSnapshotView<'_>>)),
    routes::write(
        "DELETE",
        "/v3/cgsnapshots/{id}",
        "Deletes a snapshot of a consistency group.",
        delete_snapshot,
    ),
];

// Lists of the older API have no links to the next page.
// Cinder: cinder/api/views/consistencygroups.py and cgsnapshots.py, ViewBuilder._list_view.
const LIST: Collection =
    Collection { path: "consistencygroups", rows: "consistencygroups", links: None };
const DETAIL: Collection = Collection { path: "consistencygroups/detail", ..LIST };
const SNAPSHOTS: Collection = Collection { path: "cgsnapshots", rows: "cgsnapshots", links: None };
const SNAPSHOTS_DETAIL: Collection = Collection { path: "cgsnapshots/detail", ..SNAPSHOTS };

/// The API whose groups these handlers see.
const API: GroupApi = GroupApi::Consistency;

/// Returns the parameters of a list, without those that are no filter of groups: unlike groups, these lists refuse
/// none.
fn parameters(call: &CinderRequest<'_>) -> Vec<(String, String)> {
    call.query.iter().filter(|(key, _)| key.is_ascii()).cloned().collect()
}

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::GROUP_GET_ALL)?;
    let visible = |row: &Group| API.lists(view, row.group_type_id);
    list_visible_by::<Group, _>(view, call, &parameters(call), LIST, visible, GroupStub::new)
}

fn list_detail(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::GROUP_GET_ALL)?;
    let visible = |row: &Group| API.lists(view, row.group_type_id);
    list_visible_by::<Group, _>(
        view,
        call,
        &parameters(call),
        DETAIL,
        visible,
        ConsistencyGroupView::new,
    )
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = find_group(view, &call.cx, API, call.id())?;
    CinderReply::ok("consistencygroup", &ConsistencyGroupView::new(row))
}

/// Returns the reply with the created group.
fn created_reply(txn: &WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = written_row::<Group>(txn, call.new_id)?;
    CinderReply::named(StatusCode::ACCEPTED, "consistencygroup", &GroupStub::new(row))
}

fn create(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    create_group(txn, &call.cx, API, call.new_id, input::consistency_spec(call.body)?)?;
    created_reply(txn, call)
}

fn create_from(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let spec = input::consistency_source_spec(call.body)?;
    create_group_from(txn, &call.cx, API, call.new_id, spec, Uuid::new_v4)?;
    created_reply(txn, call)
}

fn delete(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let force = input::consistency_delete(call.body)?;
    delete_group(txn, &call.cx, API, call.id(), force)?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}

fn update(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    // Cinder: cinder/api/v3/consistencygroups.py, ConsistencyGroupsController.update: the error of an unknown
    // group goes before those of the types of members.
    input::consistency_element(call.body)?;
    find_group(txn, &call.cx, API, call.id())?;
    let change = input::consistency_change(call.body, call.cx.version)?;
    update_group(txn, &call.cx, API, call.id(), change)?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}

fn list_snapshots(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::GROUP_SNAPSHOT_GET_ALL)?;
    let visible = |row: &GroupSnapshot| API.lists(view, row.group_type_id);
    list_visible_by::<GroupSnapshot, _>(
        view,
        call,
        &parameters(call),
        SNAPSHOTS,
        visible,
        GroupSnapshotStub::new,
    )
}

fn list_snapshots_detail(
    view: &Snapshot,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::GROUP_SNAPSHOT_GET_ALL)?;
    let visible = |row: &GroupSnapshot| API.lists(view, row.group_type_id);
    list_visible_by::<GroupSnapshot, _>(
        view,
        call,
        &parameters(call),
        SNAPSHOTS_DETAIL,
        visible,
        CgSnapshotView::new,
    )
}

fn show_snapshot(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = find_group_snapshot(view, &call.cx, API, call.id())?;
    CinderReply::ok("cgsnapshot", &CgSnapshotView::new(row))
}

fn create_snapshot(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    let spec = input::cgsnapshot_spec(call.body)?;
    create_group_snapshot(txn, &call.cx, API, call.new_id, &spec, Uuid::new_v4)?;
    let row = written_row::<GroupSnapshot>(txn, call.new_id)?;
    CinderReply::named(StatusCode::ACCEPTED, "cgsnapshot", &GroupSnapshotStub::new(row))
}

fn delete_snapshot(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    delete_group_snapshot(txn, &call.cx, API, call.id())?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}
