//! Bodies of requests to a volume's `/action`.

use serde_json::Value;
use uuid::Uuid;

use super::{Action, argument_of, find_action, one_action};
use crate::{
    Pairs,
    errors::Error,
    ops::{
        AttachRequest, MigrateRequest, ReimageRequest, StatusReset, UploadRequest,
        check_attach_status, check_migration_status, check_volume_status,
    },
    schema::{
        Check, Field, Members, Rule, Type, boolean_text, closed,
        format::Format,
        kinds::{
            ANY, BOOLEAN, DESCRIPTION, META, MODE, OBJECT_OR_STRING, OBJECT_STRING_OR_NULL, SIZE,
            STRING_OR_NULL, TEXT, TEXT_1, TEXT_OR_NULL, UNBOUNDED, UNBOUNDED_OR_NULL, UUID,
            UUID_OR_NULL,
        },
    },
    version::Microversion,
};

/// An action on a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeAction {
    /// `os-attach`.
    Attach(AttachRequest),
    /// `os-detach`, of the only attachment or of one.
    Detach(Option<Box<str>>),
    /// `os-reserve`.
    Reserve,
    /// `os-unreserve`.
    Unreserve,
    /// `os-begin_detaching`.
    BeginDetaching,
    /// `os-roll_detaching`.
    RollDetaching,
    /// `os-initialize_connection`, from the host that the connector names.
    InitializeConnection(Option<Box<str>>),
    /// `os-terminate_connection`, with the connector as JSON.
    TerminateConnection(Box<str>),
    /// `os-extend`, to a size in GiB.
    Extend(u32),
    /// `os-set_bootable`.
    SetBootable(bool),
    /// `os-update_readonly_flag`.
    SetReadonly(bool),
    /// `os-retype`.
    Retype {
        /// The new type, by ID or name.
        new_type: Box<str>,
        /// Whether the volume may move for it.
        may_migrate: bool,
    },
    /// `revert`, to a snapshot.
    Revert(Uuid),
    /// `os-set_image_metadata`.
    SetImageMetadata(Pairs),
    /// `os-show_image_metadata`.
    ShowImageMetadata,
    /// `os-unset_image_metadata`, of one key.
    UnsetImageMetadata(Box<str>),
    /// `os-reset_status`.
    ResetStatus(StatusReset),
    /// `os-force_delete`.
    ForceDelete,
    /// `os-force_detach`, of the only attachment or of one.
    ForceDetach(Option<Box<str>>),
    /// `os-migrate_volume`.
    Migrate(MigrateRequest),
    /// `os-migrate_volume_completion`.
    MigrateCompletion {
        /// The volume that was copied to.
        new_volume: Uuid,
        /// Whether the copying failed.
        failed: bool,
    },
    /// `os-extend_volume_completion`.
    ExtendCompletion {
        /// Whether the host failed to extend its device.
        failed: bool,
    },
    /// `os-unmanage`.
    Unmanage,
    /// `os-volume_upload_image`.
    UploadImage(UploadRequest),
    /// `os-reimage`.
    Reimage(ReimageRequest),
}

// Cinder: cinder/api/schemas/volume_actions.py, attach.
pub(super) const ATTACH: Rule = closed(&[
    Check::Fields(&[
        Field::new("instance_uuid", UUID),
        Field::required("mountpoint", TEXT_1),
        Field::new("host_name", TEXT),
        Field::new("mode", MODE),
    ]),
    Check::AnyOf(&["instance_uuid", "host_name"]),
    Check::Closed,
]);

// Cinder: cinder/api/schemas/volume_actions.py, detach.
pub(super) const DETACH: Rule = Rule {
    types: &[Type::Object, Type::Null],
    checks: &[Check::Fields(&[Field::new("attachment_id", UUID_OR_NULL)]), Check::Closed],
};

