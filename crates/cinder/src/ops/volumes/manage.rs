//! Adoption of volumes that exist on a back end.

use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use crate::{
    Pairs,
    caller::policy,
    context::Context,
    errors::Error,
    ops::{
        adoption::{Named, check_adopting, check_reference, is_managed, named_host},
        type_rules::{check_unencrypted, resolve_zone},
        types::{default_type, find_type},
    },
    quota,
    rows::{AttachStatus, Service, Task, Volume, VolumeStatus, VolumeType, WorkTarget},
    totals,
    work::queue,
};

/// First version whose requests may name a cluster in place of a host.
// Cinder: cinder/api/microversions.py, VOLUME_MIGRATE_CLUSTER.
const CLUSTER_SINCE: u16 = 16;

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
    check_adopting(txn, &host)?;
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
