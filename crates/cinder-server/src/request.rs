//! A request on its way to its handler, and what handlers give.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::{IntoResponse, Response as AnyResponse};
use parking_lot::Mutex;
use serde::Serialize;
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

const REQUEST_ID: HeaderName = HeaderName::from_static("x-compute-request-id");

/// The kind of replies.
pub(crate) const JSON: &str = "application/json";

/// The kind that clients know of replies without a body.
const NO_BODY: &str = "text/html; charset=UTF-8";

/// A request whose route and caller are known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CinderRequest<'c> {
    pub(crate) state: &'c CinderState,
    /// The cost of a list.
    pub(crate) meter: &'c Mutex<Meter>,
    pub(crate) cx: Context<'c>,
    pub(crate) viewer: Viewer<'c>,
    pub(crate) segments: &'c [(&'static str, String)],
    pub(crate) query: &'c [(String, String)],
    pub(crate) body: &'c [u8],
    /// The header `If-Match`.
    pub(crate) if_match: Option<&'c str>,
    /// IDs for what the request makes.
    pub(crate) new_id: Uuid,
    pub(crate) secondary_id: Uuid,
}

impl<'c> CinderRequest<'c> {
    /// The segment of the path that `{name}` stands for.
    pub(crate) fn segment(&self, name: &str) -> &'c str {
        let found = self.segments.iter().find(|(found, _)| *found == name);
        debug_assert!(found.is_some(), "no {{{name}}} in the path of the route");
        found.map_or("", |(_, segment)| segment)
    }

    /// Counts a row of a list; `false` once the list is to be refused, which [`Meter::take_refusal`] then
    /// explains.
    pub(crate) fn count_row(&self, filtered: bool) -> bool {
        self.meter.lock().goes_on(filtered)
    }

    /// Like [`count_row`](Self::count_row), for several rows that no filter is evaluated for.
    pub(crate) fn count_rows(&self, rows: u64) -> bool {
        self.meter.lock().goes_on_after(rows, false)
    }

    /// The ID in the path.
    pub(crate) fn id(&self) -> &'c str {
        self.segment("id")
    }

    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&'c str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// A parameter that is true or false, and false when it isn't there.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        // Cinder: cinder/utils.py, get_bool_param.
        let Some(text) = self.parameter(name) else { return Ok(false) };
        parse_flag(text).ok_or_else(|| {
            ApiError::bad_request(&format!("Value '{text}' for '{name}' is not a boolean."))
        })
    }
}

/// Returns a row that a request wrote, for its reply.
///
/// The policy is not asked: it allowed the write, and reading rows is another action, which the caller may lack.
pub(crate) fn written_row<T: Table<Key = Uuid>>(
    view: &impl ReadView,
    id: Uuid,
) -> Result<&Entry<T::Row>, ApiError> {
    view.get::<T>(id).ok_or_else(ApiError::unknown_operation)
}

/// What a handler gives: a status and JSON, or nothing.
#[derive(Debug)]
pub(crate) struct CinderReply {
    status: StatusCode,
    kind: &'static str,
    body: Vec<u8>,
    etag: Option<String>,
}

impl CinderReply {
    /// JSON.
    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(value).map_err(|error| Rejection::internal(&error))?;
        Ok(Self { status, kind: JSON, body, etag: None })
    }

    /// JSON under one name, with 200.
    pub(crate) fn ok(name: &str, value: &impl Serialize) -> Result<Self, ApiError> {
        Self::named(StatusCode::OK, name, value)
    }

    /// JSON under one name.
    pub(crate) fn named(
        status: StatusCode,
        name: &str,
        value: &impl Serialize,
    ) -> Result<Self, ApiError> {
        Self::json(status, &SingleMember(name, value))
    }

    /// No body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, kind: NO_BODY, body: Vec::new(), etag: None }
    }

    /// No body either, but of the kind of JSON, as clients know it of most actions.
    pub(crate) fn empty_json(status: StatusCode) -> Self {
        Self { kind: JSON, ..Self::empty(status) }
    }

    /// With a header that says which state of the body this is.
    pub(crate) fn with_etag(mut self) -> Self {
        self.etag = Some(digest(&self.body));
        self
    }

    /// The tag of the state that the body shows.
    pub(crate) fn etag(&self) -> String {
        digest(&self.body)
    }
}

/// Half of a digest, as long as the tags that clients know.
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
        if empty && self.status != StatusCode::NO_CONTENT {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Some(etag) = self.etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
            headers.insert(header::ETAG, etag);
        }
        reply
    }
}

/// A request that was not answered as it hoped.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// With a body as clients know it.
    Body(ErrorBody),
    /// The same, with a status of the 500s that the request caused.
    ByCaller(ErrorBody),
    /// The state is not the one that the client knows: 412.
    PreconditionFailed,
    /// The body is too large to be looked at: 413, as plain text.
    TooLarge(String),
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: &str) -> Self {
        Self::Body(ErrorBody::new(status.as_u16(), message))
    }

    /// A refusal that the request caused, whatever the status.
    pub(crate) fn by_caller(status: StatusCode, message: &str) -> Self {
        Self::ByCaller(ErrorBody::new(status.as_u16(), message))
    }

    pub(crate) fn bad_request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// What the operation says that isn't there in the version that the request speaks.
    pub(crate) fn unknown_operation() -> Self {
        Error::from(Missing::Operation).into()
    }
}

/// Implements the conversion for each error of the domain: one for all that convert to [`Error`] would overlap with the
/// one for [`Rejection`], because both are of other crates.
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
        if error.status() >= 500 {
            tracing::error!(%error, "a request failed");
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
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("0"));
        }
        reply
    }
}

/// Gives a reply the header that it has when it has JSON.
pub(crate) fn add_request_id(reply: &mut AnyResponse, id: &HeaderValue) {
    if reply.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == JSON) {
        reply.headers_mut().insert(REQUEST_ID, id.clone());
    }
}
