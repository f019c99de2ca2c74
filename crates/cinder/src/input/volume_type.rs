//! Bodies about volume types: their specs, their encryption and the access to them.

use uuid::Uuid;

use super::{Action, one_pair, parse_action};
use crate::{
    Pairs,
    errors::Error,
    ops::{EncryptionChange, TypeChange, TypeSpec},
    rows::Encryption,
    schema::{
        Check, Field, Rule, closed,
        kinds::{
            BOOLEAN, DESCRIPTION, KEY_SIZE, LOOSE_SPECS, NAME, SPEC_PAIR, SPECS, TEXT,
            TEXT_1_OR_NULL, TEXT_OR_NULL, UUID,
        },
        pairs_of, parse, parse_member,
    },
    version::Microversion,
};

const ALL: Microversion = Microversion::MAX;

/// `POST /types`.
// Cinder: cinder/api/schemas/volume_types.py, create.
pub(super) const CREATE: Rule =
    closed(&[Check::Fields(&[Field::required("volume_type", TYPE)]), Check::Closed]);

pub(super) const TYPE: Rule = closed(&[
    Check::Fields(&[
        Field::required("name", NAME),
        Field::new("description", DESCRIPTION),
        Field::new("extra_specs", LOOSE_SPECS),
        Field::new("os-volume-type-access:is_public", BOOLEAN),
    ]),
    Check::Closed,
]);

/// Reads a body that asks for a volume type.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn type_spec(body: &[u8]) -> Result<TypeSpec, Error> {
    let members = parse_member(body, "volume_type", &CREATE, ALL)?;
    Ok(TypeSpec {
        // Blanks around the name stay. Cinder: cinder/api/contrib/types_manage.py, _create.
        name: members.text("name").unwrap_or_default(),
        description: members.text("description"),
        is_public: members.bool("os-volume-type-access:is_public").unwrap_or(true),
        extra_specs: members.pairs("extra_specs").unwrap_or_default(),
    })
}

/// `PUT /types/{id}`.
// Cinder: cinder/api/schemas/volume_types.py, update.
pub(super) const UPDATE: Rule =
    closed(&[Check::Fields(&[Field::required("volume_type", CHANGE)]), Check::Closed]);

pub(super) const CHANGE: Rule = closed(&[
    Check::Fields(&[
        Field::new("name", TEXT_1_OR_NULL),
        Field::new("description", DESCRIPTION),
        Field::new("is_public", BOOLEAN),
    ]),
    Check::Closed,
]);

/// Reads a body that changes a volume type.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn type_change(body: &[u8]) -> Result<TypeChange, Error> {
    let members = parse_member(body, "volume_type", &UPDATE, ALL)?;
    Ok(TypeChange {
        name: members.text("name"),
        description: members.text("description").map(Some),
        is_public: members.bool("is_public"),
    })
}

/// `POST /types/{id}/extra_specs`.
// Cinder: cinder/api/schemas/types_extra_specs.py, create.
pub(super) const EXTRA_SPECS: Rule =
    closed(&[Check::Fields(&[Field::required("extra_specs", SPECS)]), Check::Closed]);

/// Reads a body with extra specs: `{"extra_specs": {..}}`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn extra_specs(body: &[u8]) -> Result<Pairs, Error> {
    Ok(pairs_of(&parse_member(body, "extra_specs", &EXTRA_SPECS, ALL)?.0))
}

/// `PUT /types/{id}/extra_specs/{key}`, and the same of group types.
// Cinder: cinder/api/schemas/types_extra_specs.py, update.
pub(super) const EXTRA_SPEC: Rule = SPEC_PAIR;

/// Reads the body of a request to one extra spec: `{key: value}`.
///
/// # Errors
/// [`Error`] with the status 400, also when the body is about another key.
pub fn extra_spec(body: &[u8], key: &str) -> Result<Pairs, Error> {
    one_pair(&parse(body, &EXTRA_SPEC, ALL)?, key)
}

/// A change of a project's access to a private type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeAction {
    /// `addProjectAccess`.
    AddAccess(Box<str>),
    /// `removeProjectAccess`.
    RemoveAccess(Box<str>),
}

// Cinder: cinder/api/schemas/volume_type_access.py.
pub(super) const ACCESS: Rule =
    closed(&[Check::Fields(&[Field::required("project", UUID)]), Check::Closed]);

/// The actions on a type.
pub(super) const ACTIONS: &[Action] =
    &[Action::new("addProjectAccess", &ACCESS), Action::new("removeProjectAccess", &ACCESS)];

/// Reads the body of a request to a type's `/action`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn type_action(body: &[u8]) -> Result<TypeAction, Error> {
    let (action, members) = parse_action(body, ACTIONS, ALL)?;
    let project = members.text("project").unwrap_or_default();
    Ok(match action {
        "addProjectAccess" => TypeAction::AddAccess(project),
        "removeProjectAccess" => TypeAction::RemoveAccess(project),
        _ => return Err(Error::UnknownAction { action: action.into() }),
    })
}

