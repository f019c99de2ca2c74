//! Bodies about attachments.

use super::{Action, parse_action};
use crate::{
    errors::Error,
    ops::{AttachmentSpec, Connector},
    schema::{
        Check, Field, Members, Rule, Type, closed,
        kinds::{ANY, MODE, OBJECT_OR_NULL, UUID},
        parse_member,
    },
    version::Microversion,
};

/// `POST /attachments`.
// Cinder: cinder/api/schemas/attachments.py, create and create_v354.
pub(super) const CREATE: Rule =
    closed(&[Check::Fields(&[Field::required("attachment", ATTACHMENT)]), Check::Closed]);

pub(super) const ATTACHMENT: Rule = closed(&[
    Check::Fields(&[
        Field::new("instance_uuid", UUID),
        Field::new("connector", OBJECT_OR_NULL),
        Field::required("volume_uuid", UUID),
        Field::since("mode", 54, MODE),
    ]),
    Check::Closed,
]);

/// Reads a body that asks for an attachment.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn attachment_spec(body: &[u8], version: Microversion) -> Result<AttachmentSpec, Error> {
    let members = parse_member(body, "attachment", &CREATE, version)?;
    Ok(AttachmentSpec {
        volume: members.text("volume_uuid").unwrap_or_default(),
        instance: members.id("instance_uuid"),
        mode: members.text("mode"),
        connector: connector(&members),
    })
}

/// `PUT /attachments/{id}`.
// Cinder: cinder/api/schemas/attachments.py, update.
pub(super) const UPDATE: Rule =
    closed(&[Check::Fields(&[Field::required("attachment", CONNECTION)]), Check::Closed]);

pub(super) const CONNECTION: Rule =
    closed(&[Check::Fields(&[Field::required("connector", CONNECTOR)]), Check::Closed]);

const CONNECTOR: Rule = Rule { types: &[Type::Object], checks: &[Check::MinMembers(1)] };

/// Reads a body that connects a host by an attachment.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn attachment_connector(body: &[u8]) -> Result<Connector, Error> {
    let members = parse_member(body, "attachment", &UPDATE, Microversion::MAX)?;
    connector(&members).ok_or(Error::Malformed)
}

fn connector(members: &Members) -> Option<Connector> {
    let value = members.0.get("connector")?;
    let object = value.as_object().filter(|object| !object.is_empty())?;
    let text = |key: &str| -> Option<Box<str>> { object.get(key)?.as_str().map(Into::into) };
    Some(Connector {
        host: text("host").filter(|host| !host.is_empty()),
        mountpoint: text("mountpoint"),
        mode: text("mode"),
        json: value.to_string().into(),
    })
}

/// The actions on an attachment.
pub(super) const ACTIONS: &[Action] = &[Action::new("os-complete", &ANY)];

/// Reads the body of a request to an attachment's `/action`, of which there is one: `os-complete`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn attachment_action(body: &[u8]) -> Result<(), Error> {
    parse_action(body, ACTIONS, Microversion::MAX).map(drop)
}
