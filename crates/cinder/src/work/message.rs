//! The messages to users about failed work.

use statehold_store::{WriteError, WriteTxn};

use super::outcome::{FailureCause, Outcome};
use crate::rows::{Message, Task, WorkItem, WorkTarget};

/// A code of a message with the words for it.
type Code = (&'static str, &'static str);

impl FailureCause {
    /// Returns the detail of the message about a task that failed for this cause.
    // Cinder: cinder/message/message_field.py, Detail.
    fn detail(self, task: &Task) -> Code {
        match (self, task) {
            (Self::NoBackend, _) => ("003", "Could not find any available weighted backend."),
            (Self::Quota, _) => ("006", "Not enough quota resource for operation."),
            (Self::NoBackupService, _) => {
                ("024", "Backup failed to schedule. Service not found for creating backup.")
            }
            // Cinder's words, and the reason.
            (Self::Attached, _) => ("027", "Volume status is invalid. The volume is attached."),
            (Self::HasSnapshots, _) => {
                ("027", "Volume status is invalid. The volume has snapshots.")
            }
            // Cinder: cinder/volume/manager.py, VolumeManager.extend_volume_completion.
            (Self::Extend, _) | (_, Task::ExtendVolume { .. }) => {
                ("010", "Volume Driver failed to extend volume.")
            }
            (cause, task) if cause.is_of_driver() => match task {
                // A move creates the volume at its destination.
                Task::CreateVolume { .. }
                | Task::ManageVolume { .. }
                | Task::RetypeVolume { .. }
                | Task::MigrateVolume { .. } => ("012", "Driver failed to create the volume."),
                Task::CreateSnapshot | Task::ManageSnapshot { .. } => {
                    ("013", "Snapshot failed to create.")
                }
                Task::DeleteSnapshot { .. } => ("016", "Snapshot failed to delete."),
                Task::CreateBackup => ("020", "Backup driver failed to create backup."),
                Task::DeleteBackup => ("025", "Backup driver failed to delete backup."),
                Task::RestoreBackup { .. } => ("026", "Backup driver failed to restore backup."),
                _ => UNKNOWN,
            },
            _ => UNKNOWN,
        }
    }
}

const UNKNOWN: Code = ("001", "An unknown error occurred.");

impl Task {
    /// Returns the action of a message about its failure, or `None` for a task without one: the reference
    /// writes no message about it, and clients know no code for it.
    // Cinder: cinder/message/message_field.py, Action.
    fn action(&self, cause: FailureCause) -> Option<Code> {
        let created = ("008", "create volume from backend storage");
        Some(match self {
            // The reference's scheduler fails before the back end is asked.
            Self::CreateVolume { .. } | Self::RetypeVolume { .. } | Self::MigrateVolume { .. }
                if !cause.is_of_driver() =>
            {
                ("001", "schedule allocate volume")
            }
            Self::CreateVolume { .. }
            | Self::ManageVolume { .. }
            | Self::RetypeVolume { .. }
            | Self::MigrateVolume { .. } => created,
            Self::DeleteVolume { keep_data: true } => ("006", "unmanage volume"),
            Self::ExtendVolume { .. } => ("007", "extend volume"),
            Self::CreateSnapshot | Self::ManageSnapshot { .. } => ("009", "create snapshot"),
            Self::DeleteSnapshot { .. } => ("010", "delete snapshot"),
            Self::CreateBackup | Self::CheckBackup => ("013", "create backup"),
            Self::DeleteBackup => ("014", "delete backup"),
            Self::RestoreBackup { .. } => ("015", "restore backup"),
            Self::DeleteVolume { keep_data: false }
            | Self::RevertVolume { .. }
            | Self::CreateGroup
            | Self::DeleteGroup => return None,
        })
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
    let Some((action, does)) = item.task.action(*cause) else { return Ok(()) };
    let resource_type = match item.kind {
        WorkTarget::Volume => "VOLUME",
        WorkTarget::Snapshot => "VOLUME_SNAPSHOT",
        WorkTarget::Backup => "VOLUME_BACKUP",
        // The reference has no messages about groups.
        WorkTarget::Group => return Ok(()),
    };
    // Cinder: cinder/message/api.py, API.create, joins the parts of `event_id`.
    let (detail, why) = cause.detail(&item.task);
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
