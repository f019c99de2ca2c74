//! Bodies about groups, their types and their snapshots, and about consistency groups.

use serde_json::Value;

use super::{
    one_action,
    resources::{argument_of, pairs},
    trimmed,
};
use crate::{
    Pairs,
    error::{Error, Missing},
    ops::{
        GroupChange, GroupSnapshotSpec, GroupSource, GroupSourceSpec, GroupSpec, GroupTypeChange,
        GroupTypeSpec, Replication,
    },
    python,
    schema::{Form, Members, Rule, SchemaError, TEXTS_MAX, read},
    version::Microversion,
};

const TEXT: Rule = Rule::Text { min: 0, null: true };
const ID: Rule = Rule::Id { null: false };

/// The version in which groups could be made from others.
const SOURCE_SINCE: u16 = 14;

/// From this version on a change of a consistency group may say nothing.
const EMPTY_CHANGE_SINCE: u16 = 6;

/// Reads a body that asks for a group type.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn group_type_spec(body: &[u8]) -> Result<GroupTypeSpec, Error> {
    const FORM: Form = Form::new(&[
        ("name", Rule::Name),
        ("description", TEXT),
        ("is_public", Rule::Bool),
        ("group_specs", Rule::Specs),
    ])
    .required(&["name"]);
    let members = read(body, "group_type", &FORM, &[])?;
    Ok(GroupTypeSpec {
        name: trimmed(&members, "name").unwrap_or_default(),
        description: members.text("description"),
        is_public: members.bool("is_public").unwrap_or(true),
        group_specs: members.pairs("group_specs").unwrap_or_default(),
    })
}

/// Reads a body that changes a group type.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn group_type_change(body: &[u8]) -> Result<GroupTypeChange, Error> {
    const FORM: Form =
        Form::new(&[("name", TEXT), ("description", TEXT), ("is_public", Rule::Bool)]);
    let members = read(body, "group_type", &FORM, &[])?;
    Ok(GroupTypeChange {
        name: trimmed(&members, "name"),
        description: members.text("description"),
        is_public: members.bool("is_public"),
    })
}

/// Reads a body with group specs: `{"group_specs": {..}}`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn group_specs(body: &[u8]) -> Result<Pairs, Error> {
    pairs(body, "group_specs", Rule::Specs)
}

/// Reads a body that asks for a group.
///
/// # Errors
/// [`Error`] with the status 400.
///
/// ```
/// use statehold_blockstorage::input::group_spec;
/// let spec = group_spec(br#"{"group": {"group_type": "g", "volume_types": ["a", "b"]}}"#)?;
/// assert_eq!((&*spec.group_type, spec.volume_types.len()), ("g", 2));
/// let twice = br#"{"group": {"group_type": "g", "volume_types": ["a", "a"]}}"#;
/// assert_eq!(group_spec(twice).unwrap_err().status(), 400);
/// # Ok::<(), statehold_blockstorage::Error>(())
/// ```
pub fn group_spec(body: &[u8]) -> Result<GroupSpec, Error> {
    const FORM: Form = Form::new(&[
        ("name", TEXT),
        ("description", TEXT),
        ("group_type", Rule::Text { min: 1, null: false }),
        ("volume_types", Rule::Texts),
        ("availability_zone", Rule::Text { min: 1, null: true }),
    ])
    .required(&["group_type", "volume_types"]);
    let members = read(body, "group", &FORM, &[])?;
    Ok(GroupSpec {
        name: trimmed(&members, "name"),
        description: trimmed(&members, "description"),
        group_type: members.text("group_type").unwrap_or_default(),
        volume_types: members.texts("volume_types"),
        availability_zone: members.text("availability_zone"),
    })
}

const CHANGE: Form = Form::new(&[
    ("name", TEXT),
    ("description", TEXT),
    ("add_volumes", Rule::LongText),
    ("remove_volumes", Rule::LongText),
]);

/// Reads a body that changes a group.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn group_change(body: &[u8]) -> Result<GroupChange, Error> {
    const FORM: Form = CHANGE.any_of(&["name", "description", "add_volumes", "remove_volumes"]);
    change(&read(body, "group", &FORM, &[])?)
}

fn change(members: &Members) -> Result<GroupChange, Error> {
    Ok(GroupChange {
        name: trimmed(members, "name"),
        description: trimmed(members, "description"),
        add_volumes: listed(members.text("add_volumes").as_deref(), "add_volumes")?,
        remove_volumes: listed(members.text("remove_volumes").as_deref(), "remove_volumes")?,
    })
}

/// The items of a list that is written with commas, each once.
fn listed(text: Option<&str>, name: &str) -> Result<Vec<Box<str>>, Error> {
    let mut items: Vec<Box<str>> = Vec::new();
    for item in text.unwrap_or_default().split(',').map(str::trim) {
        if item.is_empty() || items.iter().any(|other| **other == *item) {
            continue;
        }
        if items.len() == TEXTS_MAX {
            return Err(Error::input(format!("{name} has more than {TEXTS_MAX} items.")));
        }
        items.push(item.into());
    }
    Ok(items)
}

