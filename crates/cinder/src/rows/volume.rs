//! Volumes.

use serde::{Deserialize, Serialize};
use statehold_filter::{Filterable, Kind};
use statehold_store::{Table, folded};
use uuid::Uuid;

use super::{AttachStatus, MigrationStatus, VolumeStatus};
use crate::Pairs;

/// A volume. What only admins may see can't be filtered on either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_volumes")]
#[table(unique(name = "project", on(project_id, created_at, id)))]
#[table(unique(name = "created", on(created_at, id)))]
#[table(unique(name = "status", on(status, created_at, id), serves = "status"))]
#[table(unique(name = "project_status", on(project_id, status, created_at, id)))]
#[table(unique(name = "size", on(size, created_at, id)))]
#[table(unique(name = "project_size", on(project_id, size, created_at, id)))]
#[table(also(Volume::BY_NAME_FOLDED))]
#[table(also(Volume::BY_PROJECT_NAME))]
#[table(also(Volume::BY_METADATA))]
#[table(also(Volume::BY_PROJECT_METADATA))]
#[table(also(Volume::BY_HIDDEN))]
#[expect(clippy::struct_excessive_bools, reason = "each is a column that clients filter by")]
pub struct Volume {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// The project that owns it.
    pub project_id: Box<str>,
    /// The user who made it.
    pub user_id: Box<str>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// What people say about it.
    pub description: Option<Box<str>>,
    /// Its size in GiB.
    pub size: u32,
    /// What it is doing.
    pub status: VolumeStatus,
    /// What it was doing before, for when the present is over.
    #[filterable(skip)]
    pub previous_status: Option<VolumeStatus>,
    /// Whether somebody uses it.
    pub attach_status: AttachStatus,
    /// How far it has come on its way elsewhere.
    #[filterable(skip)]
    pub migration_status: Option<MigrationStatus>,
    /// Its availability zone; empty until a volume whose type allows several is placed.
    pub availability_zone: Box<str>,
    /// When it was made, in unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// When it was last changed, in unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
    /// Its type.
    #[table(index(name = "of_type", some, serves = "volume_type_id"))]
    pub volume_type_id: Option<Uuid>,
    /// The snapshot that it was made from.
    #[table(index(name = "snapshot", some, serves = "snapshot_id"))]
    pub snapshot_id: Option<Uuid>,
    /// The volume that it was made from.
    #[table(index(name = "source", some, serves = "source_volid"))]
    pub source_volid: Option<Uuid>,
    /// The group that it is in.
    #[table(index(name = "group", some, serves = "group_id"))]
    pub group_id: Option<Uuid>,
    /// Its back end, `host@backend#pool`; none before it was placed.
    #[filterable(skip)]
    #[table(index(some))]
    pub host: Option<Box<str>>,
    /// Whether a machine can be started from it.
    pub bootable: bool,
    /// Whether several may use it at once.
    pub multiattach: bool,
    /// The key that it is encrypted with.
    #[filterable(skip)]
    pub encryption_key_id: Option<Uuid>,
    /// Whether its type has it encrypted.
    pub encrypted: bool,
    /// What its back end says about copies elsewhere.
    pub replication_status: Option<Box<str>>,
    /// Whether its project pays for it with quota.
    pub consumes_quota: bool,
    /// Whether its back end shares targets; none is unknown.
    #[filterable(skip)]
    pub shared_targets: Option<bool>,
    /// The service that holds it.
    #[filterable(skip)]
    pub service_uuid: Option<Uuid>,
    /// What its back end calls it.
    #[filterable(skip)]
    pub provider_id: Option<Box<str>>,
    /// The ID that its data goes by after it moved, when that is another one.
    #[filterable(skip)]
    pub name_id: Option<Uuid>,
    /// What its owner notes.
    pub metadata: Pairs,
    /// What operations note; shown with the metadata as far as owners may see it.
    #[filterable(skip)]
    pub admin_metadata: Pairs,
    /// What is known of the image on it.
    #[filterable(rename = "volume_image_metadata")]
    pub image_metadata: Pairs,
}

impl Volume {
    /// Volumes by name whatever the case of its letters, as plain filters compare and lists are sorted;
    /// those without a name first.
    pub const BY_NAME_FOLDED: statehold_store::Index<Self, (Option<String>, i64, Uuid)> =
        Self::INDEX
            .unique("name_folded", |volume, keys| {
                keys.add((volume.name.as_deref().map(folded), volume.created_at, volume.id));
            })
            .serves_stated(super::NAME_FOLDED, Kind::Text);

    /// The same for each project.
    pub const BY_PROJECT_NAME: statehold_store::Index<Self, (String, Option<String>, i64, Uuid)> =
        Self::INDEX.unique("project_name", |volume, keys| {
            let name = volume.name.as_deref().map(folded);
            keys.add((&volume.project_id, name, volume.created_at, volume.id));
        });

    /// Volumes by each pair of their metadata, as plain filters ask for it.
    pub const BY_METADATA: statehold_store::Index<Self, String> = Self::INDEX
        .non_unique("metadata", |volume, keys| {
            for (key, value) in &volume.metadata {
                keys.add(super::pair(key, value));
            }
        })
        .serves_stated(super::METADATA_PAIR, Kind::Text);

    /// Volumes of a project by each pair of their metadata, for its summary.
    pub const BY_PROJECT_METADATA: statehold_store::Index<Self, (String, String)> = Self::INDEX
        .non_unique("project_metadata", |volume, keys| {
            for (key, value) in &volume.metadata {
                keys.add((&volume.project_id, super::pair(key, value)));
            }
        });

    /// The volumes of a project that only admins see.
    pub const BY_HIDDEN: statehold_store::Index<Self, String> =
        Self::INDEX.non_unique("hidden", |volume, keys| {
            if volume.is_hidden() {
                keys.add(&volume.project_id);
            }
        });

    /// Returns whether only admins see it: it is a copy that is on its way to another back end.
    pub fn is_hidden(&self) -> bool {
        !self.is_settled() && self.name_id.is_some()
    }

    /// Whether it is not on its way to another back end.
    pub fn is_settled(&self) -> bool {
        matches!(
            self.migration_status,
            None | Some(
                MigrationStatus::Deleting | MigrationStatus::Error | MigrationStatus::Success
            )
        )
    }

    /// The status that it goes back to when what was done with it is over: whoever had it before may
    /// have been detached meanwhile.
    pub(crate) fn take_previous(&mut self) -> VolumeStatus {
        match (self.previous_status.take(), self.attach_status) {
            (Some(VolumeStatus::InUse), AttachStatus::Detached) => VolumeStatus::Available,
            (Some(VolumeStatus::InUse), AttachStatus::Attaching) => VolumeStatus::Attaching,
            (Some(VolumeStatus::InUse), AttachStatus::Reserved) => VolumeStatus::Reserved,
            (before, _) => before.unwrap_or(VolumeStatus::Available),
        }
    }

    /// Whether it may only be read.
    pub fn is_readonly(&self) -> bool {
        self.admin_metadata.get("readonly").is_some_and(|value| **value == *"True")
    }
}
