//! Bodies about snapshots, metadata and volume types.

use serde_json::Value;
use uuid::Uuid;

use super::{either, one_action, trimmed};
use crate::{
    Pairs,
    error::Error,
    ops::{EncryptionChange, SnapshotChange, SnapshotSpec, TypeChange, TypeSpec},
    rows::Encryption,
    schema::{Form, Members, Rule, SchemaError, pairs_of, read},
};

const TEXT: Rule = Rule::Text { min: 0, null: true };

const SNAPSHOT: Form = Form::new(&[
    ("volume_id", Rule::Id { null: false }),
    ("name", TEXT),
    ("display_name", TEXT),
    ("description", TEXT),
    ("display_description", TEXT),
    ("force", Rule::Bool),
    ("metadata", Rule::Meta { null: true }),
])
.required(&["volume_id"]);

/// Reads a body that asks for a snapshot.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn snapshot_spec(body: &[u8]) -> Result<SnapshotSpec, Error> {
    let members = read(body, "snapshot", &SNAPSHOT, &[])?;
    Ok(SnapshotSpec {
        volume_id: members.text("volume_id").unwrap_or_default(),
        name: trimmed(&members, either(&members, "name", "display_name")),
        description: trimmed(&members, either(&members, "description", "display_description")),
        force: members.bool("force"),
        metadata: members.pairs("metadata").unwrap_or_default(),
    })
}

const SNAPSHOT_CHANGE: Form = Form::new(&[
    ("name", TEXT),
    ("display_name", TEXT),
    ("description", TEXT),
    ("display_description", TEXT),
])
.any_of(&["name", "description", "display_name", "display_description"]);

/// Reads a body that changes a snapshot.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn snapshot_change(body: &[u8]) -> Result<SnapshotChange, Error> {
    let members = read(body, "snapshot", &SNAPSHOT_CHANGE, &[])?;
    let name = either(&members, "name", "display_name");
    let about = either(&members, "description", "display_description");
    Ok(SnapshotChange {
        name: members.has(name).then(|| trimmed(&members, name)),
        description: members.has(about).then(|| trimmed(&members, about)),
    })
}

/// What is to be done with a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotAction {
    /// `os-reset_status`.
    ResetStatus(Box<str>),
    /// `os-force_delete`.
    ForceDelete,
    /// `os-update_snapshot_status`.
    Report {
        /// The status.
        status: Box<str>,
        /// How far it has come, in percent.
        progress: Option<u8>,
    },
    /// `os-unmanage`.
    Unmanage,
}

const RESET: Form =
    Form::new(&[("status", Rule::Text { min: 0, null: false })]).required(&["status"]);
const REPORT: Form = Form::new(&[
    ("status", Rule::Text { min: 0, null: false }),
    ("progress", Rule::Text { min: 0, null: true }),
])
.required(&["status"]);

/// Reads the body of a request to a snapshot's `/action`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn snapshot_action(body: &[u8]) -> Result<SnapshotAction, Error> {
    let (action, argument) = one_action(body)?;
    let read = |form: &Form| argument_of(form, &action, &argument);
    Ok(match &*action {
        "os-reset_status" => {
            SnapshotAction::ResetStatus(read(&RESET)?.text("status").unwrap_or_default())
        }
        "os-force_delete" => SnapshotAction::ForceDelete,
        "os-update_snapshot_status" => {
            let members = read(&REPORT)?;
            let status = members.text("status").unwrap_or_default();
            let progress = members.text("progress").map(|text| percent(&text)).transpose()?;
            SnapshotAction::Report { status, progress }
        }
        "os-unmanage" => SnapshotAction::Unmanage,
        _ => return Err(Error::UnknownAction { action: action.into() }),
    })
}

/// Reads `80%`.
fn percent(text: &str) -> Result<u8, Error> {
    let number = text.strip_suffix('%').and_then(|digits| digits.parse().ok());
    number
        .filter(|percent| *percent <= 100)
        .ok_or_else(|| Error::input("progress must be an integer percentage between 0 and 100"))
}

