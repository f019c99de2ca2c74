//! Attachments: the instances that use a volume, and their connections.

use axum::http::StatusCode;
use statehold_cinder::{
    Attachment, AttachmentStub, AttachmentView, Connector, Volume, check_connector,
    complete_attachment, connect_attachment, create_attachment, delete_attachment, find_attachment,
    input, parse_id,
};
use statehold_store::{ReadView as _, Snapshot, WriteTxn};

use crate::api::list::{Collection, list_all_by};
use crate::api::operation::{Reply, Shape, of, ok};
use crate::api::routes;
use crate::api::routes::Route;
use crate::api::volumes::connection;
use crate::request::{ApiError, CinderReply, CinderRequest, written_row};
use statehold_cinder::input::bodies;

/// The routes of attachments.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/attachments", "Lists attachments.", list)
        .since(27)
        .page::<Attachment>(LIST, of::<AttachmentStub>),
    routes::write(
        "POST",
        "/v3/attachments",
        "Reserves a volume for a host, or connects it if the body has a connector.",
        create,
    )
    .since(27)
    .body(bodies::ATTACHMENT_CREATE)
    .reply(ok("attachment", of::<AttachmentView<'_>>)),
    routes::list("/v3/attachments/summary", "Lists attachments.", list)
        .since(27)
        .page::<Attachment>(LIST, of::<AttachmentStub>),
    routes::list("/v3/attachments/detail", "Lists attachments with their connection.", list_detail)
        .since(27)
        .page::<Attachment>(DETAIL, of::<AttachmentView<'_>>),
    routes::read("/v3/attachments/{id}", "Shows an attachment.", show)
        .since(27)
        .reply(ok("attachment", of::<AttachmentView<'_>>)),
    routes::write("PUT", "/v3/attachments/{id}", "Connects a reserved volume to a host.", connect)
        .since(27)
        .body(bodies::ATTACHMENT_UPDATE)
        .reply(ok("attachment", of::<AttachmentView<'_>>)),
    routes::write(
        "DELETE",
        "/v3/attachments/{id}",
        "Deletes an attachment; returns the others of the volume.",
        delete,
    )
    .since(27)
    .reply(ok("attachments", of::<Vec<AttachmentStub>>)),
    routes::write(
        "POST",
        "/v3/attachments/{id}/action",
        "Marks an attachment as complete: the host uses the volume.",
        act,
    )
    .since(44)
    .body(bodies::ATTACHMENT_ACTION)
    .reply(Reply(204, Shape::Done)),
];

/// Pages of attachments have no links to the next page.
// Cinder: cinder/api/v3/views/attachments.py, ViewBuilder.list.
const LIST: Collection = Collection { path: "attachments", rows: "attachments", links: None };
const DETAIL: Collection = Collection { path: "attachments/detail", ..LIST };

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    list_all_by::<Attachment, _>(view, call, call.query, LIST, AttachmentStub::new)
}

fn list_detail(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    list_all_by::<Attachment, _>(view, call, call.query, DETAIL, AttachmentView::new)
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = find_attachment(view, &call.cx, call.id())?;
    CinderReply::ok("attachment", &AttachmentView::new(row))
}

fn create(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let spec = input::attachment_spec(call.body, call.cx.version)?;
    create_attachment(txn, &call.cx, call.new_id, &spec)?;
    let id = call.new_id.to_string();
    // The reply shows the attachment as it was before it was connected, with some members of the connected one.
    let before = Attachment::clone(written_row::<Attachment>(txn, call.new_id)?);
    if let Some(connector) = spec.connector {
        connect_host(txn, call, &id, connector)?;
    }
    let row = written_row::<Attachment>(txn, call.new_id)?;
    CinderReply::ok("attachment", &AttachmentView::updated(row, &before))
}

fn connect(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let connector = input::attachment_connector(call.body)?;
    let id = parse_id(call.id());
    let before = id.and_then(|id| txn.get::<Attachment>(id)).map(|row| Attachment::clone(row));
    // Fails for an attachment that is missing or belongs to another project.
    connect_host(txn, call, call.id(), connector)?;
    let before = before.ok_or_else(ApiError::unknown_operation)?;
    let row = written_row::<Attachment>(txn, before.id)?;
    CinderReply::ok("attachment", &AttachmentView::updated(row, &before))
}

/// Records the host of an attachment and its connection.
fn connect_host(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
    id: &str,
    connector: Connector,
) -> Result<(), ApiError> {
    let volume = check_connector(txn, &call.cx, id, &connector)?;
    let info = match txn.get::<Volume>(volume) {
        Some(row) => connection(txn, call, row)?.to_string(),
        None => return Err(ApiError::unknown_operation()),
    };
    Ok(connect_attachment(txn, &call.cx, id, connector, info.into())?)
}

fn delete(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    // The reply lists the attachments that remain. Cinder: cinder/api/v3/attachments.py, AttachmentsController.delete.
    let left = delete_attachment(txn, &call.cx, call.id())?;
    let left: Vec<_> = left.iter().map(|row| AttachmentStub::new(row)).collect();
    CinderReply::ok("attachments", &left)
}

/// Completes an attachment, the only action.
fn act(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    input::attachment_action(call.body)?;
    complete_attachment(txn, &call.cx, call.id())?;
    Ok(CinderReply::empty_json(StatusCode::NO_CONTENT))
}
