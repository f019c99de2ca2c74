//! What a back end changes about a volume: its size, its type, its place, its contents.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::{
    attach::{AttachRequest, attach_volume, detach_volume},
    write,
};
use crate::{
    caller::policy,
    context::{Context, find_volume},
    error::{Error, Missing},
    ops::{
        qos::is_front_end,
        refusal::{VolumeRefusal, check_settled},
        services::disabled_hosts,
        type_rules::{check_size, check_unencrypted},
        types::find_type,
    },
    quota::{self, Deltas},
    rows::{
        Attachment, MigrationStatus, QosSpecs, QuotaKind, Snapshot, SnapshotStatus, Task, Volume,
        VolumeStatus, VolumeType, WorkItem, WorkTarget,
    },
    totals,
    work::{EXTEND_SIZE, FailureCause, Outcome, awaits_host, finish_work, queue, snapshots_of},
};

/// From this version on volumes are enlarged while they are in use.
const IN_USE_EXTEND_SINCE: u16 = 42;

/// Enlarges a volume to `size` GiB: it is `extending`, and a worker has to enlarge it. The quota is
/// set aside under the ID `reservation` until then.
///
/// # Errors
/// [`Error`]; the size is checked before the state, the state before the quota.
pub fn extend_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    size: u32,
    reservation: Uuid,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    let in_use = row.status == VolumeStatus::InUse && cx.version.at_least(IN_USE_EXTEND_SINCE);
    let rule = if in_use { policy::VOLUME_EXTEND_ATTACHED } else { policy::VOLUME_EXTEND };
    cx.caller.check_on(rule, &row)?;
    if size <= row.size {
        return Err(Error::input(format!(
            "New size for extend must be greater than current size. (current: {}, extended: \
             {size}).",
            row.size
        )));
    }
    if let Some(own) = row.volume_type_id.and_then(|id| txn.get::<VolumeType>(id)) {
        check_size(own, size)?;
    }
    if row.status != VolumeStatus::Available && !in_use {
        return Err(VolumeRefusal::Extend { volume: row.id, status: row.status }.into());
    }
    check_settled(&row)?;
    quota::check_size(txn, cx.config, &row.project_id, size)?;
    let more = i64::from(size - row.size);
    let mut deltas = Deltas::new();
    quota::add(&mut deltas, QuotaKind::Gigabytes, row.volume_type_id, more);
    quota::reserve(txn, cx.config, cx.now, reservation, &row.project_id, deltas)?;
    let target = (WorkTarget::Volume, row.id);
    row.previous_status = Some(row.status);
    row.status = VolumeStatus::Extending;
    // An operator may have given up the extension before, which no host completes any more.
    row.admin_metadata.remove(EXTEND_SIZE);
    write(txn, cx.now, row)?;
    let task = Task::ExtendVolume { size };
    queue(txn, cx, target, task, Some(reservation))?;
    Ok(())
}

/// Completes the extension of a volume that a host uses: the host has the new size, or has `failed` to get
/// it. `message` is the ID of the message that a failure leaves. Admins only.
///
/// The volume gets its size and the status that it had, or is `error_extending` with its old size; its
/// file keeps the new length, which the next extension uses.
///
/// # Errors
/// [`Error`] with the status 400 unless the volume is `extending` and waits for its host.
// Cinder: cinder/volume/api.py, API.extend_volume_completion, whose texts these are.
pub fn complete_extend(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    failed: bool,
    message: Uuid,
) -> Result<(), Error> {
    let row = find_volume(txn, cx.caller, id)?;
    cx.caller.check_on(policy::VOLUME_EXTEND_COMPLETION, &**row)?;
    if row.status != VolumeStatus::Extending {
        return Err(Error::request("Invalid volume: Volume is not being extended."));
    }
    let item = txn.get::<WorkItem>((WorkTarget::Volume.as_str(), row.id));
    let Some(item) = item.filter(|item| awaits_host(txn, item)).map(|item| WorkItem::clone(item))
    else {
        // The back end is not done with its part, or no host has to do any.
        return Err(Error::request(
            "Invalid volume: Required volume admin metadata is malformed or missing.",
        ));
    };
    let outcome = if failed {
        Outcome::Failed { cause: FailureCause::Extend, message }
    } else {
        Outcome::DONE
    };
    finish_work(txn, cx.config, cx.now, &item, &outcome)?;
    Ok(())
}