/// What is to be done with a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupAction {
    /// `delete`.
    Delete {
        /// Whether its volumes go too.
        delete_volumes: bool,
    },
    /// `reset_status`.
    ResetStatus(Box<str>),
    /// `enable_replication` and its like.
    Replicate(Replication),
    /// `list_replication_targets`.
    ReplicationTargets,
}

const RESET: Form =
    Form::new(&[("status", Rule::Text { min: 1, null: false })]).required(&["status"]);

/// Reads the body of a request to a group's `/action`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn group_action(body: &[u8]) -> Result<GroupAction, Error> {
    const DELETE: Form = Form::new(&[("delete-volumes", Rule::Bool)]);
    const NOTHING: Form = Form::new(&[]);
    const FAILOVER: Form =
        Form::new(&[("allow_attached_volume", Rule::Bool), ("secondary_backend_id", TEXT)]);
    let (action, argument) = one_action(body)?;
    let read = |form: &Form| argument_of(form, &action, &argument);
    let replicate = |form: &Form, what| read(form).map(|_| GroupAction::Replicate(what));
    match &*action {
        "delete" => {
            let delete_volumes = read(&DELETE)?.bool("delete-volumes").unwrap_or_default();
            Ok(GroupAction::Delete { delete_volumes })
        }
        "reset_status" => {
            Ok(GroupAction::ResetStatus(read(&RESET)?.text("status").unwrap_or_default()))
        }
        "enable_replication" => replicate(&NOTHING, Replication::Enable),
        "disable_replication" => replicate(&NOTHING, Replication::Disable),
        "failover_replication" => replicate(&FAILOVER, Replication::Failover),
        "list_replication_targets" => {
            read(&NOTHING)?;
            Ok(GroupAction::ReplicationTargets)
        }
        _ => Err(Error::UnknownAction { action: action.into() }),
    }
}

const SOURCE: Form = Form::new(&[
    ("name", TEXT),
    ("description", TEXT),
    ("source_group_id", Rule::Id { null: true }),
    ("group_snapshot_id", Rule::Id { null: true }),
]);

/// Reads the body of a request to `/groups/action`: a group that is to be made from something. One of
/// the two things may be null: there are clients that name both.
///
/// # Errors
/// [`Error`] with the status 400, or 404 before groups could be made so.
pub fn group_source_spec(body: &[u8], version: Microversion) -> Result<GroupSourceSpec, Error> {
    let (action, argument) = one_action(body)?;
    if action != "create-from-src" {
        return Err(Error::UnknownAction { action: action.into() });
    }
    if !version.at_least(SOURCE_SINCE) {
        return Err(Missing::Operation.into());
    }
    let members = argument_of(&SOURCE, &action, &argument)?;
    let repr = || python::repr(&argument);
    let source = match (members.text("source_group_id"), members.text("group_snapshot_id")) {
        (Some(group), None) => GroupSource::Group(group),
        (None, Some(snapshot)) => GroupSource::Snapshot(snapshot),
        (Some(_), Some(_)) => {
            let reason = format!(
                "{} is valid under each of {{'required': ['source_group_id']}}, {{'required': \
                 ['group_snapshot_id']}}",
                repr()
            );
            return Err(SchemaError::at(&action, &argument, reason).into());
        }
        (None, None) => {
            let reason = format!("{} is not valid under any of the given schemas", repr());
            return Err(SchemaError::at(&action, &argument, reason).into());
        }
    };
    Ok(GroupSourceSpec {
        name: trimmed(&members, "name"),
        description: trimmed(&members, "description"),
        source,
    })
}

/// Reads a body that asks for a group snapshot.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn group_snapshot_spec(body: &[u8]) -> Result<GroupSnapshotSpec, Error> {
    const FORM: Form = Form::new(&[("group_id", ID), ("name", TEXT), ("description", TEXT)])
        .required(&["group_id"]);
    let members = read(body, "group_snapshot", &FORM, &[])?;
    Ok(snapshot_spec(&members, "group_id"))
}

fn snapshot_spec(members: &Members, group: &str) -> GroupSnapshotSpec {
    GroupSnapshotSpec {
        group_id: members.text(group).unwrap_or_default(),
        name: trimmed(members, "name"),
        description: trimmed(members, "description"),
    }
}

/// Reads the body of a request to a group snapshot's `/action`: the status that it is to have.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn group_snapshot_action(body: &[u8]) -> Result<Box<str>, Error> {
    let (action, argument) = one_action(body)?;
    if action != "reset_status" {
        return Err(Error::UnknownAction { action: action.into() });
    }
    Ok(argument_of(&RESET, &action, &argument)?.text("status").unwrap_or_default())
}

