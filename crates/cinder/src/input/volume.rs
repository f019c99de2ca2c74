//! Bodies that create and change volumes, and bodies with metadata.

use serde_json::Value;

use super::{either, one_pair};
use crate::{
    Pairs,
    errors::Error,
    ops::{VolumeChange, VolumeSpec},
    schema::{
        Check, Field, Rule, Type, closed,
        format::is_truthy,
        kinds::{
            BOOLEAN_OR_NULL, META, META_OR_NULL, META_PAIR, SIZE_OR_NULL, TEXT_1_OR_NULL,
            TEXT_OR_NULL, TRIMMED_DESCRIPTION, TRIMMED_NAME, UUID, UUID_OR_NULL,
        },
        parse_member,
    },
    version::Microversion,
};

/// The version from which unknown members are refused.
const STRICT_SINCE: u16 = 53;

/// `POST /volumes`.
// Cinder: cinder/api/schemas/volumes.py, create.
pub(super) const CREATE: Rule = closed(&[
    Check::Fields(&[Field::required("volume", VOLUME), Field::new(HINTS_KEY, HINTS)]),
    Check::Closed,
]);

const HINTS_KEY: &str = "OS-SCH-HNT:scheduler_hints";

pub(super) const VOLUME: Rule = closed(&[
    Check::Fields(&[
        Field::new("name", TRIMMED_NAME),
        Field::new("description", TRIMMED_DESCRIPTION),
        Field::new("display_name", TRIMMED_NAME),
        Field::new("display_description", TRIMMED_DESCRIPTION),
        Field::new("volume_type", TEXT_OR_NULL),
        Field::new("metadata", META_OR_NULL),
        Field::new("snapshot_id", UUID_OR_NULL),
        Field::new("source_volid", UUID_OR_NULL),
        Field::new("consistencygroup_id", UUID_OR_NULL),
        Field::new("size", SIZE_OR_NULL),
        Field::new("availability_zone", TEXT_1_OR_NULL),
        Field::new("multiattach", BOOLEAN_OR_NULL),
        Field::new("image_id", TEXT_OR_NULL),
        Field::new("imageRef", TEXT_OR_NULL),
        Field::since("group_id", 13, TEXT_OR_NULL),
        Field::since("backup_id", 47, UUID_OR_NULL),
    ]),
    Check::Since(STRICT_SINCE, &Check::Closed),
]);

const VOLUMES: Rule = Rule {
    types: &[],
    checks: &[Check::Either(&[
        UUID,
        Rule { types: &[Type::Array], checks: &[Check::Items(&UUID), Check::Unique] },
    ])],
};

// Cinder: cinder/api/schemas/scheduler_hints.py. Other hints are for other schedulers.
pub(super) const HINTS: Rule = Rule {
    types: &[Type::Object, Type::Null],
    checks: &[Check::Fields(&[
        Field::new("local_to_instance", UUID_OR_NULL),
        Field::new("different_host", VOLUMES),
        Field::new("same_host", VOLUMES),
        Field::new("query", Rule { types: &[Type::String, Type::Object], checks: &[] }),
    ])],
};

/// Reads a body that asks for a volume.
///
/// # Errors
/// [`Error`] with the status 400.
///
/// ```
/// use statehold_cinder::{Microversion, input::volume_spec};
/// let spec = volume_spec(br#"{"volume": {"size": "2", "name": " v "}}"#, Microversion::MAX)?;
/// assert_eq!((spec.size, spec.name.as_deref()), (Some(2), Some("v")));
/// let error = volume_spec(br#"{"volume": {"size": 0}}"#, Microversion::MAX).unwrap_err();
/// assert_eq!(error.status(), 400);
/// # Ok::<(), statehold_cinder::Error>(())
/// ```
pub fn volume_spec(body: &[u8], version: Microversion) -> Result<VolumeSpec, Error> {
    let members = parse_member(body, "volume", &CREATE, version)?;
    // The table has null, and the reference refuses it afterwards. Cinder: cinder/utils.py, get_bool_param.
    if members.0.get("multiattach").is_some_and(Value::is_null) {
        return Err(Error::request("Value 'None' for 'multiattach' is not a boolean."));
    }
    let name = either(&members, "name", "display_name");
    let about = either(&members, "description", "display_description");
    // `image_id` replaces `imageRef`, be it null. Cinder: cinder/api/v3/volumes.py, create.
    let image = members.text(either(&members, "image_id", "imageRef"));
    Ok(VolumeSpec {
        size: members.size("size"),
        name: members.trimmed(name),
        description: members.trimmed(about),
        volume_type: members.text("volume_type").filter(|name| !name.is_empty()),
        metadata: members.pairs("metadata").unwrap_or_default(),
        snapshot_id: members.text("snapshot_id"),
        source_volid: members.text("source_volid"),
        // The reference looks these up in any version, unchecked before they came.
        // Cinder: cinder/api/v3/volumes.py, VolumeController.create.
        group_id: members.shown("group_id").or_else(|| members.text("consistencygroup_id")),
        // A value that is false in Python, such as `0`, names no backup.
        backup_id: members
            .shown("backup_id")
            .filter(|_| members.0.get("backup_id").is_some_and(is_truthy)),
        image,
        availability_zone: members.text("availability_zone"),
        multiattach: members.bool("multiattach").unwrap_or_default(),
    })
}

/// `PUT /volumes/{id}`.
// Cinder: cinder/api/schemas/volumes.py, update.
pub(super) const UPDATE: Rule =
    closed(&[Check::Fields(&[Field::required("volume", CHANGE)]), Check::Closed]);

