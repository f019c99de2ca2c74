//! The JSON of an attachment.

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{rows::Attachment, time::timestamp};

/// An attachment in a list.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct AttachmentStub {
    id: Uuid,
    status: &'static str,
    instance: Option<Uuid>,
    volume_id: Uuid,
}

impl AttachmentStub {
    /// Returns the view of `row`.
    pub fn new(row: &Attachment) -> Self {
        Self {
            id: row.id,
            status: row.attach_status.as_str(),
            instance: row.instance,
            volume_id: row.volume_id,
        }
    }
}

/// A single attachment with the connection to its volume, for the host that connects.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct AttachmentView<'v> {
    #[serde(flatten)]
    stub: AttachmentStub,
    attached_at: String,
    detached_at: &'static str,
    attach_mode: &'v str,
    connection_info: Map<String, Value>,
}

/// Omits the connection, because it holds credentials.
impl std::fmt::Debug for AttachmentView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AttachmentView").field("stub", &self.stub).finish_non_exhaustive()
    }
}

impl<'v> AttachmentView<'v> {
    /// Returns the view of `row`. The members of the back end's `data` are merged into the
    /// connection.
    pub fn new(row: &'v Attachment) -> Self {
        let stored = row.connection_info.as_deref();
        let parsed = stored.and_then(|json| serde_json::from_str::<Map<String, Value>>(json).ok());
        let mut connection_info = Map::new();
        // Cinder: cinder/volume/manager.py, VolumeManager._connection_create.
        if let Some(mut parsed) = parsed {
            if let Some(Value::Object(data)) = parsed.remove("data") {
                connection_info = data;
            }
            connection_info.extend(parsed);
            connection_info.insert("attachment_id".into(), row.id.to_string().into());
        }
        Self {
            stub: AttachmentStub::new(row),
            attached_at: row.attached_at.map(timestamp).unwrap_or_default(),
            detached_at: "",
            // The reference serves the string "null" for an unknown mode.
            attach_mode: row.attach_mode.as_deref().unwrap_or("null"),
            connection_info,
        }
    }

    /// Returns the view of `row` with the status and times of `before`, as the response to an
    /// update shows it.
    pub fn updated(row: &'v Attachment, before: &'v Attachment) -> Self {
        // Cinder: cinder/volume/api.py, API.attachment_update returns the object that it loaded
        // first.
        let Self { connection_info, .. } = Self::new(row);
        Self { connection_info, ..Self::new(before) }
    }
}
