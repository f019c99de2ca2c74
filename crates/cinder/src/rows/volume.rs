//! Volumes.

use serde::{Deserialize, Serialize};
use statehold_filter::{Filterable, Kind};
use statehold_store::{Table, folded};
use uuid::Uuid;

use super::{AttachStatus, MigrationStatus, VolumeStatus};
use crate::Pairs;

/// A volume. Fields that only admins see cannot be filtered on.
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
    /// The ID of the user that created it.
    pub user_id: Box<str>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Its size in GiB.
    pub size: u32,
    /// Its status.
    pub status: VolumeStatus,
    /// The status to return to when the present operation ends.
    #[filterable(skip)]
    pub previous_status: Option<VolumeStatus>,
    /// Its attachment status.
    pub attach_status: AttachStatus,
    /// Progress of its migration to another back end.
    #[filterable(skip)]
    pub migration_status: Option<MigrationStatus>,
    /// Its availability zone; empty until a volume whose type allows several is placed.
    pub availability_zone: Box<str>,
    /// Creation time, in Unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// Time of the last change, in Unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
    /// Its type.
    #[table(index(name = "of_type", some, serves = "volume_type_id"))]
    pub volume_type_id: Option<Uuid>,
    /// The snapshot that it was created from.
    #[table(index(name = "snapshot", some, serves = "snapshot_id"))]
    pub snapshot_id: Option<Uuid>,
    /// The volume that it was created from.
    #[table(index(name = "source", some, serves = "source_volid"))]
    pub source_volid: Option<Uuid>,
    /// Its group.
    #[table(index(name = "group", some, serves = "group_id"))]
    pub group_id: Option<Uuid>,
    /// Its back end, `host@backend#pool`; none until it is placed.
    #[filterable(skip)]
    #[table(index(some))]
    pub host: Option<Box<str>>,
    /// Whether a machine can boot from it.
    pub bootable: bool,
    /// Whether several attachments may use it at once.
    pub multiattach: bool,
    /// Its encryption key.
    #[filterable(skip)]
    pub encryption_key_id: Option<Uuid>,
    /// Whether its type requires encryption.
    pub encrypted: bool,
    /// Its replication status, as its back end reports it.
    pub replication_status: Option<Box<str>>,
    /// Whether it is charged to its project's quota.
    pub consumes_quota: bool,
    /// Whether its back end shares targets; none is unknown.
    #[filterable(skip)]
    pub shared_targets: Option<bool>,
    /// The service that serves it.
    #[filterable(skip)]
    pub service_uuid: Option<Uuid>,
    /// Its name on its back end.
    #[filterable(skip)]
    pub provider_id: Option<Box<str>>,
    /// The ID under which its data is stored after a migration, where it differs from `id`.
    #[filterable(skip)]
    pub name_id: Option<Uuid>,
    /// User-defined key/value metadata.
    pub metadata: Pairs,
    /// Metadata written by operations; owners see a few of the keys, merged into the metadata.
    #[filterable(skip)]
    pub admin_metadata: Pairs,
    /// Metadata of the image on it.
    #[filterable(rename = "volume_image_metadata")]
    pub image_metadata: Pairs,
}

impl Volume {
    /// Volumes by case-folded name, as filters compare and lists sort names; unnamed ones first.
    // Ends with the tie-break of list orders, so that a page resumes inside the index.
    pub const BY_NAME_FOLDED: statehold_store::Index<Self, (Option<String>, i64, Uuid)> =
        Self::INDEX
            .unique("name_folded", |volume, keys| {
                keys.add((volume.name.as_deref().map(folded), volume.created_at, volume.id));
            })
            .serves_stated(super::NAME_FOLDED, Kind::Text);

    /// Like [`Self::BY_NAME_FOLDED`], for each project.
    pub const BY_PROJECT_NAME: statehold_store::Index<Self, (String, Option<String>, i64, Uuid)> =
        Self::INDEX.unique("project_name", |volume, keys| {
            let name = volume.name.as_deref().map(folded);
            keys.add((&volume.project_id, name, volume.created_at, volume.id));
        });

    /// Volumes by each pair of their metadata, as `metadata` filters request it.
    pub const BY_METADATA: statehold_store::Index<Self, String> = Self::INDEX
        .non_unique("metadata", |volume, keys| {
            for (key, value) in &volume.metadata {
                keys.add(super::metadata_pair(key, value));
            }
        })
        .serves_stated(super::METADATA_PAIR, Kind::Text);

    /// A project's volumes by each pair of their metadata, for its summary.
    pub const BY_PROJECT_METADATA: statehold_store::Index<Self, (String, String)> = Self::INDEX
        .non_unique("project_metadata", |volume, keys| {
            for (key, value) in &volume.metadata {
                keys.add((&volume.project_id, super::metadata_pair(key, value)));
            }
        });

    /// A project's volumes that only admins see.
    // A project without hidden volumes needs no check of each row.
    pub const BY_HIDDEN: statehold_store::Index<Self, String> =
        Self::INDEX.non_unique("hidden", |volume, keys| {
            if volume.is_hidden() {
                keys.add(&volume.project_id);
            }
        });

    /// Returns whether only admins see it, because it is the target copy of a migration.
    pub fn is_hidden(&self) -> bool {
        // Cinder: cinder/volume/api.py, API.get_all, the filter `no_migration_targets`.
        !self.is_settled() && self.name_id.is_some()
    }

    /// Returns whether no migration of it is in progress.
    pub fn is_settled(&self) -> bool {
        // After `deleting` only the old data remains to be deleted: the volume itself has arrived.
        matches!(
            self.migration_status,
            None | Some(
                MigrationStatus::Deleting | MigrationStatus::Error | MigrationStatus::Success
            )
        )
    }

    /// Returns whether a restore of a backup creates it.
    pub(crate) fn is_new_of_restore(&self) -> bool {
        self.status == VolumeStatus::RestoringBackup
            && self.previous_status == Some(VolumeStatus::Creating)
    }

    /// Removes and returns the status to go back to when the present operation ends.
    pub(crate) fn take_previous_status(&mut self) -> VolumeStatus {
        // The attachment may have changed during the operation, so a stored `in-use` can be stale.
        match (self.previous_status.take(), self.attach_status) {
            (Some(VolumeStatus::InUse), AttachStatus::Detached) => VolumeStatus::Available,
            (Some(VolumeStatus::InUse), AttachStatus::Attaching) => VolumeStatus::Attaching,
            (Some(VolumeStatus::InUse), AttachStatus::Reserved) => VolumeStatus::Reserved,
            (before, _) => before.unwrap_or(VolumeStatus::Available),
        }
    }

    /// Returns whether it is read-only.
    pub fn is_readonly(&self) -> bool {
        // The value is a Python bool as text. Cinder: cinder/volume/api.py,
        // API.update_readonly_flag.
        self.admin_metadata.get("readonly").is_some_and(|value| **value == *"True")
    }
}
