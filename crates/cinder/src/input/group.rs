//! Bodies about groups and their snapshots.

use serde_json::Value;

use super::{Action, argument_of, find_action, listed, one_action, parse_action};
use crate::{
    errors::Error,
    ops::{
        GroupChange, GroupSnapshotSpec, GroupSource, GroupSourceSpec, GroupSpec, Replication,
        check_group_snapshot_status, check_group_status,
    },
    schema::{
        Check, Field, Rule, Type, closed,
        format::Format,
        kinds::{BOOLEAN, DESCRIPTION, OBJECT, STRING, STRING_OR_NULL, TEXT, TEXT_OR_NULL, UUID},
        parse_member,
    },
    version::Microversion,
};

const ALL: Microversion = Microversion::MAX;

/// `POST /groups`.
// Cinder: cinder/api/schemas/groups.py, create.
pub(super) const CREATE: Rule =
    closed(&[Check::Fields(&[Field::required("group", GROUP)]), Check::Closed]);

pub(super) const GROUP: Rule = closed(&[
    Check::Fields(&[
        Field::new("description", DESCRIPTION),
        Field::required(
            "group_type",
            Rule { types: STRING, checks: &[Check::Format(Format::GroupType)] },
        ),
        Field::new("name", TEXT_OR_NULL),
        Field::required("volume_types", VOLUME_TYPES),
        Field::new(
            "availability_zone",
            Rule { types: STRING_OR_NULL, checks: &[Check::Format(Format::Zone)] },
        ),
    ]),
    Check::Closed,
]);

const VOLUME_TYPES: Rule = Rule {
    types: &[Type::Array],
    checks: &[Check::MinItems(1), Check::Items(&TEXT), Check::Unique],
};

/// Reads a body that asks for a group.
///
/// # Errors
/// [`Error`] with the status 400.
///
/// ```
/// use statehold_cinder::input::group_spec;
/// let spec = group_spec(br#"{"group": {"group_type": "g", "volume_types": ["a", "b"]}}"#)?;
/// assert_eq!((&*spec.group_type, spec.volume_types.len()), ("g", 2));
/// let twice = br#"{"group": {"group_type": "g", "volume_types": ["a", "a"]}}"#;
/// assert_eq!(group_spec(twice).unwrap_err().status(), 400);
/// # Ok::<(), statehold_cinder::Error>(())
/// ```
pub fn group_spec(body: &[u8]) -> Result<GroupSpec, Error> {
    let members = parse_member(body, "group", &CREATE, ALL)?;
    Ok(GroupSpec {
        name: members.trimmed("name"),
        description: members.trimmed("description"),
        group_type: members.text("group_type").unwrap_or_default(),
        volume_types: members.texts("volume_types"),
        availability_zone: members.text("availability_zone"),
    })
}

/// `PUT /groups/{id}`.
// Cinder: cinder/api/schemas/groups.py, update.
pub(super) const UPDATE: Rule =
    closed(&[Check::Fields(&[Field::required("group", CHANGE)]), Check::Closed]);

pub(super) const CHANGE: Rule = closed(&[
    Check::Fields(&[
        Field::new("description", DESCRIPTION),
        Field::new("name", TEXT_OR_NULL),
        Field::new("add_volumes", DESCRIPTION),
        Field::new("remove_volumes", DESCRIPTION),
    ]),
    Check::AnyOf(&["name", "description", "add_volumes", "remove_volumes"]),
    Check::Closed,
]);

/// Reads a body that changes a group.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn group_change(body: &[u8]) -> Result<GroupChange, Error> {
    let members = parse_member(body, "group", &UPDATE, ALL)?;
    Ok(GroupChange {
        name: members.trimmed("name"),
        description: members.trimmed("description"),
        add_volumes: listed(&members, "add_volumes")?,
        remove_volumes: listed(&members, "remove_volumes")?,
    })
}

/// An action on a group.
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

// Cinder: cinder/api/schemas/groups.py, reset_status.
pub(super) const RESET: Rule =
    closed(&[Check::Fields(&[Field::required("status", STATUS)]), Check::Closed]);

