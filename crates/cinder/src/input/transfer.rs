//! Bodies about transfers.

use crate::{
    errors::Error,
    ops::TransferSpec,
    schema::{
        Check, Field, Rule, Type, closed,
        kinds::{BARE_NAME_OR_NULL, BOOLEAN, UUID},
        parse_member,
    },
    version::Microversion,
};

/// `POST /volume-transfers`.
// Cinder: cinder/api/schemas/volume_transfer.py, create and create_v355.
pub(super) const CREATE: Rule =
    closed(&[Check::Fields(&[Field::required("transfer", TRANSFER)]), Check::Closed]);

pub(super) const TRANSFER: Rule = closed(&[
    Check::Fields(&[
        Field::required("volume_id", UUID),
        Field::new("name", BARE_NAME_OR_NULL),
        Field::since("no_snapshots", 55, BOOLEAN),
    ]),
    Check::Closed,
]);

/// Reads a body that offers a volume. `old_path` is `/os-volume-transfer`, where snapshots always go
/// along.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn transfer_spec(
    body: &[u8],
    version: Microversion,
    old_path: bool,
) -> Result<TransferSpec, Error> {
    // The old path has the first form of the body in every version.
    let version = if old_path { Microversion::MIN } else { version };
    let members = parse_member(body, "transfer", &CREATE, version)?;
    Ok(TransferSpec {
        volume_id: members.text("volume_id").unwrap_or_default(),
        name: members.trimmed("name"),
        no_snapshots: members.bool("no_snapshots").unwrap_or_default(),
    })
}

/// `POST /volume-transfers/{id}/accept`.
// Cinder: cinder/api/schemas/volume_transfer.py, accept.
pub(super) const ACCEPT: Rule =
    closed(&[Check::Fields(&[Field::required("accept", KEY)]), Check::Closed]);

pub(super) const KEY: Rule = closed(&[
    Check::Fields(&[Field::required(
        "auth_key",
        Rule { types: &[Type::String, Type::Integer], checks: &[] },
    )]),
    Check::Closed,
]);

/// Reads a body that accepts a volume: the key.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn transfer_key(body: &[u8]) -> Result<Box<str>, Error> {
    let members = parse_member(body, "accept", &ACCEPT, Microversion::MAX)?;
    let number = || members.number("auth_key").map(|key| key.to_string().into());
    Ok(members.text("auth_key").or_else(number).unwrap_or_default())
}
