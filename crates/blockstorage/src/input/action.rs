//! Bodies of requests to a volume's `/action`.

use serde_json::Value;
use uuid::Uuid;

use super::one_action;
use crate::{
    Pairs,
    error::Error,
    ops::{AttachRequest, MigrateRequest, ReimageRequest, StatusReset, UploadRequest},
    schema::{Form, Members, Rule},
    version::Microversion,
};

/// From this version on volumes can go back to snapshots.
const REVERT_SINCE: u16 = 40;

/// From this version on images have a visibility.
const VISIBILITY_SINCE: u16 = 1;

/// From this version on images can be put on volumes.
const REIMAGE_SINCE: u16 = 68;

/// What is to be done with a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeAction {
    /// `os-attach`.
    Attach(AttachRequest),
    /// `os-detach`, from all or by one attachment.
    Detach(Option<Uuid>),
    /// `os-reserve`.
    Reserve,
    /// `os-unreserve`.
    Unreserve,
    /// `os-begin_detaching`.
    BeginDetaching,
    /// `os-roll_detaching`.
    RollDetaching,
    /// `os-initialize_connection`, with the connector as JSON.
    InitializeConnection(Box<str>),
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
    /// `os-force_detach`, of one attachment.
    ForceDetach(Option<Uuid>),
    /// `os-migrate_volume`.
    Migrate(MigrateRequest),
    /// `os-migrate_volume_completion`.
    MigrateCompletion {
        /// The volume that was copied to.
        new_volume: Uuid,
        /// Whether the copying failed.
        failed: bool,
    },
    /// `os-unmanage`.
    Unmanage,
    /// `os-volume_upload_image`.
    UploadImage(UploadRequest),
    /// `os-reimage`.
    Reimage(ReimageRequest),
}

const ATTACH: Form = Form::new(&[
    ("mountpoint", Rule::Text { min: 1, null: false }),
    ("instance_uuid", Rule::Id { null: false }),
    ("host_name", Rule::Text { min: 0, null: false }),
    ("mode", Rule::OneOf { texts: &["rw", "ro"], null: false }),
])
.required(&["mountpoint"])
.any_of(&["instance_uuid", "host_name"]);

const DETACH: Form = Form::new(&[
    ("attachment_id", Rule::Id { null: true }),
    ("connector", Rule::Object { min: 0, null: true }),
]);
const CONNECTION: Form = Form::new(&[("connector", Rule::Any)]).required(&["connector"]);
const EXTEND: Form = Form::new(&[("new_size", Rule::Size { null: false })]).required(&["new_size"]);
const BOOTABLE: Form = Form::new(&[("bootable", Rule::Bool)]).required(&["bootable"]);
const READONLY: Form = Form::new(&[("readonly", Rule::Bool)]).required(&["readonly"]);
const RETYPE: Form = Form::new(&[
    ("new_type", Rule::Text { min: 0, null: false }),
    ("migration_policy", Rule::OneOf { texts: &["on-demand", "never"], null: true }),
])
.required(&["new_type"]);
const REVERT: Form =
    Form::new(&[("snapshot_id", Rule::Id { null: false })]).required(&["snapshot_id"]);
const SET_IMAGE: Form =
    Form::new(&[("metadata", Rule::Meta { null: false })]).required(&["metadata"]);
const UNSET_IMAGE: Form =
    Form::new(&[("key", Rule::Text { min: 1, null: false })]).required(&["key"]);
const RESET: Form = Form::new(&[
    ("status", Rule::Text { min: 0, null: true }),
    ("attach_status", Rule::Text { min: 0, null: true }),
    ("migration_status", Rule::Text { min: 0, null: true }),
]);
const MIGRATE: Form = Form::new(&[
    ("host", Rule::Text { min: 0, null: true }),
    ("cluster", Rule::Text { min: 0, null: true }),
    ("force_host_copy", Rule::Bool),
    ("lock_volume", Rule::Bool),
]);

const COMPLETION: Form =
    Form::new(&[("new_volume", Rule::Id { null: false }), ("error", Rule::Bool)])
        .required(&["new_volume"]);
const DISK_FORMAT: Rule =
    Rule::OneOf { texts: &["raw", "vmdk", "vdi", "qcow2", "vhd", "vhdx", "ploop"], null: false };
const EARLY_UPLOAD: Form = Form::new(&[
    ("image_name", Rule::Text { min: 1, null: false }),
    ("force", Rule::Bool),
    ("disk_format", DISK_FORMAT),
    ("container_format", Rule::Text { min: 0, null: false }),
])
.required(&["image_name"]);
const UPLOAD: Form = Form::new(&[
    ("image_name", Rule::Text { min: 1, null: false }),
    ("force", Rule::Bool),
    ("disk_format", DISK_FORMAT),
    ("container_format", Rule::Text { min: 0, null: false }),
    (
        "visibility",
        Rule::OneOf { texts: &["community", "public", "private", "shared"], null: false },
    ),
    ("protected", Rule::Bool),
])
.required(&["image_name"]);
const REIMAGE: Form =
    Form::new(&[("image_id", Rule::Id { null: false }), ("reimage_reserved", Rule::Bool)])
        .required(&["image_id"]);

