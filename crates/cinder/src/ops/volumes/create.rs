//! Creation of volumes: empty, or from a snapshot, another volume or a backup.

use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use crate::{
    Pairs,
    caller::policy,
    context::{Context, find_backup, find_snapshot, find_volume},
    errors::{Error, Missing},
    ops::{
        backups::mark_restoring,
        groups::{any_group, check_group_limit},
        type_rules::{check_size, check_unencrypted, resolve_zone},
        types::{default_type, find_type},
    },
    quota,
    rows::{
        AttachStatus, Backup, Group, SchedulerHints, Snapshot, Task, Volume, VolumeSource,
        VolumeStatus, VolumeType, WorkTarget,
    },
    status_machine::{BackupOperation, GroupOperation, SnapshotOperation, VolumeOperation},
    totals,
    work::queue,
};

/// A request for a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeSpec {
    /// Its size in GiB; the default is the size of its source.
    pub size: Option<u32>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Its type, by ID or name.
    pub volume_type: Option<Box<str>>,
    /// User-defined key/value metadata.
    pub metadata: Pairs,
    /// The snapshot to copy.
    pub snapshot_id: Option<Box<str>>,
    /// The volume to copy.
    pub source_volid: Option<Box<str>>,
    /// The group to add it to.
    pub group_id: Option<Box<str>>,
    /// The backup to restore.
    pub backup_id: Option<Box<str>>,
    /// The image to copy; always rejected, because there is no image service.
    pub image: Option<Box<str>>,
    /// Its availability zone.
    pub availability_zone: Option<Box<str>>,
    /// Whether several attachments may use it at once. Rejected: the type decides.
    pub multiattach: bool,
}

/// The source of a volume.
enum VolumeOrigin {
    Nothing,
    Snapshot(Snapshot, Option<Volume>),
    Volume(Volume),
    Backup(Backup),
}

impl VolumeOrigin {
    fn volume(&self) -> Option<&Volume> {
        match self {
            Self::Nothing | Self::Backup(_) => None,
            Self::Snapshot(_, volume) => volume.as_ref(),
            Self::Volume(volume) => Some(volume),
        }
    }

    /// Returns whether a machine can boot from the source, and the metadata of the image on it.
    fn image(&self) -> (bool, Pairs) {
        match self {
            Self::Backup(backup) => (backup.bootable, backup.image_metadata.clone()),
            _ => self.volume().map_or_else(Default::default, |volume| {
                (volume.bootable, volume.image_metadata.clone())
            }),
        }
    }

    /// Returns the description and metadata of the new volume: those of the request, completed with
    /// those that the volume had when it was backed up.
    fn complete_texts(
        &self,
        description: Option<Box<str>>,
        metadata: Pairs,
    ) -> (Option<Box<str>>, Pairs) {
        let Self::Backup(backup) = self else { return (description, metadata) };
        let mut all = backup.volume_metadata.clone();
        all.extend(metadata);
        (description.or_else(|| backup.volume_description.clone()), all)
    }

    fn task_source(&self) -> VolumeSource {
        match self {
            Self::Nothing => VolumeSource::Empty,
            Self::Snapshot(snapshot, _) => VolumeSource::Snapshot(snapshot.id),
            Self::Volume(volume) => VolumeSource::Volume(volume.id),
            Self::Backup(backup) => VolumeSource::Backup(backup.id),
        }
    }
}

/// Creates a volume with the ID `id`. Its row is `creating`, and a worker creates the data.
///
/// # Errors
/// [`Error`]: a named object does not exist, its status does not allow a copy, or the quota is
/// exceeded.
// Cinder: cinder/api/v3/volumes.py, VolumeController.create;
// cinder/volume/flows/api/create_volume.py, ExtractVolumeRequestTask.
pub fn create_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: VolumeSpec,
) -> Result<(), Error> {
    let source = create_row(txn, cx, id, spec, VolumeStatus::Creating)?;
    let task = Task::CreateVolume { source };
    queue(txn, cx, (WorkTarget::Volume, id), task, None)?;
    Ok(())
}

/// Creates the row of a volume for a restore of a backup: it is `restoring-backup` from the start, because
/// its back end is chosen and its file created by the restore.
///
/// # Errors
/// As [`create_volume`].
// Cinder: cinder/backup/api.py, API.restore, whose call returns when the new volume is no longer `creating`.
pub(in crate::ops) fn create_restored(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: VolumeSpec,
) -> Result<(), Error> {
    create_row(txn, cx, id, spec, VolumeStatus::RestoringBackup).map(drop)
}

