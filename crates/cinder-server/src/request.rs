//! The input and the output of handlers: requests, replies and errors.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::{IntoResponse, Response as AnyResponse};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use statehold_cinder::{
    BackupRefusal, Context, Error, ErrorBody, GroupRefusal, Missing, OverQuota, SchemaError,
    SnapshotRefusal, VersionError, Viewer, VolumeRefusal, parse_flag,
};
use uuid::Uuid;

use crate::state::CinderState;
use statehold_server_core::meter::Meter;
use statehold_server_core::rejection::{ByCaller, Rejection};
use statehold_store::{Entry, ReadView, Table, WriteError};

/// The request ID of JSON replies, besides `x-openstack-request-id`.
// Cinder: cinder/api/openstack/wsgi.py, _set_request_id_header; the name is from Nova.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-compute-request-id");

/// The content type of replies.
pub(crate) const JSON: &str = "application/json";

/// The content type of most replies without a body.
// WebOb: webob/response.py, Response.default_content_type, which Cinder leaves as it is.
pub(crate) const NO_BODY: &str = "text/html; charset=UTF-8";

/// A request whose route and caller are known, as handlers get it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CinderRequest<'c> {
    pub(crate) state: &'c CinderState,
    /// Counts the rows of a list, and refuses one that costs too much.
    pub(crate) meter: &'c Mutex<Meter>,
    pub(crate) cx: Context<'c>,
    pub(crate) viewer: Viewer<'c>,
    pub(crate) segments: &'c [(&'static str, String)],
    pub(crate) query: &'c [(String, String)],
    pub(crate) body: &'c [u8],
    /// The header `If-Match`.
    pub(crate) if_match: Option<&'c str>,
    /// The ID of the row that the request creates.
    pub(crate) new_id: Uuid,
    /// The ID of another row that the request may create: an attachment, a reservation or a message.
    pub(crate) secondary_id: Uuid,
}

impl<'c> CinderRequest<'c> {
    /// Returns the segment of the path that `{name}` stands for. The path of the route MUST have it.
    pub(crate) fn segment(&self, name: &str) -> &'c str {
        let found = self.segments.iter().find(|(found, _)| *found == name);
        debug_assert!(found.is_some(), "no {{{name}}} in the path of the route");
        found.map_or("", |(_, segment)| segment)
    }

    /// Counts a row of a list. Returns `false` once the list MUST be refused, with the error of
    /// [`Meter::take_refusal`].
    pub(crate) fn count_row(&self, filtered: bool) -> bool {
        self.meter.lock().goes_on(filtered)
    }

    /// Like [`count_row`](Self::count_row), for several rows without a filter.
    pub(crate) fn count_rows(&self, rows: u64) -> bool {
        self.meter.lock().goes_on_after(rows, false)
    }

    /// Returns the ID in the path.
    pub(crate) fn id(&self) -> &'c str {
        self.segment("id")
    }

    /// Returns a parameter of the query. The last one wins if it is repeated.
    pub(crate) fn parameter(&self, name: &str) -> Option<&'c str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// Returns a reply with the body of the request, which some changes repeat instead of the row.
    // Cinder: cinder/api/contrib/types_extra_specs.py, VolumeTypeExtraSpecsController.create returns `body`.
    pub(crate) fn echo_body(&self, status: StatusCode) -> Result<CinderReply, ApiError> {
        let body: Value = serde_json::from_slice(self.body).map_err(|_| Error::MalformedBody)?;
        CinderReply::json(status, &body)
    }

    /// Returns a boolean parameter of the query; `false` if it is absent.
    ///
    /// # Errors
    /// 400 for a value that is not a boolean.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        // Cinder: cinder/utils.py, get_bool_param.
        let Some(text) = self.parameter(name) else { return Ok(false) };
        parse_flag(text).ok_or_else(|| {
            ApiError::bad_request(&format!("Value '{text}' for '{name}' is not a boolean."))
        })
    }
}

/// Returns a row that the request wrote, for its reply.
///
/// Does not check the policy: it allowed the write, and reading the row is another action, which the caller may lack.
pub(crate) fn written_row<T: Table<Key = Uuid>>(
    view: &impl ReadView,
    id: Uuid,
) -> Result<&Entry<T::Row>, ApiError> {
    view.get::<T>(id).ok_or_else(ApiError::unknown_operation)
}

/// The reply of a handler: a status with a JSON body or an empty one.
#[derive(Debug)]
pub(crate) struct CinderReply {
    status: StatusCode,
    kind: &'static str,
    body: Vec<u8>,
    etag: Option<String>,
}