/// Reads a body that asks for a consistency group. Clients send members of which nobody knows what
/// they are for; they are passed over in all bodies of this older API.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn consistency_spec(body: &[u8]) -> Result<GroupSpec, Error> {
    const FORM: Form = Form::new(&[
        ("name", TEXT),
        ("description", TEXT),
        ("volume_types", Rule::LongText),
        ("availability_zone", Rule::Text { min: 1, null: true }),
    ])
    .open(true);
    let members = read(body, "consistencygroup", &FORM, &[])?;
    let name = trimmed(&members, "name");
    let volume_types = listed(members.text("volume_types").as_deref(), "volume_types")?;
    if volume_types.is_empty() {
        let name = name.as_deref().unwrap_or("None");
        return Err(Error::request(format!(
            "volume_types must be provided to create consistency group {name}."
        )));
    }
    Ok(GroupSpec {
        name,
        description: trimmed(&members, "description"),
        group_type: "".into(),
        volume_types,
        availability_zone: members.text("availability_zone"),
    })
}

/// Reads a body that asks for a consistency group that is made from something.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn consistency_source_spec(body: &[u8]) -> Result<GroupSourceSpec, Error> {
    const KEY: &str = "consistencygroup-from-src";
    const FORM: Form = Form::new(&[
        ("name", TEXT),
        ("description", TEXT),
        ("cgsnapshot_id", Rule::Id { null: true }),
        ("source_cgid", Rule::Id { null: true }),
    ])
    .open(true);
    let members = read(body, KEY, &FORM, &[])?;
    let name = trimmed(&members, "name");
    let shown = name.as_deref().unwrap_or("None");
    let source = match (members.text("source_cgid"), members.text("cgsnapshot_id")) {
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
                "Must provide either 'cgsnapshot_id' or 'source_cgid' to create consistency group \
                 {shown} from source."
            )));
        }
    };
    let description = trimmed(&members, "description");
    Ok(GroupSourceSpec { name, description, source })
}

/// Reads a body that deletes a consistency group: whether its volumes go too. There may be none.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn consistency_delete(body: &[u8]) -> Result<bool, Error> {
    const FORM: Form = Form::new(&[("force", Rule::Bool)]).open(true);
    if body.is_empty() {
        return Ok(false);
    }
    Ok(read(body, "consistencygroup", &FORM, &[])?.bool("force").unwrap_or_default())
}

/// Reads a body that changes a consistency group.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn consistency_change(body: &[u8], version: Microversion) -> Result<GroupChange, Error> {
    let members = read(body, "consistencygroup", &CHANGE.open(true), &[])?;
    let said = members.0.values().any(|value| !matches!(value, Value::Null));
    if !said && !version.at_least(EMPTY_CHANGE_SINCE) {
        return Err(Error::request(
            "Name, description, add_volumes, and remove_volumes can not be all empty in the \
             request body.",
        ));
    }
    change(&members)
}

/// Reads a body that asks for a snapshot of a consistency group.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn cgsnapshot_spec(body: &[u8]) -> Result<GroupSnapshotSpec, Error> {
    const FORM: Form =
        Form::new(&[("consistencygroup_id", ID), ("name", TEXT), ("description", TEXT)])
            .required(&["consistencygroup_id"])
            .open(true);
    let members = read(body, "cgsnapshot", &FORM, &[])?;
    Ok(snapshot_spec(&members, "consistencygroup_id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_with_commas_have_each_item_once() {
        let body = br#"{"group": {"add_volumes": "a, b,,a", "remove_volumes": null}}"#;
        let change = group_change(body).unwrap();
        assert_eq!(change.add_volumes, ["a".into(), "b".into()]);
        assert_eq!(change.remove_volumes, []);
        let many = (0..=TEXTS_MAX).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let body = format!(r#"{{"group": {{"add_volumes": "{many}"}}}}"#);
        assert_eq!(group_change(body.as_bytes()).unwrap_err().status(), 400);
    }

    #[test]
    fn refusals_are_those_that_clients_know() {
        assert_eq!(
            group_change(br#"{"group": {}}"#).unwrap_err().to_string(),
            "Invalid input for field/attribute group. Value: {}. {} is not valid under any of the \
             given schemas"
        );
        assert_eq!(
            group_spec(br#"{"group": {"name": "x"}}"#).unwrap_err().to_string(),
            "Invalid input for field/attribute group. Value: {'name': 'x'}. 'group_type' is a \
             required property"
        );
        let source = |body: &str, minor| {
            group_source_spec(body.as_bytes(), Microversion::new(minor)).unwrap_err()
        };
        let id = "3aabe0a2-e12f-400f-a50d-443ba28ca542";
        let both = format!(
            r#"{{"create-from-src": {{"source_group_id": "{id}", "group_snapshot_id": "{id}"}}}}"#
        );
        assert!(source(&both, 70).to_string().ends_with(
            "is valid under each of {'required': ['source_group_id']}, {'required': \
             ['group_snapshot_id']}"
        ));
        assert_eq!(source(&both, 13).status(), 404);
        assert_eq!(source(r#"{"create-from-src": {}}"#, 70).status(), 400);
    }
}
