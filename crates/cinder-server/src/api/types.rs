//! Volume types, their extra specs and encryption, and the access of projects to private ones.

use axum::http::StatusCode;
use serde_json::{Value, json};
use statehold_cinder::{
    EncryptionView, Error, Missing, TypeAccessView, VolumeType, VolumeTypeView, create_type,
    default_type, delete_encryption, delete_extra_spec as delete_spec, delete_type, get_extra_spec,
    get_type,
    input::{self, TypeAction},
    known_type, list_types, policy, set_encryption, set_extra_specs as set_specs, set_type_access,
    shown_specs, type_access, update_encryption, update_extra_specs, update_type,
};
use statehold_store::{Snapshot, WriteTxn};

use crate::api::list::{Collection, compile_filter, page_reply};
use crate::api::operation::{DONE, Reply, Shape, of, ok, ok_object};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{ApiError, CinderReply, CinderRequest, written_row};
use statehold_cinder::Pairs;
use statehold_cinder::input::bodies;

/// The routes of volume types.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/types", "Lists volume types.", list)
        .page::<VolumeType>(LIST, of::<VolumeTypeView<'_>>),
    routes::write("POST", "/v3/types", "Creates a volume type.", create)
        .body(bodies::TYPE_CREATE)
        .reply(ok("volume_type", of::<VolumeTypeView<'_>>)),
    routes::read(
        "/v3/types/default",
        "Shows the type of volumes that are created without one.",
        show_default,
    )
    .reply(ok("volume_type", of::<VolumeTypeView<'_>>)),
    routes::read("/v3/types/{id}", "Shows a volume type.", show)
        .reply(ok("volume_type", of::<VolumeTypeView<'_>>)),
    routes::write("PUT", "/v3/types/{id}", "Updates a volume type.", update)
        .body(bodies::TYPE_UPDATE)
        .reply(ok("volume_type", of::<VolumeTypeView<'_>>)),
    routes::write("DELETE", "/v3/types/{id}", "Deletes a volume type.", delete),
    routes::read("/v3/types/{id}/extra_specs", "Shows the extra specs of a type.", extra_specs)
        .reply(ok("extra_specs", of::<Pairs>)),
    routes::write(
        "POST",
        "/v3/types/{id}/extra_specs",
        "Sets extra specs of a type; returns the body.",
        set_extra_specs,
    )
    .body(bodies::EXTRA_SPECS)
    .reply(ok("extra_specs", of::<Value>)),
    routes::read("/v3/types/{id}/extra_specs/{key}", "Shows one extra spec.", extra_spec)
        .reply(Reply(200, Shape::Whole(of::<Pairs>))),
    routes::write(
        "PUT",
        "/v3/types/{id}/extra_specs/{key}",
        "Sets one extra spec; returns the body.",
        set_extra_spec,
    )
    .body(bodies::EXTRA_SPEC)
    .reply(ok_object(&[])),
    routes::write(
        "DELETE",
        "/v3/types/{id}/extra_specs/{key}",
        "Deletes one extra spec.",
        delete_extra_spec,
    )
    .reply(DONE),
    routes::read(
        "/v3/types/{id}/encryption",
        "Shows the encryption of a type; an empty object if it has none.",
        encryption,
    )
    .reply(Reply(200, Shape::Whole(of::<EncryptionView<'_>>))),
    routes::write(
        "POST",
        "/v3/types/{id}/encryption",
        "Encrypts the volumes of a type; returns the body with IDs.",
        encrypt,
    )
    .body(bodies::ENCRYPTION_CREATE)
    .reply(ok("encryption", of::<Value>)),
    routes::read(
        "/v3/types/{id}/encryption/{field}",
        "Shows one member of the encryption of a type.",
        encryption_field,
    )
    .reply(ok_object(&[])),
    routes::write(
        "PUT",
        "/v3/types/{id}/encryption/{field}",
        "Updates the encryption of a type; returns the body.",
        change_encryption,
    )
    .body(bodies::ENCRYPTION_UPDATE)
    .reply(ok("encryption", of::<Value>)),
    routes::write(
        "DELETE",
        "/v3/types/{id}/encryption/{field}",
        "Deletes the encryption of a type.",
        decrypt,
    ),
    routes::read(
        "/v3/types/{id}/os-volume-type-access",
        "Lists the projects with access to a private type.",
        access,
    )
    .reply(ok("volume_type_access", of::<Vec<TypeAccessView<'_>>>)),
    routes::write(
        "POST",
        "/v3/types/{id}/action",
        "Grants or revokes a project's access to a private type.",
        act,
    )
    .body(bodies::TYPE_ACTION),
];

const LIST: Collection =
    Collection { path: "types", rows: "volume_types", links: Some("volume_type_links") };

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let (caller, version) = (call.cx.caller, call.cx.version);
    let filter = compile_filter::<VolumeType>(call, call.parameter("filter"))?;
    // The meter ends a list that costs too much; `run_handler` fails the request then.
    let goes_on = || call.count_row(filter.is_some());
    let listing = list_types(view, call.query, caller, version, filter.as_ref(), goes_on)?;
    page_reply(call, LIST, &listing, |row| VolumeTypeView::new(call.viewer, row))
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = get_type(view, call.cx.caller, call.id())?;
    CinderReply::ok("volume_type", &VolumeTypeView::new(call.viewer, row))
}

fn show_default(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::TYPE_GET)?;
    let row = default_type(view, call.cx.config, &call.cx.caller.project)?;
    CinderReply::ok("volume_type", &VolumeTypeView::updated(call.viewer, row))
}

fn create(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    // Before the body, whose errors a caller without the permission must not see.
    call.cx.caller.check(policy::TYPE_CREATE)?;
    create_type(txn, &call.cx, call.new_id, input::type_spec(call.body)?)?;
    let row = written_row::<VolumeType>(txn, call.new_id)?;
    CinderReply::ok("volume_type", &VolumeTypeView::created(call.viewer, row))
}

fn update(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let id = update_type(txn, &call.cx, call.id(), input::type_change(call.body)?)?;
    let row = written_row::<VolumeType>(txn, id)?;
    CinderReply::ok("volume_type", &VolumeTypeView::updated(call.viewer, row))
}

fn delete(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    delete_type(txn, &call.cx, call.id())?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}

fn extra_specs(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::TYPE_SPEC_GET_ALL)?;
    let row = known_type(view, call.cx.caller, call.id())?;
    CinderReply::ok("extra_specs", &shown_specs(call.viewer, row))
}

fn extra_spec(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let key = call.segment("key");
    let value = get_extra_spec(view, &call.cx, call.id(), key)?;
    CinderReply::ok(key, &value)
}

fn set_extra_specs(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    set_specs(txn, &call.cx, call.id(), input::extra_specs(call.body)?)?;
    call.echo_body(StatusCode::OK)
}

fn set_extra_spec(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    update_extra_specs(
        txn,
        &call.cx,
        call.id(),
        input::extra_spec(call.body, call.segment("key"))?,
    )?;
    call.echo_body(StatusCode::OK)
}

fn delete_extra_spec(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    delete_spec(txn, &call.cx, call.id(), call.segment("key"))?;
    Ok(CinderReply::empty_json(StatusCode::ACCEPTED))
}

fn encryption(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::TYPE_ENCRYPTION_GET)?;
    let row = known_type(view, call.cx.caller, call.id())?;
    CinderReply::json(StatusCode::OK, &EncryptionView::new(row))
}

fn encrypt(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let encryption = input::type_encryption(call.body, call.new_id, call.cx.now)?;
    let id = set_encryption(txn, &call.cx, call.id(), encryption)?;
    // The reply is the body of the request with two members more.
    // Cinder: cinder/api/contrib/volume_type_encryption.py, VolumeTypeEncryptionController.create.
    let mut body: Value = serde_json::from_slice(call.body).map_err(|_| Error::MalformedBody)?;
    if let Some(members) = body.get_mut("encryption").and_then(Value::as_object_mut) {
        members.insert("volume_type_id".into(), json!(id));
        members.insert("encryption_id".into(), json!(call.new_id));
    }
    CinderReply::json(StatusCode::OK, &body)
}

fn encryption_field(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::TYPE_ENCRYPTION_GET)?;
    let row = known_type(view, call.cx.caller, call.id())?;
    let all = serde_json::to_value(EncryptionView::new(row)).unwrap_or_default();
    let field = call.segment("field");
    // A member that the encryption lacks has the error of a type without encryption.
    let missing = || Error::from(Missing::Encryption { volume_type: call.id().into() });
    CinderReply::ok(field, all.get(field).ok_or_else(missing)?)
}

/// Changes the encryption of a type. The ID of the encryption in the path is ignored, as in deletions: a type has one.
// Cinder: cinder/api/contrib/volume_type_encryption.py, VolumeTypeEncryptionController.update.
fn change_encryption(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    update_encryption(txn, &call.cx, call.id(), input::encryption_change(call.body)?)?;
    call.echo_body(StatusCode::OK)
}

fn decrypt(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    delete_encryption(txn, &call.cx, call.id())?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}

fn access(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let rows = type_access(view, &call.cx, call.id())?;
    let all: Vec<_> = rows.map(|row| TypeAccessView::new(row)).collect();
    CinderReply::json(StatusCode::OK, &json!({ "volume_type_access": all }))
}

fn act(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let (cx, id) = (&call.cx, call.id());
    match input::type_action(call.body)? {
        TypeAction::AddAccess(project) => set_type_access(txn, cx, id, &project, true)?,
        TypeAction::RemoveAccess(project) => set_type_access(txn, cx, id, &project, false)?,
    }
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}
