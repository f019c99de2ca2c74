//! The queue of what is done in the background.
//!
//! An operation writes a row in the status of something under way together with a [`WorkItem`], in
//! one transaction. A worker asks for [`next_work`], notes with [`start_work`] that it begins, does it
//! outside of any transaction, and writes with [`finish_work`] what came of it. When a server starts,
//! [`resume_work`] makes what was begun before a crash wait again, or fails it after
//! [`ATTEMPTS_MAX`] attempts: no row stays under way for ever.
//!
//! What a worker does may be done twice, so it has to be such that the second time does no harm.

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use crate::{
    config::Config,
    quota::{self},
    rows::{
        Message, MigrationStatus, Snapshot, SnapshotStatus, Task, Volume, VolumeSource,
        VolumeStatus, WorkItem, WorkTarget,
    },
};

/// How often work is begun before it counts as failed.
pub const ATTEMPTS_MAX: u32 = 3;

/// Puts work into the queue, in place of other work for the same target.
pub(crate) fn queue(
    txn: &mut WriteTxn<'_>,
    now: i64,
    (kind, target): (WorkTarget, Uuid),
    task: Task,
    reservation: Option<Uuid>,
) -> Result<(), WriteError> {
    let item =
        WorkItem { kind, target, task, reservation, queued_at: now, started_at: None, attempts: 0 };
    txn.upsert::<WorkItem>(item)
}

/// Takes work out of the queue because an operator settled the matter; what was set aside for it is
/// given back. A worker that has begun it finds it gone.
pub(crate) fn cancel(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    (kind, target): (WorkTarget, Uuid),
) -> Result<(), WriteError> {
    let item = txn.get::<WorkItem>((kind.as_str(), target)).cloned();
    if let Some(reservation) = item.and_then(|item| item.reservation) {
        quota::roll_back(txn, config, reservation)?;
    }
    txn.delete::<WorkItem>((kind.as_str(), target))?;
    Ok(())
}

/// Whether quota is set aside for work that is still to be done.
pub(crate) fn holds(view: &impl ReadView, reservation: Uuid) -> bool {
    view.find(&WorkItem::BY_RESERVATION, reservation).is_some()
}

/// The work that has waited longest of what can be done now.
///
/// A volume is deleted after its snapshots, and whatever is copied from after the copy is there.
///
/// Cost: goes past what can't be done yet.
pub fn next_work(view: &impl ReadView) -> Option<&Entry<WorkItem>> {
    view.scan_by(&WorkItem::BY_QUEUED_AT, &KeyRange::all(), Order::Ascending)
        .find(|item| item.started_at.is_none() && is_ready(view, item))
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
        _ => true,
    }
}

/// The snapshots of a volume, oldest first.
pub(crate) fn snapshots_of(
    view: &impl ReadView,
    volume: Uuid,
) -> statehold_store::Scan<'_, Snapshot> {
    let range = KeyRange::<(Uuid, i64)>::within(volume);
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
    Ok(Some(item))
}

/// Where a volume was put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Its back end, `host@backend#pool`.
    pub host: Box<str>,
    /// The service that holds it.
    pub service: Option<Uuid>,
    /// Whether the back end shares targets.
    pub shared_targets: Option<bool>,
}

/// Notes where a volume is going to be made, before it is: should the worker die, the next one finds
/// what there may be already. `false` when the volume is gone.
pub fn place_volume(
    txn: &mut WriteTxn<'_>,
    volume: Uuid,
    placement: Placement,
) -> Result<bool, WriteError> {
    let Some(row) = txn.get::<Volume>(volume) else { return Ok(false) };
    let mut row = Volume::clone(row);
    place(&mut row, placement);
    txn.upsert::<Volume>(row)?;
    Ok(true)
}

fn place(volume: &mut Volume, placement: Placement) {
    volume.host = Some(placement.host);
    volume.service_uuid = placement.service;
    volume.shared_targets = placement.shared_targets;
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
}

/// Why work failed, as far as users are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureCause {
    /// Something that only operators can understand.
    Unknown,
    /// No back end can take the volume.
    NoBackend,
}

