//! Making volumes: empty, from a snapshot, another volume or a backup.

use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use crate::{
    Pairs,
    caller::policy,
    context::{Context, find_backup, find_snapshot, find_volume},
    error::{Error, Missing},
    ops::{
        backups::hold,
        groups::{any_group, check_room},
        type_rules::{check_size, check_unencrypted, zone_of},
        types::{default_type, find_type},
    },
    quota,
    rows::{
        AttachStatus, Backup, BackupStatus, Group, GroupStatus, SchedulerHints, Snapshot,
        SnapshotStatus, Task, Volume, VolumeSource, VolumeStatus, VolumeType, WorkTarget,
    },
    totals,
    work::queue,
};

/// A volume as somebody asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeSpec {
    /// Its size in GiB; by default that of what it is made from.
    pub size: Option<u32>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Its type, by ID or name.
    pub volume_type: Option<Box<str>>,
    /// User-defined key/value metadata.
    pub metadata: Pairs,
    /// The snapshot that it is made from.
    pub snapshot_id: Option<Box<str>>,
    /// The volume that it is made from.
    pub source_volid: Option<Box<str>>,
    /// The group that it comes into.
    pub group_id: Option<Box<str>>,
    /// The backup that it is made from.
    pub backup_id: Option<Box<str>>,
    /// The image that it is made from.
    pub image: Option<Box<str>>,
    /// Its availability zone.
    pub availability_zone: Option<Box<str>>,
    /// Whether several may use it at once, which only types can say today.
    pub multiattach: bool,
}

/// What a volume is made from.
enum Source {
    Nothing,
    Snapshot(Snapshot, Option<Volume>),
    Volume(Volume),
    Backup(Backup),
}

impl Source {
    fn volume(&self) -> Option<&Volume> {
        match self {
            Self::Nothing | Self::Backup(_) => None,
            Self::Snapshot(_, volume) => volume.as_ref(),
            Self::Volume(volume) => Some(volume),
        }
    }

    /// Whether a machine can be started from what is there, and what is known of the image on it.
    fn image(&self) -> (bool, Pairs) {
        match self {
            Self::Backup(backup) => (backup.bootable, backup.image_metadata.clone()),
            _ => self.volume().map_or_else(Default::default, |volume| {
                (volume.bootable, volume.image_metadata.clone())
            }),
        }
    }

    /// Returns the description and metadata of the new volume: those of the request, and those that the
    /// volume had when it was backed up where the request has none.
    fn restored(
        &self,
        description: Option<Box<str>>,
        metadata: Pairs,
    ) -> (Option<Box<str>>, Pairs) {
        let Self::Backup(backup) = self else { return (description, metadata) };
        let mut all = backup.volume_metadata.clone();
        all.extend(metadata);
        (description.or_else(|| backup.volume_description.clone()), all)
    }

    fn of_new(&self) -> VolumeSource {
        match self {
            Self::Nothing => VolumeSource::Empty,
            Self::Snapshot(snapshot, _) => VolumeSource::Snapshot(snapshot.id),
            Self::Volume(volume) => VolumeSource::Volume(volume.id),
            Self::Backup(backup) => VolumeSource::Backup(backup.id),
        }
    }
}

