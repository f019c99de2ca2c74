//! The version document: `GET /` and `GET /v3/`.

use axum::http::StatusCode;
use serde_json::json;
use statehold_cinder::Microversion;

use crate::request::{ApiError, CinderReply};

/// The time of the last version.
// Cinder: cinder/api/openstack/api_version_request.py, UPDATED.
const UPDATED: &str = "2023-08-31T00:00:00Z";

/// Returns the version document, with links to `base`, the address that the client used.
// Cinder: cinder/api/versions.py, VersionsController.
pub(crate) fn document(status: StatusCode, base: &str) -> Result<CinderReply, ApiError> {
    let version = json!({
        "id": "v3.0",
        "status": "CURRENT",
        "version": Microversion::MAX.to_string(),
        "min_version": Microversion::MIN.to_string(),
        "updated": UPDATED,
        "links": [
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
            {"rel": "self", "href": format!("{base}/v3/")},
        ],
        "media-types": [{
            "base": "application/json",
            "type": "application/vnd.openstack.volume+json;version=3",
        }],
    });
    CinderReply::named(status, "versions", &[version])
}
