//! The services of a cloud: who keeps volumes, and who does what else.

use serde::{Deserialize, Serialize};
use statehold_store::Table;
use uuid::Uuid;

/// A service. A back end is one of the binary [`Service::VOLUME`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_services", key(binary, host))]
pub struct Service {
    /// What it does: `cinder-volume` and its like.
    pub binary: Box<str>,
    /// Where: the machine, or `host@backend`.
    pub host: Box<str>,
    /// Its ID, which volumes tell.
    #[table(unique)]
    pub id: Uuid,
    /// Its availability zone.
    pub zone: Box<str>,
    /// Whether an operator wants nothing new on it.
    pub disabled: bool,
    /// Why, if they said.
    pub disabled_reason: Option<Box<str>>,
    /// Whether an operator wants nothing at all done on it.
    pub frozen: bool,
    /// When it was first there, in unix nanoseconds.
    pub created_at: i64,
    /// When it was last changed, or was there when a server started, in unix nanoseconds.
    pub updated_at: i64,
}

impl Service {
    /// The binary of back ends.
    pub const VOLUME: &str = "cinder-volume";
    /// The binary that chooses back ends.
    pub const SCHEDULER: &str = "cinder-scheduler";
    /// The binary that makes backups.
    pub const BACKUP: &str = "cinder-backup";
    /// What is said about copies elsewhere, which no back end makes.
    pub const REPLICATION_STATUS: &str = "disabled";

    /// What clients read.
    pub fn status(&self) -> &'static str {
        if self.disabled { "disabled" } else { "enabled" }
    }

    /// Whether it keeps volumes.
    pub fn is_backend(&self) -> bool {
        *self.binary == *Self::VOLUME
    }
}