/// Makes a volume with the ID `id`: its row is `creating`, and a worker has to make it.
///
/// # Errors
/// [`Error`]: what is named doesn't exist, is in no state to be copied, or the quota is used up.
pub fn create_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: VolumeSpec,
) -> Result<(), Error> {
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
    let nothing = matches!(source, Source::Nothing);
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
    let zone = zone(cx, &spec, &source, &volume_type, group.as_ref())?;
    let project = &cx.caller.project;
    quota::check_size(txn, cx.config, project, size)?;
    let deltas = quota::of_volume(Some(volume_type.id), 1, size);
    quota::charge(txn, cx.config, project, &deltas)?;
    let (bootable, image_metadata) = source.image();
    let (description, metadata) = source.restored(spec.description, spec.metadata);
    let row = Volume {
        id,
        project_id: project.clone(),
        user_id: cx.caller.user.clone(),
        name: spec.name,
        description,
        size,
        status: VolumeStatus::Creating,
        previous_status: None,
        attach_status: AttachStatus::Detached,
        migration_status: None,
        availability_zone: zone,
        created_at: cx.now,
        updated_at: None,
        volume_type_id: Some(volume_type.id),
        snapshot_id: match &source {
            Source::Snapshot(snapshot, _) => Some(snapshot.id),
            _ => None,
        },
        source_volid: match &source {
            Source::Volume(volume) => Some(volume.id),
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
    if let Source::Backup(backup) = &source {
        hold(txn, cx.now, backup.id)?;
    }
    let task = Task::CreateVolume { source: source.of_new() };
    queue(txn, cx, (WorkTarget::Volume, id), task, None)?;
    Ok(())
}

/// Notes the hints of a volume that [`create_volume`] created in the same transaction. Empty ones are not
/// kept.
///
/// # Errors
/// [`Error::Store`].
pub fn note_hints(txn: &mut WriteTxn<'_>, hints: SchedulerHints) -> Result<(), Error> {
    if !hints.is_empty() {
        txn.upsert::<SchedulerHints>(hints)?;
    }
    Ok(())
}

/// Checks that a volume may be made in a group.
fn check_group(
    view: &impl ReadView,
    cx: &Context<'_>,
    group: &Group,
    named: Option<&VolumeType>,
    source: &Source,
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
    if !matches!(group.status, GroupStatus::Available | GroupStatus::Creating) {
        return Err(Error::request(
            "Invalid Group: Originating group status must be one of 'available, creating' values",
        ));
    }
    // Members belong to the project of their group, on whose back end they are.
    if group.project_id != cx.caller.project {
        return Err(Missing::Group(group.id.to_string().into()).into());
    }
    // A copy is made where its original is; the group may have no back end yet.
    if source.volume().is_some_and(|origin| origin.host != group.host) {
        return Err(Error::input("Volume must be on the same backend as its group"));
    }
    Ok(check_room(view, group.id, 1)?)
}

fn find_source(view: &impl ReadView, cx: &Context<'_>, spec: &VolumeSpec) -> Result<Source, Error> {
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
            Ok(Source::Snapshot(snapshot, volume))
        }
        (None, Some(volume), None) => Ok(Source::Volume(volume)),
        (None, None, Some(backup)) => Ok(Source::Backup(backup)),
        (None, None, None) => Ok(Source::Nothing),
        _ => Err(Error::input("May specify only one of snapshot, imageRef or source volume")),
    }
}

/// Checks that what the volume is made from can be copied, and gives the volume's size.
fn check_source(spec: &VolumeSpec, source: &Source) -> Result<u32, Error> {
    match source {
        Source::Nothing => spec.size.ok_or(Error::Malformed),
        Source::Snapshot(snapshot, _) => {
            if snapshot.status != SnapshotStatus::Available {
                return Err(Error::request(
                    "Invalid snapshot: Originating snapshot status must be one of 'available' \
                     values",
                ));
            }
            let (size, least) = (spec.size.unwrap_or(snapshot.size), snapshot.size);
            if size < least {
                return Err(Error::input(format!(
                    "Volume size '{size}'GB cannot be smaller than the snapshot size {least}GB. \
                     They must be >= original snapshot size."
                )));
            }
            Ok(size)
        }
        Source::Backup(backup) => {
            if backup.status != BackupStatus::Available {
                return Err(Error::request(
                    "Invalid backup: Originating backup status must be one of 'available' values",
                ));
            }
            let (size, least) = (spec.size.unwrap_or(backup.size), backup.size);
            if size < least {
                return Err(Error::input(format!(
                    "Volume size {size}GB cannot be smaller than the backup size {least}GB. It \
                     must be >= backup size."
                )));
            }
            Ok(size)
        }
        Source::Volume(volume) => {
            if !matches!(volume.status, VolumeStatus::Available | VolumeStatus::InUse) {
                return Err(Error::request(
                    "Invalid volume: Originating source volume status must be one of 'available, \
                     in-use' values",
                ));
            }
            let (size, least) = (spec.size.unwrap_or(volume.size), volume.size);
            if size < least {
                // The two blanks are what clients get.
                return Err(Error::input(format!(
                    "Volume size '{size}'GB cannot be smaller than original volume size  \
                     {least}GB. They must be >= original volume size."
                )));
            }
            Ok(size)
        }
    }
}

/// Returns the availability zone of a new volume.
// Cinder: cinder/volume/flows/api/create_volume.py, _extract_availability_zones, whose texts these are.
fn zone(
    cx: &Context<'_>,
    spec: &VolumeSpec,
    source: &Source,
    volume_type: &VolumeType,
    group: Option<&Group>,
) -> Result<Box<str>, Error> {
    // A volume that was never placed has none.
    let origin = source.volume().map(|volume| &*volume.availability_zone);
    let origin = origin.filter(|zone| !zone.is_empty());
    // A member is on the back end of its group, so that the group's zone counts whatever the request names.
    let named = match group {
        Some(group) => Some(&*group.availability_zone),
        None => spec.availability_zone.as_deref(),
    };
    let zone = zone_of(cx.config, volume_type, named, origin)?;
    if origin.is_some_and(|origin| *origin != *zone) {
        let kind = match source {
            Source::Snapshot(..) => "snapshot",
            _ => "source volume",
        };
        return Err(Error::input(format!(
            "Volume must be in the same availability zone as the {kind}"
        )));
    }
    Ok(zone)
}