pub(super) fn argument_of(form: &Form, action: &str, argument: &Value) -> Result<Members, Error> {
    form.check(action, argument)?;
    match argument {
        Value::Object(members) => Ok(Members(members.clone())),
        _ => Err(Error::MalformedBody),
    }
}

/// Reads a body with metadata: `{"metadata": {..}}`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn metadata(body: &[u8]) -> Result<Pairs, Error> {
    pairs(body, "metadata", Rule::Meta { null: false })
}

/// Reads a body with extra specs: `{"extra_specs": {..}}`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn extra_specs(body: &[u8]) -> Result<Pairs, Error> {
    pairs(body, "extra_specs", Rule::Specs)
}

/// Reads the one object of texts in a body.
pub(super) fn pairs(body: &[u8], key: &'static str, rule: Rule) -> Result<Pairs, Error> {
    let body: Value = serde_json::from_slice(body).map_err(|_| Error::MalformedBody)?;
    if let Some(value) = body.get(key) {
        rule.check(key, value)?;
    }
    let outer = match (rule, key) {
        (Rule::Meta { .. }, _) => METADATA,
        (_, "group_specs") => GROUP_SPECS,
        _ => SPECS,
    };
    outer.check("", &body)?;
    let members = body.get(key).and_then(Value::as_object);
    Ok(members.map(pairs_of).unwrap_or_default())
}

const METADATA: Form = Form::new(&[("metadata", Rule::Any)]).required(&["metadata"]);
const SPECS: Form = Form::new(&[("extra_specs", Rule::Any)]).required(&["extra_specs"]);

const GROUP_SPECS: Form = Form::new(&[("group_specs", Rule::Any)]).required(&["group_specs"]);

/// Reads the body of a request to one key of metadata: `{"meta": {key: value}}`.
///
/// # Errors
/// [`Error`] with the status 400, also when the body is about another key.
pub fn metadata_item(body: &[u8], key: &str) -> Result<Pairs, Error> {
    const META: Form = Form::new(&[]).open(true);
    let members = read(body, "meta", &META, &[])?;
    let value = Value::Object(members.0);
    Rule::Meta { null: false }.check("meta", &value)?;
    one_pair("meta", &value, key)
}

/// Reads the body of a request to one extra spec: `{key: value}`.
///
/// # Errors
/// As [`metadata_item`].
pub fn extra_spec(body: &[u8], key: &str) -> Result<Pairs, Error> {
    let value: Value = serde_json::from_slice(body).map_err(|_| Error::MalformedBody)?;
    Rule::Specs.check("", &value)?;
    one_pair("", &value, key)
}

fn one_pair(name: &str, value: &Value, key: &str) -> Result<Pairs, Error> {
    let Value::Object(members) = value else { return Err(Error::MalformedBody) };
    if members.is_empty() {
        return Err(SchemaError::empty(name).into());
    }
    if members.len() > 1 {
        return Err(SchemaError::too_many(name, value).into());
    }
    let pairs = pairs_of(members);
    if members.contains_key(key) {
        Ok(pairs)
    } else {
        Err(Error::request("Request body and URI mismatch"))
    }
}

const TYPE: Form = Form::new(&[
    ("name", Rule::Name),
    ("description", TEXT),
    ("extra_specs", Rule::Specs),
    ("os-volume-type-access:is_public", Rule::Bool),
])
.required(&["name"]);

/// Reads a body that asks for a volume type.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn type_spec(body: &[u8]) -> Result<TypeSpec, Error> {
    let members = read(body, "volume_type", &TYPE, &[])?;
    Ok(TypeSpec {
        name: trimmed(&members, "name").unwrap_or_default(),
        description: members.text("description"),
        is_public: members.bool("os-volume-type-access:is_public").unwrap_or(true),
        extra_specs: members.pairs("extra_specs").unwrap_or_default(),
    })
}

const TYPE_CHANGE: Form =
    Form::new(&[("name", TEXT), ("description", TEXT), ("is_public", Rule::Bool)]);