/// Creates the row of a volume with its quota, and returns the data that it is created from.
fn create_row(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: VolumeSpec,
    status: VolumeStatus,
) -> Result<VolumeSource, Error> {
    cx.caller.check(policy::VOLUME_CREATE)?;
    let named = spec.volume_type.as_deref().filter(|text| !text.is_empty());
    let named = named
        .map(|text| find_type(txn, cx.caller, text).map(|found| VolumeType::clone(found)))
        .transpose()?;
    let source = find_source(txn, cx, &spec)?;
    let group = match &spec.group_id {
        Some(id) => Some(Group::clone(any_group(txn, cx, id)?)),
        None => None,
    };
    if spec.multiattach {
        return Err(Error::request(
            "multiattach parameter has been removed. The default behavior is to use multiattach \
             enabled volume types. Contact your administrator to create a multiattach enabled \
             volume type and use it to create multiattach volumes.",
        ));
    }
    let nothing = matches!(source, VolumeOrigin::Nothing);
    if spec.size.is_none() && nothing && spec.image.is_none() {
        return Err(Error::Malformed);
    }
    if spec.image.is_some() {
        return Err(Error::request(
            "Invalid image identifier or unable to access requested image.",
        ));
    }
    let size = check_source(&spec, &source)?;
    if let Some(group) = &group {
        check_group(txn, cx, group, named.as_ref(), &source)?;
    }
    let inherited = source.volume().and_then(|volume| volume.volume_type_id);
    let volume_type = match (named, inherited.and_then(|id| txn.get::<VolumeType>(id))) {
        (Some(named), _) => named,
        (None, Some(inherited)) => VolumeType::clone(inherited),
        (None, None) => VolumeType::clone(default_type(txn, cx.config, &cx.caller.project)?),
    };
    check_size(&volume_type, size)?;
    check_unencrypted(&volume_type)?;
    let zone = choose_zone(cx, &spec, &source, &volume_type, group.as_ref())?;
    let project = &cx.caller.project;
    quota::check_size(txn, cx.config, project, size)?;
    let deltas = quota::of_volume(Some(volume_type.id), 1, size);
    quota::charge(txn, cx.config, project, &deltas)?;
    let (bootable, image_metadata) = source.image();
    let (description, metadata) = source.complete_texts(spec.description, spec.metadata);
    let row = Volume {
        id,
        project_id: project.clone(),
        user_id: cx.caller.user.clone(),
        name: spec.name,
        description,
        size,
        status,
        // Marks a volume that was created for a restore.
        previous_status: (status == VolumeStatus::RestoringBackup)
            .then_some(VolumeStatus::Creating),
        attach_status: AttachStatus::Detached,
        migration_status: None,
        availability_zone: zone,
        created_at: cx.now,
        updated_at: None,
        volume_type_id: Some(volume_type.id),
        snapshot_id: match &source {
            VolumeOrigin::Snapshot(snapshot, _) => Some(snapshot.id),
            _ => None,
        },
        source_volid: match &source {
            VolumeOrigin::Volume(volume) => Some(volume.id),
            _ => None,
        },
        group_id: group.map(|group| group.id),
        host: None,
        bootable,
        multiattach: volume_type.is_multiattach(),
        encryption_key_id: None,
        encrypted: false,
        replication_status: None,
        consumes_quota: true,
        shared_targets: Some(true),
        service_uuid: None,
        provider_id: None,
        name_id: None,
        metadata,
        admin_metadata: Pairs::new(),
        image_metadata,
    };
    totals::put_volume(txn, row)?;
    // The backup must not be deleted while the worker reads it.
    if let VolumeOrigin::Backup(backup) = &source {
        mark_restoring(txn, cx.now, backup.id)?;
    }
    Ok(source.task_source())
}

/// Stores the scheduler hints of a volume that [`create_volume`] created in the same transaction.
/// Empty hints are not stored.
///
/// # Errors
/// [`Error::Store`].
pub fn store_scheduler_hints(txn: &mut WriteTxn<'_>, hints: SchedulerHints) -> Result<(), Error> {
    if !hints.is_empty() {
        txn.upsert::<SchedulerHints>(hints)?;
    }
    Ok(())
}

/// Checks that a volume may be created in a group.
fn check_group(
    view: &impl ReadView,
    cx: &Context<'_>,
    group: &Group,
    named: Option<&VolumeType>,
    source: &VolumeOrigin,
) -> Result<(), Error> {
    let Some(named) = named else {
        return Err(Error::input(
            "volume_type must be provided when creating a volume in a group.",
        ));
    };
    if !group.volume_types.contains(&named.id) {
        return Err(Error::input(format!(
            "Invalid volume_type provided: {} (requested type must be supported by this group).",
            named.id
        )));
    }
    GroupOperation::CreateVolume.check(group)?;
    // Members share their group's project and back end.
    if group.project_id != cx.caller.project {
        return Err(Missing::Group(group.id.to_string().into()).into());
    }
    // A copy is created on its source's back end; the group may have none yet.
    if source.volume().is_some_and(|origin| origin.host != group.host) {
        return Err(Error::input("Volume must be on the same backend as its group"));
    }
    Ok(check_group_limit(view, group.id, 1)?)
}