/// `PUT /default-types/{project}`.
// Cinder: cinder/api/schemas/default_types.py. Its root is open and requires nothing, which ends in a failure
// of the reference.
pub(super) const DEFAULT: Rule =
    closed(&[Check::Fields(&[Field::required("default_type", DEFAULT_TYPE)])]);

pub(super) const DEFAULT_TYPE: Rule =
    closed(&[Check::Fields(&[Field::required("volume_type", NAME)]), Check::Closed]);

/// Reads a body that sets the default type of a project: the type, by ID or name.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn default_type_name(body: &[u8]) -> Result<Box<str>, Error> {
    let members = parse_member(body, "default_type", &DEFAULT, ALL)?;
    Ok(members.text("volume_type").unwrap_or_default())
}

/// `POST /types/{id}/encryption`.
// Cinder: cinder/api/schemas/volume_type_encryption.py, create.
pub(super) const ENCRYPT: Rule =
    closed(&[Check::Fields(&[Field::required("encryption", ENCRYPTION)]), Check::Closed]);

const CONTROL_LOCATION: Rule =
    Rule { types: &[], checks: &[Check::OneOf(&["front-end", "back-end"])] };

pub(super) const ENCRYPTION: Rule = closed(&[Check::Fields(&[
    Field::new("key_size", KEY_SIZE),
    Field::required("provider", TEXT),
    Field::required("control_location", CONTROL_LOCATION),
    Field::new("cipher", TEXT_OR_NULL),
])]);

/// `PUT /types/{id}/encryption/{encryption}`.
// Cinder: cinder/api/schemas/volume_type_encryption.py, update.
pub(super) const ENCRYPT_CHANGE: Rule =
    closed(&[Check::Fields(&[Field::required("encryption", ENCRYPTION_CHANGE)]), Check::Closed]);

pub(super) const ENCRYPTION_CHANGE: Rule = closed(&[Check::Fields(&[
    Field::new("key_size", KEY_SIZE),
    Field::new("provider", TEXT),
    Field::new("control_location", CONTROL_LOCATION),
    Field::new("cipher", TEXT_OR_NULL),
])]);

/// Reads a body with the encryption of a type's volumes; the record has the ID `id`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn type_encryption(body: &[u8], id: Uuid, now: i64) -> Result<Encryption, Error> {
    let members = parse_member(body, "encryption", &ENCRYPT, ALL)?;
    Ok(Encryption {
        id,
        provider: members.text("provider").unwrap_or_default(),
        control_location: members.text("control_location").unwrap_or_default(),
        cipher: members.text("cipher"),
        key_size: members.number("key_size"),
        created_at: now,
        updated_at: None,
    })
}

/// Reads a body that changes the encryption of a type's volumes.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn encryption_change(body: &[u8]) -> Result<EncryptionChange, Error> {
    let members = parse_member(body, "encryption", &ENCRYPT_CHANGE, ALL)?;
    Ok(EncryptionChange {
        provider: members.text("provider"),
        control_location: members.text("control_location"),
        cipher: members.text("cipher"),
        key_size: members.number("key_size"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::group_type_spec;

    #[test]
    fn bodies_about_one_spec_have_exactly_one() {
        let spec = |body: &str| extra_spec(body.as_bytes(), "a").unwrap_err().to_string();
        assert_eq!(spec(r#"{"a": "c", "b": "d"}"#), "{'a': 'c', 'b': 'd'} has too many properties");
        assert_eq!(spec("{}"), "{} does not have enough properties");
        assert_eq!(spec(r#"{"b": "c"}"#), "Request body and URI mismatch");
    }

    #[test]
    fn names_of_types_keep_the_blanks_around_them() {
        let spec = type_spec(br#"{"volume_type": {"name": " x "}}"#).unwrap();
        assert_eq!(&*spec.name, " x ");
        let change = type_change(br#"{"volume_type": {"name": " x "}}"#).unwrap();
        assert_eq!(change.name.as_deref(), Some(" x "));
        let spec = group_type_spec(br#"{"group_type": {"name": " x "}}"#).unwrap();
        assert_eq!(&*spec.name, " x ");
        assert!(type_spec(br#"{"volume_type": {"name": "  "}}"#).is_err(), "a blank name");
    }

    #[test]
    fn spec_keys_at_creation_may_have_blanks_and_slashes() {
        let body = br#"{"volume_type": {"name": "x", "extra_specs": {"a b/c": "1"}}}"#;
        assert_eq!(type_spec(body).unwrap().extra_specs.len(), 1);
        assert!(extra_specs(br#"{"extra_specs": {"a b": "1"}}"#).is_err());
    }

    #[test]
    fn project_with_access_is_named_by_uuid() {
        let error = type_action(br#"{"addProjectAccess": {"project": "demo"}}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Invalid input for field/attribute project. Value: demo. 'demo' is not a 'uuid'"
        );
    }

    #[test]
    fn descriptions_are_printable() {
        for text in [r"a\u0000", r"a\nb", r"\u200b"] {
            let body = format!(r#"{{"volume_type": {{"name": "x", "description": "{text}"}}}}"#);
            assert_eq!(type_spec(body.as_bytes()).unwrap_err().status(), 400, "{text}");
        }
    }
}
