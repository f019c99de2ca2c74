//! The default volume types of projects.

use axum::http::StatusCode;
use statehold_cinder::{
    DefaultTypeView, default_types, find_default_type, input, policy, set_default_type,
};
use statehold_store::{ReadView, Snapshot, WriteTxn};

use crate::api::list::filter_rows;
use crate::api::operation::{FILTER, Reply, Shape, of, ok};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{ApiError, CinderReply, CinderRequest};
use statehold_cinder::input::bodies;

/// First version with default types of projects.
// Cinder: cinder/api/microversions.py, DEFAULT_TYPE_OVERRIDES.
const SINCE: u16 = 62;

/// The routes of default types. The project in the path is the one that the type is for, not that of the token.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/default-types", "Lists the default types of projects.", list)
        .since(SINCE)
        .without_project()
        .query(&[FILTER])
        .reply(ok("default_types", of::<Vec<DefaultTypeView<'_>>>)),
    routes::read("/v3/default-types/{project}", "Shows the default type of a project.", show)
        .since(SINCE)
        .without_project()
        .reply(ok("default_type", of::<DefaultTypeView<'_>>)),
    routes::write("PUT", "/v3/default-types/{project}", "Sets the default type of a project.", set)
        .since(SINCE)
        .without_project()
        .body(bodies::DEFAULT_TYPE)
        .reply(ok("default_type", of::<DefaultTypeView<'_>>)),
    routes::write(
        "DELETE",
        "/v3/default-types/{project}",
        "Deletes the default type of a project.",
        unset,
    )
    .since(SINCE)
    .without_project()
    .reply(Reply(204, Shape::Done)),
];

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let rows = default_types(view, &call.cx)?.map(|row| DefaultTypeView::new(row));
    CinderReply::ok("default_types", &filter_rows(call, rows)?)
}

/// Returns the default type of the project in the path.
fn show_row(view: &impl ReadView, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = find_default_type(view, &call.cx, call.segment("project"))?;
    CinderReply::ok("default_type", &DefaultTypeView::new(row))
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    show_row(view, call)
}

fn set(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::DEFAULT_TYPE)?;
    let name = input::default_type_name(call.body)?;
    set_default_type(txn, &call.cx, call.segment("project"), Some(&name))?;
    show_row(txn, call)
}

fn unset(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    set_default_type(txn, &call.cx, call.segment("project"), None)?;
    Ok(CinderReply::empty_json(StatusCode::NO_CONTENT))
}
