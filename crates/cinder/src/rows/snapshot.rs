//! Snapshots.

use serde::{Deserialize, Serialize};
use statehold_filter::{Filterable, Kind};
use statehold_store::{Table, folded};
use uuid::Uuid;

use super::SnapshotStatus;
use crate::Pairs;

/// A snapshot of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_snapshots")]
#[table(unique(name = "project", on(project_id, created_at, id)))]
#[table(unique(name = "created", on(created_at, id)))]
#[table(index(name = "volume", on(volume_id, created_at), serves = "volume_id"))]
#[table(unique(name = "status", on(status, created_at, id), serves = "status"))]
#[table(unique(name = "project_status", on(project_id, status, created_at, id)))]
#[table(also(Snapshot::BY_NAME_FOLDED))]
#[table(also(Snapshot::BY_PROJECT_NAME))]
pub struct Snapshot {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// The project that owns it.
    pub project_id: Box<str>,
    /// The user who made it.
    pub user_id: Box<str>,
    /// The volume that it is of.
    pub volume_id: Uuid,
    /// The type of the volume when it was made, whose quota it counts to.
    #[filterable(skip)]
    pub volume_type_id: Option<Uuid>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// What people say about it.
    pub description: Option<Box<str>>,
    /// The size of its volume when it was made, in GiB.
    pub size: u32,
    /// What it is doing.
    pub status: SnapshotStatus,
    /// How far its making has come, in percent.
    pub progress: u8,
    /// When it was made, in unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// When it was last changed, in unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
    /// The group snapshot that it is part of.
    #[table(index(name = "group_snapshot", some, serves = "group_snapshot_id"))]
    pub group_snapshot_id: Option<Uuid>,
    /// Whether its project pays for it with quota.
    pub consumes_quota: bool,
    /// What its owner notes.
    pub metadata: Pairs,
}

impl Snapshot {
    /// Snapshots by name whatever the case of its letters, as plain filters compare and lists are sorted;
    /// those without a name first.
    pub const BY_NAME_FOLDED: statehold_store::Index<Self, (Option<String>, i64, Uuid)> =
        Self::INDEX
            .unique("name_folded", |snapshot, keys| {
                keys.add((snapshot.name.as_deref().map(folded), snapshot.created_at, snapshot.id));
            })
            .serves_stated(super::NAME_FOLDED, Kind::Text);

    /// The same for each project.
    pub const BY_PROJECT_NAME: statehold_store::Index<Self, (String, Option<String>, i64, Uuid)> =
        Self::INDEX.unique("project_name", |snapshot, keys| {
            let name = snapshot.name.as_deref().map(folded);
            keys.add((&snapshot.project_id, name, snapshot.created_at, snapshot.id));
        });
}
