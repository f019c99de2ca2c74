//! Bodies about volumes and snapshots that are adopted from a back end.

use serde_json::Value;

use crate::{
    errors::Error,
    ops::{ManageSnapshotSpec, ManageVolumeSpec},
    schema::{
        Check, Field, Members, Rule, closed,
        kinds::{
            BOOLEAN, BRACKET_HOST, DESCRIPTION, META_OR_NULL, OBJECT_OR_STRING,
            OBJECT_STRING_OR_NULL, TEXT_OR_NULL, UUID,
        },
        parse_member,
    },
    version::Microversion,
};

/// `POST /manageable_volumes`.
// Cinder: cinder/api/schemas/volume_manage.py.
pub(super) const VOLUME: Rule =
    closed(&[Check::Fields(&[Field::required("volume", MANAGED_VOLUME)]), Check::Closed]);

pub(super) const MANAGED_VOLUME: Rule = closed(&[
    Check::Fields(&[
        Field::new("description", DESCRIPTION),
        Field::new("availability_zone", TEXT_OR_NULL),
        Field::new("bootable", BOOLEAN),
        Field::new("volume_type", TEXT_OR_NULL),
        Field::new("name", TEXT_OR_NULL),
        Field::new("host", BRACKET_HOST),
        Field::required("ref", OBJECT_OR_STRING),
        Field::new("metadata", META_OR_NULL),
        Field::since("cluster", 16, TEXT_OR_NULL),
    ]),
    Check::Closed,
]);

/// Reads a body that manages a volume.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn manage_volume_spec(body: &[u8], version: Microversion) -> Result<ManageVolumeSpec, Error> {
    let members = parse_member(body, "volume", &VOLUME, version)?;
    Ok(ManageVolumeSpec {
        host: members.text("host"),
        cluster: members.text("cluster"),
        reference: source_name(&members),
        name: members.trimmed("name"),
        description: members.trimmed("description"),
        volume_type: members.text("volume_type"),
        availability_zone: members.text("availability_zone"),
        bootable: members.bool("bootable").unwrap_or_default(),
        metadata: members.pairs("metadata").unwrap_or_default(),
    })
}

/// `POST /manageable_snapshots`.
// Cinder: cinder/api/schemas/snapshot_manage.py.
pub(super) const SNAPSHOT: Rule =
    closed(&[Check::Fields(&[Field::required("snapshot", MANAGED_SNAPSHOT)]), Check::Closed]);

pub(super) const MANAGED_SNAPSHOT: Rule = closed(&[
    Check::Fields(&[
        Field::new("description", DESCRIPTION),
        Field::new("metadata", META_OR_NULL),
        Field::new("name", TEXT_OR_NULL),
        Field::required("ref", OBJECT_STRING_OR_NULL),
        Field::required("volume_id", UUID),
    ]),
    Check::Closed,
]);

/// Reads a body that manages a snapshot.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn manage_snapshot_spec(body: &[u8]) -> Result<ManageSnapshotSpec, Error> {
    let members = parse_member(body, "snapshot", &SNAPSHOT, Microversion::MAX)?;
    Ok(ManageSnapshotSpec {
        volume_id: members.text("volume_id").unwrap_or_default(),
        reference: source_name(&members),
        name: members.trimmed("name"),
        description: members.trimmed("description"),
        metadata: members.pairs("metadata").unwrap_or_default(),
    })
}

/// Returns the name on the back end: `{"source-name": ".."}`, or the name alone.
fn source_name(members: &Members) -> Option<Box<str>> {
    match members.0.get("ref")? {
        Value::String(name) => Some(name.as_str().into()),
        reference => reference.get("source-name")?.as_str().map(Into::into),
    }
}
