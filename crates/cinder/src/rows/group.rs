//! Groups of volumes, their types, and snapshots of all volumes of a group.

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{Index, Table};
use uuid::Uuid;

use crate::Pairs;

// Cinder: cinder/objects/fields.py, GroupStatus.
super::status::statuses! {
    /// The status of a group.
    GroupStatus {
        /// Creation or deletion failed.
        Error "error"
        /// Is ready for use.
        Available "available"
        /// Is being created.
        Creating "creating"
        /// Is being deleted.
        Deleting "deleting"
        /// Was deleted.
        Deleted "deleted"
        /// Volumes are being added or removed.
        Updating "updating"
        /// Is in use.
        InUse "in-use"
        /// Deletion failed.
        ErrorDeleting "error_deleting"
    }
}

// Cinder: cinder/objects/fields.py, GroupSnapshotStatus.
super::status::statuses! {
    /// The status of a group snapshot.
    GroupSnapshotStatus {
        /// Creation or deletion failed.
        Error "error"
        /// Is ready for use.
        Available "available"
        /// Is being created.
        Creating "creating"
        /// Is being deleted.
        Deleting "deleting"
        /// Was deleted.
        Deleted "deleted"
        /// Is being changed.
        Updating "updating"
        /// Deletion failed.
        ErrorDeleting "error_deleting"
    }
}

/// A type of group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_group_types")]
#[table(unique(name = "created", on(created_at, id)))]
pub struct GroupType {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// Its unique name.
    #[table(unique)]
    pub name: Box<str>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Whether all projects may use it; otherwise only admins may.
    pub is_public: bool,
    /// Properties that its groups require. Only admins see them, so filters cannot read them.
    #[filterable(skip)]
    pub group_specs: Pairs,
    /// Creation time, in Unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// Time of the last change, in Unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
}

/// A set of volumes on one back end that are deleted together and snapshotted together.
///
/// Membership is stored in the volumes' rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_groups")]
#[table(unique(name = "project", on(project_id, created_at, id)))]
#[table(unique(name = "created", on(created_at, id)))]
#[table(also(Group::BY_VOLUME_TYPE))]
pub struct Group {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// The project that owns it and all of its volumes.
    pub project_id: Box<str>,
    /// The ID of the user that created it.
    pub user_id: Box<str>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Its status.
    #[table(index(serves = "status"))]
    pub status: GroupStatus,
    /// Its type.
    #[table(index(name = "of_type", serves = "group_type_id"))]
    pub group_type_id: Uuid,
    /// The types that its volumes may have.
    #[filterable(skip)]
    pub volume_types: Vec<Uuid>,
    /// Its availability zone.
    pub availability_zone: Box<str>,
    /// Creation time, in Unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// Time of the last change, in Unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
    /// The group snapshot that it was created from.
    #[table(index(name = "snapshot", some, serves = "group_snapshot_id"))]
    pub group_snapshot_id: Option<Uuid>,
    /// The group that it was created from.
    #[table(index(name = "source", some, serves = "source_group_id"))]
    pub source_group_id: Option<Uuid>,
    /// The back end of its volumes, `host@backend#pool`; none until it is placed.
    #[filterable(skip)]
    pub host: Option<Box<str>>,
}

impl Group {
    /// The replication status that clients read: no back end replicates.
    // Cinder: cinder/objects/fields.py, ReplicationStatus.
    pub const REPLICATION_STATUS: &str = "disabled";

    /// Groups by the types that their volumes may have.
    pub const BY_VOLUME_TYPE: Index<Self, Uuid> =
        Self::INDEX.non_unique("volume_type", |group, keys| {
            for volume_type in &group.volume_types {
                keys.add(*volume_type);
            }
        });
}

/// Snapshots of all volumes of a group, taken together.
///
/// Membership is stored in the snapshots' rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_group_snapshots")]
#[table(unique(name = "project", on(project_id, created_at, id)))]
#[table(unique(name = "created", on(created_at, id)))]
pub struct GroupSnapshot {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// The project that owns it.
    pub project_id: Box<str>,
    /// The ID of the user that created it.
    pub user_id: Box<str>,
    /// Its group.
    #[table(index(name = "group", serves = "group_id"))]
    pub group_id: Uuid,
    /// The group's type.
    pub group_type_id: Uuid,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Its status.
    #[table(index(serves = "status"))]
    pub status: GroupSnapshotStatus,
    /// Creation time, in Unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// Time of the last change, in Unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
}