impl CinderReply {
    /// Creates a reply with a JSON body.
    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(value).map_err(|error| Rejection::internal(&error))?;
        Ok(Self { status, kind: JSON, body, etag: None })
    }

    /// Creates a reply with the status 200 and an object with one member.
    pub(crate) fn ok(name: &str, value: &impl Serialize) -> Result<Self, ApiError> {
        Self::named(StatusCode::OK, name, value)
    }

    /// Creates a reply with an object with one member.
    pub(crate) fn named(
        status: StatusCode,
        name: &str,
        value: &impl Serialize,
    ) -> Result<Self, ApiError> {
        Self::json(status, &SingleMember(name, value))
    }

    /// Creates a reply without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, kind: NO_BODY, body: Vec::new(), etag: None }
    }

    /// Like [`empty`](Self::empty), with the content type of JSON.
    // Cinder: cinder/api/openstack/wsgi.py, ResponseObject.serialize, for handlers that return a status alone.
    pub(crate) fn empty_json(status: StatusCode) -> Self {
        Self { kind: JSON, ..Self::empty(status) }
    }

    /// Returns the status and the content type.
    pub(crate) fn form(&self) -> (u16, &'static str) {
        (self.status.as_u16(), self.kind)
    }

    /// Adds the entity tag of the body.
    pub(crate) fn with_etag(mut self) -> Self {
        self.etag = Some(digest(&self.body));
        self
    }

    /// Returns the entity tag of the body.
    pub(crate) fn etag(&self) -> String {
        digest(&self.body)
    }
}

/// Returns the first half of the SHA-256 digest in hexadecimal digits.
// As long as the MD5 digests of Cinder: cinder/api/v3/volume_metadata.py, Controller.index.
fn digest(body: &[u8]) -> String {
    let half =
        Sha256::digest(body).iter().take(16).fold(0, |sum, byte| sum << 8 | u128::from(*byte));
    format!("{half:032x}")
}

/// An object with one member.
struct SingleMember<'n, T>(&'n str, &'n T);

impl<T: Serialize> Serialize for SingleMember<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, self.1)])
    }
}

impl IntoResponse for CinderReply {
    fn into_response(self) -> AnyResponse {
        let empty = self.body.is_empty();
        let mut reply = Response::new(Body::from(self.body));
        *reply.status_mut() = self.status;
        let headers = reply.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        // A reply without a body has a length of 0, except 204, whose length HTTP forbids.
        if empty && self.status != StatusCode::NO_CONTENT {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Some(etag) = self.etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
            headers.insert(header::ETAG, etag);
        }
        reply
    }
}

/// The error of a request.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// An error of the API with its JSON body.
    Body(ErrorBody),
    /// Like `Body`, with a status of the 500s that the request caused, so that it does not count as a failure of the
    /// server.
    ByCaller(ErrorBody),
    /// The entity tag in `If-Match` is not the present one: 412.
    PreconditionFailed,
    /// The body exceeds the limit: 413, as plain text.
    // oslo.middleware: oslo_middleware/sizelimit.py replies before the API does.
    TooLarge(String),
}

impl ApiError {
    /// Creates an error with the status.
    pub(crate) fn new(status: StatusCode, message: &str) -> Self {
        Self::Body(ErrorBody::new(status.as_u16(), message))
    }

    /// Creates an error that the request caused, even with a status of the 500s.
    pub(crate) fn by_caller(status: StatusCode, message: &str) -> Self {
        Self::ByCaller(ErrorBody::new(status.as_u16(), message))
    }

    /// Creates an error with the status 400.
    pub(crate) fn bad_request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Creates the error of an operation that the version of the request lacks: 404.
    pub(crate) fn unknown_operation() -> Self {
        Error::from(Missing::Operation).into()
    }
}

/// Implements the conversion for each error of the domain. A blanket implementation for `Into<Error>` would overlap
/// with that for [`Rejection`], because both types are of other crates.
macro_rules! from_domain {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for ApiError {
            fn from(error: $error) -> Self {
                Self::of(&error.into())
            }
        })*
    };
}

from_domain!(
    BackupRefusal,
    Error,
    GroupRefusal,
    Missing,
    OverQuota,
    SchemaError,
    SnapshotRefusal,
    VersionError,
    VolumeRefusal,
    WriteError,
);

impl ApiError {
    fn of(error: &Error) -> Self {
        // The reply does not state the cause, so only the log has it.
        if error.status() >= 500 {
            tracing::error!(%error, "request failed");
        }
        Self::Body(error.body())
    }
}

impl From<Rejection> for ApiError {
    fn from(reject: Rejection) -> Self {
        match reject.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge(format!("{}\n", reject.message())),
            status if reject.is_by_caller() => Self::by_caller(status, reject.message()),
            status => Self::new(status, reject.message()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> AnyResponse {
        let body = match self {
            Self::PreconditionFailed => {
                return CinderReply::empty(StatusCode::PRECONDITION_FAILED).into_response();
            }
            Self::TooLarge(text) => {
                return (StatusCode::PAYLOAD_TOO_LARGE, text).into_response();
            }
            Self::ByCaller(body) => {
                let mut reply = Self::Body(body).into_response();
                reply.extensions_mut().insert(ByCaller);
                return reply;
            }
            Self::Body(body) => body,
        };
        let failed = StatusCode::INTERNAL_SERVER_ERROR;
        let status = StatusCode::from_u16(body.status()).unwrap_or(failed);
        let answer =
            CinderReply::json(status, &body).unwrap_or_else(|_| CinderReply::empty(failed));
        let mut reply = answer.into_response();
        // Cinder: cinder/exception.py, QuotaError.headers; an exceeded quota has this status.
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("0"));
        }
        reply
    }
}

/// Adds the request ID to a JSON reply; others lack it in Cinder too.
pub(crate) fn add_request_id(reply: &mut AnyResponse, id: &HeaderValue) {
    if reply.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == JSON) {
        reply.headers_mut().insert(REQUEST_ID, id.clone());
    }
}
