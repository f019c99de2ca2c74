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

/// How much is done at a time.
const JOBS_MAX: usize = 4;

/// How often the queue is looked at if nobody tells that there is something.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often quota is given back that was set aside for what never came to an end.
const EXPIRE_EVERY: Duration = Duration::from_secs(5 * 60);

/// Does work until the server is to stop.
pub async fn run(cloud: CinderState, mut stopped: watch::Receiver<bool>) {
    let mut jobs = JoinSet::new();
    let mut under_way: Vec<(Id, WorkItem)> = Vec::new();
    let mut expire = Instant::now();
    loop {
        if expire <= Instant::now() {
            expire_quota(&cloud);
            expire = Instant::now() + EXPIRE_EVERY;
        }
        let free = if *stopped.borrow() { 0 } else { JOBS_MAX - jobs.len() };
        for item in begin(&cloud, free, &under_way) {
            let (job, of) = (item.clone(), cloud.clone());
            let handle = jobs.spawn_blocking(move || finish(&of, &job, &work(&of, &job)));
            under_way.push((handle.id(), item));
        }
        tokio::select! {
            Some(done) = jobs.join_next_with_id() => {
                let (id, died) = match done {
                    Ok((id, ())) => (id, None),
                    Err(error) => (error.id(), Some(error)),
                };
                let at = under_way.iter().position(|(other, _)| *other == id);
                let ended = at.map(|at| under_way.swap_remove(at));
                if let (Some((_, item)), Some(error)) = (ended, died) {
                    tracing::error!(%error, "work with a volume ended in the middle");
                    finish(&cloud, &item, &failed(FailureCause::Unknown));
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

/// Notes that the next work is begun, up to `free` items of what can be done.
fn begin(cloud: &CinderState, free: usize, under_way: &[(Id, WorkItem)]) -> Vec<WorkItem> {
    let busy: Vec<_> = under_way.iter().flat_map(|(_, item)| about(item)).collect();
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

/// Up to `free` items that change nothing that is busy, nor the same.
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
    idle.take(free).map(|item| (item.kind, item.target)).collect()
}

/// Writes what came of work, unless an operator settled the matter in the meantime.
fn finish(cloud: &CinderState, item: &WorkItem, outcome: &Outcome) {
    let before = cloud.app().store().snapshot();
    let written = write(cloud, |txn, now| {
        finish_work(txn, cloud.config(), now, item, outcome).map_err(refused)
    });
    if written == Some(false) {
        tracing::info!(target = %item.target, "work was settled by an operator while it was done");
    }
    if let (Some(true), Outcome::Failed { .. }) = (written, outcome) {
        cloud.metrics().failed(item.task.name());
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

fn failed(cause: FailureCause) -> Outcome {
    Outcome::Failed { cause, message: Uuid::new_v4() }
}

/// Does work; it may take a while.
fn work(cloud: &CinderState, item: &WorkItem) -> Outcome {
    let done = match item.kind {
        WorkTarget::Volume => of_volume(cloud, item),
        WorkTarget::Snapshot => of_snapshot(cloud, item),
        WorkTarget::Backup => of_backup(cloud, item),
        WorkTarget::Group => of_group(cloud, item),
    };
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
            failed(FailureCause::Unknown)
        }
        Err(Failure::Io(error)) => {
            tracing::error!(%error, target = %item.target, task = ?item.task, "work failed");
            failed(FailureCause::Unknown)
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
            if row.host.as_deref() != Some(backend.host()) {
                let placed = write(cloud, |txn, now| {
                    place_volume(txn, now, row.id, backend.placement()).map_err(refused)
                });
                if placed != Some(true) {
                    return Err(Failure::Gone);
                }
            }
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
            backend_of(cloud, to)?.driver.fill_volume(to.id, to.size, &mut fill)?;
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
    }
}
