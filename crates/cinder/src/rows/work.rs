//! The workers' queue, and the messages to users about failures.

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::Table;
use uuid::Uuid;

super::status::statuses! {
    /// The kind of row that a work item refers to.
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

/// A work item: an operation on one row that a worker carries out; each row has at most one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_work", key(kind, target))]
pub struct WorkItem {
    /// The kind of its row.
    pub kind: WorkTarget,
    /// The ID of its row.
    pub target: Uuid,
    /// The operation.
    pub task: Task,
    /// The quota reserved for it.
    #[table(index(some))]
    pub reservation: Option<Uuid>,
    /// The ID of the request that queued it.
    pub request_id: Box<str>,
    /// Time of queueing, in Unix nanoseconds: workers take the oldest first.
    #[table(index)]
    pub queued_at: i64,
    /// Time at which a worker started it, in Unix nanoseconds; none while it waits.
    pub started_at: Option<i64>,
    /// The number of starts.
    pub attempts: u32,
}

/// An operation for a worker. Its other arguments are in the row of its target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Create a volume; the worker chooses the back end if the row has none.
    CreateVolume {
        /// The initial data.
        source: VolumeSource,
    },
    /// Delete a volume.
    DeleteVolume {
        /// Whether only the record is removed and the data stays on the back end.
        keep_data: bool,
    },
    /// Extend a volume.
    ExtendVolume {
        /// Its new size in GiB.
        size: u32,
    },
    /// Change a volume's type.
    RetypeVolume {
        /// The new type.
        volume_type: Uuid,
        /// Whether the volume may migrate to another back end for it.
        may_migrate: bool,
    },
    /// Migrate a volume to another back end.
    MigrateVolume {
        /// The destination, `host@backend#pool`.
        host: Box<str>,
        /// Whether to copy the data even if the back end has a faster way.
        copy: bool,
    },
    /// Revert a volume to a snapshot.
    RevertVolume {
        /// The snapshot.
        snapshot: Uuid,
    },
    /// Create a snapshot.
    CreateSnapshot,
    /// Delete a snapshot.
    DeleteSnapshot {
        /// Whether only the record is removed and the data stays on the back end.
        keep_data: bool,
    },
    /// Create a backup.
    CreateBackup,
    /// Restore a backup to a volume.
    RestoreBackup {
        /// The volume.
        volume: Uuid,
    },
    /// Delete a backup.
    DeleteBackup,
    /// Verify that the data of an imported backup record exists.
    CheckBackup,
    /// Adopt an existing volume of a back end.
    ManageVolume {
        /// Its name on the back end.
        reference: Box<str>,
    },
    /// Adopt an existing snapshot of a back end.
    ManageSnapshot {
        /// Its name on the back end.
        reference: Box<str>,
    },
    /// Choose a back end for a group.
    CreateGroup,
    /// Delete a group once all of its volumes are deleted.
    DeleteGroup,
}

/// The initial data of a new volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeSource {
    /// No data.
    Empty,
    /// The data of a snapshot.
    Snapshot(Uuid),
    /// The data of another volume.
    Volume(Uuid),
    /// The data of a backup.
    Backup(Uuid),
}

/// A message to users about failed work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_messages")]
#[table(unique(name = "project", on(project_id, created_at, id)))]
#[table(unique(name = "created", on(created_at, id)))]
pub struct Message {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// The project that it is addressed to.
    pub project_id: Box<str>,
    // Cinder: cinder/message/message_field.py.
    /// The action and the failure, such as `VOLUME_VOLUME_001_003`.
    pub event_id: Box<str>,
    /// The human-readable text.
    pub user_message: Box<str>,
    /// The kind of resource: `VOLUME`, `VOLUME_SNAPSHOT` or `VOLUME_BACKUP`.
    pub resource_type: Box<str>,
    /// The ID of the resource.
    #[table(index(name = "resource", serves = "resource_uuid"))]
    pub resource_uuid: Uuid,
    /// The ID of the request that queued the work.
    pub request_id: Box<str>,
    /// When it was written, in Unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
}

impl Message {
    /// The severity: messages report failures only.
    pub const LEVEL: &str = "ERROR";
}
