//! Attachments: who uses a volume, and how they reach it.

use std::fmt;

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::Table;
use uuid::Uuid;

use super::AttachStatus;

/// Somebody's use of a volume.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_attachments")]
#[table(unique(name = "project", on(project_id, created_at, id)))]
#[table(unique(name = "created", on(created_at, id)))]
pub struct Attachment {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// The project that owns it.
    pub project_id: Box<str>,
    /// The volume.
    #[table(index(name = "volume", serves = "volume_id"))]
    pub volume_id: Uuid,
    /// The machine that uses it, if one is known.
    #[filterable(rename = "instance_id")]
    #[table(index(name = "instance", some, serves = "instance_id"))]
    pub instance: Option<Uuid>,
    /// The host that uses it.
    #[filterable(skip)]
    pub host: Option<Box<str>>,
    /// Where it is seen there, such as `/dev/vdb`.
    pub mountpoint: Option<Box<str>>,
    /// How far it has come.
    #[table(index(serves = "attach_status"))]
    pub attach_status: AttachStatus,
    /// `rw` or `ro`, once it is known.
    pub attach_mode: Option<Box<str>>,
    /// When it was attached, in unix nanoseconds.
    #[filterable(skip)]
    pub attached_at: Option<i64>,
    /// The connector that it was made for, as JSON. It may have secrets.
    #[filterable(skip)]
    pub connector: Option<Box<str>>,
    /// How the volume is reached, as JSON. It may have secrets.
    #[filterable(skip)]
    pub connection_info: Option<Box<str>>,
    /// When it was made, in unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// When it was last changed, in unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
}

impl Attachment {
    /// Returns the instance whose host may have the volume connected: it was attached, or the host was sent how
    /// to reach it. A reserved attachment has neither.
    pub fn connected_instance(&self) -> Option<Uuid> {
        let connected =
            self.attach_status == AttachStatus::Attached || self.connection_info.is_some();
        self.instance.filter(|_| connected)
    }
}

/// Connectors and connections carry credentials: only whether they are there.
impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("id", &self.id)
            .field("project_id", &self.project_id)
            .field("volume_id", &self.volume_id)
            .field("instance", &self.instance)
            .field("host", &self.host)
            .field("attach_status", &self.attach_status)
            .field("attach_mode", &self.attach_mode)
            .field("connected", &self.connection_info.is_some())
            .finish_non_exhaustive()
    }
}
