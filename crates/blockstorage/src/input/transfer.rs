//! Bodies about transfers and QoS specs.

use serde_json::Value;

use super::{check_length, trimmed};
use crate::{
    Pairs,
    error::Error,
    ops::{QosSpec, TransferSpec},
    schema::{Form, Rule, pairs_of, read},
    version::Microversion,
};

/// The version from which snapshots may stay behind.
const SNAPSHOTS_SINCE: u16 = 55;

const ID: Rule = Rule::Id { null: false };
const TEXT: Rule = Rule::Text { min: 0, null: true };

const CREATE: Form = Form::new(&[("volume_id", ID), ("name", TEXT)]).required(&["volume_id"]);
const CREATE_WITH: Form =
    Form::new(&[("volume_id", ID), ("name", TEXT), ("no_snapshots", Rule::Bool)])
        .required(&["volume_id"]);

/// Reads a body that offers a volume. `old_path` says that it came by `/os-volume-transfer`, where
/// snapshots always go along.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn transfer_spec(
    body: &[u8],
    version: Microversion,
    old_path: bool,
) -> Result<TransferSpec, Error> {
    let form = if version.at_least(SNAPSHOTS_SINCE) && !old_path { CREATE_WITH } else { CREATE };
    let members = read(body, "transfer", &form, &[])?;
    Ok(TransferSpec {
        volume_id: members.text("volume_id").unwrap_or_default(),
        name: trimmed(&members, "name"),
        no_snapshots: members.bool("no_snapshots").unwrap_or_default(),
    })
}

const ACCEPT: Form =
    Form::new(&[("auth_key", Rule::Text { min: 1, null: false })]).required(&["auth_key"]);

/// Reads a body that takes a volume: the key.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn transfer_key(body: &[u8]) -> Result<Box<str>, Error> {
    Ok(read(body, "accept", &ACCEPT, &[])?.text("auth_key").unwrap_or_default())
}

const QOS: Form = Form::new(&[]).open(true);

/// Reads a body that asks for QoS specs.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn qos_spec(body: &[u8]) -> Result<QosSpec, Error> {
    const NAMED: Form = Form::new(&[("name", Rule::LongText)]).required(&["name"]).open(true);
    let members = read(body, "qos_specs", &NAMED, &[])?;
    let name = trimmed(&members, "name").unwrap_or_default();
    if name.is_empty() {
        return Err(Error::input("Name has a minimum character requirement of 1."));
    }
    check_length(Some(&name), "Name")?;
    let (consumer, specs) = limits(members.0)?;
    Ok(QosSpec { name, consumer, specs })
}

/// Reads a body that changes QoS specs: who holds volumes to them, and limits.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn qos_change(body: &[u8]) -> Result<(Option<Box<str>>, Pairs), Error> {
    limits(read(body, "qos_specs", &QOS, &[])?.0)
}

fn limits(mut members: serde_json::Map<String, Value>) -> Result<(Option<Box<str>>, Pairs), Error> {
    members.remove("name");
    let consumer = members.remove("consumer");
    // Numbers are taken as the texts that they are stored as.
    for value in members.values_mut().filter(|value| value.is_number()) {
        *value = Value::String(value.to_string());
    }
    let specs = Value::Object(members);
    Rule::Specs.check("qos_specs", &specs)?;
    let consumer = consumer.as_ref().and_then(Value::as_str).map(Box::from);
    Ok((consumer, specs.as_object().map(pairs_of).unwrap_or_default()))
}

/// Reads a body that takes limits away: `{"keys": [..]}`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn qos_keys(body: &[u8]) -> Result<Vec<Box<str>>, Error> {
    let body: Value = serde_json::from_slice(body).map_err(|_| Error::MalformedBody)?;
    let keys = body.get("keys").and_then(Value::as_array).ok_or(Error::Malformed)?;
    keys.iter().map(|key| key.as_str().map(Box::from).ok_or(Error::Malformed)).collect()
}
