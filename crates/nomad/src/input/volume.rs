//! Decoding of CSI volumes.

use super::{
    bodies::RegisterBody,
    error::DecodeError,
    fields::{Fields, first_value},
};
use crate::{
    modes::Capability,
    rows::{MountOptions, Topology, TopologyRequest},
    volume_spec::VolumeSpec,
};

/// Decodes `{"Volumes": [...], "Namespace": "..."}`.
///
/// # Examples
/// ```
/// use statehold_nomad::input::register_body;
///
/// let body = register_body(br#"{"volumes": [{"id": "vol-1", "secrets": {"Key": "x"}}]}"#).unwrap();
/// assert_eq!(&*body.volumes[0].id, "vol-1");
/// assert_eq!(body.volumes[0].secrets.reveal().next(), Some(("Key", "x")));
/// ```
pub fn register_body(body: &[u8]) -> Result<RegisterBody, DecodeError> {
    let value = first_value(body)?;
    let fields = Fields::of_body("CSIVolumeRegisterRequest", &value)?;
    Ok(RegisterBody {
        volumes: fields.objects("Volumes", "CSIVolume", volume)?.unwrap_or_default(),
        namespace: fields.text("Namespace")?,
    })
}

fn volume(fields: &Fields<'_>) -> Result<VolumeSpec, DecodeError> {
    // Nomad: api/csi.go, CSIVolume. Fields that are missing here belong to the server.
    let request = |request: Fields<'_>| {
        Ok(TopologyRequest {
            required: topologies(&request, "Required")?,
            preferred: topologies(&request, "Preferred")?,
        })
    };
    let options = |options: Fields<'_>| {
        Ok(MountOptions {
            fs_type: options.text("FSType")?,
            mount_flags: options.texts("MountFlags")?,
        })
    };
    Ok(VolumeSpec {
        namespace: fields.text("Namespace")?,
        id: fields.text("ID")?,
        name: fields.text("Name")?,
        external_id: fields.text("ExternalID")?,
        plugin_id: fields.text("PluginID")?,
        requested_topologies: fields
            .object("RequestedTopologies", "CSITopologyRequest")?
            .map(request)
            .transpose()?,
        topologies: topologies(fields, "Topologies")?.unwrap_or_default(),
        mount_options: fields
            .object("MountOptions", "CSIMountOptions")?
            .map(options)
            .transpose()?,
        secrets: fields.labels("Secrets")?.into_iter().collect(),
        parameters: fields.labels("Parameters")?,
        context: fields.labels("Context")?,
        capacity: fields.int("Capacity")?,
        requested_capacity_min: fields.int("RequestedCapacityMin")?,
        requested_capacity_max: fields.int("RequestedCapacityMax")?,
        requested_capabilities: fields
            .objects("RequestedCapabilities", "CSIVolumeCapability", capability)?
            .unwrap_or_default(),
        clone_id: fields.text("CloneID")?,
        snapshot_id: fields.text("SnapshotID")?,
    })
}

pub(super) fn capability(fields: &Fields<'_>) -> Result<Capability, DecodeError> {
    Ok(Capability {
        attachment_mode: fields.text("AttachmentMode")?,
        access_mode: fields.text("AccessMode")?,
    })
}

fn topologies(fields: &Fields<'_>, name: &str) -> Result<Option<Vec<Topology>>, DecodeError> {
    // Nomad: nomad/structs/csi.go, CSIVolume.Validate skips topologies that are nil.
    fields.objects_or_null(name, "CSITopology", topology)
}

/// Decodes `{"Segments": {"zone": "z1"}}`, or the short form `{"zone": "z1"}` of the
/// documentation's samples.
pub(super) fn topology(fields: &Fields<'_>) -> Result<Topology, DecodeError> {
    let segments =
        // A topology with a label named `Segments` cannot use the short form.
        if fields.has("Segments") { fields.labels("Segments")? } else { fields.as_labels() };
    Ok(Topology { segments })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_of_the_documentation_is_decoded() {
        let body = br#"{
          "PolicyOverride": false,
          "Volumes": [{
            "ExternalID": "vol-abcdef", "ID": "volume-id1", "Name": "volume one",
            "Namespace": "default", "PluginID": "plugin-id1",
            "MountOptions": {"FsType": "ext4", "MountFlags": ["ro", "noatime"]},
            "RequestedCapacityMin": 10737418240,
            "RequestedCapabilities": [
              {"AccessMode": "single-node-writer", "AttachmentMode": "file-system"},
              {"AccessMode": "single-node-writer", "AttachmentMode": "block-device"}
            ],
            "Secrets": {"password": "xyzzy"},
            "Topologies": [{"foo": "bar"}]
          }]
        }"#;
        let body = register_body(body).unwrap();
        let [volume] = &body.volumes[..] else { panic!("one volume") };
        assert_eq!(&*volume.external_id, "vol-abcdef");
        assert_eq!(volume.requested_capacity_min, 10_737_418_240);
        assert_eq!(volume.requested_capabilities.len(), 2);
        assert_eq!(volume.topologies[0].segments.get("foo").map(AsRef::as_ref), Some("bar"));
        let options = volume.mount_options.as_ref().unwrap();
        assert_eq!((&*options.fs_type, options.mount_flags.len()), ("ext4", 2));
    }

    #[test]
    fn fields_of_the_server_are_ignored() {
        let server_owned = br#"{"Volumes": [{
            "ID": "v", "AccessMode": "single-node-writer", "AttachmentMode": "file-system",
            "ReadAllocs": {"a8198d79-cfdb-6593-a999-1e9adabcba2e": null}, "WriteAllocs": null,
            "ReadClaims": {"x": {}}, "Schedulable": true, "NodesHealthy": 7, "CreateIndex": 42,
            "CreateTime": 99, "Provider": "ebs", "ResourceExhausted": "0001-01-01T00:00:00Z"
        }]}"#;
        let plain = br#"{"Volumes": [{"ID": "v"}]}"#;
        assert_eq!(register_body(server_owned), register_body(plain));
    }

    #[test]
    fn segments_are_decoded_in_both_forms() {
        let body = br#"{"Volumes": [{"RequestedTopologies": {
            "required": [{"segments": {"Rack": "R1"}}, {"Rack": "R2"}, {}, null], "Preferred": null
        }}]}"#;
        let body = register_body(body).unwrap();
        let request = body.volumes[0].requested_topologies.clone().unwrap();
        let racks: Vec<Option<String>> = (request.required.unwrap().iter())
            .map(|topology| topology.segments.get("Rack").map(ToString::to_string))
            .collect();
        assert_eq!(racks, [Some("R1".into()), Some("R2".into()), None]);
        assert_eq!(request.preferred, None);
    }
}