/// Gives a volume another type: it is `retyping`, and a worker has to see to it. The quota of the new
/// type is set aside under the ID `reservation` until then.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Retype`] unless it is at rest and the type another one.
pub fn retype_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    new_type: &str,
    may_migrate: bool,
    reservation: Uuid,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_RETYPE, &row)?;
    let new = VolumeType::clone(find_type(txn, cx.caller, new_type)?);
    check_size(&new, row.size)?;
    check_unencrypted(&new)?;
    let old = row.volume_type_id.and_then(|id| txn.get::<VolumeType>(id));
    let used = || {
        let range = KeyRange::exact(row.id);
        txn.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending).next().is_some()
    };
    if new.is_multiattach() != row.multiattach && (row.status != VolumeStatus::Available || used())
    {
        return Err(Error::input(
            "Changing volume type multiattach property is only allowed for volumes that are \
             available.",
        ));
    }
    let in_use = row.status == VolumeStatus::InUse;
    let fixed_qos = in_use && {
        let front_end = |id: Option<Uuid>| {
            let specs = id.and_then(|id| txn.get::<QosSpecs>(id));
            specs.filter(|specs| is_front_end(&specs.consumer)).map(|specs| specs.id)
        };
        front_end(new.qos_specs_id) != front_end(old.and_then(|old| old.qos_specs_id))
    };
    let at_rest = row.status == VolumeStatus::Available || in_use;
    if !at_rest
        || !row.is_settled()
        || row.group_id.is_some()
        || row.volume_type_id == Some(new.id)
        || fixed_qos
    {
        return Err(VolumeRefusal::Retype.into());
    }
    let mut deltas = Deltas::new();
    let size = i64::from(row.size);
    for (volume_type, sign) in [(Some(new.id), 1), (row.volume_type_id, -1)] {
        let Some(volume_type) = volume_type else { continue };
        // What counts for all types stays as it is.
        for (kind, delta) in [(QuotaKind::Volumes, sign), (QuotaKind::Gigabytes, sign * size)] {
            deltas.insert(crate::rows::QuotaResource::of(kind, volume_type), delta);
        }
    }
    if row.consumes_quota {
        quota::reserve(txn, cx.config, cx.now, reservation, &row.project_id, deltas)?;
    }
    let target = (WorkTarget::Volume, row.id);
    row.previous_status = Some(row.status);
    row.status = VolumeStatus::Retyping;
    write(txn, cx.now, row)?;
    let task = Task::RetypeVolume { volume_type: new.id, may_migrate };
    queue(txn, cx, target, task, Some(reservation))?;
    Ok(())
}

/// Where a volume is to move, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrateRequest {
    /// The back end, `host@backend#pool`.
    pub host: Option<Box<str>>,
    /// The cluster; there are none, so naming one is refused.
    pub cluster: Option<Box<str>>,
    /// Whether the data is copied even if the back end could do better.
    pub force_host_copy: bool,
    /// Whether nobody may do anything else with the volume meanwhile.
    pub lock_volume: bool,
}

/// Moves a volume to another back end: a worker has to move it. Admins only.
///
/// `is_up` tells whether a back end is there. One that is disabled takes no volumes.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Migrate`] unless the volume is at rest and free.
pub fn migrate_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    request: MigrateRequest,
    is_up: impl FnOnce(&str) -> bool,
) -> Result<(), Error> {
    cx.caller.check(policy::VOLUME_MIGRATE)?;
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_MIGRATE, &row)?;
    let host = match (request.host, request.cluster) {
        (Some(host), None) => host,
        (None, Some(cluster)) => {
            return Err(Error::request(format!(
                "Invalid host: No available service named '{cluster}'"
            )));
        }
        _ => return Err(Error::input("One and only one of cluster and host must be set.")),
    };
    let service = host.split_once('#').map_or(&*host, |(service, _)| service);
    if !is_up(&host) || disabled_hosts(txn).contains(service) {
        return Err(Error::request(format!("Invalid host: No available service named '{host}'")));
    }
    let replicated =
        !matches!(row.replication_status.as_deref(), None | Some("disabled" | "not-capable"));
    let at_rest = matches!(row.status, VolumeStatus::Available | VolumeStatus::InUse);
    if !at_rest
        || !row.is_settled()
        || replicated
        || row.group_id.is_some()
        || row.host.as_ref() == Some(&host)
        || snapshots_of(txn, row.id).next().is_some()
    {
        return Err(VolumeRefusal::Migrate { volume: row.id }.into());
    }
    let target = (WorkTarget::Volume, row.id);
    row.migration_status = Some(MigrationStatus::Starting);
    row.previous_status = Some(row.status);
    if request.lock_volume && row.status == VolumeStatus::Available {
        row.status = VolumeStatus::Maintenance;
    }
    write(txn, cx.now, row)?;
    let task = Task::MigrateVolume { host, copy: request.force_host_copy };
    queue(txn, cx, target, task, None)?;
    Ok(())
}