pub(super) const CHANGE: Rule = closed(&[
    Check::Fields(&[
        Field::new("name", TRIMMED_NAME),
        Field::new("description", TRIMMED_DESCRIPTION),
        Field::new("display_name", TRIMMED_NAME),
        Field::new("display_description", TRIMMED_DESCRIPTION),
        Field::new("metadata", META),
    ]),
    Check::Closed,
    Check::Since(
        STRICT_SINCE,
        &Check::AnyOf(&["name", "description", "display_name", "display_description", "metadata"]),
    ),
]);

/// Reads a body that changes a volume.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn volume_change(body: &[u8], version: Microversion) -> Result<VolumeChange, Error> {
    let members = parse_member(body, "volume", &UPDATE, version)?;
    let name = either(&members, "name", "display_name");
    let about = either(&members, "description", "display_description");
    Ok(VolumeChange {
        name: members.has(name).then(|| members.trimmed(name)),
        description: members.has(about).then(|| members.trimmed(about)),
        metadata: members.pairs("metadata"),
    })
}

/// `POST` and `PUT /volumes/{id}/metadata`.
// Cinder: cinder/api/schemas/volume_metadata.py, create.
pub(super) const METADATA: Rule =
    closed(&[Check::Fields(&[Field::required("metadata", META)]), Check::Closed]);

/// Reads a body with metadata: `{"metadata": {..}}`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn metadata(body: &[u8]) -> Result<Pairs, Error> {
    Ok(crate::schema::pairs_of(&parse_member(body, "metadata", &METADATA, Microversion::MAX)?.0))
}

/// `PUT /volumes/{id}/metadata/{key}`.
// Cinder: cinder/api/schemas/volume_metadata.py, update.
pub(super) const METADATA_ITEM: Rule =
    closed(&[Check::Fields(&[Field::required("meta", META_PAIR)]), Check::Closed]);

/// Reads the body of a request to one key of metadata: `{"meta": {key: value}}`.
///
/// # Errors
/// [`Error`] with the status 400, also when the body is about another key.
pub fn metadata_item(body: &[u8], key: &str) -> Result<Pairs, Error> {
    one_pair(&parse_member(body, "meta", &METADATA_ITEM, Microversion::MAX)?, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> String {
        volume_spec(body.as_bytes(), Microversion::MAX).unwrap_err().to_string()
    }

    #[test]
    fn refusals_match_cinder() {
        let cases = [
            ("{", "Malformed request body"),
            ("", "Malformed request body"),
            ("[1]", "[1] is not of type 'object'"),
            (r#"{"foo": {}}"#, "'volume' is a required property"),
            (
                r#"{"volume": {"size": 1}, "x": 1}"#,
                "Additional properties are not allowed ('x' was unexpected)",
            ),
            (
                r#"{"volume": {"size": 0}}"#,
                "Invalid input for field/attribute size. Value: 0. 0 is less than the minimum of 1",
            ),
            (
                r#"{"volume": {"size": "1x"}}"#,
                "Invalid input for field/attribute size. Value: 1x. '1x' does not match '^[0-9]+$'",
            ),
            (
                r#"{"volume": {"size": 1.5}}"#,
                "Invalid input for field/attribute size. Value: 1.5. 1.5 is not of type \
                 'integer', 'string', 'null'",
            ),
            (
                r#"{"volume": {"snapshot_id": "abc"}}"#,
                "Invalid input for field/attribute snapshot_id. Value: abc. 'abc' is not valid \
                 under any of the given schemas",
            ),
            (
                r#"{"volume": {"metadata": {"a": 1}}}"#,
                "Invalid input for field/attribute a. Value: 1. 1 is not of type 'string'",
            ),
            (
                r#"{"volume": {"metadata": {"k$": "v"}}}"#,
                "Invalid input for field/attribute metadata. Value: {'k$': 'v'}. 'k$' does not \
                 match any of the regexes: '^[a-zA-Z0-9-_:. /]{1,255}$'",
            ),
            (
                r#"{"volume": {"metadata": "x"}}"#,
                "Invalid input for field/attribute metadata. Value: x. 'x' is not of type \
                 'object', 'null'",
            ),
        ];
        for (body, text) in cases {
            assert_eq!(refusal(body), text, "{body}");
        }
        let long = format!(r#"{{"volume": {{"name": "{}"}}}}"#, "n".repeat(256));
        let text = "Invalid input received: name has 256 characters, more than 255.";
        assert_eq!(refusal(&long), text);
    }

    #[test]
    fn checked_members_are_read_by_their_kind() {
        let body = br#"{"volume": {"size": "7\n", "multiattach": "on", "metadata": {"a": "b"}}}"#;
        let spec = volume_spec(body, Microversion::MAX).unwrap();
        assert_eq!((spec.size, spec.multiattach, spec.metadata.len()), (Some(7), true, 1));
    }

    #[test]
    fn empty_image_reference_is_kept() {
        let body = br#"{"volume": {"size": 1, "imageRef": ""}}"#;
        assert_eq!(volume_spec(body, Microversion::MAX).unwrap().image.as_deref(), Some(""));
    }

    #[test]
    fn metadata_items_hold_their_key() {
        assert_eq!(metadata_item(br#"{"meta": {"c": "9"}}"#, "c").unwrap().len(), 1);
        let text = |body: &str| metadata_item(body.as_bytes(), "c").unwrap_err().to_string();
        assert_eq!(text(r#"{"meta": {"d": "9"}}"#), "Request body and URI mismatch");
        assert_eq!(
            text(r#"{"meta": {"c": "9", "d": "1"}}"#),
            "Invalid input for field/attribute meta. Value: {'c': '9', 'd': '1'}. \
             {'c': '9', 'd': '1'} has too many properties"
        );
        assert_eq!(metadata(b"{}").unwrap_err().to_string(), "'metadata' is a required property");
    }
}