fn find_source(
    view: &impl ReadView,
    cx: &Context<'_>,
    spec: &VolumeSpec,
) -> Result<VolumeOrigin, Error> {
    let snapshot = match &spec.snapshot_id {
        Some(id) => Some(Snapshot::clone(find_snapshot(view, cx.caller, id)?)),
        None => None,
    };
    let volume = match &spec.source_volid {
        Some(id) => Some(Volume::clone(find_volume(view, cx.caller, id)?)),
        None => None,
    };
    let backup = match &spec.backup_id {
        Some(id) => Some(Backup::clone(find_backup(view, cx.caller, id)?)),
        None => None,
    };
    match (snapshot, volume, backup) {
        (Some(snapshot), None, None) => {
            let volume = view.get::<Volume>(snapshot.volume_id).map(|row| Volume::clone(row));
            Ok(VolumeOrigin::Snapshot(snapshot, volume))
        }
        (None, Some(volume), None) => Ok(VolumeOrigin::Volume(volume)),
        (None, None, Some(backup)) => Ok(VolumeOrigin::Backup(backup)),
        (None, None, None) => Ok(VolumeOrigin::Nothing),
        _ => Err(Error::input("May specify only one of snapshot, imageRef or source volume")),
    }
}

/// Checks that the source can be copied, and returns the volume's size.
fn check_source(spec: &VolumeSpec, source: &VolumeOrigin) -> Result<u32, Error> {
    match source {
        VolumeOrigin::Nothing => spec.size.ok_or(Error::Malformed),
        VolumeOrigin::Snapshot(snapshot, _) => {
            SnapshotOperation::Copy.check(snapshot)?;
            let (size, size_min) = (spec.size.unwrap_or(snapshot.size), snapshot.size);
            if size < size_min {
                return Err(Error::input(format!(
                    "Volume size '{size}'GB cannot be smaller than the snapshot size {size_min}GB. \
                     They must be >= original snapshot size."
                )));
            }
            Ok(size)
        }
        VolumeOrigin::Backup(backup) => {
            BackupOperation::Copy.check(backup)?;
            let (size, size_min) = (spec.size.unwrap_or(backup.size), backup.size);
            if size < size_min {
                return Err(Error::input(format!(
                    "Volume size {size}GB cannot be smaller than the backup size {size_min}GB. It \
                     must be >= backup size."
                )));
            }
            Ok(size)
        }
        VolumeOrigin::Volume(volume) => {
            VolumeOperation::Copy.check(volume)?;
            let (size, size_min) = (spec.size.unwrap_or(volume.size), volume.size);
            if size < size_min {
                // The two spaces are Cinder's. cinder/volume/flows/api/create_volume.py,
                // ExtractVolumeRequestTask._extract_size.
                return Err(Error::input(format!(
                    "Volume size '{size}'GB cannot be smaller than original volume size  \
                     {size_min}GB. They must be >= original volume size."
                )));
            }
            Ok(size)
        }
    }
}

/// Returns the availability zone of a new volume.
// Cinder: cinder/volume/flows/api/create_volume.py, _extract_availability_zones, which has these
// messages.
fn choose_zone(
    cx: &Context<'_>,
    spec: &VolumeSpec,
    source: &VolumeOrigin,
    volume_type: &VolumeType,
    group: Option<&Group>,
) -> Result<Box<str>, Error> {
    // A volume that was never placed has none.
    let origin = source.volume().map(|volume| &*volume.availability_zone);
    let origin = origin.filter(|zone| !zone.is_empty());
    // A member is on its group's back end, so the group's zone takes precedence over the request's.
    let named = match group {
        Some(group) => Some(&*group.availability_zone),
        None => spec.availability_zone.as_deref(),
    };
    let zone = resolve_zone(cx.config, volume_type, named, origin)?;
    if origin.is_some_and(|origin| *origin != *zone) {
        let kind = match source {
            VolumeOrigin::Snapshot(..) => "snapshot",
            _ => "source volume",
        };
        return Err(Error::input(format!(
            "Volume must be in the same availability zone as the {kind}"
        )));
    }
    Ok(zone)
}
