//! Adoption of volumes and snapshots that exist on a back end.

use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use crate::{
    Pairs,
    caller::policy,
    context::{Context, find_volume},
    errors::Error,
    id::parse_id,
    ops::{
        type_rules::{check_unencrypted, resolve_zone},
        types::{default_type, find_type},
    },
    quota,
    rows::{
        AttachStatus, Service, Snapshot, SnapshotStatus, Task, Volume, VolumeStatus, VolumeType,
        WorkTarget,
    },
    status_machine::{VolumeOperation, check_settled},
    totals,
    version::Microversion,
    work::queue,
};

/// A request to adopt a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManageVolumeSpec {
    /// The back end, `host@backend#pool`.
    pub host: Option<Box<str>>,
    /// The cluster; none exist, so a request with one is rejected.
    pub cluster: Option<Box<str>>,
    /// Its name on the back end.
    pub reference: Option<Box<str>>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Its type, by ID or name.
    pub volume_type: Option<Box<str>>,
    /// Its availability zone.
    pub availability_zone: Option<Box<str>>,
    /// Whether a machine can boot from it.
    pub bootable: bool,
    /// User-defined key/value metadata.
    pub metadata: Pairs,
}

/// Adopts a volume of a back end with the ID `id`. Its row is `managing`, which clients read as
/// `creating`, with a size of 0 GiB until a worker has measured it. Admins only.
///
/// `place` returns the back end with its pool, `host@backend#pool`, for a request that names it with
/// or without the pool; `None` if it is missing.
///
/// # Errors
/// [`Error`] with the status 400 if the back end is missing, or the volume is managed already.
// Cinder: cinder/volume/api.py, API.manage_existing.
pub fn manage_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: ManageVolumeSpec,
    place: impl FnOnce(&str) -> Option<Box<str>>,
) -> Result<(), Error> {
    cx.caller.check(policy::VOLUME_MANAGE)?;
    let host = named_host(cx.version, (spec.host, spec.cluster), CLUSTER_SINCE)?;
    let named = spec.volume_type.as_deref().filter(|text| !text.is_empty());
    let volume_type = match named {
        // Cinder: cinder/api/contrib/volume_manage.py, VolumeManageController.create.
        Some(text) => VolumeType::clone(find_type(txn, cx.caller, text).map_err(|_| {
            Error::request(format!(
                "Invalid volume type: Cannot find requested '{text}' volume type"
            ))
        })?),
        None => VolumeType::clone(default_type(txn, cx.config, &cx.caller.project)?),
    };
    let host = match host {
        Named::Host(host) => host,
        Named::Cluster(name) => return Err(Error::request(format!("Cluster '{name}' not found"))),
    };
    let host = place(&host).ok_or_else(|| Error::request(format!("Host '{host}' not found")))?;
    let reference = check_reference(spec.reference)?;
    if is_managed(txn, &reference) {
        return Err(Error::request(format!(
            "Unable to manage existing volume. Volume {reference} already managed."
        )));
    }
    check_unencrypted(&volume_type)?;
    // Cinder: cinder/volume/api.py, API.manage_existing: the default is the back end's own zone.
    let service = host.split_once('#').map_or(&*host, |(service, _)| service);
    let own = txn.get::<Service>((Service::VOLUME, service)).map(|row| row.zone.clone());
    let named = spec.availability_zone.as_deref().or(own.as_deref());
    let zone = resolve_zone(cx.config, &volume_type, named, None)?;
    let project = &cx.caller.project;
    // Only the count is charged here: the worker charges the size, once it is known.
    quota::charge(txn, cx.config, project, &quota::of_volume(Some(volume_type.id), 1, 0))?;
    totals::put_volume(
        txn,
        Volume {
            id,
            project_id: project.clone(),
            user_id: cx.caller.user.clone(),
            name: spec.name,
            description: spec.description,
            size: 0,
            status: VolumeStatus::Managing,
            previous_status: None,
            attach_status: AttachStatus::Detached,
            migration_status: None,
            availability_zone: zone,
            created_at: cx.now,
            updated_at: None,
            volume_type_id: Some(volume_type.id),
            snapshot_id: None,
            source_volid: None,
            group_id: None,
            host: Some(host),
            bootable: spec.bootable,
            multiattach: volume_type.is_multiattach(),
            encryption_key_id: None,
            encrypted: false,
            replication_status: None,
            consumes_quota: true,
            shared_targets: Some(false),
            service_uuid: None,
            provider_id: None,
            name_id: None,
            metadata: spec.metadata,
            admin_metadata: Pairs::new(),
            image_metadata: Pairs::new(),
        },
    )?;
    queue(txn, cx, (WorkTarget::Volume, id), Task::ManageVolume { reference }, None)?;
    Ok(())
}

