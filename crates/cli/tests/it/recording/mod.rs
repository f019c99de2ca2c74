//! A recorded call: the request, and the comparison with its reply.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::cloud::{Cloud, Reply};

#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    pub(crate) at: usize,
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) path: String,
    /// The headers of the request.
    send: BTreeMap<String, String>,
    /// The body as JSON, or as a string.
    pub(crate) body: Value,
    pub(crate) status: u16,
    /// The headers of the reply; `*` is any value.
    headers: BTreeMap<String, String>,
    response: Value,
}

/// Recorded strings and their counterparts here.
#[derive(Debug, Default)]
pub(crate) struct Known {
    own: BTreeMap<String, String>,
    recorded: BTreeMap<String, String>,
}

impl Known {
    pub(crate) fn learn(&mut self, recorded: &str, own: &str) {
        self.own.insert(recorded.to_owned(), own.to_owned());
        self.recorded.insert(own.to_owned(), recorded.to_owned());
    }

    fn is_new(&self, recorded: &str, own: &str) -> bool {
        !self.own.contains_key(recorded) && !self.recorded.contains_key(own)
    }

    /// Replaces the recorded strings in `text` by their counterparts.
    fn own(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // The longest first, so that a string is never replaced as the start of another.
        for (recorded, own) in self.own.iter().rev() {
            if text.contains(recorded) {
                text = text.replace(recorded, own);
            }
        }
        text
    }
}

impl Call {
    pub(crate) fn send(&self, cloud: &Cloud, known: &Known) -> Reply {
        let body = match &self.body {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let headers: Vec<_> =
            self.send.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let path = known.own(&self.path);
        cloud.send(&self.method, &path, known.own(&body).as_bytes(), &headers)
    }
}

/// Returns the differences from the recorded reply, and adds the new counterparts to `known`.
pub(crate) fn compare(call: &Call, reply: &Reply, known: &mut Known) -> Vec<String> {
    if reply.status != call.status {
        return vec![format!("status {} instead of {}: {}", reply.status, call.status, reply.body)];
    }
    let mut out = Vec::new();
    for (name, value) in &call.headers {
        let own = reply.headers.get(name).and_then(|value| value.to_str().ok());
        let expected = known.own(value);
        let same = own.is_some_and(|own| value == "*" || own == expected);
        if !same && header_differs(call, name).is_none() {
            out.push(format!("{name}: {own:?} instead of {expected:?}"));
        }
    }
    if call.response.is_null() {
        if !reply.body.is_empty() {
            out.push(format!("a body: {}", reply.body));
        }
        return out;
    }
    match serde_json::from_str(&reply.body) {
        Ok(own) => {
            // IDs come in any order: the first pass learns them, the second compares.
            same("", &own, &call.response, known, &mut Vec::new());
            same("", &own, &call.response, known, &mut out);
        }
        Err(_) => out.push(format!("no JSON: {:?}", reply.body)),
    }
    out
}

/// Returns the reason for an intended difference of a header.
fn header_differs(call: &Call, name: &str) -> Option<&'static str> {
    match name {
        "Content-Length" if call.status == 204 => Some("204 never has one"),
        "Content-Type" if call.headers.contains_key("Etag") => {
            Some("JSON bodies have a JSON content type")
        }
        "Openstack-Api-Version" if call.name == "negotiate latest" => {
            Some("it is a later one here")
        }
        _ => None,
    }
}

/// Returns whether two different values are equivalent, which depends on the name of their member.
fn is_masked(name: &str, own: &str, expected: &str) -> bool {
    match name {
        "attached_at" | "created_at" | "guaranteed_until" | "last-update" | "updated_at" => {
            // Same precision: stored times have whole seconds.
            let whole = |text: &str| text.ends_with(".000000");
            own.len() == expected.len() && (whole(own) || !whole(expected))
        }
        // The recorded cloud's release has a lower maximum version.
        "version" => (own, expected) == ("3.71", "3.70"),
        "updated" => (own, expected) == ("2023-08-31T00:00:00Z", "2022-08-31T00:00:00Z"),
        "device_path" => own.rsplit('/').next() == expected.rsplit('/').next(),
        "host" | "os-vol-host-attr:host" => own.contains('@') && expected.contains('@'),
        // Two equal back ends exist there and here, and the scheduler may choose either.
        "service_uuid" => ids(own, expected),
        "data_timestamp" => own.len() == expected.len(),
        "container" => own.len() == expected.len() && own[6..] == expected[6..],
        "request_id" => own.starts_with("req-") && own.len() == expected.len(),
        "message" => expected.contains("{'") && is_reordered(own, expected),
        _ => false,
    }
}

/// Compares two replies, member by member.
fn same(path: &str, own: &Value, recorded: &Value, known: &mut Known, out: &mut Vec<String>) {
    let name = path.rsplit('.').next().unwrap_or_default();
    match (own, recorded) {
        (Value::Object(own), Value::Object(recorded)) => {
            for key in recorded.keys().filter(|key| !own.contains_key(&known.own(key))) {
                out.push(format!("{path}.{key} is missing"));
            }
            for key in own.keys() {
                if !recorded.keys().any(|other| known.own(other) == *key) {
                    out.push(format!("{path}.{key} is there: {}", own[key]));
                }
            }
            for (key, value) in recorded {
                if let Some(own) = own.get(&known.own(key)) {
                    same(&format!("{path}.{key}"), own, value, known, out);
                }
            }
        }
        (Value::Array(own), Value::Array(recorded)) if own.len() == recorded.len() => {
            for (at, (own, recorded)) in own.iter().zip(recorded).enumerate() {
                same(&format!("{path}[{at}]"), own, recorded, known, out);
            }
        }
        (Value::String(own), Value::String(recorded)) => {
            if ids(own, recorded) && known.is_new(recorded, own)
                || name == "auth_key" && known.is_new(recorded, own)
            {
                known.learn(recorded, own);
            }
            let expected = known.own(recorded);
            if *own != expected && !is_masked(name, own, &expected) {
                out.push(format!("{path}: {own:?} instead of {expected:?}"));
            }
        }
        (Value::Null, Value::String(_)) if name == "service_uuid" => {}
        // The number of objects of a backup depends on the block size.
        (Value::Number(_), Value::Number(_)) if name == "object_count" => {}
        _ if own != recorded => out.push(format!("{path}: {own} instead of {recorded}")),
        _ => {}
    }
}

/// Returns whether both are IDs.
fn ids(own: &str, recorded: &str) -> bool {
    own.len() == 36
        && recorded.len() == 36
        && own.parse::<Uuid>().is_ok()
        && recorded.parse::<Uuid>().is_ok()
}

/// Returns whether a message repeats an object, whose members have another order here.
fn is_reordered(own: &str, expected: &str) -> bool {
    let sorted = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.sort_unstable();
        bytes
    };
    sorted(own) == sorted(expected)
}
