//! Groups of volumes, their types, and snapshots of all volumes of a group.

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{Index, Table};
use uuid::Uuid;

use crate::Pairs;

super::status::statuses! {
    /// What a group is doing.
    GroupStatus {
        /// Could not be made, or could not be deleted.
        Error "error"
        /// Can be used.
        Available "available"
        /// Is being made.
        Creating "creating"
        /// Is being deleted.
        Deleting "deleting"
        /// Is gone.
        Deleted "deleted"
        /// Gets volumes, or loses some.
        Updating "updating"
        /// Is used.
        InUse "in-use"
        /// Could not be deleted.
        ErrorDeleting "error_deleting"
    }
}

super::status::statuses! {
    /// What a group snapshot is doing.
    GroupSnapshotStatus {
        /// Could not be made, or could not be deleted.
        Error "error"
        /// Can be used.
        Available "available"
        /// Is being made.
        Creating "creating"
        /// Is being deleted.
        Deleting "deleting"
        /// Is gone.
        Deleted "deleted"
        /// Is being changed.
        Updating "updating"
        /// Could not be deleted.
        ErrorDeleting "error_deleting"
    }
}

/// A kind of group that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_group_types")]
#[table(unique(name = "created", on(created_at, id)))]
pub struct GroupType {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// Its name; no two have the same.
    #[table(unique)]
    pub name: Box<str>,
    /// What people say about it.
    pub description: Option<Box<str>>,
    /// Whether all projects may use it; else only admins may.
    pub is_public: bool,
    /// What its groups have to be like. Only admins see them, so filters see none.
    #[filterable(skip)]
    pub group_specs: Pairs,
    /// When it was made, in unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// When it was last changed, in unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
}

/// Volumes on one back end that are deleted together, and of which snapshots are made together.
///
/// Which volumes are in it is in their rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_groups")]
#[table(unique(name = "project", on(project_id, created_at, id)))]
#[table(unique(name = "created", on(created_at, id)))]
#[table(also(Group::BY_VOLUME_TYPE))]
pub struct Group {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// The project that owns it, as it owns all of its volumes.
    pub project_id: Box<str>,
    /// The user who made it.
    pub user_id: Box<str>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// What people say about it.
    pub description: Option<Box<str>>,
    /// What it is doing.
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
    /// When it was made, in unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// When it was last changed, in unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
    /// The group snapshot that it was made from.
    #[table(index(name = "snapshot", some, serves = "group_snapshot_id"))]
    pub group_snapshot_id: Option<Uuid>,
    /// The group that it was made from.
    #[table(index(name = "source", some, serves = "source_group_id"))]
    pub source_group_id: Option<Uuid>,
    /// The back end of its volumes, `host@backend#pool`; none before it was placed.
    #[filterable(skip)]
    pub host: Option<Box<str>>,
}

impl Group {
    /// What is said about copies elsewhere, which no back end makes.
    pub const REPLICATION_STATUS: &str = "disabled";

    /// Groups by the types that their volumes may have.
    pub const BY_VOLUME_TYPE: Index<Self, Uuid> =
        Self::INDEX.non_unique("volume_type", |group, keys| {
            for volume_type in &group.volume_types {
                keys.add(*volume_type);
            }
        });
}

/// A snapshot of each volume of a group, made together.
///
/// Which snapshots are part of it is in their rows.
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
    /// The user who made it.
    pub user_id: Box<str>,
    /// The group that it is of.
    #[table(index(name = "group", serves = "group_id"))]
    pub group_id: Uuid,
    /// The type of the group.
    pub group_type_id: Uuid,
    /// Its name.
    pub name: Option<Box<str>>,
    /// What people say about it.
    pub description: Option<Box<str>>,
    /// What it is doing.
    #[table(index(serves = "status"))]
    pub status: GroupSnapshotStatus,
    /// When it was made, in unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// When it was last changed, in unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
}
