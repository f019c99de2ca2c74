//! Bodies about consistency groups, the older API of groups.
//!
//! The reference has no schemas for them and checks them by hand. Clients send members of no known
//! purpose, so these bodies are open.

use serde_json::Value;

use super::listed;
use crate::{
    errors::Error,
    ops::{GroupChange, GroupSnapshotSpec, GroupSource, GroupSourceSpec, GroupSpec},
    schema::{
        Check, Field, Members, Rule, boolean, closed,
        format::is_truthy,
        kinds::{ANY, TEXT_1_OR_NULL, TRIMMED_DESCRIPTION, TRIMMED_NAME, UNBOUNDED_OR_NULL},
    },
    version::Microversion,
};

/// The version from which a change may have no content.
const EMPTY_CHANGE_SINCE: u16 = 6;

/// Returns the members of a body's member `key`, checked.
pub(super) fn read(body: &[u8], key: &str, rule: &Rule) -> Result<Members, Error> {
    let body: Value = serde_json::from_slice(body).map_err(|_| Error::MalformedBody)?;
    let missing = || Error::request(format!("Missing required element '{key}' in request body."));
    let Value::Object(mut members) = body else { return Err(missing()) };
    let value = members.remove(key).filter(Value::is_object).ok_or_else(missing)?;
    // Cinder: cinder/api/openstack/wsgi.py, Controller.validate_name_and_description.
    // A deletion has neither.
    for name in ["name", "description"].into_iter().filter(|_| !rule.checks.is_empty()) {
        if value.get(name).is_some_and(|value| !value.is_null() && !value.is_string()) {
            return Err(Error::input(format!("{name} is not a string or unicode")));
        }
    }
    rule.check(key, &value, Microversion::MAX)?;
    match value {
        Value::Object(members) => Ok(Members(members)),
        _ => Err(missing()),
    }
}

/// `POST /consistencygroups`.
// Cinder: cinder/api/contrib/consistencygroups.py, create.
pub(super) const CREATE: Rule = closed(&[Check::Fields(&[
    Field::new("name", TRIMMED_NAME),
    Field::new("description", TRIMMED_DESCRIPTION),
    Field::new("volume_types", UNBOUNDED_OR_NULL),
    Field::new("availability_zone", TEXT_1_OR_NULL),
])]);

/// Reads a body that asks for a consistency group.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn consistency_spec(body: &[u8]) -> Result<GroupSpec, Error> {
    let members = read(body, "consistencygroup", &CREATE)?;
    let name = members.trimmed("name");
    let volume_types = listed(&members, "volume_types")?;
    if volume_types.is_empty() {
        let name = name.as_deref().unwrap_or("None");
        return Err(Error::request(format!(
            "volume_types must be provided to create consistency group {name}."
        )));
    }
    Ok(GroupSpec {
        name,
        description: members.trimmed("description"),
        group_type: "".into(),
        volume_types,
        availability_zone: members.text("availability_zone"),
    })
}

/// `POST /consistencygroups/create_from_src`.
// Cinder: cinder/api/contrib/consistencygroups.py, create_from_src.
pub(super) const SOURCE: Rule = closed(&[Check::Fields(&[
    Field::new("name", TRIMMED_NAME),
    Field::new("description", TRIMMED_DESCRIPTION),
    Field::new("cgsnapshot_id", ANY),
    Field::new("source_cgid", ANY),
])]);

/// Reads a body that asks for a consistency group from another one, or from a snapshot of one.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn consistency_source_spec(body: &[u8]) -> Result<GroupSourceSpec, Error> {
    let members = read(body, "consistencygroup-from-src", &SOURCE)?;
    let name = members.trimmed("name");
    let shown = name.as_deref().unwrap_or("None");
    // Cinder: an empty source counts as absent, and any other one is looked up, whatever its type.
    let given = |key| members.shown(key).filter(|_| members.0.get(key).is_some_and(is_truthy));
    let source = match (given("source_cgid"), given("cgsnapshot_id")) {
        (Some(group), None) => GroupSource::Group(group),
        (None, Some(snapshot)) => GroupSource::Snapshot(snapshot),
        (Some(_), Some(_)) => {
            return Err(Error::request(format!(
                "Cannot provide both 'cgsnapshot_id' and 'source_cgid' to create consistency \
                 group {shown} from source."
            )));
        }
        (None, None) => {
            return Err(Error::request(format!(
                "Either 'cgsnapshot_id' or 'source_cgid' must be provided to create consistency \
                 group {shown} from source."
            )));
        }
    };
    let description = members.trimmed("description");
    Ok(GroupSourceSpec { name, description, source })
}

/// `POST /consistencygroups/{id}/delete`.
// Cinder: cinder/api/contrib/consistencygroups.py, delete.
pub(super) const DELETE: Rule = closed(&[]);

/// Reads a body that deletes a consistency group: whether its volumes are deleted too. The body may be
/// empty.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn consistency_delete(body: &[u8]) -> Result<bool, Error> {
    // Cinder: cinder/api/v3/consistencygroups.py, ConsistencyGroupsController.delete, which reads a body
    // only if it has something in it.
    if body.is_empty() || is_blank(body) {
        return Ok(false);
    }
    let members = read(body, "consistencygroup", &DELETE)?;
    let Some(force) = members.0.get("force") else { return Ok(false) };
    // The reference shows its default, not the value.
    loose_boolean(force).ok_or_else(|| Error::request("Invalid value 'False' for force."))
}

