//! The services of a cloud: back ends, schedulers and backup services.

use serde::{Deserialize, Serialize};
use statehold_store::Table;
use uuid::Uuid;

/// A service. A back end is one of the binary [`Service::VOLUME`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_services", key(binary, host))]
pub struct Service {
    /// Its role: `cinder-volume`, `cinder-scheduler` or `cinder-backup`.
    pub binary: Box<str>,
    /// Its location: the machine, or `host@backend`.
    pub host: Box<str>,
    /// Its ID, which volumes show.
    #[table(unique)]
    pub id: Uuid,
    /// Its availability zone.
    pub zone: Box<str>,
    /// Whether an operator excludes it from new work.
    pub disabled: bool,
    /// The operator's reason, if any.
    pub disabled_reason: Option<Box<str>>,
    /// Whether an operator forbids all operations on it.
    pub frozen: bool,
    /// Time of its first registration, in Unix nanoseconds.
    pub created_at: i64,
    /// Time of the last change, or of the last server start that registered it, in Unix
    /// nanoseconds.
    pub updated_at: i64,
}

impl Service {
    // Cinder: cinder/common/constants.py, VOLUME_BINARY, SCHEDULER_BINARY and BACKUP_BINARY.
    /// The binary of back ends.
    pub const VOLUME: &str = "cinder-volume";
    /// The binary that chooses back ends.
    pub const SCHEDULER: &str = "cinder-scheduler";
    /// The binary that creates backups.
    pub const BACKUP: &str = "cinder-backup";
    /// The replication status that clients read: no back end replicates.
    // Cinder: cinder/objects/fields.py, ReplicationStatus.
    pub const REPLICATION_STATUS: &str = "disabled";

    /// Returns the status that clients read.
    pub fn status(&self) -> &'static str {
        if self.disabled { "disabled" } else { "enabled" }
    }

    /// Returns whether it holds volumes.
    pub fn is_backend(&self) -> bool {
        *self.binary == *Self::VOLUME
    }
}
