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
    /// The ID of the user that created it.
    pub user_id: Box<str>,
    /// Its volume.
    pub volume_id: Uuid,
    /// The type of the volume at creation, whose quota it is counted in.
    #[filterable(skip)]
    pub volume_type_id: Option<Uuid>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// The size of its volume at creation, in GiB.
    pub size: u32,
    /// Its status.
    pub status: SnapshotStatus,
    /// Progress of its creation, in percent.
    pub progress: u8,
    /// Creation time, in Unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// Time of the last change, in Unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
    /// The group snapshot that it is part of.
    #[table(index(name = "group_snapshot", some, serves = "group_snapshot_id"))]
    pub group_snapshot_id: Option<Uuid>,
    /// Whether it is charged to its project's quota.
    pub consumes_quota: bool,
    /// User-defined key/value metadata.
    pub metadata: Pairs,
}

impl Snapshot {
    /// Snapshots by case-folded name, as filters compare and lists sort names; unnamed ones first.
    // Ends with the tie-break of list orders, so that a page resumes inside the index.
    pub const BY_NAME_FOLDED: statehold_store::Index<Self, (Option<String>, i64, Uuid)> =
        Self::INDEX
            .unique("name_folded", |snapshot, keys| {
                keys.add((snapshot.name.as_deref().map(folded), snapshot.created_at, snapshot.id));
            })
            .serves_stated(super::NAME_FOLDED, Kind::Text);

    /// Like [`Self::BY_NAME_FOLDED`], for each project.
    pub const BY_PROJECT_NAME: statehold_store::Index<Self, (String, Option<String>, i64, Uuid)> =
        Self::INDEX.unique("project_name", |snapshot, keys| {
            let name = snapshot.name.as_deref().map(folded);
            keys.add((&snapshot.project_id, name, snapshot.created_at, snapshot.id));
        });
}
