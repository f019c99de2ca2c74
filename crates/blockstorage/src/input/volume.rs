//! Bodies that make and change volumes.

use super::{check_length, either, trimmed};
use crate::{
    error::Error,
    ops::{VolumeChange, VolumeSpec},
    schema::{Form, Rule, read},
    version::Microversion,
};

/// From this version on unknown members are refused.
const STRICT_SINCE: u16 = 53;

const ID: Rule = Rule::Id { null: true };
const TEXT: Rule = Rule::Text { min: 0, null: true };

const CREATE: Form = Form::new(&[
    ("name", Rule::LongText),
    ("display_name", Rule::LongText),
    ("description", Rule::LongText),
    ("display_description", Rule::LongText),
    ("size", Rule::Size { null: true }),
    ("volume_type", TEXT),
    ("metadata", Rule::Meta { null: true }),
    ("snapshot_id", ID),
    ("source_volid", ID),
    ("consistencygroup_id", ID),
    ("availability_zone", Rule::Text { min: 1, null: true }),
    ("imageRef", TEXT),
    ("image_id", TEXT),
    ("multiattach", Rule::Bool),
    ("group_id", ID),
    ("backup_id", ID),
]);

/// Members that came later, by the minor version.
const LATER: [(&str, u16); 2] = [("group_id", 13), ("backup_id", 47)];

const HINTS: [(&str, Rule); 2] = [
    ("OS-SCH-HNT:scheduler_hints", Rule::Object { min: 0, null: true }),
    ("scheduler_hints", Rule::Object { min: 0, null: true }),
];

/// Reads a body that asks for a volume.
///
/// # Errors
/// [`Error`] with the status 400.
///
/// ```
/// use statehold_blockstorage::{Microversion, input::volume_spec};
/// let spec = volume_spec(br#"{"volume": {"size": "2", "name": " v "}}"#, Microversion::MAX)?;
/// assert_eq!((spec.size, spec.name.as_deref()), (Some(2), Some("v")));
/// let error = volume_spec(br#"{"volume": {"size": 0}}"#, Microversion::MAX).unwrap_err();
/// assert_eq!(error.status(), 400);
/// # Ok::<(), statehold_blockstorage::Error>(())
/// ```
pub fn volume_spec(body: &[u8], version: Microversion) -> Result<VolumeSpec, Error> {
    let form = CREATE.open(!version.at_least(STRICT_SINCE));
    let mut members = read(body, "volume", &form, &HINTS)?;
    for (name, since) in LATER {
        if !version.at_least(since) {
            members.0.remove(name);
        }
    }
    let name = trimmed(&members, either(&members, "name", "display_name"));
    let about = either(&members, "description", "display_description");
    let description = trimmed(&members, about);
    check_length(name.as_deref(), "name")?;
    check_length(description.as_deref(), "description")?;
    let image = members.text("imageRef").or_else(|| members.text("image_id"));
    Ok(VolumeSpec {
        size: members.size("size"),
        name,
        description,
        volume_type: members.text("volume_type"),
        metadata: members.pairs("metadata").unwrap_or_default(),
        snapshot_id: members.text("snapshot_id"),
        source_volid: members.text("source_volid"),
        group_id: members.text("group_id").or_else(|| members.text("consistencygroup_id")),
        backup_id: members.text("backup_id"),
        image: image.filter(|image| !image.is_empty()),
        availability_zone: members.text("availability_zone"),
        multiattach: members.bool("multiattach").unwrap_or_default(),
    })
}

const UPDATE: Form = Form::new(&[
    ("name", Rule::LongText),
    ("display_name", Rule::LongText),
    ("description", Rule::LongText),
    ("display_description", Rule::LongText),
    ("metadata", Rule::Meta { null: true }),
]);

/// Reads a body that changes a volume.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn volume_change(body: &[u8], version: Microversion) -> Result<VolumeChange, Error> {
    const ONE_OF: &[&str] =
        &["name", "description", "display_name", "display_description", "metadata"];
    let strict = version.at_least(STRICT_SINCE);
    let form = if strict { UPDATE.any_of(ONE_OF) } else { UPDATE.open(true) };
    let members = read(body, "volume", &form, &[])?;
    let name = either(&members, "name", "display_name");
    let about = either(&members, "description", "display_description");
    let (new_name, new_about) = (trimmed(&members, name), trimmed(&members, about));
    check_length(new_name.as_deref(), "name")?;
    check_length(new_about.as_deref(), "description")?;
    Ok(VolumeChange {
        name: members.has(name).then_some(new_name),
        description: members.has(about).then_some(new_about),
        metadata: members.pairs("metadata"),
    })
}
