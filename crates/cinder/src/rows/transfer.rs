//! Transfers: offers of volumes to the holder of a key.

use std::fmt;

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::Table;
use uuid::Uuid;

/// An open offer of a volume to another project. Accepting it deletes it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_transfers")]
#[table(unique(name = "project", on(project_id, created_at, id)))]
#[table(unique(name = "created", on(created_at, id)))]
pub struct Transfer {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// The offering project.
    pub project_id: Box<str>,
    /// The volume.
    #[table(unique(name = "volume", serves = "volume_id"))]
    pub volume_id: Uuid,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Whether the volume's snapshots stay behind.
    pub no_snapshots: bool,
    /// The salt of the key's hash.
    #[filterable(skip)]
    pub salt: [u8; 8],
    /// The hash of the key. The key itself is returned once, at creation, and never stored.
    #[filterable(skip)]
    pub key_hash: [u8; 32],
    /// Creation time, in Unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
}

/// Omits the salt and the hash, because logs MUST NOT hold credentials.
impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer")
            .field("id", &self.id)
            .field("project_id", &self.project_id)
            .field("volume_id", &self.volume_id)
            .field("name", &self.name)
            .field("no_snapshots", &self.no_snapshots)
            .finish_non_exhaustive()
    }
}
