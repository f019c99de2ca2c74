//! The state machines of volumes, snapshots, backups, groups and group snapshots.
//!
//! Each resource has one table of [`Transition`]s: an operation, the statuses that allow it, the status that it sets,
//! the work that it queues, and the status that each end of the work leaves. Operations and finished work set statuses
//! by the table, [`VolumeStatus::is_transitional`](crate::VolumeStatus::is_transitional) follows from it, and a test
//! compares the tables in `docs/block-storage.md` with it.
//!
//! A table knows statuses alone. Conditions on other fields, such as attachments, snapshots and migrations, are in the
//! operations.
//!
//! Cost: each lookup reads the rows of one table, at most [`TRANSITIONS_MAX`].

mod backup;
mod group;
mod snapshot;
mod volume;

#[cfg(test)]
mod tests;

use crate::{
    errors::{Error, VolumeRefusal},
    rows::Volume,
};

pub use self::{
    backup::{BACKUP_TRANSITIONS, BackupOperation},
    group::{
        GROUP_SNAPSHOT_TRANSITIONS, GROUP_TRANSITIONS, GroupOperation, GroupSnapshotOperation,
    },
    snapshot::{SNAPSHOT_TRANSITIONS, SnapshotOperation},
    volume::{VOLUME_TRANSITIONS, VolumeOperation},
};

/// The maximum number of rows of a table.
pub const TRANSITIONS_MAX: usize = 100;

/// The statuses that allow an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowedIn<S: 'static> {
    /// None: the operation creates the row.
    New,
    /// These statuses.
    In(&'static [S]),
    /// All statuses except these.
    Except(&'static [S]),
}

impl<S: PartialEq> AllowedIn<S> {
    /// Returns whether a row in `status` allows the operation.
    pub fn contains(&self, status: &S) -> bool {
        match self {
            Self::New => false,
            Self::In(statuses) => statuses.contains(status),
            Self::Except(statuses) => !statuses.contains(status),
        }
    }
}

/// The status that an operation, or the end of its work, sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStatus<S: 'static> {
    /// The status stays.
    Stays,
    /// This status.
    Is(S),
    /// This status, which locks the volume. It does not show that a worker has to bring the volume out of it.
    Locks(S),
    /// One of these statuses, which the request names.
    OneOf(&'static [S]),
    /// The status before the work.
    Previous,
    /// The status that the attachments of the volume give.
    ByAttachments,
    /// The row is deleted.
    Gone,
}

impl<S: Copy + PartialEq> NextStatus<S> {
    /// Returns the status that a row in `status` gets, or `None` if the table alone does not determine it.
    fn of(self, status: S) -> Option<S> {
        match self {
            Self::Stays => Some(status),
            Self::Is(target) | Self::Locks(target) => Some(target),
            Self::OneOf(_) | Self::Previous | Self::ByAttachments | Self::Gone => None,
        }
    }
}

/// The work that an operation queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work<S: 'static> {
    /// The task, as [`Task::name`](crate::Task::name) returns it.
    pub task: &'static str,
    /// The status after success.
    pub done: NextStatus<S>,
    /// The status after a failure.
    pub failed: NextStatus<S>,
    /// The status if the back end reports that others use the resource.
    pub busy: NextStatus<S>,
}

/// The end of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkEnd {
    /// The work succeeded.
    Done,
    /// The work failed, or was cancelled.
    Failed,
    /// The back end reported that others use the resource.
    Busy,
}

impl WorkEnd {
    /// Returns the end of work that can only succeed or fail.
    pub(crate) fn of(done: bool) -> Self {
        if done { Self::Done } else { Self::Failed }
    }
}

/// A row of the table of a state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition<A, S: 'static> {
    /// The operation.
    pub operation: A,
    /// The statuses that allow it.
    pub allowed: AllowedIn<S>,
    /// The status that it sets.
    pub target: NextStatus<S>,
    /// The work that it queues, or that it is part of.
    pub work: Option<Work<S>>,
}

impl<A: Copy, S: Copy> Transition<A, S> {
    const fn new(operation: A, allowed: AllowedIn<S>, target: NextStatus<S>) -> Self {
        Self { operation, allowed, target, work: None }
    }

    /// Queues `task`. The end of the work is `done` or `failed`.
    const fn queues(self, task: &'static str, done: NextStatus<S>, failed: NextStatus<S>) -> Self {
        let work = Work { task, done, failed, busy: failed };
        Self {
            operation: self.operation,
            allowed: self.allowed,
            target: self.target,
            work: Some(work),
        }
    }

    /// Sets the status if others use the resource, where it differs from a failure.
    const fn busy(self, busy: NextStatus<S>) -> Self {
        let work = match self.work {
            Some(work) => {
                Some(Work { task: work.task, done: work.done, failed: work.failed, busy })
            }
            None => None,
        };
        Self { operation: self.operation, allowed: self.allowed, target: self.target, work }
    }
}

/// Returns the row of `operation` for a resource in `status`.
fn find<A: Copy + PartialEq, S: Copy + PartialEq>(
    table: &'static [Transition<A, S>],
    operation: A,
    status: S,
) -> Option<&'static Transition<A, S>> {
    table.iter().find(|row| row.operation == operation && row.allowed.contains(&status))
}

