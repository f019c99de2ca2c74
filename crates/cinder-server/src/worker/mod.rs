//! Takes what operations queue to the back ends.
//!
//! Work is noted as begun before it is, and its outcome when it is done. What the server dies over is
//! begun again at the next start, so a driver may find things done already.
//!
//! Invariant: at most one thing is done with a volume or snapshot at a time, also when an operator
//! replaced the work that was under way.
//! Invariant: no transaction is open while a back end works.

mod group;

use std::fs::File;
use std::io;
use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use statehold_cinder::{
    AttachStatus, Backup, FailureCause, Outcome, Placement, Snapshot, Task, Volume, VolumeSource,
    VolumeStatus, VolumeType, WorkItem, WorkTarget, disabled_hosts, expire_reservations,
    finish_work, note_moving, place_volume, ready_work, start_work,
};
use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use uuid::Uuid;

use crate::backend::driver::Source;
use crate::backend::hints::allow;
use crate::backend::scheduler::Backend;
use crate::state::CinderState;
use crate::worker::group::{host_of, of_group};
use statehold_server_core::fs::regular;
use statehold_server_core::rejection::Rejection;

/// The maximum number of lots that are worked on at a time.
const JOBS_MAX: usize = 4;

/// The maximum number of items of a lot. A server that dies costs each of them an attempt.
const LOT_ITEMS_MAX: usize = 32;

/// How often the queue is looked at if nobody tells that there is something.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often quota is given back that was set aside for what never came to an end.
const EXPIRE_EVERY: Duration = Duration::from_secs(5 * 60);

