//! The queue of work items, oldest first.

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::{group, release::delete_hints};
use crate::{
    context::Context,
    rows::{
        MigrationStatus, Snapshot, Task, Volume, VolumeSource, VolumeStatus, WorkItem, WorkTarget,
    },
    totals,
};

/// The maximum number of times that work is begun before it fails.
pub const ATTEMPTS_MAX: u32 = 3;

/// Queues work, replacing other work on the same target.
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
    // Only the creation of a volume reads its hints.
    if !matches!(item.task, Task::CreateVolume { .. }) {
        delete_hints(txn, item.target)?;
    }
    txn.upsert::<WorkItem>(item)?;
    Ok(())
}

/// Returns whether queued work holds the reservation.
pub(crate) fn holds(view: &impl ReadView, reservation: Uuid) -> bool {
    view.find(&WorkItem::BY_RESERVATION, reservation).is_some()
}

/// Returns the oldest work that a worker can begin now; see [`ready_work`].
pub fn next_work(view: &impl ReadView) -> Option<&Entry<WorkItem>> {
    ready_work(view).next()
}

/// Returns the work that workers can begin now, oldest first.
///
/// A volume is deleted after its snapshots. The source of a copy is deleted or moved after the copy exists. A back end
/// is chosen for a group before its volumes are created, and the group is deleted after them.
///
/// Cost: reads the items that must wait as well.
pub fn ready_work<V: ReadView>(view: &V) -> impl Iterator<Item = &Entry<WorkItem>> {
    view.scan_by(&WorkItem::BY_QUEUED_AT, &KeyRange::all(), Order::Ascending)
        .filter(|item| item.started_at.is_none() && is_ready(view, item))
}

fn is_ready(view: &impl ReadView, item: &WorkItem) -> bool {
    let is_creating = |volume: &&Entry<Volume>| volume.status == VolumeStatus::Creating;
    match item.task {
        Task::DeleteVolume { .. } => {
            snapshots_of(view, item.target).next().is_none()
                && !view
                    .scan_by(&Volume::BY_SOURCE, &KeyRange::exact(item.target), Order::Ascending)
                    .any(|volume| is_creating(&volume))
        }
        Task::DeleteSnapshot { .. } => !view
            .scan_by(&Volume::BY_SNAPSHOT, &KeyRange::exact(item.target), Order::Ascending)
            .any(|volume| is_creating(&volume)),
        // The source of a copy stays on its back end until the copy exists, and no copy begins while its source moves.
        Task::RetypeVolume { .. } | Task::MigrateVolume { .. } => !view
            .scan_by(&Volume::BY_SOURCE, &KeyRange::exact(item.target), Order::Ascending)
            .any(|volume| is_creating(&volume)),
        Task::CreateVolume { source: VolumeSource::Volume(source) } if moves(view, source) => false,
        Task::CreateVolume { .. } => {
            let group = view.get::<Volume>(item.target).and_then(|volume| volume.group_id);
            !group.is_some_and(|group| group::is_unplaced(view, group))
        }
        Task::DeleteGroup => group::is_empty(view, item.target),
        _ => true,
    }
}

/// Returns whether a worker may be moving the volume to another back end.
fn moves(view: &impl ReadView, volume: Uuid) -> bool {
    view.get::<WorkItem>((WorkTarget::Volume.as_str(), volume)).is_some_and(|item| {
        item.started_at.is_some()
            && matches!(item.task, Task::RetypeVolume { .. } | Task::MigrateVolume { .. })
    })
}

/// Returns the snapshots of a volume, oldest first.
pub(crate) fn snapshots_of(
    view: &impl ReadView,
    volume: Uuid,
) -> statehold_store::Scan<'_, Snapshot> {
    let range = KeyRange::<(Uuid, i64)>::starting_with(volume);
    view.scan_by(&Snapshot::BY_VOLUME, &range, Order::Ascending)
}

/// Records that a worker begins. Returns the work item, or `None` if it is not queued any more or another worker has
/// begun it.
pub fn start_work(
    txn: &mut WriteTxn<'_>,
    now: i64,
    kind: WorkTarget,
    target: Uuid,
) -> Result<Option<WorkItem>, WriteError> {
    let Some(item) = txn.get::<WorkItem>((kind.as_str(), target)) else { return Ok(None) };
    // The view in which the caller found the item may be older than the transaction.
    if item.started_at.is_some() || !is_ready(txn, item) {
        return Ok(None);
    }
    let mut item = WorkItem::clone(item);
    item.started_at = Some(now);
    item.attempts += 1;
    txn.upsert::<WorkItem>(item.clone())?;
    // A retype moves its volume only if the worker finds that its back end lacks the type.
    if matches!(item.task, Task::MigrateVolume { .. }) {
        note_moving(txn, now, &item)?;
    }
    Ok(Some(item))
}

/// Shows that a worker copies a volume to another back end: its `migration_status` is `migrating` until
/// [`crate::finish_work`] writes `success` or `error`. Returns `false` if `item` is no longer the volume's work,
/// because an operator reset its status.
///
/// [`start_work`] calls it for a migration. A worker MUST call it before it moves a volume for a retype.
pub fn note_moving(txn: &mut WriteTxn<'_>, now: i64, item: &WorkItem) -> Result<bool, WriteError> {
    let current = txn.get::<WorkItem>((item.kind.as_str(), item.target));
    // Without work, nothing would end the migration status.
    let current = current.is_some_and(|current| **current == *item);
    let Some(row) = txn.get::<Volume>(item.target).filter(|_| current) else { return Ok(false) };
    let mut row = Volume::clone(row);
    row.migration_status = Some(MigrationStatus::Migrating);
    row.updated_at = Some(now);
    totals::put_volume(txn, row)?;
    Ok(true)
}
