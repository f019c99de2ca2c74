//! Bodies about attachments.

use serde_json::Value;

use super::one_action;
use crate::{
    error::Error,
    ops::{AttachmentSpec, Connector},
    schema::{Form, Members, Rule, read},
    version::Microversion,
};

/// From this version on an attachment says how it uses the volume.
const MODE_SINCE: u16 = 54;

const MODE: Rule = Rule::OneOf { texts: &["rw", "ro"], null: false };

const CREATE: Form = Form::new(&[
    ("volume_uuid", Rule::Id { null: false }),
    ("instance_uuid", Rule::Id { null: false }),
    ("connector", Rule::Object { min: 0, null: true }),
])
.required(&["volume_uuid"]);

const CREATE_WITH_MODE: Form = Form::new(&[
    ("volume_uuid", Rule::Id { null: false }),
    ("instance_uuid", Rule::Id { null: false }),
    ("connector", Rule::Object { min: 0, null: true }),
    ("mode", MODE),
])
.required(&["volume_uuid"]);

/// Reads a body that asks for an attachment.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn attachment_spec(body: &[u8], version: Microversion) -> Result<AttachmentSpec, Error> {
    let form = if version.at_least(MODE_SINCE) { CREATE_WITH_MODE } else { CREATE };
    let members = read(body, "attachment", &form, &[])?;
    Ok(AttachmentSpec {
        volume: members.text("volume_uuid").unwrap_or_default(),
        instance: members.id("instance_uuid"),
        mode: members.text("mode"),
        connector: connector(&members),
    })
}

const UPDATE: Form =
    Form::new(&[("connector", Rule::Object { min: 1, null: false })]).required(&["connector"]);

/// Reads a body that connects a host by an attachment.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn attachment_connector(body: &[u8]) -> Result<Connector, Error> {
    let members = read(body, "attachment", &UPDATE, &[])?;
    connector(&members).ok_or(Error::Malformed)
}

fn connector(members: &Members) -> Option<Connector> {
    let value = members.0.get("connector")?;
    let object = value.as_object().filter(|object| !object.is_empty())?;
    let text = |key: &str| object.get(key).and_then(Value::as_str).map(Box::from);
    Some(Connector {
        host: text("host"),
        mountpoint: text("mountpoint"),
        mode: text("mode"),
        json: value.to_string().into(),
    })
}

/// Reads the body of a request to an attachment's `/action`, of which there is one: `os-complete`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn attachment_action(body: &[u8]) -> Result<(), Error> {
    let (action, _) = one_action(body)?;
    match &*action {
        "os-complete" => Ok(()),
        _ => Err(Error::UnknownAction { action: action.into() }),
    }
}