/// Does work until the server is to stop.
pub async fn run(cloud: CinderState, mut stopped: watch::Receiver<bool>) {
    let mut jobs = JoinSet::new();
    let mut under_way: Vec<(Id, Vec<WorkItem>)> = Vec::new();
    let mut expire = Instant::now();
    loop {
        if expire <= Instant::now() {
            expire_quota(&cloud);
            expire = Instant::now() + EXPIRE_EVERY;
        }
        let free = if *stopped.borrow() { 0 } else { JOBS_MAX - jobs.len() };
        let busy = under_way.iter().flat_map(|(_, lot)| lot.iter().flat_map(about)).collect();
        for lot in lots(begin(&cloud, free, busy)) {
            let (job, of) = (lot.clone(), cloud.clone());
            let handle =
                jobs.spawn_blocking(move || finish_lot(&of, &job, &work_on_lot(&of, &job)));
            under_way.push((handle.id(), lot));
        }
        tokio::select! {
            Some(done) = jobs.join_next_with_id() => {
                let (id, died) = match done {
                    Ok((id, ())) => (id, None),
                    Err(error) => (error.id(), Some(error)),
                };
                let at = under_way.iter().position(|(other, _)| *other == id);
                let ended = at.map(|at| under_way.swap_remove(at));
                if let (Some((_, lot)), Some(error)) = (ended, died) {
                    tracing::error!(%error, "work with a volume ended in the middle");
                    for item in &lot {
                        finish(&cloud, item, &failed(FailureCause::Unknown));
                    }
                }
            }
            () = cloud.queued().notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// Gives back quota that was set aside for what never came to an end.
fn expire_quota(cloud: &CinderState) {
    let overdue = |txn: &mut WriteTxn<'_>, now| {
        expire_reservations(txn, cloud.config(), now).map_err(refused)
    };
    if let Some(expired @ 1..) = write(cloud, overdue) {
        tracing::warn!(expired, "quota that was set aside for nothing is given back");
    }
}

/// Runs a transaction; `None` when the store refuses, which is logged.
fn write<T>(
    cloud: &CinderState,
    change: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<T, Rejection>,
) -> Option<T> {
    let written = tokio::task::block_in_place(|| cloud.app().write_blocking(change));
    written.ok().map(|(_, done)| done)
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn refused(error: statehold_store::WriteError) -> Rejection {
    Rejection::internal(&error)
}

/// Notes that the next work is begun, up to `free` lots of what can be done and changes nothing `busy`.
fn begin(cloud: &CinderState, free: usize, busy: Vec<(WorkTarget, Uuid)>) -> Vec<WorkItem> {
    // Most looks find nothing, and cost no transaction.
    let view = cloud.app().store().snapshot();
    let next = pick(ready_work(&view).map(|item| &**item), free, busy.clone());
    if next.is_empty() {
        return Vec::new();
    }
    let place = |(kind, target): (WorkTarget, Uuid)| {
        let item = view.get::<WorkItem>((kind.as_str(), target))?;
        Some((target, placement(cloud, &view, item)?))
    };
    let placements: Vec<(Uuid, Placement)> = next.into_iter().filter_map(place).collect();
    let start = |txn: &mut WriteTxn<'_>, now| {
        let mut begun = Vec::new();
        for (kind, target) in pick(ready_work(txn).map(|item| &**item), free, busy) {
            let Some(item) = start_work(txn, now, kind, target)? else { continue };
            let place = placements.iter().find(|(volume, _)| *volume == target);
            if let (Task::CreateVolume { .. }, Some((volume, place))) = (&item.task, place) {
                place_volume(txn, now, *volume, place.clone())?;
            }
            begun.push(item);
        }
        Ok::<_, WriteError>(begun)
    };
    write(cloud, |txn, now| start(txn, now).map_err(refused)).unwrap_or_default()
}

/// Where a volume is going to be made, when that is known before its work begins: one commit less.
fn placement(cloud: &CinderState, view: &impl ReadView, item: &WorkItem) -> Option<Placement> {
    let Task::CreateVolume { source } = item.task else { return None };
    let row = view.get::<Volume>(item.target)?;
    let (backend, _) = choose(cloud, view, row, source).ok()?;
    Some(backend.placement())
}

/// What work changes.
fn about(item: &WorkItem) -> impl Iterator<Item = (WorkTarget, Uuid)> {
    let other = match item.task {
        Task::RestoreBackup { volume } => Some((WorkTarget::Volume, volume)),
        _ => None,
    };
    iter::once((item.kind, item.target)).chain(other)
}

/// Whether work is so short that several items share a job, a transaction before and one after it: a
/// commit costs more than the file of a volume without data.
fn is_short(item: &WorkItem) -> bool {
    matches!(item.task, Task::CreateVolume { source: VolumeSource::Empty })
}

/// Splits items into lots: short ones together, others each by itself.
fn lots(items: Vec<WorkItem>) -> Vec<Vec<WorkItem>> {
    let (short, long): (Vec<_>, Vec<_>) = items.into_iter().partition(is_short);
    let short = short.chunks(LOT_ITEMS_MAX).map(<[WorkItem]>::to_vec);
    short.chain(long.into_iter().map(|item| vec![item])).collect()
}

/// Up to `free` lots of items that change nothing that is busy, nor the same.
fn pick<'i>(
    ready: impl Iterator<Item = &'i WorkItem>,
    free: usize,
    mut busy: Vec<(WorkTarget, Uuid)>,
) -> Vec<(WorkTarget, Uuid)> {
    let idle = ready.filter(|item| {
        let idle = !about(item).any(|changed| busy.contains(&changed));
        if idle {
            busy.extend(about(item));
        }
        idle
    });
    let (mut short, mut long) = (0_usize, 0);
    // An item that finds no room ends the search: no later item of the queue overtakes it.
    let fitting = idle.take_while(|item| {
        if is_short(item) {
            short += 1;
        } else {
            long += 1;
        }
        short.div_ceil(LOT_ITEMS_MAX) + long <= free
    });
    fitting.map(|item| (item.kind, item.target)).collect()
}

/// Writes what came of work, unless an operator settled the matter in the meantime.
fn finish(cloud: &CinderState, item: &WorkItem, outcome: &Outcome) {
    let before = cloud.app().store().snapshot();
    let written = write(cloud, |txn, now| {
        finish_work(txn, cloud.config(), now, item, outcome).map_err(refused)
    });
    if let Some(written) = written {
        note_finished(cloud, item, outcome, written);
    }
    let Outcome::Done { moved: Some(to), .. } = outcome else { return };
    let Some(row) = before.get::<Volume>(item.target) else { return };
    // The file that doesn't count; when it is not known which, the next start finds out.
    let left = match written {
        Some(true) => row.host.as_deref(),
        Some(false) => Some(&*to.host),
        None => None,
    };
    // Before anything else is done with the volume: it may be about to come back.
    if let Some(backend) = left.and_then(|host| cloud.backends().of(host))
        && let Err(error) = backend.driver.delete_volume(item.target)
    {
        tracing::error!(%error, volume = %item.target, "the other file of a volume that moved is left");
    }
}

/// Writes the outcomes of a lot in one transaction.
fn finish_lot(cloud: &CinderState, lot: &[WorkItem], outcomes: &[Outcome]) {
    let each = || lot.iter().zip(outcomes);
    let moved = |outcome: &Outcome| matches!(outcome, Outcome::Done { moved: Some(_), .. });
    // A file may have to go after the outcome of a volume that moved.
    if lot.len() < 2 || outcomes.iter().any(moved) {
        return each().for_each(|(item, outcome)| finish(cloud, item, outcome));
    }
    let written = write(cloud, |txn, now| {
        let finish = |(item, outcome)| finish_work(txn, cloud.config(), now, item, outcome);
        each().map(finish).collect::<Result<Vec<bool>, _>>().map_err(refused)
    });
    match written {
        Some(written) => {
            each().zip(written).for_each(|((item, outcome), written)| {
                note_finished(cloud, item, outcome, written);
            });
        }
        // One outcome that can't be written must not hold up the others.
        None => each().for_each(|(item, outcome)| finish(cloud, item, outcome)),
    }
}

/// Logs and counts an outcome; `written` is `false` if an operator settled the matter in the meantime.
fn note_finished(cloud: &CinderState, item: &WorkItem, outcome: &Outcome, written: bool) {
    if !written {
        tracing::info!(target = %item.target, "work was settled by an operator while it was done");
    } else if let Outcome::Failed { .. } = outcome {
        cloud.metrics().failed(item.task.name());
    }
}

fn failed(cause: FailureCause) -> Outcome {
    Outcome::Failed { cause, message: Uuid::new_v4() }
}

/// Does the work of a lot; returns the outcomes in the order of the items.
fn work_on_lot(cloud: &CinderState, lot: &[WorkItem]) -> Vec<Outcome> {
    match lot {
        [item] => vec![work(cloud, item)],
        _ => create_together(cloud, lot),
    }
}

/// Creates volumes without data, those of one back end together.
fn create_together(cloud: &CinderState, lot: &[WorkItem]) -> Vec<Outcome> {
    let view = cloud.app().store().snapshot();
    let placed = |(at, item): (usize, &WorkItem)| {
        let row = view.get::<Volume>(item.target)?;
        let backend = cloud.backends().of(row.host.as_deref()?)?;
        Some((backend.name(), at, (row.id, row.size)))
    };
    let placed: Vec<_> = lot.iter().enumerate().filter_map(placed).collect();
    let mut outcomes = vec![None; lot.len()];
    for backend in cloud.backends().all() {
        let own = placed.iter().filter(|(name, ..)| *name == backend.name());
        let (places, volumes): (Vec<usize>, Vec<(Uuid, u32)>) =
            own.map(|(_, at, volume)| (*at, *volume)).unzip();
        if volumes.is_empty() {
            continue;
        }
        let created = backend.driver.create_empty_volumes(&volumes);
        let after = cloud.app().store().snapshot();
        for ((at, (id, _)), mut done) in places.into_iter().zip(volumes).zip(created) {
            // Its row may have been deleted meanwhile.
            if done.is_ok() && after.get::<Volume>(id).is_none() {
                done = backend.driver.delete_volume(id);
            }
            let done = done.map(|()| Outcome::DONE).map_err(Failure::Io);
            outcomes[at] = Some(outcome_of(&lot[at], done));
        }
    }
    // The others have no back end yet, or one that is not served any more.
    let each = lot.iter().zip(outcomes);
    each.map(|(item, outcome)| outcome.unwrap_or_else(|| work(cloud, item))).collect()
}

/// Does work; it may take a while.
fn work(cloud: &CinderState, item: &WorkItem) -> Outcome {
    let done = match item.kind {
        WorkTarget::Volume => of_volume(cloud, item),
        WorkTarget::Snapshot => of_snapshot(cloud, item),
        WorkTarget::Backup => of_backup(cloud, item),
        WorkTarget::Group => of_group(cloud, item),
    };
    outcome_of(item, done)
}

/// Returns the outcome of work, and logs a failure.
fn outcome_of(item: &WorkItem, done: Result<Outcome, Failure>) -> Outcome {
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

pub(crate) enum Failure {
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

/// The back end of a volume.
fn backend_of(cloud: &CinderState, row: &Volume) -> Result<Arc<Backend>, Failure> {
    let backend = row.host.as_deref().and_then(|host| cloud.backends().of(host));
    backend.cloned().ok_or(Failure::NoBackend)
}

fn of_volume(cloud: &CinderState, item: &WorkItem) -> Result<Outcome, Failure> {
    let view = cloud.app().store().snapshot();
    let row = view.get::<Volume>(item.target).ok_or(Failure::Gone)?;
    match &item.task {
        Task::CreateVolume { source: from } => {
            let (backend, source) = choose(cloud, &view, row, *from)?;
            place(cloud, row, &backend)?;
            match from {
                VolumeSource::Backup(backup) => {
                    let data = view.get::<Backup>(*backup).ok_or(Failure::Gone)?.data();
                    let mut fill = |file: &File| cloud.vault().restore(data, file);
                    backend.driver.fill_volume(row.id, row.size, &mut fill)?;
                }
                _ => backend.driver.create_volume(row.id, row.size, &source)?,
            }
            // Its row may have been deleted before it was placed.
            if cloud.app().store().snapshot().get::<Volume>(row.id).is_none() {
                backend.driver.delete_volume(row.id)?;
            }
        }
        Task::DeleteVolume { keep_data: true } => {}
        Task::DeleteVolume { keep_data: false } => {
            // One that was placed nowhere was never made.
            if row.host.is_some() {
                backend_of(cloud, row)?.driver.delete_volume(row.id)?;
            }
        }
        Task::ExtendVolume { size } => {
            let backend = backend_of(cloud, row)?;
            backend.driver.extend_volume(row.id, *size)?;
            // A host that mounts the file goes on with the old size until it looks again.
            if backend.is_exported() && row.previous_status == Some(VolumeStatus::InUse) {
                return Ok(Outcome::AwaitsHost);
            }
        }
        Task::RevertVolume { snapshot } => {
            backend_of(cloud, row)?.driver.revert_volume(row.id, *snapshot)?;
        }
        Task::RetypeVolume { volume_type, may_migrate } => {
            let new = view.get::<VolumeType>(*volume_type).ok_or(Failure::Gone)?;
            if backend_of(cloud, row).is_ok_and(|own| own.fits(new)) {
                return Ok(Outcome::DONE);
            }
            let zone = &row.availability_zone;
            let to = cloud.backends().choose(zone, row.size, Some(new), &disabled_hosts(&view));
            let to = to.filter(|_| *may_migrate).ok_or(Failure::NoBackend)?;
            check_free(&view, row)?;
            let noted = write(cloud, |txn, now| note_moving(txn, now, item).map_err(refused));
            if noted != Some(true) {
                return Err(Failure::Gone);
            }
            return move_volume(cloud, &view, row, to);
        }
        Task::MigrateVolume { host, .. } => {
            let to = cloud.backends().of(host).ok_or(Failure::NoBackend)?;
            // Cinder: cinder/scheduler/filters/availability_zone_filter.py, which migrations pass too.
            if *to.zone() != *row.availability_zone {
                return Err(Failure::NoBackend);
            }
            return move_volume(cloud, &view, row, to);
        }
        Task::ManageVolume { reference } => {
            let size = backend_of(cloud, row)?.driver.manage_volume(row.id, reference)?;
            return Ok(Outcome::Managed { size, message: Uuid::new_v4() });
        }
        _ => return Err(Failure::Gone),
    }
    Ok(Outcome::DONE)
}

/// Records the back end of a volume before its file is created there, unless it is recorded.
fn place(cloud: &CinderState, row: &Volume, backend: &Backend) -> Result<(), Failure> {
    if row.host.as_deref() == Some(backend.host()) {
        return Ok(());
    }
    let place = |txn: &mut WriteTxn<'_>, now| {
        place_volume(txn, now, row.id, backend.placement()).map_err(refused)
    };
    if write(cloud, place) == Some(true) { Ok(()) } else { Err(Failure::Gone) }
}

/// Where a new volume is made, and of what. A copy is made where the original is.
fn choose(
    cloud: &CinderState,
    view: &impl ReadView,
    row: &Volume,
    source: VolumeSource,
) -> Result<(Arc<Backend>, Source), Failure> {
    let (original, source) = match source {
        VolumeSource::Empty | VolumeSource::Backup(_) => {
            if row.host.is_some() {
                return Ok((backend_of(cloud, row)?, Source::Empty));
            }
            let off = disabled_hosts(view);
            if let Some(host) = host_of(view, row) {
                let own = cloud.backends().of(&host?).cloned();
                let own = own.filter(|own| !off.contains(own.service_host()));
                let own = own.filter(|own| allow(cloud, view, row, own));
                return Ok((own.ok_or(Failure::NoBackend)?, Source::Empty));
            }
            let named = row.volume_type_id.and_then(|id| view.get::<VolumeType>(id));
            let named = named.map(|named| &**named);
            let (zone, types) = (&row.availability_zone, named.as_slice());
            let allow = |own: &Backend| allow(cloud, view, row, own);
            let chosen = cloud.backends().choose_for(zone, row.size, types, &off, allow);
            return Ok((chosen.cloned().ok_or(Failure::NoBackend)?, Source::Empty));
        }
        VolumeSource::Snapshot(id) => {
            let snapshot = view.get::<Snapshot>(id).ok_or(Failure::Gone)?;
            (snapshot.volume_id, Source::Snapshot(id))
        }
        VolumeSource::Volume(id) => (id, Source::Volume(id)),
    };
    let original = view.get::<Volume>(original).ok_or(Failure::Gone)?;
    let own = backend_of(cloud, original)?;
    // The back end is that of the original, and hints can only refuse it. A copy that is there already
    // was allowed when it was begun.
    if row.host.is_none() && !allow(cloud, view, row, &own) {
        return Err(Failure::NoBackend);
    }
    Ok((own, source))
}

/// Copies a volume to another back end. Its file at the old one goes when the new one is whole: until
/// the outcome is written the old place counts, so the old file stays should the server die.
fn move_volume(
    cloud: &CinderState,
    view: &impl ReadView,
    row: &Volume,
    to: &Arc<Backend>,
) -> Result<Outcome, Failure> {
    let from = backend_of(cloud, row)?;
    if Arc::ptr_eq(&from, to) {
        return Ok(Outcome::DONE);
    }
    check_free(view, row)?;
    // What an earlier attempt copied may be older than what is on the volume now.
    to.driver.delete_volume(row.id)?;
    to.driver.create_volume(row.id, row.size, &Source::File(from.driver.path(row.id)))?;
    Ok(Outcome::Done { moved: Some(to.placement()), provider_id: None })
}

/// Refuses to move a volume in use, or with snapshots.
fn check_free(view: &impl ReadView, row: &Volume) -> Result<(), Failure> {
    let snapshots = KeyRange::<(Uuid, i64)>::starting_with(row.id);
    let mut snapshots = view.scan_by(&Snapshot::BY_VOLUME, &snapshots, Order::Ascending);
    if row.attach_status != AttachStatus::Detached || snapshots.next().is_some() {
        return Err(Failure::Held);
    }
    Ok(())
}

fn of_snapshot(cloud: &CinderState, item: &WorkItem) -> Result<Outcome, Failure> {
    let view = cloud.app().store().snapshot();
    let row = view.get::<Snapshot>(item.target).ok_or(Failure::Gone)?;
    let volume = view.get::<Volume>(row.volume_id).ok_or(Failure::Gone)?;
    match &item.task {
        Task::CreateSnapshot => {
            backend_of(cloud, volume)?.driver.create_snapshot(row.id, volume.id)?;
        }
        Task::DeleteSnapshot { keep_data: true } => {}
        Task::DeleteSnapshot { keep_data: false } => {
            backend_of(cloud, volume)?.driver.delete_snapshot(row.id)?;
        }
        Task::ManageSnapshot { reference } => {
            backend_of(cloud, volume)?.driver.manage_snapshot(row.id, volume.id, reference)?;
        }
        _ => return Err(Failure::Gone),
    }
    Ok(Outcome::DONE)
}

fn of_backup(cloud: &CinderState, item: &WorkItem) -> Result<Outcome, Failure> {
    let view = cloud.app().store().snapshot();
    let row = view.get::<Backup>(item.target).ok_or(Failure::Gone)?;
    match &item.task {
        Task::CreateBackup => {
            // Cinder: cinder/backup/api.py, API._az_matched.
            let zone = row.availability_zone.as_deref();
            if zone.is_some_and(|zone| *zone != *cloud.backends().default_zone()) {
                return Err(Failure::NoBackupService);
            }
            let objects = back_up(cloud, &view, row)?;
            return Ok(Outcome::BackedUp { objects });
        }
        Task::RestoreBackup { volume } => {
            let to = view.get::<Volume>(*volume).ok_or(Failure::Gone)?;
            // A new volume has no back end yet.
            let (backend, _) = choose(cloud, &view, to, VolumeSource::Empty)?;
            place(cloud, to, &backend)?;
            let mut fill = |file: &File| {
                cloud.vault().restore(row.data(), file)?;
                // An operator may have called it off.
                let view = cloud.app().store().snapshot();
                let to = view.get::<Volume>(*volume);
                match to.filter(|to| to.status == VolumeStatus::RestoringBackup) {
                    Some(_) => Ok(()),
                    None => Err(io::Error::other("the restoring was called off")),
                }
            };
            backend.driver.fill_volume(to.id, to.size, &mut fill)?;
        }
        // The data stays for a backup that was imported under another ID.
        Task::DeleteBackup if row.shares_data(&view) => {}
        Task::DeleteBackup => cloud.vault().delete(row.data())?,
        Task::CheckBackup => cloud.vault().check(row.data(), parent_data(&view, row))?,
        _ => return Err(Failure::Gone),
    }
    Ok(Outcome::DONE)
}

/// Backs up a snapshot, or a volume. Of a volume that is used a copy is made first, so that what is
/// backed up is of one moment.
fn back_up(cloud: &CinderState, view: &impl ReadView, row: &Backup) -> Result<u32, Failure> {
    let volume = view.get::<Volume>(row.volume_id).ok_or(Failure::Gone)?;
    let driver = &backend_of(cloud, volume)?.driver;
    let from = match row.snapshot_id {
        Some(snapshot) => regular::open(&driver.snapshot_path(snapshot))?,
        None if volume.previous_status == Some(VolumeStatus::InUse) => {
            driver.still(volume.id, row.id)?
        }
        None => regular::open(&driver.path(volume.id))?,
    };
    Ok(cloud.vault().create(row.data(), parent_data(view, row), &from)?)
}

/// Returns the ID that the data of a backup's parent goes by.
fn parent_data(view: &impl ReadView, row: &Backup) -> Option<Uuid> {
    let parent = row.parent_id?;
    Some(view.get::<Backup>(parent).map_or(parent, |parent| parent.data()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_one_thing_is_done_with_a_volume_at_a_time() {
        let [volume, one, other] = [1, 2, 3].map(Uuid::from_u128);
        let item = |kind, target, task| WorkItem {
            kind,
            target,
            task,
            reservation: None,
            request_id: "".into(),
            queued_at: 1,
            started_at: None,
            attempts: 0,
        };
        let restore = |from| item(WorkTarget::Backup, from, Task::RestoreBackup { volume });
        let delete = item(WorkTarget::Volume, volume, Task::DeleteVolume { keep_data: false });
        let unrelated = item(WorkTarget::Backup, Uuid::nil(), Task::DeleteBackup);
        let ready = [restore(one), restore(other), delete, unrelated];
        let backup = |id| (WorkTarget::Backup, id);
        assert_eq!(pick(ready.iter(), 4, Vec::new()), [backup(one), backup(Uuid::nil())]);
        assert_eq!(pick(ready.iter(), 1, Vec::new()), [backup(one)]);
        let busy = about(&restore(one)).collect();
        assert_eq!(pick(ready.iter(), 4, busy), [backup(Uuid::nil())]);

        let create = |at: usize| {
            let task = Task::CreateVolume { source: VolumeSource::Empty };
            item(WorkTarget::Volume, Uuid::from_u128(100 + at as u128), task)
        };
        let mut ready: Vec<WorkItem> = (0..LOT_ITEMS_MAX).map(create).collect();
        assert_eq!(pick(ready.iter(), 1, Vec::new()).len(), LOT_ITEMS_MAX);
        ready.insert(2, restore(one));
        ready.push(create(LOT_ITEMS_MAX));
        // The backup finds no room in the one lot, and nothing behind it overtakes it.
        assert_eq!(pick(ready.iter(), 1, Vec::new()).len(), 2);
        assert_eq!(pick(ready.iter(), 2, Vec::new()).len(), LOT_ITEMS_MAX + 1);
        assert_eq!(pick(ready.iter(), 3, Vec::new()).len(), LOT_ITEMS_MAX + 2);
        let sizes =
            |items: &[WorkItem]| lots(items.to_vec()).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(&ready), [LOT_ITEMS_MAX, 1, 1]);
        assert!(sizes(&[]).is_empty());
    }
}
