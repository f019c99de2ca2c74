//! Attachments: the uses of volumes by machines, and the connections that they use.

use std::fmt;

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::Table;
use uuid::Uuid;

use super::AttachStatus;

/// A machine's or host's use of a volume.
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
    /// The machine that uses it, if known.
    #[filterable(rename = "instance_id")]
    #[table(index(name = "instance", some, serves = "instance_id"))]
    pub instance: Option<Uuid>,
    /// The host that uses it.
    #[filterable(skip)]
    pub host: Option<Box<str>>,
    /// The device on that machine, such as `/dev/vdb`.
    pub mountpoint: Option<Box<str>>,
    /// Its status.
    #[table(index(serves = "attach_status"))]
    pub attach_status: AttachStatus,
    /// `rw` or `ro`, once known.
    pub attach_mode: Option<Box<str>>,
    /// Time of attachment, in Unix nanoseconds.
    #[filterable(skip)]
    pub attached_at: Option<i64>,
    /// The connector that it was created for, as JSON. May hold credentials.
    #[filterable(skip)]
    pub connector: Option<Box<str>>,
    /// The connection to the volume, as JSON. May hold credentials.
    #[filterable(skip)]
    pub connection_info: Option<Box<str>>,
    /// Creation time, in Unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// Time of the last change, in Unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
}

impl Attachment {
    /// Returns the instance whose host may have the volume connected: the attachment is complete,
    /// or the host was sent the connection. A reserved attachment has neither.
    pub fn connected_instance(&self) -> Option<Uuid> {
        let connected =
            self.attach_status == AttachStatus::Attached || self.connection_info.is_some();
        self.instance.filter(|_| connected)
    }
}

/// Shows only whether a connection exists, because connectors and connections hold credentials.
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