const STATUS: Rule =
    Rule { types: STRING, checks: &[Check::Format(Format::Status(check_group_status))] };

// Cinder: cinder/api/schemas/groups.py, delete.
pub(super) const DELETE: Rule =
    closed(&[Check::Fields(&[Field::new("delete-volumes", BOOLEAN)]), Check::Closed]);

// Cinder: cinder/api/schemas/groups.py, enable_replication, disable_replication and list_replication.
pub(super) const REPLICATE: Rule = OBJECT;

// Cinder: cinder/api/schemas/groups.py, failover_replication.
pub(super) const FAILOVER: Rule = closed(&[
    Check::Fields(&[
        Field::new("allow_attached_volume", BOOLEAN),
        Field::new("secondary_backend_id", TEXT_OR_NULL),
    ]),
    Check::Closed,
]);

/// The actions on a group.
pub(super) const ACTIONS: &[Action] = &[
    Action::new("delete", &DELETE),
    Action::since("reset_status", 20, &RESET),
    Action::since("enable_replication", 38, &REPLICATE),
    Action::since("disable_replication", 38, &REPLICATE),
    Action::since("failover_replication", 38, &FAILOVER),
    Action::since("list_replication_targets", 38, &REPLICATE),
];

/// Reads the body of a request to a group's `/action`.
///
/// # Errors
/// [`Error`] with the status 400, or 404 before the version of the action, with any argument.
pub fn group_action(body: &[u8], version: Microversion) -> Result<GroupAction, Error> {
    let (action, members) = parse_action(body, ACTIONS, version)?;
    Ok(match action {
        "delete" => {
            let delete_volumes = members.bool("delete-volumes").unwrap_or_default();
            GroupAction::Delete { delete_volumes }
        }
        "reset_status" => GroupAction::ResetStatus(members.lower("status").unwrap_or_default()),
        "enable_replication" => GroupAction::Replicate(Replication::Enable),
        "disable_replication" => GroupAction::Replicate(Replication::Disable),
        "failover_replication" => GroupAction::Replicate(Replication::Failover),
        "list_replication_targets" => GroupAction::ReplicationTargets,
        _ => return Err(Error::UnknownAction { action: action.into() }),
    })
}

/// `POST /groups/action`.
// Cinder: cinder/api/schemas/groups.py, create_from_source.
pub(super) const SOURCE: Rule = closed(&[
    Check::Fields(&[
        Field::new("description", DESCRIPTION),
        Field::new("name", TEXT_OR_NULL),
        Field::new("source_group_id", UUID),
        Field::new("group_snapshot_id", UUID),
    ]),
    Check::ExactlyOne(SOURCES),
    Check::Closed,
]);

/// The members that name the source of a group.
const SOURCES: &[&str] = &["group_snapshot_id", "source_group_id"];

/// The actions on all groups.
pub(super) const SOURCE_ACTIONS: &[Action] = &[Action::since("create-from-src", 14, &SOURCE)];

/// Reads the body of a request to `/groups/action`: a group that is created from another one, or from a
/// group snapshot.
///
/// # Errors
/// [`Error`] with the status 400, or 404 before groups could be created so.
pub fn group_source_spec(body: &[u8], version: Microversion) -> Result<GroupSourceSpec, Error> {
    let (action, mut argument) = one_action(body)?;
    let action = find_action(&action, SOURCE_ACTIONS, version)?;
    // openstacksdk sends both members, one of them null (openstack/block_storage/v3/group.py,
    // create_from_source), which the schema refuses: that client could not create such a group at all.
    if let Value::Object(members) = &mut argument
        && SOURCES.iter().any(|source| members.get(*source).is_some_and(Value::is_string))
    {
        members.retain(|name, value| !(value.is_null() && SOURCES.contains(&name.as_str())));
    }
    let members = argument_of(action, argument, version)?;
    let source = match (members.text("source_group_id"), members.text("group_snapshot_id")) {
        (Some(group), _) => GroupSource::Group(group),
        (None, snapshot) => GroupSource::Snapshot(snapshot.unwrap_or_default()),
    };
    Ok(GroupSourceSpec {
        name: members.trimmed("name"),
        description: members.trimmed("description"),
        source,
    })
}

