//! What came of work, and what users are told of it.

use statehold_store::{ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::{
    backup::finish_backup,
    group::{self, finish_group},
    snapshot::finish_snapshot,
    volume::{finish_volume, note_awaited},
};
use crate::{
    config::Config,
    rows::{Message, Snapshot, SnapshotStatus, Task, Volume, VolumeStatus, WorkItem, WorkTarget},
    totals,
};

/// Where a volume was put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Its back end, `host@backend#pool`.
    pub host: Box<str>,
    /// The service that holds it.
    pub service: Option<Uuid>,
    /// Whether the back end shares targets.
    pub shared_targets: Option<bool>,
    /// Its availability zone; `None` leaves that of the volume.
    pub zone: Option<Box<str>>,
}

/// What came of work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is done.
    Done {
        /// Where the volume is now, if it moved.
        moved: Option<Placement>,
        /// What the back end calls it, if it says.
        provider_id: Option<Box<str>>,
    },
    /// A backup is made.
    BackedUp {
        /// How many files it has of its own.
        objects: u32,
    },
    /// A volume is taken over.
    Managed {
        /// Its size in GiB.
        size: u32,
        /// The ID of the message if its project may not have that much.
        message: Uuid,
    },
    /// The back end's part of an extension is done, and the host that uses the volume completes it with
    /// [`complete_extend`](crate::complete_extend). The work stays in the queue until then.
    AwaitsHost,
    /// It can't be done while others use it; the row is as it was before.
    Busy,
    /// It failed.
    Failed {
        /// Why.
        cause: FailureCause,
        /// The ID of the message that tells the user.
        message: Uuid,
    },
}

impl Outcome {
    /// It is done, and there is nothing else to say.
    pub const DONE: Self = Self::Done { moved: None, provider_id: None };

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::BackedUp { .. } | Self::Managed { .. })
    }
}

/// Why work failed, as far as users are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureCause {
    /// Something that only operators can understand.
    Unknown,
    /// No back end can take the volume.
    NoBackend,
    /// The volume was not extended, by its back end or by the host that uses it.
    Extend,
    /// Its project may not have that much.
    Quota,
    /// No backup service is in the availability zone that the request names.
    NoBackupService,
}

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
    /// What a message calls it.
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

/// Writes what came of work that [`start_work`](super::start_work) gave: the row's next status, quota,
/// and a message when it failed. `false` when that work is gone, because an operator settled the matter
/// or asked for something else; nothing is written then, but that what was deleted all the same is an error.
pub fn finish_work(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    item: &WorkItem,
    outcome: &Outcome,
) -> Result<bool, WriteError> {
    let key = (item.kind.as_str(), item.target);
    match txn.get::<WorkItem>(key) {
        Some(current) if **current == *item => {}
        // Other work for the same target has taken its place, and is not done.
        Some(_) => return Ok(false),
        None => {
            if outcome.is_done() {
                note_lost(txn, now, item)?;
            }
            return Ok(false);
        }
    }
    if *outcome == Outcome::AwaitsHost {
        note_awaited(txn, now, item)?;
        return Ok(true);
    }
    let whole = group::whole_of(txn, item);
    match item.kind {
        WorkTarget::Volume => finish_volume(txn, config, now, item, outcome)?,
        WorkTarget::Snapshot => finish_snapshot(txn, config, now, item, outcome)?,
        WorkTarget::Backup => finish_backup(txn, config, now, item, outcome)?,
        WorkTarget::Group => finish_group(txn, config, now, item, outcome)?,
    }
    txn.delete::<WorkItem>(key)?;
    if let Some(whole) = whole {
        group::settle(txn, now, whole)?;
    }
    Ok(true)
}

/// What was deleted although an operator gave its deletion up is not what its row says.
fn note_lost(txn: &mut WriteTxn<'_>, now: i64, item: &WorkItem) -> Result<(), WriteError> {
    match item.task {
        Task::DeleteVolume { keep_data: false } => {
            let Some(row) = txn.get::<Volume>(item.target) else { return Ok(()) };
            let mut row = Volume::clone(row);
            row.status = VolumeStatus::Error;
            row.updated_at = Some(now);
            totals::put_volume(txn, row)?;
            Ok(())
        }
        Task::DeleteSnapshot { keep_data: false } => {
            let Some(row) = txn.get::<Snapshot>(item.target) else { return Ok(()) };
            let mut row = Snapshot::clone(row);
            row.status = SnapshotStatus::Error;
            row.updated_at = Some(now);
            totals::put_snapshot(txn, row)?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Tells the users of a project when work failed.
pub(super) fn tell(
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
