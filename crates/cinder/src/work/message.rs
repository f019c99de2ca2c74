//! The messages to users about failed work.

use statehold_store::{WriteError, WriteTxn};

use super::outcome::{FailureCause, Outcome};
use crate::rows::{Message, Task, WorkItem, WorkTarget};

impl FailureCause {
    // Cinder: cinder/message/message_field.py, Detail.
    fn code(self) -> (&'static str, &'static str) {
        match self {
            Self::Unknown => ("001", "An unknown error occurred."),
            Self::NoBackend => ("003", "Could not find any available weighted backend."),
            Self::Quota => ("006", "Not enough quota resource for operation."),
            Self::Extend => ("010", "Volume Driver failed to extend volume."),
            Self::NoBackupService => {
                ("024", "Backup failed to schedule. Service not found for creating backup.")
            }
        }
    }
}

impl Task {
    /// Returns the code and description of the action in messages.
    // Cinder: cinder/message/message_field.py, Action.
    fn code(&self) -> (&'static str, &'static str) {
        match self {
            Self::CreateVolume { .. } | Self::CreateGroup => ("001", "schedule allocate volume"),
            Self::DeleteVolume { .. } => ("006", "unmanage volume"),
            Self::ExtendVolume { .. } => ("007", "extend volume"),
            Self::ManageVolume { .. } => ("008", "create volume from backend storage"),
            Self::CreateSnapshot | Self::ManageSnapshot { .. } => ("009", "create snapshot"),
            Self::DeleteSnapshot { .. } => ("010", "delete snapshot"),
            Self::CreateBackup | Self::CheckBackup => ("013", "create backup"),
            Self::DeleteBackup => ("014", "delete backup"),
            Self::RestoreBackup { .. } => ("015", "restore backup"),
            Self::RetypeVolume { .. } | Self::MigrateVolume { .. } | Self::RevertVolume { .. } => {
                ("000", "change volume")
            }
            Self::DeleteGroup => ("000", "delete group"),
        }
    }
}

/// Adds a message for the users of a project if the work failed.
pub(super) fn add_message(
    txn: &mut WriteTxn<'_>,
    now: i64,
    project: &str,
    item: &WorkItem,
    outcome: &Outcome,
) -> Result<(), WriteError> {
    let Outcome::Failed { cause, message } = outcome else { return Ok(()) };
    let resource_type = match item.kind {
        WorkTarget::Volume => "VOLUME",
        WorkTarget::Snapshot => "VOLUME_SNAPSHOT",
        WorkTarget::Backup => "VOLUME_BACKUP",
        WorkTarget::Group => "GROUP",
    };
    // Cinder: cinder/volume/manager.py, VolumeManager.extend_volume_completion.
    let cause = match (&item.task, cause) {
        (Task::ExtendVolume { .. }, FailureCause::Unknown) => FailureCause::Extend,
        _ => *cause,
    };
    // Cinder: cinder/message/api.py, API.create, joins the parts of `event_id`.
    let ((action, does), (detail, why)) = (item.task.code(), cause.code());
    txn.upsert::<Message>(Message {
        id: *message,
        project_id: project.into(),
        event_id: format!("VOLUME_{resource_type}_{action}_{detail}").into(),
        user_message: format!("{does}:{why}").into(),
        resource_type: resource_type.into(),
        resource_uuid: item.target,
        request_id: item.request_id.clone(),
        created_at: now,
    })?;
    Ok(())
}
