//! The backlog of the queue, for operators: its depth and age by task, and the space that it still allocates.

use std::{collections::BTreeMap, time::Duration};

use statehold_store::{Entry, KeyRange, Order, ReadView};

use super::{ATTEMPTS_MAX, awaits_host};
use crate::rows::{Task, Volume, WorkItem};

/// The queued work of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Work items, those that a worker has begun included.
    pub depth: u64,
    /// The time that the oldest of them has been queued.
    pub age: Duration,
}

impl Task {
    /// The names of all tasks, as [`Task::name`] returns them.
    pub const NAMES: [&str; 16] = [
        "create_volume",
        "delete_volume",
        "extend_volume",
        "retype_volume",
        "migrate_volume",
        "revert_volume",
        "manage_volume",
        "create_snapshot",
        "delete_snapshot",
        "manage_snapshot",
        "create_backup",
        "restore_backup",
        "delete_backup",
        "check_backup",
        "create_group",
        "delete_group",
    ];

    /// Returns the name of the task in metrics. It never changes, because dashboards and alerts know it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateVolume { .. } => "create_volume",
            Self::DeleteVolume { .. } => "delete_volume",
            Self::ExtendVolume { .. } => "extend_volume",
            Self::RetypeVolume { .. } => "retype_volume",
            Self::MigrateVolume { .. } => "migrate_volume",
            Self::RevertVolume { .. } => "revert_volume",
            Self::ManageVolume { .. } => "manage_volume",
            Self::CreateSnapshot => "create_snapshot",
            Self::DeleteSnapshot { .. } => "delete_snapshot",
            Self::ManageSnapshot { .. } => "manage_snapshot",
            Self::CreateBackup => "create_backup",
            Self::RestoreBackup { .. } => "restore_backup",
            Self::DeleteBackup => "delete_backup",
            Self::CheckBackup => "check_backup",
            Self::CreateGroup => "create_group",
            Self::DeleteGroup => "delete_group",
        }
    }
}

fn items<V: ReadView>(view: &V) -> impl Iterator<Item = &Entry<WorkItem>> {
    view.scan::<WorkItem>(&KeyRange::all(), Order::Ascending)
}

/// Returns the backlog of each task by [`Task::name`], zero for those without any, as of `now` in unix
/// nanoseconds.
///
/// Cost: reads each item of the queue.
pub fn work_backlog(view: &impl ReadView, now: i64) -> BTreeMap<&'static str, Backlog> {
    let mut found: BTreeMap<_, _> =
        Task::NAMES.into_iter().map(|name| (name, Backlog::default())).collect();
    for item in items(view) {
        let backlog = found.entry(item.task.name()).or_default();
        backlog.depth += 1;
        // The clock may have been set back.
        let age = u64::try_from(now.saturating_sub(item.queued_at)).unwrap_or(0);
        backlog.age = backlog.age.max(Duration::from_nanos(age));
    }
    found
}

/// Returns the GiB that queued work still allocates on each back end, by `host@backend#pool`: volumes that are
/// being created there, and growth of volumes that are being extended.
///
/// Cost: reads each item of the queue.
pub fn queued_room(view: &impl ReadView) -> BTreeMap<Box<str>, u64> {
    let mut found = BTreeMap::<Box<str>, u64>::new();
    for item in items(view) {
        let volume = match item.task {
            Task::RestoreBackup { volume } => volume,
            _ => item.target,
        };
        let Some(row) = view.get::<Volume>(volume) else { continue };
        let gib = match item.task {
            Task::CreateVolume { .. } => row.size,
            // A volume that exists has its room already.
            Task::RestoreBackup { .. } if row.is_new_of_restore() => row.size,
            Task::ExtendVolume { size } => size.saturating_sub(row.size),
            _ => continue,
        };
        // A volume without a back end allocates space nowhere yet.
        if let Some(host) = &row.host {
            *found.entry(host.clone()).or_default() += u64::from(gib);
        }
    }
    found
}

/// Returns the work that [`resume_work`](super::resume_work) is going to fail, because workers began it
/// [`ATTEMPTS_MAX`] times.
pub fn exhausted_work<V: ReadView>(view: &V) -> impl Iterator<Item = &Entry<WorkItem>> {
    let begun =
        items(view).filter(move |item| item.started_at.is_some() && !awaits_host(view, item));
    begun.filter(|item| item.attempts >= ATTEMPTS_MAX)
}
