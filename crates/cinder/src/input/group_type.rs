//! Bodies about group types.

use crate::{
    Pairs,
    errors::Error,
    ops::{GroupTypeChange, GroupTypeSpec},
    schema::{
        Check, Field, Rule, closed,
        kinds::{BOOLEAN, DESCRIPTION, META_OR_NULL, NAME, SPECS, TEXT_OR_NULL},
        pairs_of, parse_member,
    },
    version::Microversion,
};

const ALL: Microversion = Microversion::MAX;

/// `POST /group_types`.
// Cinder: cinder/api/schemas/group_types.py, create.
pub(super) const CREATE: Rule =
    closed(&[Check::Fields(&[Field::required("group_type", TYPE)]), Check::Closed]);

pub(super) const TYPE: Rule = closed(&[
    Check::Fields(&[
        Field::required("name", NAME),
        Field::new("description", DESCRIPTION),
        Field::new("is_public", BOOLEAN),
        Field::new("group_specs", META_OR_NULL),
    ]),
    Check::Closed,
]);

/// Reads a body that asks for a group type.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn group_type_spec(body: &[u8]) -> Result<GroupTypeSpec, Error> {
    let members = parse_member(body, "group_type", &CREATE, ALL)?;
    Ok(GroupTypeSpec {
        // Blanks around the name stay. Cinder: cinder/api/v3/group_types.py, GroupTypesController.create.
        name: members.text("name").unwrap_or_default(),
        description: members.text("description"),
        is_public: members.bool("is_public").unwrap_or(true),
        group_specs: members.pairs("group_specs").unwrap_or_default(),
    })
}

/// `PUT /group_types/{id}`.
// Cinder: cinder/api/schemas/group_types.py, update.
pub(super) const UPDATE: Rule =
    closed(&[Check::Fields(&[Field::required("group_type", CHANGE)]), Check::Closed]);

pub(super) const CHANGE: Rule = closed(&[
    Check::Fields(&[
        Field::new("name", TEXT_OR_NULL),
        Field::new("description", DESCRIPTION),
        Field::new("is_public", BOOLEAN),
    ]),
    Check::Closed,
]);

/// Reads a body that changes a group type.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn group_type_change(body: &[u8]) -> Result<GroupTypeChange, Error> {
    let members = parse_member(body, "group_type", &UPDATE, ALL)?;
    Ok(GroupTypeChange {
        // A blank name is refused later, an empty one is not.
        name: members.text("name"),
        description: members.text("description"),
        is_public: members.bool("is_public"),
    })
}

/// `POST /group_types/{id}/group_specs`.
// Cinder: cinder/api/schemas/group_specs.py, create.
pub(super) const GROUP_SPECS: Rule =
    closed(&[Check::Fields(&[Field::required("group_specs", SPECS)]), Check::Closed]);

/// Reads a body with group specs: `{"group_specs": {..}}`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn group_specs(body: &[u8]) -> Result<Pairs, Error> {
    Ok(pairs_of(&parse_member(body, "group_specs", &GROUP_SPECS, ALL)?.0))
}
