//! Operations by which a back end changes a volume: extension, retype, migration and revert.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::{
    attach::{AttachRequest, attach_volume, detach_volume},
    write_volume,
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

/// First version that extends volumes in use.
const IN_USE_EXTEND_SINCE: u16 = 42;

/// Extends a volume to `size` GiB. Its row is `extending`, and a worker extends the data. The quota
/// is reserved under the ID `reservation` until then.
///
/// # Errors
/// [`Error`]; the size is checked before the status, the status before the quota.
// Cinder: cinder/volume/api.py, API._extend.
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
    // An admin may have cancelled an earlier extension, which no host completes any more.
    row.admin_metadata.remove(EXTEND_SIZE);
    write_volume(txn, cx.now, row)?;
    let task = Task::ExtendVolume { size };
    queue(txn, cx, target, task, Some(reservation))?;
    Ok(())
}

/// Completes the extension of a volume in use: its host has the new size, or has `failed` to get
/// it. `message` is the ID of the message for a failure. Admins only.
///
/// The volume gets its size and its earlier status, or is `error_extending` with its old size. Its
/// file keeps the new length, which the next extension uses.
///
/// # Errors
/// [`Error`] with the status 400 unless the volume is `extending` and waits for its host.
// Cinder: cinder/volume/api.py, API.extend_volume_completion, which has these messages.
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
        // The back end has not finished its part, or no host takes part.
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

/// Changes the type of a volume. Its row is `retyping`, and a worker carries it out. The quota of
/// the new type is reserved under the ID `reservation` until then.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Retype`] unless the volume is idle and the type another one.
// Cinder: cinder/volume/api.py, API.retype.
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
    // The host of a volume in use enforces the limits that it got with the connection.
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
        // The counts of all types together do not change.
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
    write_volume(txn, cx.now, row)?;
    let task = Task::RetypeVolume { volume_type: new.id, may_migrate };
    queue(txn, cx, target, task, Some(reservation))?;
    Ok(())
}

/// A request to migrate a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrateRequest {
    /// The back end, `host@backend#pool`.
    pub host: Option<Box<str>>,
    /// The cluster; none exist, so a request with one is rejected.
    pub cluster: Option<Box<str>>,
    /// Whether to copy the data even if the back end has a faster way.
    pub force_host_copy: bool,
    /// Whether to lock the volume during the migration.
    pub lock_volume: bool,
}

/// Migrates a volume to another back end: a worker moves it. Admins only.
///
/// `is_up` returns whether a back end is up. A disabled one accepts no volumes.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Migrate`] unless the volume is idle and free of dependents.
// Cinder: cinder/volume/api.py, API.migrate_volume.
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
    // A volume in use stays in use: its machine keeps it attached.
    if request.lock_volume && row.status == VolumeStatus::Available {
        row.status = VolumeStatus::Maintenance;
    }
    write_volume(txn, cx.now, row)?;
    let task = Task::MigrateVolume { host, copy: request.force_host_copy };
    queue(txn, cx, target, task, None)?;
    Ok(())
}

/// Completes a migration that a host carried out: the attachments of `id` move to `new`, unless the
/// copy `failed`. Returns the ID of the surviving volume. Admins only.
///
/// Back ends copy by themselves here, so no migrating volume waits for this call.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal`] if either volume was migrated or is migrating.
// Cinder: cinder/volume/api.py, API.migrate_volume_completion.
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
    // Each attachment keeps its ID on the new volume.
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

/// Reverts a volume to its newest snapshot: both are in a transitional status, and a worker reverts
/// the data.
///
/// # Errors
/// [`Error`]; any other snapshot is rejected with the status 400, an unavailable volume or snapshot
/// with 409.
// Cinder: cinder/api/v3/volumes.py, VolumeController.revert; cinder/volume/api.py,
// API.revert_to_snapshot.
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
    write_volume(txn, cx.now, row)?;
    let task = Task::RevertVolume { snapshot };
    queue(txn, cx, (WorkTarget::Volume, volume), task, None)?;
    Ok(())
}
