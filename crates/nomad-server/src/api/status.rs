//! `/statehold/v1/status`: the health and size of the server.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use crate::api::Reply;
use crate::api::reply;
use crate::api::reply::Meta;
use crate::request::NomadRequest;
use statehold_server_core::{logging, metrics};

/// Maximum number of unrestored host volumes that the status lists; it counts the others.
const RESTORING_IDS_MAX: usize = 100;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    version: &'static str,
    uptime_seconds: u64,
    /// The identity of the store.
    #[serde(rename = "StoreID")]
    store_id: Option<String>,
    /// The index of the last commit.
    index: u64,
    /// Whether the store takes writes.
    writable: bool,
    /// The failure because of which the store takes no writes.
    failure: Option<String>,
    /// The number of this machine's host volumes that startup has not restored yet.
    host_volumes_restoring: usize,
    /// The IDs of the first ones.
    #[serde(rename = "HostVolumesRestoringIDs")]
    host_volumes_restoring_ids: Vec<Uuid>,
    /// Log lines that were dropped because standard error was not read.
    log_lines_dropped: u64,
    /// Waiting blocking queries.
    parked: usize,
    /// Open connections.
    connections: i64,
    /// Rows by table.
    rows: BTreeMap<&'static str, usize>,
    /// Bytes by file of the data directory.
    files: BTreeMap<String, u64>,
}

/// `GET /statehold/v1/status`
pub(crate) fn status(call: &NomadRequest) -> Reply {
    let (store, counted) = (call.app.store(), call.app.metrics());
    let view = store.snapshot();
    let failure = store.failure();
    let (restoring, restoring_ids) = call.app.node().host_volumes().restoring(RESTORING_IDS_MAX);
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: counted.uptime().as_secs(),
        store_id: store.id().map(|id| id.to_string()),
        index: view.index(),
        writable: failure.is_none(),
        failure: failure.map(|failure| failure.to_string()),
        host_volumes_restoring: restoring,
        host_volumes_restoring_ids: restoring_ids,
        log_lines_dropped: logging::dropped_lines(),
        parked: store.parked(),
        connections: counted.connections(),
        rows: metrics::rows(&view).into_iter().collect(),
        files: counted.files().into_iter().collect(),
    };
    let body = reply::render(&status, call.query.pretty())?;
    Ok(reply::json_body(body, &Meta::at(view.index().max(1))))
}
