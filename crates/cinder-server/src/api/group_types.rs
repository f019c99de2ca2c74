//! Group types, and the properties that their groups require.

use axum::http::StatusCode;
use statehold_cinder::{
    GroupType, GroupTypeView, create_group_type, default_group_type,
    delete_group_spec as delete_one, delete_group_type, get_group_spec as one_spec,
    get_group_specs as all_specs, get_group_type, input, parse_is_public, policy, set_group_specs,
    update_group_specs, update_group_type,
};
use statehold_store::{Snapshot, WriteTxn};

use crate::api::list::{Collection, list_visible_by};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{ApiError, CinderReply, CinderRequest};

/// The routes of group types.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/group_types", list).since(11),
    routes::write("POST", "/v3/group_types", create).since(11),
    routes::read("/v3/group_types/default", show_default).since(11),
    routes::read("/v3/group_types/{id}", show).since(11),
    routes::write("PUT", "/v3/group_types/{id}", update).since(11),
    routes::write("DELETE", "/v3/group_types/{id}", delete).since(11),
    routes::read("/v3/group_types/{id}/group_specs", specs).since(11),
    routes::write("POST", "/v3/group_types/{id}/group_specs", set_specs).since(11),
    routes::read("/v3/group_types/{id}/group_specs/{key}", spec).since(11),
    routes::write("PUT", "/v3/group_types/{id}/group_specs/{key}", set_spec).since(11),
    routes::write("DELETE", "/v3/group_types/{id}/group_specs/{key}", delete_spec).since(11),
];

const LIST: Collection =
    Collection { path: "group_types", rows: "group_types", links: Some("group_type_links") };

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let caller = call.cx.caller;
    caller.check(policy::GROUP_TYPE_GET)?;
    let public = parse_is_public(call.query)?;
    let others: Vec<_> = call.query.iter().filter(|(key, _)| key != "is_public").cloned().collect();
    // Only admins may select private types, so that the parameter of other callers is ignored.
    let visible = |row: &GroupType| {
        if caller.is_admin() {
            public.is_none_or(|public| row.is_public == public)
        } else {
            row.is_public
        }
    };
    let show = |row| GroupTypeView::new(call.viewer, row);
    list_visible_by::<GroupType, _>(view, call, &others, LIST, visible, show)
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::GROUP_TYPE_GET)?;
    let row = get_group_type(view, call.cx.caller, call.id())?;
    CinderReply::ok("group_type", &GroupTypeView::new(call.viewer, row))
}

fn show_default(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::GROUP_TYPE_GET)?;
    let row = default_group_type(view, &call.cx)?;
    CinderReply::ok("group_type", &GroupTypeView::new(call.viewer, row))
}

fn create(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::GROUP_TYPE_CREATE)?;
    create_group_type(txn, &call.cx, call.new_id, input::group_type_spec(call.body)?)?;
    let row = get_group_type(txn, call.cx.caller, &call.new_id.to_string())?;
    // 202, although nothing is left to do. Cinder: cinder/api/v3/group_types.py, GroupTypesController.create.
    CinderReply::named(StatusCode::ACCEPTED, "group_type", &GroupTypeView::new(call.viewer, row))
}

fn update(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::GROUP_TYPE_UPDATE)?;
    update_group_type(txn, &call.cx, call.id(), input::group_type_change(call.body)?)?;
    let row = get_group_type(txn, call.cx.caller, call.id())?;
    CinderReply::ok("group_type", &GroupTypeView::new(call.viewer, row))
}

fn delete(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    delete_group_type(txn, &call.cx, call.id())?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}

fn specs(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    CinderReply::ok("group_specs", all_specs(view, &call.cx, call.id())?)
}

fn spec(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let key = call.segment("key");
    CinderReply::ok(key, &one_spec(view, &call.cx, call.id(), key)?)
}

fn set_specs(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::GROUP_SPEC_CREATE)?;
    set_group_specs(txn, &call.cx, call.id(), input::group_specs(call.body)?)?;
    // 202, although nothing is left to do. Cinder: cinder/api/v3/group_specs.py, GroupTypeSpecsController.create.
    call.echo_body(StatusCode::ACCEPTED)
}

fn set_spec(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::GROUP_SPEC_UPDATE)?;
    let specs = input::extra_spec(call.body, call.segment("key"))?;
    update_group_specs(txn, &call.cx, call.id(), specs)?;
    call.echo_body(StatusCode::OK)
}

fn delete_spec(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    delete_one(txn, &call.cx, call.id(), call.segment("key"))?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}