/// First version whose requests may name a cluster in place of a host.
// Cinder: cinder/api/microversions.py, VOLUME_MIGRATE_CLUSTER.
const CLUSTER_SINCE: u16 = 16;

/// A back end, or a cluster of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A back end, `host@backend#pool`.
    Host(Box<str>),
    /// A cluster. None exist.
    Cluster(Box<str>),
}

/// Returns the back end or the cluster of a request, which names one of them. Requests before
/// 3.`cluster_since` have no cluster.
///
/// # Errors
/// [`Error`] with the status 400 for neither and for both.
// Cinder: cinder/api/common.py, get_cluster_host.
pub fn named_host(
    version: Microversion,
    (host, cluster): (Option<Box<str>>, Option<Box<str>>),
    cluster_since: u16,
) -> Result<Named, Error> {
    let has_clusters = version.at_least(cluster_since);
    let given = |name: Option<Box<str>>| name.filter(|name| !name.is_empty());
    match (given(host), given(cluster).filter(|_| has_clusters)) {
        (Some(host), None) => Ok(Named::Host(host)),
        (None, Some(cluster)) => Ok(Named::Cluster(cluster)),
        _ if has_clusters => Err(Error::input("One and only one of cluster and host must be set.")),
        _ => Err(Error::input("Host field is missing.")),
    }
}

// Cinder: cinder/volume/drivers/lvm.py has this message.
fn check_reference(reference: Option<Box<str>>) -> Result<Box<str>, Error> {
    reference.filter(|name| !name.is_empty()).ok_or_else(|| {
        Error::request(
            "Manage existing volume failed due to invalid backend reference: Reference must \
             contain source-name element.",
        )
    })
}

/// Returns whether a back end's name belongs to a volume or snapshot that is managed already.
// The back end names its own volumes and snapshots by their IDs.
fn is_managed(view: &impl ReadView, reference: &str) -> bool {
    let id = |prefix| reference.strip_prefix(prefix).and_then(parse_id);
    id("volume-").is_some_and(|id| view.get::<Volume>(id).is_some())
        || id("snapshot-").is_some_and(|id| view.get::<Snapshot>(id).is_some())
}

/// A request to adopt a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManageSnapshotSpec {
    /// Its volume.
    pub volume_id: Box<str>,
    /// Its name on the back end.
    pub reference: Option<Box<str>>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// User-defined key/value metadata.
    pub metadata: Pairs,
}

/// Adopts a snapshot of a volume's back end with the ID `id`. Its row is `creating` until a worker
/// has measured it. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 if it is managed already, 404 for an unknown volume.
// Cinder: cinder/volume/api.py, API.manage_existing_snapshot.
pub fn manage_snapshot(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: ManageSnapshotSpec,
) -> Result<(), Error> {
    cx.caller.check(policy::SNAPSHOT_MANAGE)?;
    let volume = Volume::clone(find_volume(txn, cx.caller, &spec.volume_id)?);
    cx.caller.check_on(policy::SNAPSHOT_MANAGE, &volume)?;
    let reference = check_reference(spec.reference)?;
    if is_managed(txn, &reference) {
        return Err(Error::request(format!(
            "Unable to manage existing snapshot. Snapshot {reference} already managed."
        )));
    }
    VolumeOperation::ManageSnapshot.check(&volume)?;
    check_settled(&volume)?;
    let project = &cx.caller.project;
    let deltas = quota::of_snapshot(cx.config, volume.volume_type_id, 1, volume.size);
    quota::charge(txn, cx.config, project, &deltas)?;
    totals::put_snapshot(
        txn,
        Snapshot {
            id,
            project_id: project.clone(),
            user_id: cx.caller.user.clone(),
            volume_id: volume.id,
            volume_type_id: volume.volume_type_id,
            name: spec.name,
            description: spec.description,
            size: volume.size,
            status: SnapshotStatus::Creating,
            progress: 0,
            created_at: cx.now,
            updated_at: None,
            group_snapshot_id: None,
            consumes_quota: true,
            metadata: spec.metadata,
        },
    )?;
    queue(txn, cx, (WorkTarget::Snapshot, id), Task::ManageSnapshot { reference }, None)?;
    Ok(())
}