/// What a host says that copied a volume to another one: from then on whoever has the first has the
/// other, unless the copying failed. The ID of the volume that is kept. Admins only.
///
/// Back ends copy by themselves here, so no volume that moves waits to be told.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal`] when either volume has been moved or is on its way.
pub fn complete_migration(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    new: Uuid,
    failed: bool,
) -> Result<Uuid, Error> {
    let row = Volume::clone(find_volume(txn, cx.caller, id)?);
    let new = Volume::clone(find_volume(txn, cx.caller, &new.to_string())?);
    for row in [&row, &new] {
        cx.caller.check_on(policy::VOLUME_MIGRATE_COMPLETION, row)?;
    }
    match (row.migration_status, new.migration_status) {
        (None, None) => {}
        (None, Some(_)) => return Err(VolumeRefusal::NotMoving.into()),
        (Some(_), None) => return Err(VolumeRefusal::OtherNotMoving.into()),
        (Some(_), Some(status)) => {
            return Err(VolumeRefusal::OtherMoves { status, volume: row.id }.into());
        }
    }
    if failed || row.id == new.id {
        return Ok(new.id);
    }
    let range = KeyRange::exact(row.id);
    let users: Vec<Attachment> = txn
        .scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending)
        .map(|user| Attachment::clone(user))
        .collect();
    for user in users {
        detach_volume(txn, cx, id, Some(user.id))?;
        let request = AttachRequest {
            instance: user.instance,
            host: user.host,
            mountpoint: user.mountpoint.unwrap_or_default(),
            mode: Some("rw".into()),
        };
        attach_volume(txn, cx, &new.id.to_string(), request, user.id)?;
    }
    Ok(new.id)
}

/// Takes a volume back to its newest snapshot: both are under way, and a worker has to do it.
///
/// # Errors
/// [`Error`]; another snapshot than the newest is refused with the status 400, a volume or snapshot
/// that isn't available with 409.
pub fn revert_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    snapshot: Uuid,
) -> Result<(), Error> {
    const SINCE: u16 = 40;
    if !cx.version.at_least(SINCE) {
        return Err(Missing::Operation.into());
    }
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_REVERT, &row)?;
    let volume = row.id;
    let Some(latest) = snapshots_of(txn, volume).last().map(|row| Snapshot::clone(row)) else {
        return Err(Error::request(format!("Volume {volume} doesn't have any snapshots.")));
    };
    if latest.id != snapshot {
        return Err(Error::request(format!(
            "Specified snapshot {snapshot} is None or not the latest one of volume {volume}."
        )));
    }
    if latest.size != row.size {
        return Err(Error::input(format!(
            "Can't revert volume {volume} to its latest snapshot {snapshot}. The volume size must \
             be equal to the snapshot size."
        )));
    }
    if row.status != VolumeStatus::Available {
        return Err(VolumeRefusal::Revert { volume, snapshot }.into());
    }
    check_settled(&row)?;
    if latest.status != SnapshotStatus::Available {
        return Err(VolumeRefusal::RevertSnapshot { volume, snapshot }.into());
    }
    let mut latest = latest;
    latest.status = SnapshotStatus::Restoring;
    latest.updated_at = Some(cx.now);
    totals::put_snapshot(txn, latest)?;
    row.status = VolumeStatus::Reverting;
    write(txn, cx.now, row)?;
    let task = Task::RevertVolume { snapshot };
    queue(txn, cx, (WorkTarget::Volume, volume), task, None)?;
    Ok(())
}