// Cinder: cinder/api/schemas/admin_actions.py, force_detach.
pub(super) const FORCE_DETACH: Rule = closed(&[
    Check::Fields(&[
        Field::new("connector", OBJECT_STRING_OR_NULL),
        Field::new("attachment_id", UNBOUNDED_OR_NULL),
    ]),
    Check::Closed,
]);

// Cinder: cinder/api/schemas/volume_actions.py, initialize_connection.
pub(super) const CONNECT: Rule =
    closed(&[Check::Fields(&[Field::required("connector", OBJECT_OR_STRING)]), Check::Closed]);

// Cinder: cinder/api/schemas/volume_actions.py, terminate_connection.
pub(super) const DISCONNECT: Rule =
    closed(&[Check::Fields(&[Field::required("connector", OBJECT_STRING_OR_NULL)]), Check::Closed]);

// Cinder: cinder/api/schemas/volume_actions.py, extend.
pub(super) const EXTEND: Rule =
    closed(&[Check::Fields(&[Field::required("new_size", SIZE)]), Check::Closed]);

// Cinder: cinder/api/schemas/volume_actions.py, set_bootable.
pub(super) const BOOTABLE: Rule =
    closed(&[Check::Fields(&[Field::required("bootable", BOOLEAN)]), Check::Closed]);

// Cinder: cinder/api/schemas/volume_actions.py, volume_readonly_update.
pub(super) const READONLY: Rule =
    closed(&[Check::Fields(&[Field::required("readonly", BOOLEAN)]), Check::Closed]);

// Cinder: cinder/api/schemas/volume_actions.py, retype.
pub(super) const RETYPE: Rule = closed(&[
    Check::Fields(&[
        Field::required("new_type", UNBOUNDED),
        Field::new(
            "migration_policy",
            // The type allows null, the list of values does not.
            Rule { types: STRING_OR_NULL, checks: &[Check::OneOf(&["on-demand", "never"])] },
        ),
    ]),
    Check::Closed,
]);

// Cinder has no schema for it: cinder/api/v3/volumes.py, revert.
pub(super) const REVERT: Rule =
    closed(&[Check::Fields(&[Field::required("snapshot_id", UUID)]), Check::Closed]);

// Cinder: cinder/api/schemas/volume_image_metadata.py, set_image_metadata.
pub(super) const SET_IMAGE: Rule =
    closed(&[Check::Fields(&[Field::required("metadata", META)]), Check::Closed]);

// Cinder: cinder/api/schemas/volume_image_metadata.py, unset_image_metadata.
pub(super) const UNSET_IMAGE: Rule =
    closed(&[Check::Fields(&[Field::required("key", TEXT_1)]), Check::Closed]);

// Cinder: cinder/api/schemas/admin_actions.py, reset.
pub(super) const RESET: Rule = closed(&[
    Check::Format(Format::StatusReset),
    Check::Fields(&[
        Field::new("status", status(VOLUME_STATUS)),
        Field::new("attach_status", status(ATTACH_STATUS)),
        Field::new("migration_status", status(MIGRATION_STATUS)),
    ]),
    Check::Closed,
]);

const VOLUME_STATUS: &[Check] = &[Check::Format(Format::Status(check_volume_status))];
const ATTACH_STATUS: &[Check] = &[Check::Format(Format::Status(check_attach_status))];
const MIGRATION_STATUS: &[Check] = &[Check::Format(Format::Status(check_migration_status))];

const fn status(checks: &'static [Check]) -> Rule {
    Rule { types: STRING_OR_NULL, checks }
}

// Cinder: cinder/api/schemas/admin_actions.py, migrate_volume and migrate_volume_v316.
pub(super) const EARLY_MIGRATE: Rule = closed(&[
    Check::Fields(&[
        Field::required("host", TEXT),
        Field::new("force_host_copy", BOOLEAN),
        Field::new("lock_volume", BOOLEAN),
    ]),
    Check::Closed,
]);
pub(super) const MIGRATE: Rule = closed(&[
    Check::Fields(&[
        Field::new("host", TEXT_OR_NULL),
        Field::new("force_host_copy", BOOLEAN),
        Field::new("lock_volume", BOOLEAN),
        Field::new("cluster", TEXT_OR_NULL),
    ]),
    Check::Closed,
]);

