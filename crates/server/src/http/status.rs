//! `/statehold/v1/status`: how the server is doing.

use serde::Serialize;

use super::Reply;
use super::call::Call;
use super::reply::{self, Meta};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    version: &'static str,
    /// The index of the last commit.
    index: u64,
    /// Requests that wait in blocking queries.
    parked: usize,
}

/// `GET /statehold/v1/status`
pub(crate) fn status(call: &Call) -> Reply {
    let store = call.app.store();
    let index = store.index();
    let status = Status { version: env!("CARGO_PKG_VERSION"), index, parked: store.parked() };
    let body = reply::render(&status, call.query.pretty())?;
    Ok(reply::json_body(body, &Meta::at(index)))
}
