//! QoS specs, and the volume types that are associated with them.

use axum::http::StatusCode;
use serde_json::{Value, json};
use statehold_cinder::{
    QosAssociationView, QosSpecs, QosView, bind_type, create_qos, delete_qos, delete_qos_keys,
    find_qos, input, policy, qos_types, unbind_types, update_qos,
};
use statehold_store::{ReadView, Snapshot, WriteTxn};

use crate::api::list::{Collection, list_all_by};
use crate::api::operation::{FORCE_QOS, VOL_TYPE, of, ok};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{ApiError, CinderReply, CinderRequest};
use statehold_cinder::input::bodies;

/// The routes of QoS specs. Associations are written with `GET`.
// Cinder: cinder/api/contrib/qos_specs_manage.py, Qos_specs_manage.get_resources.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/qos-specs", "Lists QoS specs.", list)
        .page::<QosSpecs>(LIST, of::<QosView<'_>>),
    routes::write("POST", "/v3/qos-specs", "Creates QoS specs.", create)
        .body(bodies::QOS_CREATE)
        .reply(ok("qos_specs", of::<QosView<'_>>)),
    routes::read("/v3/qos-specs/{id}", "Shows QoS specs.", show)
        .reply(ok("qos_specs", of::<QosView<'_>>)),
    routes::write("PUT", "/v3/qos-specs/{id}", "Sets keys of QoS specs; returns the body.", update)
        .body(bodies::QOS_UPDATE)
        .reply(ok("qos_specs", of::<Value>)),
    routes::write("DELETE", "/v3/qos-specs/{id}", "Deletes QoS specs.", delete).query(&[FORCE_QOS]),
    routes::write(
        "PUT",
        "/v3/qos-specs/{id}/delete_keys",
        "Deletes keys of QoS specs.",
        delete_keys,
    )
    .body(bodies::QOS_DELETE_KEYS),
    routes::list(
        "/v3/qos-specs/{id}/associations",
        "Lists the volume types with these QoS specs.",
        associations,
    )
    .reply(ok("qos_associations", of::<Vec<QosAssociationView<'_>>>)),
    routes::write(
        "GET",
        "/v3/qos-specs/{id}/associate",
        "Associates QoS specs with a volume type.",
        associate,
    )
    .query(&[VOL_TYPE]),
    routes::write(
        "GET",
        "/v3/qos-specs/{id}/disassociate",
        "Disassociates QoS specs from a volume type.",
        disassociate,
    )
    .query(&[VOL_TYPE]),
    routes::write(
        "GET",
        "/v3/qos-specs/{id}/disassociate_all",
        "Disassociates QoS specs from all volume types.",
        disassociate_all,
    ),
];

const LIST: Collection =
    Collection { path: "qos-specs", rows: "qos_specs", links: Some("qos_specs_links") };

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    list_all_by::<QosSpecs, _>(view, call, call.query, LIST, QosView::new)
}

/// Returns the QoS specs with the ID `id`.
fn show_row(
    view: &impl ReadView,
    call: &CinderRequest<'_>,
    id: &str,
) -> Result<CinderReply, ApiError> {
    let row = find_qos(view, id)?;
    let links = QosView::links(call.viewer, row);
    CinderReply::json(StatusCode::OK, &json!({"qos_specs": QosView::new(row), "links": links}))
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::QOS_GET)?;
    show_row(view, call, call.id())
}

fn create(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::QOS_CREATE)?;
    create_qos(txn, &call.cx, call.new_id, input::qos_spec(call.body)?)?;
    show_row(txn, call, &call.new_id.to_string())
}

fn update(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::QOS_UPDATE)?;
    let (consumer, specs) = input::qos_change(call.body)?;
    update_qos(txn, &call.cx, call.id(), consumer, specs)?;
    // The limits of the request, not of the row. Cinder: cinder/api/contrib/qos_specs_manage.py,
    // QoSSpecsController.update.
    call.echo_body(StatusCode::OK)
}

fn delete(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    delete_qos(txn, &call.cx, call.id(), call.flag("force")?)?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}

fn delete_keys(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::QOS_DELETE)?;
    delete_qos_keys(txn, &call.cx, call.id(), &input::qos_keys(call.body)?)?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}

fn associations(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let rows = qos_types(view, &call.cx, call.id())?;
    let rows: Vec<_> = rows.map(|row| QosAssociationView::new(row)).collect();
    CinderReply::ok("qos_associations", &rows)
}

fn associate(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    bind_type(txn, &call.cx, call.id(), call.parameter("vol_type_id"))?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}

fn disassociate(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let Some(volume_type) = call.parameter("vol_type_id") else {
        // Without a type the operation is not called, which checks the permission otherwise.
        call.cx.caller.check(policy::QOS_UPDATE)?;
        return Err(ApiError::bad_request("Volume Type id must not be None."));
    };
    unbind_types(txn, &call.cx, call.id(), Some(volume_type))?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}

fn disassociate_all(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
) -> Result<CinderReply, ApiError> {
    unbind_types(txn, &call.cx, call.id(), None)?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}