// Cinder: cinder/api/schemas/admin_actions.py, migrate_volume_completion.
pub(super) const COMPLETION: Rule = closed(&[
    Check::Fields(&[
        Field::required("new_volume", UUID),
        Field::new(
            "error",
            Rule { types: &[Type::String, Type::Null, Type::Boolean], checks: &[] },
        ),
    ]),
    Check::Closed,
]);

// Cinder: cinder/api/schemas/admin_actions.py, extend_volume_completion.
pub(super) const EXTEND_COMPLETION: Rule = closed(&[
    Check::Fields(&[Field::new(
        "error",
        Rule { types: &[Type::String, Type::Null, Type::Boolean], checks: &[] },
    )]),
    Check::Closed,
]);

// Cinder: cinder/api/schemas/volume_actions.py, volume_upload_image and volume_upload_image_v31.
pub(super) const UPLOAD: Rule = closed(&[
    Check::Fields(&[
        Field::required("image_name", TEXT_1),
        Field::new("force", BOOLEAN),
        Field::new("disk_format", one_of(DISK_FORMATS)),
        Field::new("container_format", DESCRIPTION),
        Field::since("visibility", 1, one_of(VISIBILITIES)),
        Field::since("protected", 1, BOOLEAN),
    ]),
    Check::Closed,
]);

const DISK_FORMATS: &[Check] =
    &[Check::OneOf(&["raw", "vmdk", "vdi", "qcow2", "vhd", "vhdx", "ploop"])];
const VISIBILITIES: &[Check] = &[Check::OneOf(&["community", "public", "private", "shared"])];

const fn one_of(checks: &'static [Check]) -> Rule {
    Rule { types: &[Type::String], checks }
}

// Cinder: cinder/api/schemas/volume_actions.py, reimage.
pub(super) const REIMAGE: Rule = closed(&[
    Check::Fields(&[Field::required("image_id", UUID), Field::new("reimage_reserved", BOOLEAN)]),
    Check::Closed,
]);

/// The actions on a volume.
pub(super) const ACTIONS: &[Action] = &[
    Action::new("os-attach", &ATTACH),
    Action::new("os-detach", &DETACH),
    Action::new("os-reserve", &ANY),
    Action::new("os-unreserve", &ANY),
    Action::new("os-begin_detaching", &ANY),
    Action::new("os-roll_detaching", &ANY),
    Action::new("os-initialize_connection", &CONNECT),
    Action::new("os-terminate_connection", &DISCONNECT),
    Action::new("os-extend", &EXTEND),
    Action::new("os-set_bootable", &BOOTABLE),
    Action::new("os-update_readonly_flag", &READONLY),
    Action::new("os-retype", &RETYPE),
    Action::since("revert", 40, &REVERT),
    Action::new("os-set_image_metadata", &SET_IMAGE),
    Action::new("os-show_image_metadata", &ANY),
    Action::new("os-unset_image_metadata", &UNSET_IMAGE),
    Action::new("os-reset_status", &RESET),
    Action::new("os-force_delete", &ANY),
    Action::new("os-force_detach", &FORCE_DETACH),
    Action::new("os-migrate_volume", &EARLY_MIGRATE),
    Action::since("os-migrate_volume", 16, &MIGRATE),
    Action::new("os-migrate_volume_completion", &COMPLETION),
    Action::since("os-extend_volume_completion", 71, &EXTEND_COMPLETION),
    Action::new("os-unmanage", &ANY),
    Action::new("os-volume_upload_image", &UPLOAD),
    Action::since("os-reimage", 68, &REIMAGE),
];

