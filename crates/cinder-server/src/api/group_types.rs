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
use crate::api::operation::{IS_PUBLIC, Reply, Shape, accepted, of, ok, ok_object};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{ApiError, CinderReply, CinderRequest};
use serde_json::Value;
use statehold_cinder::Pairs;
use statehold_cinder::input::bodies;

/// The routes of group types.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/group_types", "Lists group types.", list)
        .since(11)
        .page::<GroupType>(LIST, of::<GroupTypeView<'_>>)
        .query(&[IS_PUBLIC]),
    routes::write("POST", "/v3/group_types", "Creates a group type.", create)
        .since(11)
        .body(bodies::GROUP_TYPE_CREATE)
        .reply(accepted("group_type", of::<GroupTypeView<'_>>)),
    routes::read("/v3/group_types/default", "Shows the default group type.", show_default)
        .since(11)
        .reply(ok("group_type", of::<GroupTypeView<'_>>)),
    routes::read("/v3/group_types/{id}", "Shows a group type.", show)
        .since(11)
        .reply(ok("group_type", of::<GroupTypeView<'_>>)),
    routes::write("PUT", "/v3/group_types/{id}", "Updates a group type.", update)
        .since(11)
        .body(bodies::GROUP_TYPE_UPDATE)
        .reply(ok("group_type", of::<GroupTypeView<'_>>)),
    routes::write("DELETE", "/v3/group_types/{id}", "Deletes a group type.", delete).since(11),
    routes::read("/v3/group_types/{id}/group_specs", "Shows the specs of a group type.", specs)
        .since(11)
        .reply(ok("group_specs", of::<Pairs>)),
    routes::write(
        "POST",
        "/v3/group_types/{id}/group_specs",
        "Sets specs of a group type; returns the body.",
        set_specs,
    )
    .since(11)
    .body(bodies::GROUP_SPECS)
    .reply(accepted("group_specs", of::<Value>)),
    routes::read("/v3/group_types/{id}/group_specs/{key}", "Shows one spec of a group type.", spec)
        .since(11)
        .reply(Reply(200, Shape::Whole(of::<Pairs>))),
    routes::write(
        "PUT",
        "/v3/group_types/{id}/group_specs/{key}",
        "Sets one spec of a group type; returns the body.",
        set_spec,
    )
    .since(11)
    .body(bodies::EXTRA_SPEC)
    .reply(ok_object(&[])),
    routes::write(
        "DELETE",
        "/v3/group_types/{id}/group_specs/{key}",
        "Deletes one spec of a group type.",
        delete_spec,
    )
    .since(11),
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