/// Reads a body that changes a volume type.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn type_change(body: &[u8]) -> Result<TypeChange, Error> {
    let members = read(body, "volume_type", &TYPE_CHANGE, &[])?;
    let about = members.text("description");
    Ok(TypeChange {
        name: trimmed(&members, "name"),
        description: about.map(Some),
        is_public: members.bool("is_public"),
    })
}

/// Who is to use a private type, or no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeAction {
    /// `addProjectAccess`.
    AddAccess(Box<str>),
    /// `removeProjectAccess`.
    RemoveAccess(Box<str>),
}

const ACCESS: Form =
    Form::new(&[("project", Rule::Text { min: 1, null: false })]).required(&["project"]);

/// Reads the body of a request to a type's `/action`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn type_action(body: &[u8]) -> Result<TypeAction, Error> {
    let (action, argument) = one_action(body)?;
    let project = || -> Result<Box<str>, Error> {
        Ok(argument_of(&ACCESS, &action, &argument)?.text("project").unwrap_or_default())
    };
    match &*action {
        "addProjectAccess" => Ok(TypeAction::AddAccess(project()?)),
        "removeProjectAccess" => Ok(TypeAction::RemoveAccess(project()?)),
        _ => Err(Error::UnknownAction { action: action.into() }),
    }
}

/// Reads a body that sets the default type of a project: the type, by ID or name.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn default_type_name(body: &[u8]) -> Result<Box<str>, Error> {
    const DEFAULT: Form = Form::new(&[("volume_type", Rule::Text { min: 1, null: false })])
        .required(&["volume_type"]);
    let members = read(body, "default_type", &DEFAULT, &[])?;
    Ok(members.text("volume_type").unwrap_or_default())
}

const ENCRYPTION: Form = ENCRYPTION_CHANGE.required(&["provider", "control_location"]);

const ENCRYPTION_CHANGE: Form = Form::new(&[
    ("provider", Rule::Text { min: 0, null: false }),
    ("control_location", Rule::OneOf { texts: &["front-end", "back-end"], null: false }),
    ("cipher", TEXT),
    ("key_size", Rule::KeySize),
])
.open(true);

fn key_size(members: &Members) -> Option<i64> {
    let size = members.0.get("key_size")?;
    size.as_i64().or_else(|| size.as_str()?.parse().ok())
}

/// Reads a body that says how the volumes of a type are encrypted; the record has the ID `id`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn type_encryption(body: &[u8], id: Uuid, now: i64) -> Result<Encryption, Error> {
    let members = read(body, "encryption", &ENCRYPTION, &[])?;
    Ok(Encryption {
        id,
        provider: members.text("provider").unwrap_or_default(),
        control_location: members.text("control_location").unwrap_or_default(),
        cipher: members.text("cipher"),
        key_size: key_size(&members),
        created_at: now,
        updated_at: None,
    })
}

/// Reads a body that changes how the volumes of a type are encrypted.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn encryption_change(body: &[u8]) -> Result<EncryptionChange, Error> {
    let members = read(body, "encryption", &ENCRYPTION_CHANGE, &[])?;
    Ok(EncryptionChange {
        provider: members.text("provider"),
        control_location: members.text("control_location"),
        cipher: members.text("cipher"),
        key_size: key_size(&members),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_about_one_key_have_one() {
        assert_eq!(metadata_item(br#"{"meta": {"c": "9"}}"#, "c").unwrap().len(), 1);
        let text = |body: &str| metadata_item(body.as_bytes(), "c").unwrap_err().to_string();
        assert_eq!(text(r#"{"meta": {"d": "9"}}"#), "Request body and URI mismatch");
        assert_eq!(
            text(r#"{"meta": {"c": "9", "d": "1"}}"#),
            "Invalid input for field/attribute meta. Value: {'c': '9', 'd': '1'}. \
             {'c': '9', 'd': '1'} has too many properties"
        );
        let spec = |body: &str| extra_spec(body.as_bytes(), "a").unwrap_err().to_string();
        assert_eq!(spec(r#"{"a": "c", "b": "d"}"#), "{'a': 'c', 'b': 'd'} has too many properties");
        assert_eq!(metadata(b"{}").unwrap_err().to_string(), "'metadata' is a required property");
    }
}
