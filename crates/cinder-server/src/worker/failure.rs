//! Failures of work, and the outcomes that they become.

use std::io;

use statehold_cinder::{FailureCause, Outcome, WorkItem};
use uuid::Uuid;

pub(super) enum Failure {
    /// No back end fits, or the one of a row isn't served any more.
    NoBackend,
    /// No backup service is in the zone that the request names.
    NoBackupService,
    /// A row is missing.
    Gone,
    /// The volume can't move while somebody uses it or it has snapshots.
    Held,
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(super) fn failed(cause: FailureCause) -> Outcome {
    Outcome::Failed { cause, message: Uuid::new_v4() }
}

/// Returns the outcome of work, and logs a failure.
pub(super) fn outcome_of(item: &WorkItem, done: Result<Outcome, Failure>) -> Outcome {
    match done {
        Ok(outcome) => outcome,
        Err(Failure::NoBackend) => {
            tracing::warn!(target = %item.target, "no back end can take the volume");
            failed(FailureCause::NoBackend)
        }
        Err(Failure::NoBackupService) => {
            tracing::warn!(target = %item.target, "no backup service in the zone of the request");
            failed(FailureCause::NoBackupService)
        }
        Err(Failure::Gone) => {
            tracing::warn!(target = %item.target, "what work is about is not there");
            failed(FailureCause::Unknown)
        }
        Err(Failure::Held) => {
            tracing::warn!(target = %item.target, "a volume in use, or with snapshots, can't move");
            failed(FailureCause::Held)
        }
        Err(Failure::Io(error)) => {
            tracing::error!(%error, target = %item.target, task = ?item.task, "work failed");
            failed(FailureCause::Driver)
        }
    }
}
