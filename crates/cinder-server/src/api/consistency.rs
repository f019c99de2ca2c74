//! Consistency groups and their snapshots: groups of a type of their own, under older names.

use axum::http::StatusCode;
use statehold_cinder::{
    CgSnapshotView, ConsistencyGroupView, Group, GroupApi, GroupSnapshot, GroupSnapshotStub,
    GroupStub, create_group, create_group_from, create_group_snapshot, delete_group,
    delete_group_snapshot, find_group, find_group_snapshot, input, policy, update_group,
};
use statehold_store::{Snapshot, WriteTxn};
use uuid::Uuid;

use crate::api::list::{Place, page};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{Answer, CinderRequest, Refusal, written};

/// What there is.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/consistencygroups", list),
    routes::write("POST", "/v3/consistencygroups", create),
    routes::list("/v3/consistencygroups/detail", list_detail),
    routes::write("POST", "/v3/consistencygroups/create_from_src", create_from),
    routes::read("/v3/consistencygroups/{id}", show),
    routes::write("POST", "/v3/consistencygroups/{id}/delete", delete),
    routes::write("PUT", "/v3/consistencygroups/{id}", update),
    routes::write("PUT", "/v3/consistencygroups/{id}/update", update),
    routes::list("/v3/cgsnapshots", list_snapshots),
    routes::write("POST", "/v3/cgsnapshots", create_snapshot),
    routes::list("/v3/cgsnapshots/detail", list_snapshots_detail),
    routes::read("/v3/cgsnapshots/{id}", show_snapshot),
    routes::write("DELETE", "/v3/cgsnapshots/{id}", delete_snapshot),
];

const LIST: Place = Place { path: "consistencygroups", rows: "consistencygroups", links: None };
const DETAIL: Place = Place { path: "consistencygroups/detail", ..LIST };
const SNAPSHOTS: Place = Place { path: "cgsnapshots", rows: "cgsnapshots", links: None };
const SNAPSHOTS_DETAIL: Place = Place { path: "cgsnapshots/detail", ..SNAPSHOTS };

const API: GroupApi = GroupApi::Consistency;

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    call.cx.caller.check(policy::GROUP_GET_ALL)?;
    let visible = |row: &Group| API.lists(view, row.group_type_id);
    page::<Group, _>(view, call, LIST, visible, GroupStub::new)
}

fn list_detail(view: &Snapshot, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    call.cx.caller.check(policy::GROUP_GET_ALL)?;
    let visible = |row: &Group| API.lists(view, row.group_type_id);
    page::<Group, _>(view, call, DETAIL, visible, ConsistencyGroupView::new)
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    let row = find_group(view, &call.cx, API, call.id())?;
    Answer::ok("consistencygroup", &ConsistencyGroupView::new(row))
}

fn created(txn: &WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    let row = written::<Group>(txn, call.new)?;
    Answer::named(StatusCode::ACCEPTED, "consistencygroup", &GroupStub::new(row))
}

fn create(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    create_group(txn, &call.cx, API, call.new, input::consistency_spec(call.body)?)?;
    created(txn, call)
}

fn create_from(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    let spec = input::consistency_source_spec(call.body)?;
    create_group_from(txn, &call.cx, API, call.new, spec, Uuid::new_v4)?;
    created(txn, call)
}

fn delete(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    let force = input::consistency_delete(call.body)?;
    delete_group(txn, &call.cx, API, call.id(), force)?;
    Ok(Answer::empty(StatusCode::ACCEPTED))
}

fn update(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    // Cinder: cinder/api/v3/consistencygroups.py, ConsistencyGroupsController.update: an unknown group goes
    // before the types of members.
    input::consistency_element(call.body)?;
    find_group(txn, &call.cx, API, call.id())?;
    let change = input::consistency_change(call.body, call.cx.version)?;
    update_group(txn, &call.cx, API, call.id(), change)?;
    Ok(Answer::empty(StatusCode::ACCEPTED))
}

fn list_snapshots(view: &Snapshot, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    call.cx.caller.check(policy::GROUP_SNAPSHOT_GET_ALL)?;
    let visible = |row: &GroupSnapshot| API.lists(view, row.group_type_id);
    page::<GroupSnapshot, _>(view, call, SNAPSHOTS, visible, GroupSnapshotStub::new)
}

fn list_snapshots_detail(view: &Snapshot, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    call.cx.caller.check(policy::GROUP_SNAPSHOT_GET_ALL)?;
    let visible = |row: &GroupSnapshot| API.lists(view, row.group_type_id);
    page::<GroupSnapshot, _>(view, call, SNAPSHOTS_DETAIL, visible, CgSnapshotView::new)
}

fn show_snapshot(view: &Snapshot, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    let row = find_group_snapshot(view, &call.cx, API, call.id())?;
    Answer::ok("cgsnapshot", &CgSnapshotView::new(row))
}

fn create_snapshot(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    let spec = input::cgsnapshot_spec(call.body)?;
    create_group_snapshot(txn, &call.cx, API, call.new, &spec, Uuid::new_v4)?;
    let row = written::<GroupSnapshot>(txn, call.new)?;
    Answer::named(StatusCode::ACCEPTED, "cgsnapshot", &GroupSnapshotStub::new(row))
}

fn delete_snapshot(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    delete_group_snapshot(txn, &call.cx, API, call.id())?;
    Ok(Answer::empty(StatusCode::ACCEPTED))
}
