//! Replies: JSON in Nomad's form, and the `X-Nomad-*` headers.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, header};
use serde::Serialize;
use statehold_store::{PageToken, Store};

use crate::error::ApiError;

const INDEX: HeaderName = HeaderName::from_static("x-nomad-index");
const KNOWN_LEADER: HeaderName = HeaderName::from_static("x-nomad-knownleader");
const LAST_CONTACT: HeaderName = HeaderName::from_static("x-nomad-lastcontact");
const NEXT_TOKEN: HeaderName = HeaderName::from_static("x-nomad-nexttoken");

/// The indentation of pretty JSON.
// Nomad: structs.JsonHandlePretty.
const INDENT: &[u8] = b"    ";

/// The metadata in the headers of a reply.
// Nomad: nomad/structs/structs.go, QueryMeta.
#[derive(Debug, Default)]
pub(crate) struct Meta {
    pub(crate) index: u64,
    pub(crate) next_token: Option<PageToken>,
}

impl Meta {
    pub(crate) fn at(index: u64) -> Self {
        Self { index, next_token: None }
    }

    /// Sets the headers. A single server is its own leader and always in contact with it.
    // Nomad: command/agent/http.go, setMeta.
    pub(crate) fn put(&self, reply: &mut Response<Body>) {
        let headers = reply.headers_mut();
        headers.insert(INDEX, HeaderValue::from(self.index));
        headers.insert(KNOWN_LEADER, HeaderValue::from_static("true"));
        headers.insert(LAST_CONTACT, HeaderValue::from_static("0"));
        if let Some(token) = &self.next_token
            && let Ok(token) = HeaderValue::from_str(token.as_str())
        {
            headers.insert(NEXT_TOKEN, token);
        }
    }
}

/// Renders JSON: compact, or indented by four spaces and with a final newline.
// Nomad: command/agent/http.go, HTTPServer.wrap.
pub(crate) fn render(value: &impl Serialize, pretty: bool) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::with_capacity(1024);
    write(&mut body, value, pretty)?;
    if pretty {
        body.push(b'\n');
    }
    Ok(body)
}

/// Appends a value to `body`.
pub(crate) fn write(
    body: &mut Vec<u8>,
    value: &impl Serialize,
    pretty: bool,
) -> Result<(), ApiError> {
    let written = if pretty {
        let indent = serde_json::ser::PrettyFormatter::with_indent(INDENT);
        value.serialize(&mut serde_json::Serializer::with_formatter(body, indent))
    } else {
        serde_json::to_writer(body, value)
    };
    written.map_err(|error| ApiError::internal(&error))
}

/// Appends a value as an element of an indented array: on a new line, indented by one step.
pub(crate) fn write_indented(body: &mut Vec<u8>, value: &impl Serialize) -> Result<(), ApiError> {
    let mut element = Vec::with_capacity(1024);
    write(&mut element, value, true)?;
    // Every newline is between tokens: JSON escapes those in strings.
    for line in element.split(|byte| *byte == b'\n') {
        body.push(b'\n');
        body.extend_from_slice(INDENT);
        body.extend_from_slice(line);
    }
    Ok(())
}

/// Returns a reply with a JSON body.
pub(crate) fn json_body(body: impl Into<Body>, meta: &Meta) -> Response<Body> {
    let mut reply = Response::new(body.into());
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    meta.put(&mut reply);
    reply
}

/// Returns an empty list, for types without objects.
pub(crate) fn nothing(store: &Store) -> Response<Body> {
    json_body("[]", &Meta::at(store.index().max(1)))
}

/// Returns a 200 without a body.
pub(crate) fn empty(meta: &Meta) -> Response<Body> {
    let mut reply = Response::new(Body::empty());
    meta.put(&mut reply);
    reply
}
