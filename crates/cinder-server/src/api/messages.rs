//! Messages to users about failed work.

use axum::http::StatusCode;
use statehold_cinder::{Message, MessageView, delete_message, find_message};
use statehold_store::{Snapshot, WriteTxn};

use crate::api::list::{Collection, list_all_by};
use crate::api::operation::{Reply, Shape, of, ok};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{ApiError, CinderReply, CinderRequest};

/// The routes of messages.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/messages", "Lists messages about failed work.", list)
        .since(3)
        .page::<Message>(LIST, of::<MessageView<'_>>),
    routes::read("/v3/messages/{id}", "Shows a message.", show)
        .since(3)
        .reply(ok("message", of::<MessageView<'_>>)),
    routes::write("DELETE", "/v3/messages/{id}", "Deletes a message.", delete)
        .since(3)
        .reply(Reply(204, Shape::Empty)),
];

/// First version with pages, orders and filters; earlier ones ignore the parameters.
// Cinder: cinder/api/microversions.py, MESSAGES_PAGINATION.
const PAGES_SINCE: u16 = 5;

const LIST: Collection =
    Collection { path: "messages", rows: "messages", links: Some("messages_links") };

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let pages = call.cx.version.at_least(PAGES_SINCE);
    let (parameters, collection) =
        if pages { (call.query, LIST) } else { (&[][..], Collection { links: None, ..LIST }) };
    list_all_by::<Message, _>(view, call, parameters, collection, |row| {
        MessageView::new(call.viewer, row)
    })
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = find_message(view, &call.cx, call.id())?;
    CinderReply::ok("message", &MessageView::new(call.viewer, row))
}

fn delete(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    delete_message(txn, &call.cx, call.id())?;
    Ok(CinderReply::empty(StatusCode::NO_CONTENT))
}
