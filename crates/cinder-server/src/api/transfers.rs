//! Transfers: offers of volumes to the holder of a key.

use axum::http::StatusCode;
use statehold_cinder::{
    Transfer, TransferKey, TransferStub, TransferView, accept_transfer, create_transfer,
    delete_transfer, find_transfer, input,
};
use statehold_store::{ReadView as _, Snapshot, WriteTxn};
use uuid::Uuid;

use crate::api::list::{Collection, list_all_by};
use crate::api::operation::{accepted, of, ok};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{ApiError, CinderReply, CinderRequest};
use statehold_cinder::input::bodies;

/// The routes of transfers, the same under both paths, except that only the newer reads `no_snapshots`.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/volume-transfers", "Lists transfers.", list)
        .page::<Transfer>(LIST, of::<TransferStub<'_>>),
    routes::write(
        "POST",
        "/v3/volume-transfers",
        "Offers a volume to another project; returns the key that accepts it.",
        create,
    )
    .body(bodies::TRANSFER_CREATE)
    .reply(accepted("transfer", of::<TransferView<'_>>)),
    routes::list(
        "/v3/volume-transfers/detail",
        "Lists transfers with all their members.",
        list_detail,
    )
    .page::<Transfer>(LIST, of::<TransferView<'_>>),
    routes::read("/v3/volume-transfers/{id}", "Shows a transfer.", show)
        .reply(ok("transfer", of::<TransferView<'_>>)),
    routes::write("DELETE", "/v3/volume-transfers/{id}", "Withdraws a transfer.", delete),
    routes::write(
        "POST",
        "/v3/volume-transfers/{id}/accept",
        "Accepts a transfer into the caller's project.",
        accept,
    )
    .body(bodies::TRANSFER_ACCEPT)
    .reply(accepted("transfer", of::<TransferStub<'_>>)),
    routes::list("/v3/os-volume-transfer", "Lists transfers.", list)
        .page::<Transfer>(LIST, of::<TransferStub<'_>>),
    routes::write(
        "POST",
        "/v3/os-volume-transfer",
        "Offers a volume to another project; returns the key that accepts it.",
        create_old,
    )
    .body(bodies::TRANSFER_CREATE)
    .reply(accepted("transfer", of::<TransferView<'_>>)),
    routes::list(
        "/v3/os-volume-transfer/detail",
        "Lists transfers with all their members.",
        list_detail,
    )
    .page::<Transfer>(LIST, of::<TransferView<'_>>),
    routes::read("/v3/os-volume-transfer/{id}", "Shows a transfer.", show)
        .reply(ok("transfer", of::<TransferView<'_>>)),
    routes::write("DELETE", "/v3/os-volume-transfer/{id}", "Withdraws a transfer.", delete),
    routes::write(
        "POST",
        "/v3/os-volume-transfer/{id}/accept",
        "Accepts a transfer into the caller's project.",
        accept,
    )
    .body(bodies::TRANSFER_ACCEPT)
    .reply(accepted("transfer", of::<TransferStub<'_>>)),
];

/// First version with orders and links to the next page.
const PAGES_SINCE: u16 = 59;

/// Both paths, and lists with details, have the same links.
// Cinder: cinder/api/views/transfers.py, ViewBuilder._collection_name.
const LIST: Collection =
    Collection { path: "os-volume-transfer", rows: "transfers", links: Some("transfers_links") };

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let (parameters, collection) = list_parameters(call);
    list_all_by::<Transfer, _>(view, call, &parameters, collection, |row| {
        TransferStub::new(call.viewer, row)
    })
}

fn list_detail(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let (parameters, collection) = list_parameters(call);
    list_all_by::<Transfer, _>(view, call, &parameters, collection, |row| {
        TransferView::new(call.viewer, row)
    })
}

/// Returns the parameters and the names of a list. Before pages existed, lists had a limit and an offset in the order
/// of creation.
fn list_parameters(call: &CinderRequest<'_>) -> (Vec<(String, String)>, Collection) {
    if call.cx.version.at_least(PAGES_SINCE) {
        return (call.query.to_vec(), LIST);
    }
    // Earlier versions ignore the other parameters.
    let known = |key: &str| matches!(key, "limit" | "offset" | "all_tenants" | "filter");
    let mut parameters: Vec<_> = call.query.iter().filter(|(key, _)| known(key)).cloned().collect();
    parameters.push(("sort".to_owned(), "created_at:asc".to_owned()));
    (parameters, Collection { links: None, ..LIST })
}

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let row = find_transfer(view, &call.cx, call.id())?;
    CinderReply::ok("transfer", &TransferView::new(call.viewer, row))
}

fn create(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    offer(txn, call, false)
}

/// Creates a transfer under the older path.
fn create_old(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    offer(txn, call, true)
}

fn offer(
    txn: &mut WriteTxn<'_>,
    call: &CinderRequest<'_>,
    old_path: bool,
) -> Result<CinderReply, ApiError> {
    let spec = input::transfer_spec(call.body, call.cx.version, old_path)?;
    // Cinder: cinder/transfer/api.py, API._get_random_string: 16 hexadecimal digits.
    let key = format!("{:016x}", random_u64());
    let secret = TransferKey { key: &key, salt: random_u64().to_be_bytes() };
    create_transfer(txn, &call.cx, call.new_id, spec, secret)?;
    let row = txn.get::<Transfer>(call.new_id).ok_or_else(ApiError::unknown_operation)?;
    // Only this reply has the key: the store keeps its hash.
    let created = TransferView::created(call.viewer, row, &key);
    CinderReply::named(StatusCode::ACCEPTED, "transfer", &created)
}

/// Returns 64 random bits. A random UUID has fixed bits in each half, at different positions.
fn random_u64() -> u64 {
    let (one, other) = Uuid::new_v4().as_u64_pair();
    one ^ other
}

fn delete(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    delete_transfer(txn, &call.cx, call.id())?;
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}

fn accept(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let key = input::transfer_key(call.body)?;
    let row = accept_transfer(txn, &call.cx, call.id(), &key)?;
    CinderReply::named(StatusCode::ACCEPTED, "transfer", &TransferStub::new(call.viewer, &row))
}
