//! Backups.

use serde::{Deserialize, Serialize};
use statehold_filter::{Filterable, Kind};
use statehold_store::{KeyRange, OldRow, Order, ReadView, RowError, Table, folded};
use uuid::Uuid;

use super::status::statuses;
use crate::Pairs;

// Cinder: cinder/objects/fields.py, BackupStatus.
statuses! {
    /// The status of a backup.
    BackupStatus {
        /// Is being created, or its data is being verified after an import of its record.
        Creating "creating"
        /// Can be restored.
        Available "available"
        /// Is being deleted.
        Deleting "deleting"
        /// Creation or verification failed.
        Error "error"
        /// Deletion failed.
        ErrorDeleting "error_deleting"
        /// Is being restored to a volume.
        Restoring "restoring"
    }
}

/// A copy of a volume's or snapshot's data, stored apart from back ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_backups", version = 2, migrate = Backup::from_old)]
#[table(unique(name = "project", on(project_id, created_at, id)))]
#[table(unique(name = "created", on(created_at, id)))]
#[table(index(name = "volume", on(volume_id, data_timestamp), serves = "volume_id"))]
#[table(unique(name = "status", on(status, created_at, id), serves = "status"))]
#[table(unique(name = "project_status", on(project_id, status, created_at, id)))]
#[table(also(Backup::BY_NAME_FOLDED))]
#[table(also(Backup::BY_PROJECT_NAME))]
pub struct Backup {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// The project that owns it.
    pub project_id: Box<str>,
    /// The ID of the user that created it.
    pub user_id: Box<str>,
    /// Its volume, which may have been deleted.
    pub volume_id: Uuid,
    /// The snapshot of that volume that it was created from.
    pub snapshot_id: Option<Uuid>,
    /// The parent of an incremental backup, which stores only the changes since.
    #[table(index(name = "parent", some))]
    pub parent_id: Option<Uuid>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// The size of the volume at creation, in GiB.
    pub size: u32,
    /// Its status.
    pub status: BackupStatus,
    /// Its availability zone, if one was requested.
    pub availability_zone: Option<Box<str>>,
    /// Its location, as users see it.
    pub container: Box<str>,
    /// The number of files that it does not share with its parents.
    pub object_count: u32,
    /// The reason of its failure.
    #[filterable(skip)]
    pub fail_reason: Option<Box<str>>,
    /// Creation time, in Unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// Time of the last change, in Unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
    /// The time at which its data was current, in Unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub data_timestamp: i64,
    /// User-defined key/value metadata.
    pub metadata: Pairs,
    /// The name of the volume.
    pub volume_name: Option<Box<str>>,
    /// Whether a machine can boot from its data.
    pub bootable: bool,
    /// Metadata of the image on it.
    #[filterable(skip)]
    pub image_metadata: Pairs,
    /// The ID under which its data is stored, when its record was imported under another one.
    #[filterable(skip)]
    #[table(index(name = "data", some))]
    pub data_id: Option<Uuid>,
    /// Human-readable description of the volume.
    #[filterable(skip)]
    pub volume_description: Option<Box<str>>,
    /// User-defined key/value metadata of the volume.
    #[filterable(skip)]
    pub volume_metadata: Pairs,
}

/// The fields of version 1, in their order: before backups had the fields that a restore sets on a
/// new volume.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
struct BackupV1 {
    id: Uuid,
    project_id: Box<str>,
    user_id: Box<str>,
    volume_id: Uuid,
    snapshot_id: Option<Uuid>,
    parent_id: Option<Uuid>,
    name: Option<Box<str>>,
    description: Option<Box<str>>,
    size: u32,
    status: BackupStatus,
    availability_zone: Option<Box<str>>,
    container: Box<str>,
    object_count: u32,
    fail_reason: Option<Box<str>>,
    created_at: i64,
    updated_at: Option<i64>,
    data_timestamp: i64,
    metadata: Pairs,
    volume_name: Option<Box<str>>,
    bootable: bool,
    image_metadata: Pairs,
}

