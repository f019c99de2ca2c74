//! The queue of what is done in the background.
//!
//! An operation writes a row in the status of something under way together with a [`WorkItem`], in
//! one transaction. A worker asks for [`next_work`], notes with [`start_work`] that it begins, does it
//! outside of any transaction, and writes with [`finish_work`] what came of it. When a server starts,
//! [`resume_work`] makes what was begun before a crash wait again, or fails it after
//! [`ATTEMPTS_MAX`] attempts: no row stays under way for ever.
//!
//! What a worker does may be done twice, so it has to be such that the second time does no harm.

mod backlog;
mod backup;
mod group;
mod outcome;
mod snapshot;
mod volume;

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

pub use self::{
    backlog::{Backlog, exhausted_work, queued_room, work_backlog},
    outcome::{FailureCause, Outcome, Placement, finish_work},
    volume::place_volume,
};
use self::{
    backup::{end_restore, release_backup, release_source},
    snapshot::release_snapshot,
    volume::{forget_hints, keep_volume},
};
pub(crate) use self::{
    group::{settle_group, settle_group_snapshot},
    volume::{EXTEND_SIZE, awaits_host},
};
use crate::{
    config::Config,
    context::Context,
    quota,
    rows::{
        Backup, MigrationStatus, Snapshot, Task, Volume, VolumeSource, VolumeStatus, WorkItem,
        WorkTarget,
    },
    totals,
};

/// How often work is begun before it counts as failed.
pub const ATTEMPTS_MAX: u32 = 3;

/// Puts work into the queue, in place of other work for the same target.
pub(crate) fn queue(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    (kind, target): (WorkTarget, Uuid),
    task: Task,
    reservation: Option<Uuid>,
) -> Result<(), WriteError> {
    let item = WorkItem {
        kind,
        target,
        task,
        reservation,
        request_id: cx.request_id.into(),
        queued_at: cx.now,
        started_at: None,
        attempts: 0,
    };
    // Only the creation of a volume heeds its hints.
    if !matches!(item.task, Task::CreateVolume { .. }) {
        forget_hints(txn, item.target)?;
    }
    txn.upsert::<WorkItem>(item)?;
    Ok(())
}

/// Takes work out of the queue because an operator settled the matter; what was set aside for it is
/// given back. A worker that has begun it finds it gone.
pub(crate) fn cancel(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    (kind, target): (WorkTarget, Uuid),
) -> Result<(), WriteError> {
    let Some(item) = txn.get::<WorkItem>((kind.as_str(), target)).cloned() else { return Ok(()) };
    txn.delete::<WorkItem>((kind.as_str(), target))?;
    forget_hints(txn, target)?;
    if let Some(reservation) = item.reservation {
        quota::roll_back(txn, cx.config, reservation)?;
    }
    // What waited for this work must not wait for ever.
    if let Some(whole) = group::whole_of(txn, &item) {
        group::give_up(txn, cx.now, whole)?;
    }
    match item.task {
        Task::RevertVolume { snapshot } => release_snapshot(txn, cx.now, snapshot),
        Task::DeleteSnapshot { .. } => {
            let volume = txn.get::<Snapshot>(target).map(|row| row.volume_id);
            volume.map_or(Ok(()), |volume| keep_volume(txn, cx.now, volume))
        }
        Task::CreateVolume { source: VolumeSource::Backup(backup) } => {
            release_backup(txn, cx.now, backup)
        }
        Task::CreateBackup => {
            let backup = txn.get::<Backup>(target).map(|row| Backup::clone(row));
            backup.map_or(Ok(()), |backup| release_source(txn, cx.now, &backup))
        }
        // What is on the volume is anybody's guess.
        Task::RestoreBackup { volume } => {
            end_restore(txn, cx.now, volume, VolumeStatus::ErrorRestoring)
        }
        _ => Ok(()),
    }
}

/// Whether quota is set aside for work that is still to be done.
pub(crate) fn holds(view: &impl ReadView, reservation: Uuid) -> bool {
    view.find(&WorkItem::BY_RESERVATION, reservation).is_some()
}

/// The work that has waited longest of what can be done now; see [`ready_work`].
pub fn next_work(view: &impl ReadView) -> Option<&Entry<WorkItem>> {
    ready_work(view).next()
}

/// The work that can be done now, what has waited longest first.
///
/// A volume is deleted after its snapshots, and whatever is copied from is deleted or moved after the
/// copy is there. A group has its back end before its volumes are made, and is deleted after them.
///
/// Cost: goes past what can't be done yet.
pub fn ready_work<V: ReadView>(view: &V) -> impl Iterator<Item = &Entry<WorkItem>> {
    view.scan_by(&WorkItem::BY_QUEUED_AT, &KeyRange::all(), Order::Ascending)
        .filter(|item| item.started_at.is_none() && is_ready(view, item))
}