/// Reads the body of a request to a volume's `/action`, before the volume is looked for.
///
/// # Errors
/// [`Error`] with the status 400; [`Missing::Operation`](crate::Missing::Operation) for an action that
/// came with a later version.
pub fn volume_action(body: &[u8], version: Microversion) -> Result<VolumeAction, Error> {
    let (name, argument) = one_action(body)?;
    let action = find_action(&name, ACTIONS, version)?;
    // Cinder: cinder/api/openstack/wsgi.py, Controller.assert_valid_body.
    if action.name == "revert" && !argument.is_object() {
        return Err(Error::request("Missing required element 'revert' in request body."));
    }
    let members = argument_of(action, argument, version)?;
    let missing = || Error::Malformed;
    Ok(match action.name {
        "os-attach" => VolumeAction::Attach(AttachRequest {
            instance: members.id("instance_uuid"),
            host: members.text("host_name"),
            mountpoint: members.text("mountpoint").unwrap_or_default(),
            mode: members.text("mode"),
        }),
        "os-detach" => VolumeAction::Detach(attachment_of(&members)),
        "os-reserve" => VolumeAction::Reserve,
        "os-unreserve" => VolumeAction::Unreserve,
        "os-begin_detaching" => VolumeAction::BeginDetaching,
        "os-roll_detaching" => VolumeAction::RollDetaching,
        "os-initialize_connection" => VolumeAction::InitializeConnection(host_of(&members)),
        "os-terminate_connection" => VolumeAction::TerminateConnection(connector_of(&members)),
        "os-extend" => VolumeAction::Extend(members.size("new_size").ok_or_else(missing)?),
        "os-set_bootable" => {
            VolumeAction::SetBootable(members.bool("bootable").ok_or_else(missing)?)
        }
        "os-update_readonly_flag" => {
            VolumeAction::SetReadonly(members.bool("readonly").ok_or_else(missing)?)
        }
        "os-retype" => VolumeAction::Retype {
            new_type: members.text("new_type").unwrap_or_default(),
            may_migrate: members.text("migration_policy").as_deref() == Some("on-demand"),
        },
        "revert" => VolumeAction::Revert(members.id("snapshot_id").ok_or_else(missing)?),
        "os-set_image_metadata" => {
            VolumeAction::SetImageMetadata(members.pairs("metadata").unwrap_or_default())
        }
        "os-show_image_metadata" => VolumeAction::ShowImageMetadata,
        "os-unset_image_metadata" => {
            VolumeAction::UnsetImageMetadata(members.text("key").unwrap_or_default())
        }
        "os-reset_status" => VolumeAction::ResetStatus(StatusReset {
            status: members.lower("status"),
            attach_status: members.lower("attach_status"),
            migration_status: members.lower("migration_status"),
        }),
        "os-force_delete" => VolumeAction::ForceDelete,
        "os-force_detach" => VolumeAction::ForceDetach(attachment_of(&members)),
        "os-migrate_volume" => VolumeAction::Migrate(migrate_request(&members)),
        "os-migrate_volume_completion" => VolumeAction::MigrateCompletion {
            new_volume: members.id("new_volume").ok_or_else(missing)?,
            failed: members.bool("error").unwrap_or_default(),
        },
        "os-extend_volume_completion" => {
            let failed = has_failed(&members);
            VolumeAction::ExtendCompletion { failed }
        }
        "os-unmanage" => VolumeAction::Unmanage,
        "os-volume_upload_image" => {
            let public = members.text("visibility").as_deref() == Some("public");
            VolumeAction::UploadImage(UploadRequest { public })
        }
        "os-reimage" => VolumeAction::Reimage(ReimageRequest {
            image: members.id("image_id").ok_or_else(missing)?,
            reserved: members.bool("reimage_reserved").unwrap_or_default(),
        }),
        action => return Err(Error::UnknownAction { action: action.into() }),
    })
}

fn migrate_request(members: &Members) -> MigrateRequest {
    MigrateRequest {
        host: members.text("host").filter(|host| !host.is_empty()),
        cluster: members.text("cluster").filter(|cluster| !cluster.is_empty()),
        force_host_copy: members.bool("force_host_copy").unwrap_or_default(),
        lock_volume: members.bool("lock_volume").unwrap_or_default(),
    }
}

