//! What workers have to do, and what users are told when it failed.

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::Table;
use uuid::Uuid;

super::status::statuses! {
    /// What a work item is about.
    WorkTarget {
        /// A volume.
        Volume "volume"
        /// A snapshot.
        Snapshot "snapshot"
        /// A backup.
        Backup "backup"
        /// A group.
        Group "group"
    }
}

/// Something that a worker has to do with a volume or snapshot: at most one thing at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_work", key(kind, target))]
pub struct WorkItem {
    /// What it is about.
    pub kind: WorkTarget,
    /// Its ID.
    pub target: Uuid,
    /// What has to be done.
    pub task: Task,
    /// The quota that is set aside for it.
    #[table(index(some))]
    pub reservation: Option<Uuid>,
    /// The ID of the request that asked for it.
    pub request_id: Box<str>,
    /// When it was asked for, in unix nanoseconds: the oldest is next.
    #[table(index)]
    pub queued_at: i64,
    /// When a worker began, in unix nanoseconds; none while it waits.
    pub started_at: Option<i64>,
    /// How often a worker began.
    pub attempts: u32,
}

/// What a worker has to do. What the volume or snapshot is like is in its row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Make a volume, on a back end that is to be chosen when its row has none.
    CreateVolume {
        /// What is on it.
        source: VolumeSource,
    },
    /// Delete a volume.
    DeleteVolume {
        /// Whether its data stays, because it is only forgotten here.
        keep_data: bool,
    },
    /// Enlarge a volume.
    ExtendVolume {
        /// Its new size in GiB.
        size: u32,
    },
    /// Give a volume another type.
    RetypeVolume {
        /// The new type.
        volume_type: Uuid,
        /// Whether it may move to another back end for that.
        may_migrate: bool,
    },
    /// Move a volume to another back end.
    MigrateVolume {
        /// Where to, `host@backend#pool`.
        host: Box<str>,
        /// Whether the data is copied even if the back end could do better.
        copy: bool,
    },
    /// Take a volume back to a snapshot.
    RevertVolume {
        /// The snapshot.
        snapshot: Uuid,
    },
    /// Make a snapshot.
    CreateSnapshot,
    /// Delete a snapshot.
    DeleteSnapshot {
        /// Whether its data stays, because it is only forgotten here.
        keep_data: bool,
    },
    /// Make a backup.
    CreateBackup,
    /// Put a backup's data on a volume.
    RestoreBackup {
        /// The volume.
        volume: Uuid,
    },
    /// Delete a backup.
    DeleteBackup,
    /// Look whether the data is there of a backup whose record was brought here.
    CheckBackup,
    /// Take over a volume that a back end has.
    ManageVolume {
        /// What the back end calls it.
        reference: Box<str>,
    },
    /// Take over a snapshot that a back end has.
    ManageSnapshot {
        /// What the back end calls it.
        reference: Box<str>,
    },
    /// Find a back end for a group.
    CreateGroup,
    /// Delete a group, when all of its volumes are gone.
    DeleteGroup,
}

/// What is on a new volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeSource {
    /// Nothing.
    Empty,
    /// What is in a snapshot.
    Snapshot(Uuid),
    /// What is on another volume.
    Volume(Uuid),
    /// What was backed up.
    Backup(Uuid),
}

/// What a user is told about work that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_messages")]
#[table(unique(name = "project", on(project_id, created_at, id)))]
#[table(unique(name = "created", on(created_at, id)))]
pub struct Message {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// The project that it is for.
    pub project_id: Box<str>,
    /// What failed and why, as `VOLUME_VOLUME_001_003`.
    pub event_id: Box<str>,
    /// The same in words.
    pub user_message: Box<str>,
    /// What it is about: `VOLUME`, `VOLUME_SNAPSHOT` or `VOLUME_BACKUP`.
    pub resource_type: Box<str>,
    /// Its ID.
    #[table(index(name = "resource", serves = "resource_uuid"))]
    pub resource_uuid: Uuid,
    /// The ID of the request whose work it is about.
    pub request_id: Box<str>,
    /// When it was written, in unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
}

impl Message {
    /// How serious it is: users are told of failures alone.
    pub const LEVEL: &str = "ERROR";
}