/// Returns the status that the end of `task` leaves on a resource in `status`; [`NextStatus::Stays`] for a task that
/// the table does not have.
fn after_work<A: Copy, S: Copy + PartialEq>(
    table: &'static [Transition<A, S>],
    task: &str,
    status: S,
    end: WorkEnd,
) -> NextStatus<S> {
    let works = || {
        table.iter().filter_map(|row| Some((row.target, row.work.filter(|own| own.task == task)?)))
    };
    // Operations of one task may set different statuses: each has its own end. Any other status was set while the
    // work ran, and gets the end of the first operation.
    let own = works().find(|(target, _)| *target == NextStatus::Is(status));
    let Some((_, work)) = own.or_else(|| works().next()) else { return NextStatus::Stays };
    match end {
        WorkEnd::Done => work.done,
        WorkEnd::Failed => work.failed,
        WorkEnd::Busy => work.busy,
    }
}

/// Returns whether a row of the table queues work and sets `status` until the work ends.
fn is_transitional<A, S: Copy + PartialEq>(table: &[Transition<A, S>], status: S) -> bool {
    // Only work brings a row out of such a status: without it, the row would stay in it for ever.
    table.iter().any(|row| row.work.is_some() && row.target == NextStatus::Is(status))
}

/// Returns whether a row of the table, or the end of its work, leads from one status to another. Rows of the operation
/// `reset` are ignored, because an operator can set any status.
///
/// `settled` are the statuses that [`NextStatus::Previous`] and [`NextStatus::ByAttachments`] stand for; `to` is `None`
/// for a row that is deleted.
fn leads<A: Copy + PartialEq, S: Copy + PartialEq>(
    table: &[Transition<A, S>],
    reset: A,
    settled: &[S],
    (from, to): (S, Option<S>),
) -> bool {
    let reaches = |target: NextStatus<S>| match target {
        NextStatus::Stays => to == Some(from),
        NextStatus::Is(status) | NextStatus::Locks(status) => to == Some(status),
        NextStatus::OneOf(statuses) => to.is_some_and(|to| statuses.contains(&to)),
        NextStatus::Previous | NextStatus::ByAttachments => {
            to.is_some_and(|to| settled.contains(&to))
        }
        NextStatus::Gone => to.is_none(),
    };
    table.iter().filter(|row| row.operation != reset).any(|row| {
        let asked = row.allowed.contains(&from) && reaches(row.target);
        let works = row.work.is_some_and(|work| {
            // Work that leaves the status alone, such as a migration, ends in any status that allows it.
            let running = match row.target {
                NextStatus::Is(status) | NextStatus::Locks(status) => status == from,
                _ => row.allowed.contains(&from),
            };
            running && [work.done, work.failed, work.busy].into_iter().any(reaches)
        });
        asked || works
    })
}

/// Declares the operations of a state machine with the names that the documentation has for them, and reads its table.
macro_rules! operations {
    (
        $(#[$doc:meta])* $name:ident of $status:ident by $table:ident {
            $($(#[$operation_doc:meta])* $operation:ident $text:literal)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$operation_doc])* $operation,)*
        }

        impl $name {
            /// All operations.
            pub const ALL: &[Self] = &[$(Self::$operation),*];

            /// Returns the name of the operation, as the documentation has it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$operation => $text,)*
                }
            }

            /// Returns whether a row in `status` allows the operation.
            pub fn allows(self, status: $status) -> bool {
                super::find($table, self, status).is_some()
            }

            /// Returns the status that the operation sets on a row in `status`; `status` itself if the operation
            /// leaves it or does not determine it.
            pub(crate) fn next(self, status: $status) -> $status {
                let row = super::find($table, self, status);
                row.and_then(|row| row.target.of(status)).unwrap_or(status)
            }
        }

        impl $status {
            /// Returns the status that the end of the task of this name leaves, where `before` is the status before
            /// the task; `None` if the row is deleted.
            pub(crate) fn after(
                self,
                task: &str,
                end: super::WorkEnd,
                before: Self,
            ) -> Option<Self> {
                match super::after_work($table, task, self, end) {
                    super::NextStatus::Gone => None,
                    super::NextStatus::Previous => Some(before),
                    next => Some(next.of(self).unwrap_or(self)),
                }
            }
        }
    };
}

use operations;

/// Refuses a volume that is being migrated.
///
/// Called after the check of the status, so that the refusal states the reason that holds: a volume that is being
/// migrated stays `available` or `in-use`.
pub(crate) fn check_settled(row: &Volume) -> Result<(), VolumeRefusal> {
    match row.migration_status {
        Some(status) if !row.is_settled() => {
            Err(VolumeRefusal::Migrating { volume: row.id, status })
        }
        _ => Ok(()),
    }
}

/// Refuses a volume whose data cannot be copied where it is: it is being migrated, or has no back end.
pub(crate) fn check_placed(row: &Volume) -> Result<(), VolumeRefusal> {
    check_settled(row)?;
    match row.host {
        Some(_) => Ok(()),
        None => Err(VolumeRefusal::NoBackend { volume: row.id }),
    }
}

/// Returns the refusal of an operation, or [`Error::Malformed`] for operations that no status refuses.
fn refused(refusal: Option<Error>) -> Error {
    refusal.unwrap_or(Error::Malformed)
}
