//! Failures of work, and the outcomes that they become.

use std::io::{self, ErrorKind};

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
    /// An attached volume can't move.
    Attached,
    /// A volume with snapshots can't move.
    HasSnapshots,
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
            let kind = item.kind;
            tracing::warn!(%target, ?kind, "no back end fits the demands of the row");
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
        Err(Failure::Attached) => {
            tracing::warn!(%target, "an attached volume can't move");
            FailureCause::Attached
        }
        Err(Failure::HasSnapshots) => {
            tracing::warn!(%target, "a volume with snapshots can't move");
            FailureCause::HasSnapshots
        }
        Err(Failure::Driver(error)) => {
            tracing::error!(%error, %target, task = ?item.task, "the back end failed");
            cause_in_backend(&error)
        }
        Err(Failure::Backup(error)) => {
            tracing::error!(%error, %target, task = ?item.task, "the backup repository failed");
            cause_in_repository(&error)
        }
    };
    failed(cause)
}

/// Returns the cause that users see of a failure of a back end.
fn cause_in_backend(error: &DriverError) -> FailureCause {
    match error {
        DriverError::NoVolume(_) | DriverError::NoSnapshot(_) => FailureCause::Unreadable,
        DriverError::Io(error) if is_irregular(error) => FailureCause::Unreadable,
        _ => FailureCause::Driver,
    }
}

/// Returns the cause that users see of a failure of the backup repository.
fn cause_in_repository(error: &BackupError) -> FailureCause {
    match error {
        BackupError::Damaged(_) | BackupError::ParentMismatch => FailureCause::BackupDamaged,
        BackupError::Source(error) => cause_in_backend(error),
        BackupError::Io(error) if error.kind() == ErrorKind::NotFound => {
            FailureCause::BackupMissing
        }
        BackupError::Io(error) if is_irregular(error) => FailureCause::BackupDamaged,
        _ => FailureCause::Driver,
    }
}

/// Whether a file is not a regular file, by the error of [`regular`](statehold_server_core::fs::regular).
fn is_irregular(error: &io::Error) -> bool {
    error.kind() == ErrorKind::InvalidInput
}