fn is_ready(view: &impl ReadView, item: &WorkItem) -> bool {
    let being_made = |volume: &&Entry<Volume>| volume.status == VolumeStatus::Creating;
    match item.task {
        Task::DeleteVolume { .. } => {
            snapshots_of(view, item.target).next().is_none()
                && !view
                    .scan_by(&Volume::BY_SOURCE, &KeyRange::exact(item.target), Order::Ascending)
                    .any(|volume| being_made(&volume))
        }
        Task::DeleteSnapshot { .. } => !view
            .scan_by(&Volume::BY_SNAPSHOT, &KeyRange::exact(item.target), Order::Ascending)
            .any(|volume| being_made(&volume)),
        // Whatever is copied from stays where it is until the copy is there, and the other way round.
        Task::RetypeVolume { .. } | Task::MigrateVolume { .. } => !view
            .scan_by(&Volume::BY_SOURCE, &KeyRange::exact(item.target), Order::Ascending)
            .any(|volume| being_made(&volume)),
        Task::CreateVolume { source: VolumeSource::Volume(source) } if moves(view, source) => false,
        Task::CreateVolume { .. } => {
            let group = view.get::<Volume>(item.target).and_then(|volume| volume.group_id);
            !group.is_some_and(|group| group::is_unplaced(view, group))
        }
        Task::DeleteGroup => group::is_empty(view, item.target),
        _ => true,
    }
}

/// Whether a worker may be moving a volume to another back end.
fn moves(view: &impl ReadView, volume: Uuid) -> bool {
    view.get::<WorkItem>((WorkTarget::Volume.as_str(), volume)).is_some_and(|item| {
        item.started_at.is_some()
            && matches!(item.task, Task::RetypeVolume { .. } | Task::MigrateVolume { .. })
    })
}

/// The snapshots of a volume, oldest first.
pub(crate) fn snapshots_of(
    view: &impl ReadView,
    volume: Uuid,
) -> statehold_store::Scan<'_, Snapshot> {
    let range = KeyRange::<(Uuid, i64)>::starting_with(volume);
    view.scan_by(&Snapshot::BY_VOLUME, &range, Order::Ascending)
}

/// Notes that a worker begins; the work as it has to be done, or `None` when it is gone or another
/// worker has it.
pub fn start_work(
    txn: &mut WriteTxn<'_>,
    now: i64,
    kind: WorkTarget,
    target: Uuid,
) -> Result<Option<WorkItem>, WriteError> {
    let Some(item) = txn.get::<WorkItem>((kind.as_str(), target)) else { return Ok(None) };
    if item.started_at.is_some() {
        return Ok(None);
    }
    let mut item = WorkItem::clone(item);
    item.started_at = Some(now);
    item.attempts += 1;
    txn.upsert::<WorkItem>(item.clone())?;
    // A retype moves its volume only if the worker finds that it must.
    if matches!(item.task, Task::MigrateVolume { .. }) {
        note_moving(txn, now, &item)?;
    }
    Ok(Some(item))
}

/// Shows that a worker copies a volume to another back end: its `migration_status` is `migrating` until
/// [`finish_work`] writes `success` or `error`. Returns `false` if `item` is no longer the volume's work,
/// because an operator reset its status.
///
/// [`start_work`] calls it for a migration. A worker MUST call it before it moves a volume for a retype.
pub fn note_moving(txn: &mut WriteTxn<'_>, now: i64, item: &WorkItem) -> Result<bool, WriteError> {
    let current = txn.get::<WorkItem>((item.kind.as_str(), item.target));
    // Without work, nothing would bring the volume out of it.
    let current = current.is_some_and(|current| **current == *item);
    let Some(row) = txn.get::<Volume>(item.target).filter(|_| current) else { return Ok(false) };
    let mut row = Volume::clone(row);
    row.migration_status = Some(MigrationStatus::Migrating);
    row.updated_at = Some(now);
    totals::put_volume(txn, row)?;
    Ok(true)
}

/// Settles what was begun before a crash: it waits again, or has failed after [`ATTEMPTS_MAX`]
/// attempts. `message` gives a new ID for each message.
///
/// To be called before the first worker asks for work.
pub fn resume_work(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    mut message: impl FnMut() -> Uuid,
) -> Result<usize, WriteError> {
    let begun: Vec<WorkItem> = txn
        .scan::<WorkItem>(&KeyRange::all(), Order::Ascending)
        // An extension that waits for its host has nothing left to be done here, and no attempt to lose.
        .filter(|item| item.started_at.is_some() && !awaits_host(txn, item))
        .map(|item| WorkItem::clone(item))
        .collect();
    let count = begun.len();
    for mut item in begun {
        if item.attempts >= ATTEMPTS_MAX {
            let outcome = Outcome::Failed { cause: FailureCause::Unknown, message: message() };
            finish_work(txn, config, now, &item, &outcome)?;
        } else {
            item.started_at = None;
            txn.upsert::<WorkItem>(item)?;
        }
    }
    Ok(count)
}
