//! Migrating volumes to another back end.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::{
    attach::{AttachRequest, attach_volume, detach_volume},
    write_volume,
};
use crate::{
    caller::policy,
    context::{Context, find_volume},
    errors::{Error, VolumeRefusal},
    ops::services::disabled_hosts,
    rows::{Attachment, MigrationStatus, Task, Volume, WorkTarget},
    status_machine::VolumeOperation,
    work::{queue, snapshots_of},
};

/// First version whose requests may name a cluster in place of a host.
// Cinder: cinder/api/microversions.py, VOLUME_MIGRATE_CLUSTER.
const CLUSTER_SINCE: u16 = 16;

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
        // Cinder: cinder/api/common.py, get_cluster_host.
        _ if !cx.version.at_least(CLUSTER_SINCE) => {
            return Err(Error::input("Host field is missing."));
        }
        _ => return Err(Error::input("One and only one of cluster and host must be set.")),
    };
    let service = host.split_once('#').map_or(&*host, |(service, _)| service);
    if !is_up(&host) || disabled_hosts(txn).contains(service) {
        return Err(Error::request(format!("Invalid host: No available service named '{host}'")));
    }
    let replicated =
        !matches!(row.replication_status.as_deref(), None | Some("disabled" | "not-capable"));
    let action =
        if request.lock_volume { VolumeOperation::MigrateLocked } else { VolumeOperation::Migrate };
    let status = action.check(&row)?;
    if !row.is_settled()
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
    // A locked volume that is in use stays in use: its machine keeps it attached.
    row.status = status;
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
    // A caller without the permission must not learn whether the other volume exists.
    cx.caller.check_on(policy::VOLUME_MIGRATE_COMPLETION, &row)?;
    let new = Volume::clone(find_volume(txn, cx.caller, &new.to_string())?);
    cx.caller.check_on(policy::VOLUME_MIGRATE_COMPLETION, &new)?;
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
        detach_volume(txn, cx, id, Some(&user.id.to_string()))?;
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
