//! `/v1/operator/snapshot`: a backup of the store over HTTP.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::api::Reply;
use crate::api::reply::Meta;
use crate::error::ApiError;
use crate::request::NomadRequest;
use statehold_server_core::state::ServerState;
use statehold_server_core::turns::Urgency;

/// The header with the checksum of a snapshot, which Nomad's client verifies.
// Nomad: command/agent/operator_endpoint.go, HTTPServer.snapshotSaveRequest.
const DIGEST: HeaderName = HeaderName::from_static("digest");

/// `GET /v1/operator/snapshot`: returns the bytes that `statehold backup` writes. Holds the complete backup in memory,
/// because the header with its checksum is sent before it.
pub(crate) async fn save(call: NomadRequest) -> Reply {
    // A backup is as large as the store, so short reads go first.
    let turn = call.app.turn(Urgency::Later).await?;
    let (saved, _) = ServerState::compute(call.app.meter(), turn, |_| {
        let mut backup = Vec::new();
        call.app.store().backup(&mut backup).map(|index| (backup, index))
    });
    let (backup, index) = saved.map_err(|error| ApiError::internal(&error))?;
    let digest = format!("sha-256={}", STANDARD.encode(Sha256::digest(&backup)));
    let digest = HeaderValue::from_str(&digest).map_err(|error| ApiError::internal(&error))?;
    let mut reply = Response::new(Body::from(backup));
    let kind = HeaderValue::from_static("application/octet-stream");
    reply.headers_mut().insert(header::CONTENT_TYPE, kind);
    reply.headers_mut().insert(DIGEST, digest);
    Meta::at(index.max(1)).put(&mut reply);
    Ok(reply)
}

/// `PUT /v1/operator/snapshot`: rejected, because the restored rows would not match the volumes in this server's
/// directories.
pub(crate) fn restore() -> Reply {
    Err(ApiError::by_caller(
        StatusCode::NOT_IMPLEMENTED,
        "a snapshot is not restored into a running server: stop it, and run `statehold restore`",
    ))
}