impl From<BackupV1> for Backup {
    fn from(old: BackupV1) -> Self {
        Self {
            id: old.id,
            project_id: old.project_id,
            user_id: old.user_id,
            volume_id: old.volume_id,
            snapshot_id: old.snapshot_id,
            parent_id: old.parent_id,
            name: old.name,
            description: old.description,
            size: old.size,
            status: old.status,
            availability_zone: old.availability_zone,
            container: old.container,
            object_count: old.object_count,
            fail_reason: old.fail_reason,
            created_at: old.created_at,
            updated_at: old.updated_at,
            data_timestamp: old.data_timestamp,
            metadata: old.metadata,
            volume_name: old.volume_name,
            bootable: old.bootable,
            image_metadata: old.image_metadata,
            data_id: None,
            volume_description: None,
            volume_metadata: Pairs::new(),
        }
    }
}

impl Backup {
    fn from_old(old: OldRow<'_>) -> Result<Self, RowError> {
        match old.version() {
            1 => old.read::<BackupV1>().map(Self::from),
            // A newer release's row is refused, because guessing its fields would lose data.
            _ => Err(old.unknown(<Self as Table>::VERSION)),
        }
    }

    /// Returns the ID under which its data is stored.
    pub fn data(&self) -> Uuid {
        self.data_id.unwrap_or(self.id)
    }

    /// Returns whether another backup uses the same data, because a record was imported under
    /// another ID. The data MUST then outlive this backup.
    pub fn shares_data(&self, view: &impl ReadView) -> bool {
        let data = self.data();
        let range = KeyRange::exact(data);
        // The backup that first had the data is found by its own ID, imports by their `data_id`.
        let origin = view.get::<Self>(data).filter(|row| row.data() == data);
        let mut copies = view.scan_by(&Self::BY_DATA, &range, Order::Ascending);
        origin.is_some_and(|row| row.id != self.id) || copies.any(|row| row.id != self.id)
    }

    /// Backups by case-folded name, as filters compare and lists sort names; unnamed ones first.
    // Ends with the tie-break of list orders, so that a page resumes inside the index.
    pub const BY_NAME_FOLDED: statehold_store::Index<Self, (Option<String>, i64, Uuid)> =
        Self::INDEX
            .unique("name_folded", |backup, keys| {
                keys.add((backup.name.as_deref().map(folded), backup.created_at, backup.id));
            })
            .serves_stated(super::NAME_FOLDED, Kind::Text);

    /// Like [`Self::BY_NAME_FOLDED`], for each project.
    pub const BY_PROJECT_NAME: statehold_store::Index<Self, (String, Option<String>, i64, Uuid)> =
        Self::INDEX.unique("project_name", |backup, keys| {
            let name = backup.name.as_deref().map(folded);
            keys.add((&backup.project_id, name, backup.created_at, backup.id));
        });
}

#[cfg(test)]
mod tests {
    use statehold_store::Schema;

    use super::*;

    /// The shape of version 1, as data directories have it recorded. It never changes.
    const RECORDED: &str = "1 {id: bytes, project_id: string, user_id: string, volume_id: bytes, \
        snapshot_id: option<bytes>, parent_id: option<bytes>, name: option<string>, \
        description: option<string>, size: u32, status: enum{Creating, Available, Deleting, Error, \
        ErrorDeleting, Restoring}, availability_zone: option<string>, container: string, \
        object_count: u32, fail_reason: option<string>, created_at: i64, updated_at: option<i64>, \
        data_timestamp: i64, metadata: map<string, string>, volume_name: option<string>, bootable: bool, \
        image_metadata: @9}";

    /// A table with rows of version 1, to compute their shape.
    struct Version1;

    impl Table for Version1 {
        const NAME: &'static str = "block_backups";
        const VERSION: u16 = 1;
        type Key = Uuid;
        type Row = BackupV1;

        fn key(row: &BackupV1) -> Uuid {
            row.id
        }
    }

    #[test]
    fn backup_version_1_has_its_recorded_shape() {
        let shape = Schema::new().table::<Version1>().shapes().next();
        assert_eq!(shape.map(|shape| shape.text).as_deref(), Some(RECORDED));
    }
}