/// `POST /group_snapshots`.
// Cinder: cinder/api/schemas/group_snapshots.py, create.
pub(super) const SNAPSHOT: Rule =
    closed(&[Check::Fields(&[Field::required("group_snapshot", GROUP_SNAPSHOT)]), Check::Closed]);

pub(super) const GROUP_SNAPSHOT: Rule = closed(&[
    Check::Fields(&[
        Field::required("group_id", UUID),
        Field::new("name", TEXT_OR_NULL),
        Field::new("description", DESCRIPTION),
    ]),
    Check::Closed,
]);

/// Reads a body that asks for a group snapshot.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn group_snapshot_spec(body: &[u8]) -> Result<GroupSnapshotSpec, Error> {
    let members = parse_member(body, "group_snapshot", &SNAPSHOT, ALL)?;
    Ok(GroupSnapshotSpec {
        group_id: members.text("group_id").unwrap_or_default(),
        name: members.trimmed("name"),
        description: members.trimmed("description"),
    })
}

// Cinder: cinder/api/schemas/group_snapshots.py, reset_status.
pub(super) const RESET_SNAPSHOT: Rule =
    closed(&[Check::Fields(&[Field::required("status", SNAPSHOT_STATUS)]), Check::Closed]);

const SNAPSHOT_STATUS: Rule =
    Rule { types: STRING, checks: &[Check::Format(Format::Status(check_group_snapshot_status))] };

/// The actions on a group snapshot.
pub(super) const SNAPSHOT_ACTIONS: &[Action] =
    &[Action::since("reset_status", 19, &RESET_SNAPSHOT)];

/// Reads the body of a request to a group snapshot's `/action`: the status that it is to have.
///
/// # Errors
/// [`Error`] with the status 400, or 404 before 3.19, with any status.
pub fn group_snapshot_action(body: &[u8], version: Microversion) -> Result<Box<str>, Error> {
    let (_, members) = parse_action(body, SNAPSHOT_ACTIONS, version)?;
    Ok(members.lower("status").unwrap_or_default())
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
    }

    #[test]
    fn early_versions_reject_an_action_before_its_argument() {
        let status = |action: &str, argument: &str, minor| {
            let body = format!(r#"{{"{action}": {argument}}}"#);
            group_action(body.as_bytes(), Microversion::new(minor)).unwrap_err().status()
        };
        for argument in ["null", "{}", r#"{"status": "zz"}"#] {
            assert_eq!(status("reset_status", argument, 19), 404, "{argument}");
            assert_eq!(status("reset_status", argument, 20), 400, "{argument}");
        }
        for action in ["enable_replication", "list_replication_targets"] {
            assert_eq!(status(action, "null", 37), 404, "{action}");
            assert_eq!(status(action, "null", 38), 400, "{action}");
        }
        assert_eq!(status("nope", "null", 13), 400, "an action that no version has");
        let reset = |minor| {
            let body = br#"{"reset_status": {"status": "zz"}}"#;
            group_snapshot_action(body, Microversion::new(minor)).unwrap_err().status()
        };
        assert_eq!((reset(18), reset(19)), (404, 400));
    }

    #[test]
    fn refusals_match_cinder() {
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
        let null = r#"{"create-from-src": {"source_group_id": null, "group_snapshot_id": null}}"#;
        assert_eq!(source(null, 70).status(), 400);
        let one = format!(
            r#"{{"create-from-src": {{"source_group_id": null, "group_snapshot_id": "{id}"}}}}"#
        );
        let spec = group_source_spec(one.as_bytes(), Microversion::MAX).unwrap();
        assert_eq!(spec.source, GroupSource::Snapshot(id.into()));
        assert_eq!(source(r#"{"create-from-src": {}}"#, 70).status(), 400);
    }
}