/// Reads the body of a request to a volume's `/action`, before the volume is looked for.
///
/// # Errors
/// [`Error`] with the status 400; [`Error::UnknownAction`] also for one that came with a later version.
pub fn volume_action(body: &[u8], version: Microversion) -> Result<VolumeAction, Error> {
    let (action, argument) = one_action(body)?;
    let read = |form: &Form| -> Result<Members, Error> {
        form.check(&action, &argument)?;
        match &argument {
            Value::Object(members) => Ok(Members(members.clone())),
            _ => Ok(Members::default()),
        }
    };
    let missing = || Error::Malformed;
    Ok(match &*action {
        "os-attach" => {
            let members = read(&ATTACH)?;
            VolumeAction::Attach(AttachRequest {
                instance: members.id("instance_uuid"),
                host: members.text("host_name"),
                mountpoint: members.text("mountpoint").unwrap_or_default(),
                mode: members.text("mode"),
            })
        }
        "os-detach" if argument.is_null() => VolumeAction::Detach(None),
        "os-detach" => VolumeAction::Detach(read(&DETACH)?.id("attachment_id")),
        "os-reserve" => VolumeAction::Reserve,
        "os-unreserve" => VolumeAction::Unreserve,
        "os-begin_detaching" => VolumeAction::BeginDetaching,
        "os-roll_detaching" => VolumeAction::RollDetaching,
        "os-initialize_connection" | "os-terminate_connection" => {
            let members = read(&CONNECTION)?;
            let connector = members.0.get("connector").map(Value::to_string).unwrap_or_default();
            if action == "os-initialize_connection" {
                VolumeAction::InitializeConnection(connector.into())
            } else {
                VolumeAction::TerminateConnection(connector.into())
            }
        }
        "os-extend" => VolumeAction::Extend(read(&EXTEND)?.size("new_size").ok_or_else(missing)?),
        "os-set_bootable" => {
            VolumeAction::SetBootable(read(&BOOTABLE)?.bool("bootable").ok_or_else(missing)?)
        }
        "os-update_readonly_flag" => {
            VolumeAction::SetReadonly(read(&READONLY)?.bool("readonly").ok_or_else(missing)?)
        }
        "os-retype" => {
            let members = read(&RETYPE)?;
            VolumeAction::Retype {
                new_type: members.text("new_type").unwrap_or_default(),
                may_migrate: members.text("migration_policy").as_deref() == Some("on-demand"),
            }
        }
        "revert" if version.at_least(REVERT_SINCE) => {
            VolumeAction::Revert(read(&REVERT)?.id("snapshot_id").ok_or_else(missing)?)
        }
        "os-set_image_metadata" => {
            VolumeAction::SetImageMetadata(read(&SET_IMAGE)?.pairs("metadata").unwrap_or_default())
        }
        "os-show_image_metadata" => VolumeAction::ShowImageMetadata,
        "os-unset_image_metadata" => {
            VolumeAction::UnsetImageMetadata(read(&UNSET_IMAGE)?.text("key").unwrap_or_default())
        }
        "os-reset_status" => {
            let members = read(&RESET)?;
            VolumeAction::ResetStatus(StatusReset {
                status: members.text("status"),
                attach_status: members.text("attach_status"),
                migration_status: members.text("migration_status"),
            })
        }
        "os-force_delete" => VolumeAction::ForceDelete,
        "os-force_detach" => VolumeAction::ForceDetach(read(&DETACH)?.id("attachment_id")),
        "os-migrate_volume" => {
            let members = read(&MIGRATE)?;
            VolumeAction::Migrate(MigrateRequest {
                host: members.text("host"),
                cluster: members.text("cluster"),
                force_host_copy: members.bool("force_host_copy").unwrap_or_default(),
                lock_volume: members.bool("lock_volume").unwrap_or_default(),
            })
        }
        "os-migrate_volume_completion" => {
            let members = read(&COMPLETION)?;
            VolumeAction::MigrateCompletion {
                new_volume: members.id("new_volume").ok_or_else(missing)?,
                failed: members.bool("error").unwrap_or_default(),
            }
        }
        "os-unmanage" => VolumeAction::Unmanage,
        "os-volume_upload_image" => {
            let later = version.at_least(VISIBILITY_SINCE);
            let members = read(if later { &UPLOAD } else { &EARLY_UPLOAD })?;
            let public = members.text("visibility").as_deref() == Some("public");
            VolumeAction::UploadImage(UploadRequest { public })
        }
        "os-reimage" if version.at_least(REIMAGE_SINCE) => {
            let members = read(&REIMAGE)?;
            VolumeAction::Reimage(ReimageRequest {
                image: members.id("image_id").ok_or_else(missing)?,
                reserved: members.bool("reimage_reserved").unwrap_or_default(),
            })
        }
        _ => return Err(Error::UnknownAction { action: action.into() }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_action_and_a_known_one() {
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
        assert!(volume_action(revert, Microversion::new(39)).is_err());
    }
}
