//! Bodies about snapshots.

use super::{Action, either, parse_action};
use crate::{
    Pairs,
    errors::Error,
    ops::{SnapshotChange, SnapshotSpec, check_snapshot_status},
    schema::{
        Check, Field, Members, Rule, TEXT_MAX, closed,
        format::{Format, progress},
        kinds::{
            ANY, BOOLEAN, DESCRIPTION, META_OR_NULL, STRING, TEXT_OR_NULL, UNBOUNDED, UUID_OR_NULL,
        },
        pairs_of, parse_member,
    },
    version::Microversion,
};

/// `POST /snapshots`.
// Cinder: cinder/api/schemas/snapshots.py, create.
pub(super) const CREATE: Rule =
    closed(&[Check::Fields(&[Field::required("snapshot", SNAPSHOT)]), Check::Closed]);

pub(super) const SNAPSHOT: Rule = closed(&[
    Check::Fields(&[
        Field::new("name", TEXT_OR_NULL),
        Field::new("display_name", TEXT_OR_NULL),
        Field::new("description", DESCRIPTION),
        Field::required("volume_id", UUID_OR_NULL),
        Field::new("force", BOOLEAN),
        Field::new("metadata", META_OR_NULL),
    ]),
    Check::Closed,
]);

/// Reads a body that asks for a snapshot.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn snapshot_spec(body: &[u8]) -> Result<SnapshotSpec, Error> {
    let members = parse_member(body, "snapshot", &CREATE, Microversion::MAX)?;
    Ok(SnapshotSpec {
        // Null names a volume that does not exist.
        volume_id: members.text("volume_id").unwrap_or_else(|| "None".into()),
        name: members.trimmed(either(&members, "name", "display_name")),
        description: members.trimmed("description"),
        force: members.bool("force"),
        metadata: members.pairs("metadata").unwrap_or_default(),
    })
}

/// `PUT /snapshots/{id}`.
// Cinder: cinder/api/schemas/snapshots.py, update.
pub(super) const UPDATE: Rule =
    closed(&[Check::Fields(&[Field::required("snapshot", CHANGE)]), Check::Closed]);

pub(super) const CHANGE: Rule = closed(&[
    Check::Fields(&[
        Field::new("name", TEXT_OR_NULL),
        Field::new("description", DESCRIPTION),
        Field::new("display_name", TEXT_OR_NULL),
        Field::new("display_description", DESCRIPTION),
    ]),
    Check::Closed,
    Check::AnyOf(&["name", "description", "display_name", "display_description"]),
]);

/// Reads a body that changes a snapshot.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn snapshot_change(body: &[u8]) -> Result<SnapshotChange, Error> {
    let members = parse_member(body, "snapshot", &UPDATE, Microversion::MAX)?;
    let name = either(&members, "name", "display_name");
    let about = either(&members, "description", "display_description");
    Ok(SnapshotChange {
        name: members.has(name).then(|| members.trimmed(name)),
        description: members.has(about).then(|| members.trimmed(about)),
    })
}

/// Metadata of a snapshot as a body has it: the keys and values are checked by
/// [`SnapshotMetadata::into_pairs`], once the snapshot is found.
#[derive(Debug)]
pub struct SnapshotMetadata(Members);

impl SnapshotMetadata {
    /// Returns the checked pairs.
    ///
    /// # Errors
    /// [`Error`] with the status 400 for an empty key and for a value that is no string, 413 for one that is
    /// too long.
    // Cinder: cinder/utils.py, check_metadata_properties.
    pub fn into_pairs(self) -> Result<Pairs, Error> {
        for (key, value) in &self.0.0 {
            let invalid = |text: String| {
                Err(Error::request(format!("Invalid metadata: Invalid input received: {text}")))
            };
            if key.is_empty() {
                return invalid("Metadata key:  has 0 characters, less than 1.".to_owned());
            }
            let Some(text) = value.as_str() else {
                return invalid(format!(
                    "Value for metadata key: {key} is not a string or unicode"
                ));
            };
            for (part, called) in [(&**key, ""), (text, " value")] {
                if part.chars().count() > TEXT_MAX {
                    return Err(Error::MetadataSize { key: key.as_str().into(), called });
                }
            }
        }
        Ok(pairs_of(&self.0.0))
    }
}

/// Reads the body of `POST` and `PUT /snapshots/{id}/metadata`. The reference has no schema for it, so that it
/// is open.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn snapshot_metadata(body: &[u8]) -> Result<SnapshotMetadata, Error> {
    super::consistency::read(body, "metadata", &closed(&[])).map(SnapshotMetadata)
}

/// Reads the body of `PUT /snapshots/{id}/metadata/{key}`: `{"meta": {key: value}}`.
///
/// # Errors
/// [`Error`] with the status 400, also when the body is about another key.
// Cinder: cinder/api/v3/snapshot_metadata.py, Controller.update.
pub fn snapshot_metadata_item(body: &[u8], key: &str) -> Result<SnapshotMetadata, Error> {
    let members = super::consistency::read(body, "meta", &closed(&[]))?;
    if !members.has(key) {
        return Err(Error::request("Request body and URI mismatch"));
    }
    if members.0.len() > 1 {
        return Err(Error::request("Request body contains too many items"));
    }
    Ok(SnapshotMetadata(members))
}

/// An action on a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotAction {
    /// `os-reset_status`, to a status in lower case.
    ResetStatus(Box<str>),
    /// `os-force_delete`.
    ForceDelete,
    /// `os-update_snapshot_status`.
    Report {
        /// The status.
        status: Box<str>,
        /// The progress, in percent.
        progress: Option<u8>,
    },
    /// `os-unmanage`.
    Unmanage,
}

// Cinder: cinder/api/schemas/admin_actions.py, reset_status_snapshot.
pub(super) const RESET: Rule =
    closed(&[Check::Fields(&[Field::required("status", STATUS)]), Check::Closed]);

const STATUS: Rule =
    Rule { types: STRING, checks: &[Check::Format(Format::Status(check_snapshot_status))] };

// Cinder: cinder/api/schemas/snapshot_actions.py, update_snapshot_status.
pub(super) const REPORT: Rule = closed(&[
    Check::Fields(&[
        Field::required("status", UNBOUNDED),
        Field::new("progress", Rule { types: &[], checks: &[Check::Format(Format::Progress)] }),
    ]),
    Check::Closed,
]);

/// The actions on a snapshot.
pub(super) const ACTIONS: &[Action] = &[
    Action::new("os-reset_status", &RESET),
    Action::new("os-force_delete", &ANY),
    Action::new("os-update_snapshot_status", &REPORT),
    Action::new("os-unmanage", &ANY),
];

/// Reads the body of a request to a snapshot's `/action`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn snapshot_action(body: &[u8]) -> Result<SnapshotAction, Error> {
    let (action, members) = parse_action(body, ACTIONS, Microversion::MAX)?;
    Ok(match action {
        "os-reset_status" => {
            SnapshotAction::ResetStatus(members.lower("status").unwrap_or_default())
        }
        "os-force_delete" => SnapshotAction::ForceDelete,
        "os-update_snapshot_status" => {
            let status = members.text("status").unwrap_or_default();
            let progress = members.text("progress").map(|text| progress(&text)).transpose()?;
            SnapshotAction::Report { status, progress: progress.flatten() }
        }
        "os-unmanage" => SnapshotAction::Unmanage,
        _ => return Err(Error::UnknownAction { action: action.into() }),
    })
}
