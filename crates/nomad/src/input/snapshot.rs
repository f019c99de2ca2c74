//! Decoding of snapshots, and of secrets in a header.

use super::{
    bodies::SnapshotsBody,
    error::DecodeError,
    fields::{Fields, first_value},
};
use crate::{ops::SnapshotSpec, secrets::Secrets};

/// Decodes `{"Snapshots": [...], "Namespace": "..."}`.
///
/// # Examples
/// ```
/// use statehold_nomad::input::snapshots_body;
///
/// let body = br#"{"Snapshots": [{"SourceVolumeID": "v", "Name": "monday"}]}"#;
/// let body = snapshots_body(body).unwrap();
/// assert_eq!((&*body.snapshots[0].volume_id, &*body.snapshots[0].name), ("v", "monday"));
/// ```
pub fn snapshots_body(body: &[u8]) -> Result<SnapshotsBody, DecodeError> {
    let value = first_value(body)?;
    let fields = Fields::of_body("CSISnapshotCreateRequest", &value)?;
    let snapshots = fields.objects("Snapshots", "CSISnapshot", |one| {
        Ok(SnapshotSpec {
            volume_id: one.text("SourceVolumeID")?,
            plugin_id: one.text("PluginID")?,
            name: one.text("Name")?,
            secrets: one.labels("Secrets")?.into_iter().collect(),
            parameters: one.labels("Parameters")?,
        })
    })?;
    Ok(SnapshotsBody {
        snapshots: snapshots.unwrap_or_default(),
        namespace: fields.text("Namespace")?,
    })
}

/// Decodes secrets from a header: `name=value`, separated by commas. A part without `=` is ignored;
/// the last value of a name takes precedence.
///
/// # Examples
/// ```
/// use statehold_nomad::input::secrets_header;
///
/// let secrets = secrets_header("user=me,key=a=b,none");
/// assert_eq!(secrets.reveal().collect::<Vec<_>>(), [("key", "a=b"), ("user", "me")]);
/// ```
pub fn secrets_header(text: &str) -> Secrets {
    // Nomad: nomad/structs/csi.go, CSISecrets in the header `X-Nomad-CSI-Secrets`.
    text.split(',').filter_map(|pair| pair.split_once('=')).collect()
}
