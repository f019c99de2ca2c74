//! Attachments: who uses which volume, and how it is reached.

use axum::http::StatusCode;
use statehold_cinder::{
    Attachment, AttachmentStub, AttachmentView, Connector, Volume, check_connector,
    complete_attachment, connect_attachment, create_attachment, delete_attachment, find_attachment,
    input, parse_id,
};
use statehold_store::{ReadView as _, Snapshot, WriteTxn};

use crate::api::list::{Place, page_of_all};
use crate::api::routes;
use crate::api::routes::Route;
use crate::api::volumes::connection;
use crate::request::{Answer, CinderRequest, Refusal, written};

/// What there is.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/attachments", list).since(27),
    routes::write("POST", "/v3/attachments", create).since(27),
    routes::list("/v3/attachments/summary", list).since(27),
    routes::list("/v3/attachments/detail", list_detail).since(27),
    routes::read("/v3/attachments/{id}", show).since(27),
    routes::write("PUT", "/v3/attachments/{id}", connect).since(27),
    routes::write("DELETE", "/v3/attachments/{id}", delete).since(27),
    routes::write("POST", "/v3/attachments/{id}/action", act).since(44),
];

/// Their pages have no links to the next.
const LIST: Place = Place { path: "attachments", rows: "attachments", links: None };
const DETAIL: Place = Place { path: "attachments/detail", ..LIST };

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    page_of_all::<Attachment, _>(view, call, call.query, LIST, AttachmentStub::new)
}

fn list_detail(view: &Snapshot, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    page_of_all::<Attachment, _>(view, call, call.query, DETAIL, AttachmentView::new)
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    let row = find_attachment(view, &call.cx, call.id())?;
    Answer::ok("attachment", &AttachmentView::new(row))
}

fn create(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    let spec = input::attachment_spec(call.body, call.cx.version)?;
    create_attachment(txn, &call.cx, call.new, &spec)?;
    let id = call.new.to_string();
    let before = Attachment::clone(written::<Attachment>(txn, call.new)?);
    if let Some(connector) = spec.connector {
        join(txn, call, &id, connector)?;
    }
    let row = written::<Attachment>(txn, call.new)?;
    Answer::ok("attachment", &AttachmentView::updated(row, &before))
}

fn connect(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    let connector = input::attachment_connector(call.body)?;
    let id = parse_id(call.id());
    let before = id.and_then(|id| txn.get::<Attachment>(id)).map(|row| Attachment::clone(row));
    // Refuses an attachment that is missing, or is not the caller's.
    join(txn, call, call.id(), connector)?;
    let before = before.ok_or_else(Refusal::later)?;
    let row = written::<Attachment>(txn, before.id)?;
    Answer::ok("attachment", &AttachmentView::updated(row, &before))
}

/// Notes the host that uses a volume, and how it reaches it.
fn join(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
    id: &str,
    connector: Connector,
) -> Result<(), Refusal> {
    let volume = check_connector(txn, &call.cx, id, &connector)?;
    let info = match txn.get::<Volume>(volume) {
        Some(row) => connection(txn, call, row)?.to_string(),
        None => return Err(Refusal::later()),
    };
    Ok(connect_attachment(txn, &call.cx, id, connector, info.into())?)
}

fn delete(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    let left = delete_attachment(txn, &call.cx, call.id())?;
    let left: Vec<_> = left.iter().map(|row| AttachmentStub::new(row)).collect();
    Answer::ok("attachments", &left)
}

fn act(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<Answer, Refusal> {
    input::attachment_action(call.body)?;
    complete_attachment(txn, &call.cx, call.id())?;
    Ok(Answer::done(StatusCode::NO_CONTENT))
}
