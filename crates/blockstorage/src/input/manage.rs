//! Bodies about volumes and snapshots that are taken over from a back end.

use serde_json::Value;

use super::trimmed;
use crate::{
    error::Error,
    ops::{ManageSnapshotSpec, ManageVolumeSpec},
    schema::{Form, Members, Rule, read},
    version::Microversion,
};

/// From this version on a cluster may be named in place of a back end.
const CLUSTER_SINCE: u16 = 16;

const TEXT: Rule = Rule::Text { min: 0, null: true };

const VOLUME: Form = Form::new(&[
    ("host", TEXT),
    ("cluster", TEXT),
    ("ref", Rule::Any),
    ("name", TEXT),
    ("description", TEXT),
    ("volume_type", TEXT),
    ("availability_zone", TEXT),
    ("bootable", Rule::Bool),
    ("metadata", Rule::Meta { null: true }),
])
.required(&["ref"]);

/// Reads a body that asks for a volume to be taken over.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn manage_volume_spec(body: &[u8], version: Microversion) -> Result<ManageVolumeSpec, Error> {
    let members = read(body, "volume", &VOLUME, &[])?;
    let cluster = members.text("cluster").filter(|_| version.at_least(CLUSTER_SINCE));
    Ok(ManageVolumeSpec {
        host: members.text("host"),
        cluster,
        reference: source_name(&members),
        name: trimmed(&members, "name"),
        description: trimmed(&members, "description"),
        volume_type: members.text("volume_type"),
        availability_zone: members.text("availability_zone"),
        bootable: members.bool("bootable").unwrap_or_default(),
        metadata: members.pairs("metadata").unwrap_or_default(),
    })
}

const SNAPSHOT: Form = Form::new(&[
    ("volume_id", Rule::Id { null: false }),
    ("ref", Rule::Any),
    ("name", TEXT),
    ("description", TEXT),
    ("metadata", Rule::Meta { null: true }),
])
.required(&["ref", "volume_id"]);

/// Reads a body that asks for a snapshot to be taken over.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn manage_snapshot_spec(body: &[u8]) -> Result<ManageSnapshotSpec, Error> {
    let members = read(body, "snapshot", &SNAPSHOT, &[])?;
    Ok(ManageSnapshotSpec {
        volume_id: members.text("volume_id").unwrap_or_default(),
        reference: source_name(&members),
        name: trimmed(&members, "name"),
        description: trimmed(&members, "description"),
        metadata: members.pairs("metadata").unwrap_or_default(),
    })
}

/// What the back end calls it: `{"source-name": ".."}`, or the name alone.
fn source_name(members: &Members) -> Option<Box<str>> {
    match members.0.get("ref")? {
        Value::String(name) => Some(name.as_str().into()),
        reference => reference.get("source-name")?.as_str().map(Into::into),
    }
}
