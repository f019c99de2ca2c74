//! Groups of volumes.

use axum::http::StatusCode;
use statehold_cinder::{
    Group, GroupApi, GroupStub, GroupView, change_replication, create_group, create_group_from,
    delete_group, find_group,
    input::{self, GroupAction},
    policy, replication_targets, reset_group_status, update_group,
};
use statehold_store::{Snapshot, WriteTxn};
use uuid::Uuid;

use crate::api::list::{Collection, list_visible_by};
use crate::api::operation::{EMPTY, VOLUMES, accepted, of, ok};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{ApiError, CinderReply, CinderRequest, written_row};
use statehold_cinder::input::bodies;

/// The routes of groups.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/groups", "Lists groups.", list)
        .since(13)
        .page::<Group>(LIST, of::<GroupStub<'_>>),
    routes::write("POST", "/v3/groups", "Creates a group.", create)
        .since(13)
        .body(bodies::GROUP_CREATE)
        .reply(accepted("group", of::<GroupStub<'_>>)),
    routes::list("/v3/groups/detail", "Lists groups with all their members.", list_detail)
        .since(13)
        .page::<Group>(DETAIL, of::<GroupView<'_>>)
        .query(&[VOLUMES]),
    routes::write(
        "POST",
        "/v3/groups/action",
        "Creates a group from another one or from a group snapshot.",
        create_from,
    )
    .since(13)
    .body(bodies::GROUP_CREATE_FROM)
    .reply(accepted("group", of::<GroupStub<'_>>)),
    routes::list("/v3/groups/{id}", "Shows a group.", show)
        .since(13)
        .query(&[VOLUMES])
        .reply(ok("group", of::<GroupView<'_>>)),
    routes::write(
        "PUT",
        "/v3/groups/{id}",
        "Updates a group, or adds and removes volumes.",
        update,
    )
    .since(13)
    .body(bodies::GROUP_UPDATE),
    routes::write("POST", "/v3/groups/{id}/action", "Acts on a group.", act)
        .since(13)
        .body(bodies::GROUP_ACTION)
        .reply(EMPTY)
        .or(&[ok("replication_targets", of::<Vec<Uuid>>)]),
];

const LIST: Collection = Collection { path: "groups", rows: "groups", links: Some("group_links") };
const DETAIL: Collection = Collection { path: "groups/detail", ..LIST };

/// The parameter that adds the volumes of each group.
// Cinder: cinder/api/v3/groups.py, GroupsController, from GROUP_VOLUME_LIST on.
const LIST_VOLUME: &str = "list_volume";

const API: GroupApi = GroupApi::Groups;

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::GROUP_GET_ALL)?;
    let visible = |row: &Group| API.lists(view, row.group_type_id);
    list_visible_by::<Group, _>(view, call, &parameters(call), LIST, visible, GroupStub::new)
}

fn list_detail(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::GROUP_GET_ALL)?;
    let visible = |row: &Group| API.lists(view, row.group_type_id);
    let volumes = call.flag(LIST_VOLUME)?;
    let show = |row| GroupView::new(view, call.viewer, row, volumes);
    list_visible_by::<Group, _>(view, call, &parameters(call), DETAIL, visible, show)
}

/// Returns the parameters of a list, without the one that changes its rows alone.
fn parameters(call: &CinderRequest<'_>) -> Vec<(String, String)> {
    call.query.iter().filter(|(key, _)| key != LIST_VOLUME).cloned().collect()
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = find_group(view, &call.cx, API, call.id())?;
    let volumes = call.flag(LIST_VOLUME)?;
    CinderReply::ok("group", &GroupView::new(view, call.viewer, row, volumes))
}

/// Returns the reply with the created group.
fn created_reply(txn: &WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = written_row::<Group>(txn, call.new_id)?;
    CinderReply::named(StatusCode::ACCEPTED, "group", &GroupStub::new(row))
}

fn create(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    create_group(txn, &call.cx, API, call.new_id, input::group_spec(call.body)?)?;
    created_reply(txn, call)
}

fn create_from(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let spec = input::group_source_spec(call.body, call.cx.version)?;
    create_group_from(txn, &call.cx, API, call.new_id, spec, Uuid::new_v4)?;
    created_reply(txn, call)
}

fn update(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    update_group(txn, &call.cx, API, call.id(), input::group_change(call.body)?)?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}

fn act(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let (cx, id) = (&call.cx, call.id());
    match input::group_action(call.body, call.cx.version)? {
        GroupAction::Delete { delete_volumes } => delete_group(txn, cx, API, id, delete_volumes)?,
        GroupAction::ResetStatus(status) => reset_group_status(txn, cx, id, &status)?,
        GroupAction::Replicate(replication) => change_replication(txn, cx, id, replication)?,
        GroupAction::ReplicationTargets => {
            return CinderReply::ok("replication_targets", &replication_targets(txn, cx, id)?);
        }
    }
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}
