//! Decoding of host volumes.

use super::{
    bodies::HostVolumeBody,
    error::{DecodeError, DecodeErrorKind},
    fields::{Fields, first_value},
    volume::capability,
};
use crate::{host_volume_spec::HostVolumeSpec, rows::Constraint};

/// Decodes `{"Volume": {...}, "Namespace": "..."}`, for creating and for registering a host volume.
///
/// # Examples
/// ```
/// use statehold_nomad::input::host_volume_body;
///
/// let body = host_volume_body(br#"{"Volume": {"Name": "disk", "nodePool": "prod"}}"#).unwrap();
/// assert_eq!((&*body.volume.name, &*body.volume.node_pool), ("disk", "prod"));
/// assert_eq!(host_volume_body(b"{}").unwrap_err().to_string(), "missing volume definition");
/// ```
pub fn host_volume_body(body: &[u8]) -> Result<HostVolumeBody, DecodeError> {
    let value = first_value(body)?;
    let fields = Fields::of_body("HostVolumeRequest", &value)?;
    // Nomad: nomad/host_volume_endpoint.go, HostVolume.Create.
    let Some(volume) = fields.object("Volume", "HostVolume")? else {
        return Err(DecodeError::new(DecodeErrorKind::Value, "missing volume definition"));
    };
    Ok(HostVolumeBody { volume: spec(&volume)?, namespace: fields.text("Namespace")? })
}

fn spec(fields: &Fields<'_>) -> Result<HostVolumeSpec, DecodeError> {
    let constraint = |one: &Fields<'_>| {
        Ok(Constraint {
            left: one.text("LTarget")?,
            right: one.text("RTarget")?,
            operator: one.text("Operand")?,
        })
    };
    Ok(HostVolumeSpec {
        namespace: fields.text("Namespace")?,
        id: fields.text("ID")?,
        name: fields.text("Name")?,
        plugin_id: fields.text("PluginID")?,
        node_pool: fields.text("NodePool")?,
        node_id: fields.text("NodeID")?,
        constraints: fields.objects("Constraints", "Constraint", constraint)?.unwrap_or_default(),
        requested_capacity_min: fields.int("RequestedCapacityMinBytes")?,
        requested_capacity_max: fields.int("RequestedCapacityMaxBytes")?,
        capacity: fields.int("CapacityBytes")?,
        requested_capabilities: fields
            .objects("RequestedCapabilities", "HostVolumeCapability", capability)?
            .unwrap_or_default(),
        parameters: fields.labels("Parameters")?,
        host_path: fields.text("HostPath")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_the_command_line_are_decoded() {
        let body = br#"{"Namespace": "", "PolicyOverride": false, "Volume": {
            "Name": "disk", "ID": "", "PluginID": "mkdir", "NodeID": "", "NodePool": "prod",
            "Constraints": [{"LTarget": "${meta.rack}", "RTarget": "r1", "Operand": "="}],
            "RequestedCapacityMinBytes": 100000, "RequestedCapacityMaxBytes": 200000,
            "RequestedCapabilities": [
                {"AttachmentMode": "file-system", "AccessMode": "single-node-writer"}
            ],
            "Parameters": {"mode": "0700"}, "HostPath": "/srv", "CapacityBytes": 7,
            "State": "", "CreateIndex": 3, "Allocations": null
        }}"#;
        let volume = host_volume_body(body).unwrap().volume;
        assert_eq!((&*volume.name, &*volume.plugin_id), ("disk", "mkdir"));
        assert_eq!(
            (volume.requested_capacity_min, volume.requested_capacity_max),
            (100_000, 200_000)
        );
        assert_eq!(volume.constraints[0].right, "r1".into());
        assert_eq!(volume.requested_capabilities[0].access_mode, "single-node-writer".into());
        assert_eq!(volume.parameters["mode"], "0700".into());
        assert_eq!((&*volume.host_path, volume.capacity), ("/srv", 7));
    }
}
