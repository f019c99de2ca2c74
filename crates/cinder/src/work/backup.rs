//! The state of a backup, and of its source or target, after work.

use statehold_store::{ReadView, WriteError, WriteTxn};

use super::{
    message::add_message,
    outcome::{FailureCause, Outcome},
    release::{end_restore, release_source},
};
use crate::{
    config::Config,
    quota,
    rows::{Backup, BackupStatus, Task, WorkItem},
    status_machine::WorkEnd,
};

/// Returns the failure reason of a backup. It MUST NOT name paths of the server, which are in the log alone.
fn reason(outcome: &Outcome) -> &'static str {
    let Outcome::Failed { cause, .. } = outcome else { return FAILED };
    match cause {
        // Cinder: cinder/scheduler/manager.py, SchedulerManager.create_backup.
        FailureCause::NoBackupService => "Service not found for creating backup.",
        FailureCause::BackupMissing => {
            "The backup repository has no data of this backup. Copy its data there, then import the \
             record again."
        }
        FailureCause::BackupDamaged => {
            "The data of this backup is damaged, or belongs to another backup. The operator finds \
             the cause in the server log."
        }
        FailureCause::Unreadable => {
            "The source can't be read: its file is missing, or is not a regular file."
        }
        _ => FAILED,
    }
}

/// The failure reason for causes that only the log has.
const FAILED: &str = "The back end failed. The operator finds the cause in the server log.";

pub(super) fn finish_backup(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    item: &WorkItem,
    outcome: &Outcome,
) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Backup>(item.target) else { return Ok(()) };
    let mut row = Backup::clone(row);
    let done = outcome.is_done();
    row.updated_at = Some(now);
    if let Outcome::BackedUp { objects } = outcome {
        row.object_count = *objects;
    }
    let end = WorkEnd::of(done);
    let Some(status) = row.status.after(item.task.name(), end, BackupStatus::Available) else {
        quota::apply(txn, config, &row.project_id, &quota::of_backup(-1, row.size))?;
        txn.delete::<Backup>(row.id)?;
        return Ok(());
    };
    row.status = status;
    if let Task::RestoreBackup { volume } = item.task {
        end_restore(txn, now, (volume, end), &row)?;
    }
    if row.status != BackupStatus::Available {
        row.fail_reason = Some(reason(outcome).into());
    }
    let (project, backup) = (row.project_id.clone(), row.clone());
    txn.upsert::<Backup>(row)?;
    if matches!(item.task, Task::CreateBackup) {
        release_source(txn, now, &backup, end)?;
    }
    add_message(txn, now, &project, item, outcome)
}