/// Returns the attachment that a detachment names; an empty ID is none.
fn attachment_of(detachment: &Members) -> Option<Box<str>> {
    detachment.text("attachment_id").filter(|id| !id.is_empty())
}

/// Returns the JSON of the host that a connection is opened to or closed from.
fn connector_of(connection: &Members) -> Box<str> {
    connection.0.get("connector").map(Value::to_string).unwrap_or_default().into()
}

/// Returns the host that a connector names; an empty name is none.
fn host_of(connection: &Members) -> Option<Box<str>> {
    let host = connection.0.get("connector")?.get("host")?.as_str();
    host.filter(|host| !host.is_empty()).map(Box::from)
}

/// Whether the host that completes an extension reports an error.
fn has_failed(completion: &Members) -> bool {
    match completion.0.get("error") {
        Some(Value::Bool(failed)) => *failed,
        // Any other string is a failure that the host describes.
        Some(Value::String(text)) => boolean_text(text).unwrap_or(!text.is_empty()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::Missing;

    #[test]
    fn bodies_have_exactly_one_known_action() {
        let text =
            |body: &str| volume_action(body.as_bytes(), Microversion::MAX).unwrap_err().to_string();
        assert_eq!(text(r#"{"os-reserve": {}, "os-unreserve": {}}"#), "Malformed request body");
        assert_eq!(text("{}"), "Malformed request body");
        assert_eq!(
            text(r#"{"os-nope": {}}"#),
            "There is no such action: os-nope. Verify the request body and Content-Type header \
             and try again."
        );
        assert_eq!(
            text(r#"{"os-extend": {}}"#),
            "Invalid input for field/attribute os-extend. Value: {}. 'new_size' is a required \
             property"
        );
        assert_eq!(
            text(r#"{"os-attach": {"mountpoint": "/dev/x"}}"#),
            "Invalid input for field/attribute os-attach. Value: {'mountpoint': '/dev/x'}. \
             {'mountpoint': '/dev/x'} is not valid under any of the given schemas"
        );
        let revert = br#"{"revert": {"snapshot_id": "30e6632e-3432-4cd1-84a1-a9905457833e"}}"#;
        assert!(volume_action(revert, Microversion::MAX).is_ok());
        for early in [&revert[..], br#"{"revert": null}"#] {
            let error = volume_action(early, Microversion::new(39)).unwrap_err();
            assert_eq!(error, Missing::Operation.into());
        }
        for argument in ["null", "[]", "1", r#""x""#] {
            let body = format!(r#"{{"revert": {argument}}}"#);
            let expected = "Missing required element 'revert' in request body.";
            assert_eq!(text(&body), expected, "{argument}");
        }
        let reimage = br#"{"os-reimage": {}}"#;
        let status = |minor| volume_action(reimage, Microversion::new(minor)).unwrap_err().status();
        assert_eq!((status(67), status(68)), (404, 400));
    }

    #[test]
    fn extend_completion_takes_an_optional_error() {
        let read = |error: &str, minor: u16| {
            let body = format!(r#"{{"os-extend_volume_completion": {{{error}}}}}"#);
            volume_action(body.as_bytes(), Microversion::new(minor))
        };
        for (error, failed) in [
            ("", false),
            (r#""error": null"#, false),
            (r#""error": false"#, false),
            (r#""error": "False""#, false),
            (r#""error": """#, false),
            (r#""error": true"#, true),
            (r#""error": "no route""#, true),
        ] {
            assert_eq!(read(error, 71), Ok(VolumeAction::ExtendCompletion { failed }), "{error}");
        }
        let text = read(r#""error": 1"#, 71).unwrap_err().to_string();
        assert!(text.ends_with("1 is not of type 'string', 'null', 'boolean'"), "{text}");
        assert!(read(r#""other": 1"#, 71).is_err());
        assert_eq!(read("", 70), Err(Missing::Operation.into()));
    }
}