/// Whether a body is JSON without content, such as `{}`.
fn is_blank(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| !is_truthy(&body))
}

/// Checks that a body changes a consistency group, whatever its members: the rest is checked by
/// [`consistency_change`], once the group is found.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn consistency_element(body: &[u8]) -> Result<(), Error> {
    if is_blank(body) {
        return Err(Error::request("Missing request body."));
    }
    read(body, "consistencygroup", &DELETE).map(drop)
}

/// Reads a boolean in any case, with blanks around it.
fn loose_boolean(value: &Value) -> Option<bool> {
    match value {
        Value::String(text) => boolean(&text.trim().to_lowercase().into()),
        value => boolean(value),
    }
}

/// `PUT /consistencygroups/{id}/update`.
// Cinder: cinder/api/contrib/consistencygroups.py, update.
pub(super) const UPDATE: Rule = closed(&[Check::Fields(&[
    Field::new("name", TRIMMED_NAME),
    Field::new("description", TRIMMED_DESCRIPTION),
    Field::new("add_volumes", UNBOUNDED_OR_NULL),
    Field::new("remove_volumes", UNBOUNDED_OR_NULL),
])]);

/// Reads a body that changes a consistency group.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn consistency_change(body: &[u8], version: Microversion) -> Result<GroupChange, Error> {
    let members = read(body, "consistencygroup", &UPDATE)?;
    let said = members.0.values().any(|value| !value.is_null());
    if !said && !version.at_least(EMPTY_CHANGE_SINCE) {
        return Err(Error::request(
            "Name, description, add_volumes, and remove_volumes can not be all empty in the \
             request body.",
        ));
    }
    Ok(GroupChange {
        name: members.trimmed("name"),
        description: members.trimmed("description"),
        add_volumes: listed(&members, "add_volumes")?,
        remove_volumes: listed(&members, "remove_volumes")?,
    })
}

/// `POST /cgsnapshots`.
// Cinder: cinder/api/contrib/cgsnapshots.py, create.
pub(super) const SNAPSHOT: Rule = closed(&[Check::Fields(&[
    Field::new("name", TRIMMED_NAME),
    Field::new("description", TRIMMED_DESCRIPTION),
    Field::new("consistencygroup_id", ANY),
])]);

/// Reads a body that asks for a snapshot of a consistency group.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn cgsnapshot_spec(body: &[u8]) -> Result<GroupSnapshotSpec, Error> {
    let members = read(body, "cgsnapshot", &SNAPSHOT)?;
    let group_id = members.has("consistencygroup_id").then(|| {
        // Null names a group that does not exist.
        members.shown("consistencygroup_id").unwrap_or_else(|| "None".into())
    });
    Ok(GroupSnapshotSpec {
        group_id: group_id
            .ok_or_else(|| Error::request("'consistencygroup_id' must be specified"))?,
        name: members.trimmed("name"),
        description: members.trimmed("description"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn force_is_a_boolean_in_any_case() {
        let force = |text: &str| {
            consistency_delete(format!(r#"{{"consistencygroup": {{"force": {text}}}}}"#).as_bytes())
        };
        for yes in ["true", "1", r#""1""#, r#"" TRUE ""#, r#""oN""#] {
            assert_eq!(force(yes), Ok(true), "{yes}");
        }
        for no in ["false", "0", r#""nO""#] {
            assert_eq!(force(no), Ok(false), "{no}");
        }
        let text = force(r#""maybe""#).unwrap_err().to_string();
        assert_eq!(text, "Invalid value 'False' for force.");
        assert!(force("null").is_err() && force("2").is_err());
    }

    #[test]
    fn lists_of_volumes_have_a_limit() {
        let many = (0..=1000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let body = format!(r#"{{"consistencygroup": {{"add_volumes": "{many}"}}}}"#);
        let error = consistency_change(body.as_bytes(), Microversion::MAX).unwrap_err();
        assert_eq!(error.status(), 400);
    }

    #[test]
    fn names_and_descriptions_must_be_strings() {
        let text = |element: &str, member: &str, value: &str| {
            let body = format!(r#"{{"{element}": {{"{member}": {value}}}}}"#);
            let body = body.as_bytes();
            match element {
                "consistencygroup" => consistency_spec(body).unwrap_err(),
                "consistencygroup-from-src" => consistency_source_spec(body).unwrap_err(),
                _ => cgsnapshot_spec(body).unwrap_err(),
            }
            .to_string()
        };
        for element in ["consistencygroup", "consistencygroup-from-src", "cgsnapshot"] {
            for member in ["name", "description"] {
                for value in ["1", "false", "[]", "{}"] {
                    let expected =
                        format!("Invalid input received: {member} is not a string or unicode");
                    assert_eq!(text(element, member, value), expected, "{element} {value}");
                }
            }
        }
        let body = br#"{"consistencygroup": {"name": 1}}"#;
        let error = consistency_change(body, Microversion::MAX).unwrap_err().to_string();
        assert_eq!(error, "Invalid input received: name is not a string or unicode");
        assert_eq!(consistency_delete(body), Ok(false));
    }

    #[test]
    fn bodies_name_their_element() {
        for body in ["{}", "[]", r#"{"consistencygroup": null}"#] {
            assert_eq!(
                consistency_spec(body.as_bytes()).unwrap_err().to_string(),
                "Missing required element 'consistencygroup' in request body."
            );
        }
    }
}
