//! `/statehold/v1/status`: how the server is doing.

use axum::extract::{Request, State};
use axum::http::Method;
use serde::Serialize;

use super::params::Query;
use super::reject::Reject;
use super::reply::{self, Meta};
use super::{App, Reply};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    version: &'static str,
    /// The index of the last commit.
    index: u64,
    /// Requests that wait in blocking queries.
    parked: usize,
}

pub(crate) async fn status(State(app): State<App>, request: Request) -> Reply {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Reject::method());
    }
    let store = app.store();
    let index = store.index();
    let status = Status { version: env!("CARGO_PKG_VERSION"), index, parked: store.parked() };
    let body = reply::render(&status, Query::of(request.uri()).pretty())?;
    Ok(reply::json_body(body, &Meta::at(index)))
}