impl FailureCause {
    fn code(self) -> (&'static str, &'static str) {
        match self {
            Self::Unknown => ("001", "An unknown error occurred."),
            Self::NoBackend => ("003", "Could not find any available weighted backend."),
        }
    }
}

impl Task {
    /// What a message calls it.
    fn code(&self) -> (&'static str, &'static str) {
        match self {
            Self::CreateVolume { .. } => ("001", "schedule allocate volume"),
            Self::DeleteVolume { .. } => ("006", "unmanage volume"),
            Self::ExtendVolume { .. } => ("007", "extend volume"),
            Self::CreateSnapshot => ("009", "create snapshot"),
            Self::DeleteSnapshot { .. } => ("010", "delete snapshot"),
            Self::RetypeVolume { .. } | Self::MigrateVolume { .. } | Self::RevertVolume { .. } => {
                ("000", "change volume")
            }
        }
    }
}

/// Writes what came of work: the row's next status, quota, and a message when it failed. `false`
/// when the work is gone, because an operator settled the matter; nothing is written then.
pub fn finish_work(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    (kind, target): (WorkTarget, Uuid),
    outcome: &Outcome,
) -> Result<bool, WriteError> {
    let Some(item) = txn.get::<WorkItem>((kind.as_str(), target)) else { return Ok(false) };
    let item = WorkItem::clone(item);
    match kind {
        WorkTarget::Volume => finish_volume(txn, config, now, &item, outcome)?,
        WorkTarget::Snapshot => finish_snapshot(txn, config, now, &item, outcome)?,
    }
    txn.delete::<WorkItem>((kind.as_str(), target))?;
    Ok(true)
}

fn finish_volume(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    item: &WorkItem,
    outcome: &Outcome,
) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Volume>(item.target) else { return Ok(()) };
    let mut row = Volume::clone(row);
    let done = matches!(outcome, Outcome::Done { .. });
    let busy = matches!(outcome, Outcome::Busy);
    // Before the row changes, as quota that isn't noted yet is counted from the rows.
    if let Some(reservation) = item.reservation {
        if done {
            quota::commit(txn, config, reservation)?;
        } else {
            quota::roll_back(txn, config, reservation)?;
        }
    }
    let before = row.previous_status.take().unwrap_or(VolumeStatus::Available);
    row.updated_at = Some(now);
    row.status = match &item.task {
        Task::CreateVolume { .. } if done => VolumeStatus::Available,
        Task::DeleteVolume { .. } if done => {
            if row.consumes_quota {
                let deltas = quota::of_volume(row.volume_type_id, -1, row.size);
                quota::apply(txn, config, &row.project_id, &deltas)?;
            }
            txn.delete::<Volume>(row.id)?;
            return Ok(());
        }
        Task::DeleteVolume { .. } if busy => VolumeStatus::Available,
        Task::DeleteVolume { keep_data: true } => VolumeStatus::ErrorUnmanaging,
        Task::DeleteVolume { .. } => VolumeStatus::ErrorDeleting,
        Task::ExtendVolume { size } if done => {
            row.size = *size;
            before
        }
        Task::ExtendVolume { .. } => VolumeStatus::ErrorExtending,
        Task::RetypeVolume { volume_type, .. } => {
            if done {
                row.volume_type_id = Some(*volume_type);
                let new = txn.get::<crate::rows::VolumeType>(*volume_type);
                row.multiattach = new.is_some_and(|new| new.is_multiattach());
            }
            before
        }
        Task::MigrateVolume { .. } => {
            let (success, error) = (MigrationStatus::Success, MigrationStatus::Error);
            row.migration_status = Some(if done { success } else { error });
            // Only a volume that was locked has another status while it moves.
            if row.status == VolumeStatus::Maintenance { before } else { row.status }
        }
        Task::RevertVolume { snapshot } => {
            release_snapshot(txn, now, *snapshot)?;
            if done || busy { VolumeStatus::Available } else { VolumeStatus::Error }
        }
        _ => VolumeStatus::Error,
    };
    if let Outcome::Done { moved, provider_id } = outcome {
        if let Some(placement) = moved {
            place(&mut row, placement.clone());
        }
        if let Some(provider_id) = provider_id {
            row.provider_id = Some(provider_id.clone());
        }
    }
    tell(txn, now, &row.project_id, item, outcome)?;
    txn.upsert::<Volume>(row)
}

