//! Failures of work, and the outcomes that they become.

use statehold_cinder::{FailureCause, Outcome, WorkItem};
use uuid::Uuid;

use crate::backend::DriverError;
use crate::backup::BackupError;

/// The reason why work failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// No back end fits, or the one of a row is not served any more.
    NoBackend,
    /// No backup service is in the zone of the request.
    NoBackupService,
    /// A row was deleted meanwhile.
    RowDeleted,
    /// A volume in use or with snapshots can't move.
    InUse,
    Driver(DriverError),
    Backup(BackupError),
}

impl From<DriverError> for Failure {
    fn from(error: DriverError) -> Self {
        Self::Driver(error)
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        Self::Backup(error)
    }
}

/// Returns the outcome of work that failed. Clients find its cause by the ID of the message.
pub(super) fn failed(cause: FailureCause) -> Outcome {
    Outcome::Failed { cause, message: Uuid::new_v4() }
}

/// Returns the outcome of work, and logs a failure.
pub(super) fn outcome_of(item: &WorkItem, done: Result<Outcome, Failure>) -> Outcome {
    let target = item.target;
    let cause = match done {
        Ok(outcome) => return outcome,
        Err(Failure::NoBackend) => {
            tracing::warn!(%target, "no back end can take the volume");
            FailureCause::NoBackend
        }
        Err(Failure::NoBackupService) => {
            tracing::warn!(%target, "no backup service is in the zone of the request");
            FailureCause::NoBackupService
        }
        Err(Failure::RowDeleted) => {
            tracing::warn!(%target, "the row of a work item was deleted");
            FailureCause::Unknown
        }
        Err(Failure::InUse) => {
            tracing::warn!(%target, "a volume in use, or with snapshots, can't move");
            FailureCause::Held
        }
        Err(Failure::Driver(error)) => {
            tracing::error!(%error, %target, task = ?item.task, "the back end failed");
            FailureCause::Driver
        }
        Err(Failure::Backup(error)) => {
            tracing::error!(%error, %target, task = ?item.task, "the backup repository failed");
            FailureCause::Driver
        }
    };
    failed(cause)
}
