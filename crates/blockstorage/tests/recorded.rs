//! Calls that a cloud answered, in their order: each gives the same status and the same body here.
//!
//! The calls are sent to the crate's operations by a small server without sockets. IDs are those of
//! the recording, as they are arguments; times are compared by whether they are there. After each
//! call all work is done, as the cloud's workers had done it before the next.

#![allow(clippy::unwrap_used, reason = "a test that can't go on may say so anywhere")]

mod server;

use serde::Deserialize;
use serde_json::Value;

use server::{Reply, Server};

#[derive(Deserialize)]
struct Call {
    at: usize,
    who: String,
    version: Option<String>,
    method: String,
    path: String,
    body: Value,
    status: u16,
    response: Value,
}

/// What differs on purpose, or needs what isn't in this crate.
fn differs(call: &Call) -> Option<&'static str> {
    let path = &*call.path;
    Some(match call.at {
        18 => "the recording lacks the header that it is about",
        98 | 127 | 231 => "members may look for parts of names here",
        184 => "uploading to images is left to a server that has some",
        405 => "only an identity service knows which projects there are",
        353 => "of backups",
        _ if path.contains("2cfd702e") => "managed",
        _ if path.contains("cb658f89") || path.contains("378271e5") => "backed up",
        _ => return None,
    })
}

/// Whether two answers say the same, times and services apart.
fn same(path: &str, own: &Value, other: &Value, out: &mut Vec<String>) {
    match (own, other) {
        (Value::Object(own), Value::Object(other)) => {
            for key in other.keys().filter(|key| !own.contains_key(*key)) {
                out.push(format!("{path}.{key} is missing"));
            }
            for (key, value) in own {
                match other.get(key) {
                    Some(other) => same(&format!("{path}.{key}"), value, other, out),
                    None => out.push(format!("{path}.{key} is there: {value}")),
                }
            }
        }
        (Value::Array(own), Value::Array(other)) if own.len() == other.len() => {
            for (at, (own, other)) in own.iter().zip(other).enumerate() {
                same(&format!("{path}[{at}]"), own, other, out);
            }
        }
        _ => {
            let masked = [
                "created_at",
                "updated_at",
                "attached_at",
                "service_uuid",
                "host",
                "attachment_id",
                "guaranteed_until",
                "request_id",
                "encryption_id",
            ]
            .iter()
            .any(|name| path.ends_with(name));
            let texts = own.is_string() && other.is_string();
            if own != other && !(masked && texts) {
                out.push(format!("{path}: {own} instead of {other}"));
            }
        }
    }
}

#[test]
fn answers_are_those_of_the_recording() {
    let calls: Vec<Call> = serde_json::from_str(include_str!("data/calls.json")).unwrap();
    let mut server = Server::new();
    let (mut held, mut wrong) = (0, Vec::new());
    for call in &calls {
        if differs(call).is_some() {
            continue;
        }
        let body = match &call.body {
            Value::Null => Vec::new(),
            Value::String(text) => text.clone().into_bytes(),
            other => serde_json::to_vec(other).unwrap(),
        };
        let id = server::new_id(&call.response);
        let reply =
            server.call(&call.who, call.version.as_deref(), (&call.method, &call.path), &body, id);
        let Some(Reply { status, body }) = reply else { continue };
        let mut differences = Vec::new();
        if status != call.status {
            differences.push(format!("status {status} instead of {}: {body}", call.status));
        } else if !python_order(&call.response) {
            same("", &body, &call.response, &mut differences);
        }
        if differences.is_empty() {
            held += 1;
        } else {
            wrong.push(format!(
                "{} {} {} {} {} {}\n  {}",
                call.at,
                call.who,
                call.version.as_deref().unwrap_or("-"),
                call.method,
                call.path,
                call.body,
                differences.join("\n  ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), wrong.len() + held, wrong.join("\n"));
    assert!(held > 200, "only {held} calls were answered");
}

/// Whether a text repeats an object, whose members have another order there.
fn python_order(response: &Value) -> bool {
    let text = response.pointer("/badRequest/message").and_then(Value::as_str);
    text.is_some_and(|text| text.contains("{'") && text.contains("', '"))
        || text.is_some_and(|text| text.contains("{'size'"))
}