/// A snapshot to which a volume went back, or not, can be used again in either case.
fn release_snapshot(txn: &mut WriteTxn<'_>, now: i64, id: Uuid) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Snapshot>(id) else { return Ok(()) };
    if row.status != SnapshotStatus::Restoring {
        return Ok(());
    }
    let mut row = Snapshot::clone(row);
    row.status = SnapshotStatus::Available;
    row.updated_at = Some(now);
    txn.upsert::<Snapshot>(row)
}

fn finish_snapshot(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    item: &WorkItem,
    outcome: &Outcome,
) -> Result<(), WriteError> {
    let Some(row) = txn.get::<Snapshot>(item.target) else { return Ok(()) };
    let mut row = Snapshot::clone(row);
    let done = matches!(outcome, Outcome::Done { .. });
    let busy = matches!(outcome, Outcome::Busy);
    row.updated_at = Some(now);
    let deletes = matches!(item.task, Task::DeleteSnapshot { .. });
    row.status = match (deletes, done) {
        (true, true) => {
            if row.consumes_quota {
                let deltas = quota::of_snapshot(config, row.volume_type_id, -1, row.size);
                quota::apply(txn, config, &row.project_id, &deltas)?;
            }
            txn.delete::<Snapshot>(row.id)?;
            return Ok(());
        }
        (true, false) if busy => SnapshotStatus::Available,
        (true, false) => SnapshotStatus::ErrorDeleting,
        (false, true) => {
            row.progress = 100;
            SnapshotStatus::Available
        }
        (false, false) => SnapshotStatus::Error,
    };
    tell(txn, now, &row.project_id, item, outcome)?;
    // A volume that was to go with all its snapshots can't go when one of them stays.
    if deletes {
        keep_volume(txn, now, row.volume_id)?;
    }
    txn.upsert::<Snapshot>(row)
}

/// Gives up deleting a volume whose snapshot could not be deleted.
fn keep_volume(txn: &mut WriteTxn<'_>, now: i64, id: Uuid) -> Result<(), WriteError> {
    let kind = WorkTarget::Volume.as_str();
    let waits = txn.get::<WorkItem>((kind, id)).is_some_and(|item| {
        matches!(item.task, Task::DeleteVolume { .. }) && item.started_at.is_none()
    });
    let Some(row) = txn.get::<Volume>(id).filter(|_| waits) else { return Ok(()) };
    let mut row = Volume::clone(row);
    row.status = VolumeStatus::ErrorDeleting;
    row.updated_at = Some(now);
    txn.upsert::<Volume>(row)?;
    txn.delete::<WorkItem>((kind, id))?;
    Ok(())
}

fn tell(
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
    };
    let ((action, does), (detail, why)) = (item.task.code(), cause.code());
    txn.upsert::<Message>(Message {
        id: *message,
        project_id: project.into(),
        event_id: format!("VOLUME_{resource_type}_{action}_{detail}").into(),
        user_message: format!("{does}:{why}").into(),
        resource_type: resource_type.into(),
        resource_id: item.target,
        created_at: now,
    })
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
        .filter(|item| item.started_at.is_some())
        .map(|item| WorkItem::clone(item))
        .collect();
    let count = begun.len();
    for mut item in begun {
        if item.attempts >= ATTEMPTS_MAX {
            let outcome = Outcome::Failed { cause: FailureCause::Unknown, message: message() };
            finish_work(txn, config, now, (item.kind, item.target), &outcome)?;
        } else {
            item.started_at = None;
            txn.upsert::<WorkItem>(item)?;
        }
    }
    Ok(count)
}

/// What is on a new volume, as its row tells it.
pub(crate) fn source_of(volume: &Volume) -> VolumeSource {
    match (volume.snapshot_id, volume.source_volid) {
        (Some(snapshot), _) => VolumeSource::Snapshot(snapshot),
        (None, Some(source)) => VolumeSource::Volume(source),
        (None, None) => VolumeSource::Empty,
    }
}
