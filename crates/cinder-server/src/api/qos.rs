//! QoS specs, and the volume types that are bound to them.

use axum::http::StatusCode;
use serde_json::{Value, json};
use statehold_cinder::{
    Error, QosAssociationView, QosSpecs, QosView, bind_type, create_qos, delete_qos,
    delete_qos_keys, find_qos, input, policy, qos_types, unbind_types, update_qos,
};
use statehold_store::{ReadView, Snapshot, WriteTxn};

use crate::api::list::{Place, page_of_all};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{Answer, CinderRequest, Refusal};

/// What there is. Types are bound with GET, as clients do it.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/qos-specs", list),
    routes::write("POST", "/v3/qos-specs", create),
    routes::read("/v3/qos-specs/{id}", show),
    routes::write("PUT", "/v3/qos-specs/{id}", update),
    routes::write("DELETE", "/v3/qos-specs/{id}", delete),
    routes::write("PUT", "/v3/qos-specs/{id}/delete_keys", delete_keys),
    routes::list("/v3/qos-specs/{id}/associations", associations),
    routes::write("GET", "/v3/qos-specs/{id}/associate", associate),
    routes::write("GET", "/v3/qos-specs/{id}/disassociate", disassociate),
    routes::write("GET", "/v3/qos-specs/{id}/disassociate_all", disassociate_all),
];

const LIST: Place = Place { path: "qos-specs", rows: "qos_specs", links: Some("qos_specs_links") };

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    page_of_all::<QosSpecs, _>(view, call, call.query, LIST, QosView::new)
}

fn shown(view: &impl ReadView, call: &CinderRequest<'_>, id: &str) -> Result<Answer, Refusal> {
    let row = find_qos(view, id)?;
    let links = QosView::links(call.viewer, row);
    Answer::json(StatusCode::OK, &json!({"qos_specs": QosView::new(row), "links": links}))
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    call.cx.caller.check(policy::QOS_GET)?;
    shown(view, call, call.id())
}

fn create(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    call.cx.caller.check(policy::QOS_CREATE)?;
    create_qos(txn, &call.cx, call.new, input::qos_spec(call.body)?)?;
    shown(txn, call, &call.new.to_string())
}

fn update(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    call.cx.caller.check(policy::QOS_UPDATE)?;
    let (consumer, specs) = input::qos_change(call.body)?;
    update_qos(txn, &call.cx, call.id(), consumer, specs)?;
    // What was sent, as it was sent.
    let body: Value = serde_json::from_slice(call.body).map_err(|_| Error::MalformedBody)?;
    Answer::json(StatusCode::OK, &body)
}

fn delete(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    delete_qos(txn, &call.cx, call.id(), call.flag("force")?)?;
    Ok(Answer::empty(StatusCode::ACCEPTED))
}

fn delete_keys(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    call.cx.caller.check(policy::QOS_UPDATE)?;
    delete_qos_keys(txn, &call.cx, call.id(), &input::qos_keys(call.body)?)?;
    Ok(Answer::empty(StatusCode::ACCEPTED))
}

fn associations(view: &Snapshot, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    let rows = qos_types(view, &call.cx, call.id())?;
    let rows: Vec<_> = rows.map(|row| QosAssociationView::new(row)).collect();
    Answer::ok("qos_associations", &rows)
}

fn associate(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    bind_type(txn, &call.cx, call.id(), call.parameter("vol_type_id"))?;
    Ok(Answer::empty(StatusCode::ACCEPTED))
}

fn disassociate(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    let Some(volume_type) = call.parameter("vol_type_id") else {
        call.cx.caller.check(policy::QOS_UPDATE)?;
        return Err(Refusal::bad("Volume Type id must not be None."));
    };
    unbind_types(txn, &call.cx, call.id(), Some(volume_type))?;
    Ok(Answer::empty(StatusCode::ACCEPTED))
}

fn disassociate_all(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    unbind_types(txn, &call.cx, call.id(), None)?;
    Ok(Answer::empty(StatusCode::ACCEPTED))
}
