//! Decoding of nodes and namespaces.

use uuid::Uuid;

use super::{
    error::DecodeError,
    fields::{Fields, first_value},
    volume::topology,
};
use crate::{
    ops::NodeReport,
    rows::{
        ControllerInfo, Namespace, NamespaceAccess, NamespaceCapabilities, Node, NodeHostVolume,
        NodeInfo, PluginInfo,
    },
};

/// Decodes a namespace; `name` is that of the path, if it has one.
// Nomad: api/namespace.go, Namespace.
pub fn namespace_body(body: &[u8], name: Option<&str>) -> Result<Namespace, DecodeError> {
    let value = first_value(body)?;
    let fields = Fields::of_body("Namespace", &value)?;
    let capabilities = fields.object("Capabilities", "NamespaceCapabilities")?;
    let mut namespace = Namespace {
        name: fields.text("Name")?,
        description: fields.text("Description")?,
        quota: fields.text("Quota")?,
        capabilities: capabilities.as_ref().map(namespace_capabilities).transpose()?,
        node_pool_configuration: access(&fields, "NodePoolConfiguration")?,
        vault_configuration: access(&fields, "VaultConfiguration")?,
        consul_configuration: access(&fields, "ConsulConfiguration")?,
        meta: fields.labels("Meta")?,
        required_extra_claims: fields.labels("RequiredExtraClaims")?,
        optional_extra_claims: fields.labels("OptionalExtraClaims")?,
    };
    same_name("Name", &mut namespace.name, name.unwrap_or_default())?;
    Ok(namespace)
}

fn namespace_capabilities(fields: &Fields<'_>) -> Result<NamespaceCapabilities, DecodeError> {
    Ok(NamespaceCapabilities {
        enabled_task_drivers: fields.optional_texts("EnabledTaskDrivers")?,
        disabled_task_drivers: fields.optional_texts("DisabledTaskDrivers")?,
        enabled_network_modes: fields.optional_texts("EnabledNetworkModes")?,
        disabled_network_modes: fields.optional_texts("DisabledNetworkModes")?,
    })
}

fn access(fields: &Fields<'_>, name: &str) -> Result<Option<NamespaceAccess>, DecodeError> {
    let found = fields.object(name, "NamespaceAccess")?;
    let read = |access: Fields<'_>| {
        Ok(NamespaceAccess {
            default: access.text("Default")?,
            allowed: access.optional_texts("Allowed")?,
            denied: access.optional_texts("Denied")?,
        })
    };
    found.map(read).transpose()
}

/// Decodes a node; `id` is that of the path.
// Nomad: nomad/structs/structs.go, Node, as clients register themselves.
pub fn node_body(body: &[u8], id: Uuid) -> Result<NodeReport, DecodeError> {
    let value = first_value(body)?;
    let fields = Fields::of_body("Node", &value)?;
    same_id(&fields, id)?;
    let node = Node {
        id,
        name: fields.text("Name")?,
        datacenter: fields.text("Datacenter")?,
        node_pool: fields.text("NodePool")?,
        node_class: fields.text("NodeClass")?,
        status: fields.text("Status")?,
        scheduling_eligibility: fields
            // Any other value would be neither schedulable nor visibly wrong.
            .one_of("SchedulingEligibility", &["eligible", "ineligible"])?,
        attributes: fields.labels("Attributes")?,
        meta: fields.labels("Meta")?,
        controller_plugins: fields.objects_by_name("CSIControllerPlugins", "CSIInfo", plugin)?,
        node_plugins: fields.objects_by_name("CSINodePlugins", "CSIInfo", plugin)?,
        gc_volumes_on_node_gc: fields.flag("GCVolumesOnNodeGC")?,
        ..Node::default()
    };
    let host_volumes = fields.objects_by_name("HostVolumes", "ClientHostVolumeConfig", host)?;
    Ok(NodeReport { node, host_volumes })
}

/// Fails if an ID in the body differs from that of the path.
pub(super) fn same_id(fields: &Fields<'_>, id: Uuid) -> Result<(), DecodeError> {
    match fields.id("ID")? {
        // A mismatch is a mistake in the client: either of the two could be meant.
        Some(other) if other != id => {
            Err(DecodeError::value(format_args!("ID: {other} differs from {id} in the path")))
        }
        _ => Ok(()),
    }
}

/// Fails if a name in the body differs from that of the path. Either may be absent.
pub(super) fn same_name(field: &str, name: &mut Box<str>, path: &str) -> Result<(), DecodeError> {
    // Clients may leave the name to the path.
    if name.is_empty() {
        *name = path.into();
    }
    if path.is_empty() || **name == *path {
        return Ok(());
    }
    Err(DecodeError::value(format_args!("{field}: {name:?} differs from {path:?} in the path")))
}

fn plugin(name: &str, fields: &Fields<'_>) -> Result<PluginInfo, DecodeError> {
    let mut plugin_id = fields.text("PluginID")?;
    // The key of the map is the plugin's ID in Nomad's own reports.
    if plugin_id.is_empty() {
        plugin_id = name.into();
    }
    if plugin_id.is_empty() {
        return Err(DecodeError::value("PluginID: a plugin must have an ID"));
    }
    // Presence decides the role: an empty object is a controller without capabilities.
    let controller = fields.object("ControllerInfo", "CSIControllerInfo")?;
    let node = fields.object("NodeInfo", "CSINodeInfo")?;
    Ok(PluginInfo {
        plugin_id,
        alloc_id: fields.text("AllocID")?,
        healthy: fields.flag("Healthy")?,
        health_description: fields.text("HealthDescription")?,
        update_time: fields.text("UpdateTime")?,
        provider: fields.text("Provider")?,
        provider_version: fields.text("ProviderVersion")?,
        requires_controller_plugin: fields.flag("RequiresControllerPlugin")?,
        requires_topologies: fields.flag("RequiresTopologies")?,
        controller: controller.as_ref().map(controller_info).transpose()?,
        node: node.as_ref().map(node_info).transpose()?,
    })
}

fn host(name: &str, fields: &Fields<'_>) -> Result<NodeHostVolume, DecodeError> {
    let own_name = fields.text("Name")?;
    Ok(NodeHostVolume {
        name: if own_name.is_empty() { name.into() } else { own_name },
        path: fields.text("Path")?,
        read_only: fields.flag("ReadOnly")?,
        id: fields.id("ID")?,
    })
}

// Nomad: nomad/structs/node.go, CSIControllerInfo.
fn controller_info(fields: &Fields<'_>) -> Result<ControllerInfo, DecodeError> {
    Ok(ControllerInfo {
        supports_create_delete: fields.flag("SupportsCreateDelete")?,
        supports_attach_detach: fields.flag("SupportsAttachDetach")?,
        supports_list_volumes: fields.flag("SupportsListVolumes")?,
        supports_get_capacity: fields.flag("SupportsGetCapacity")?,
        supports_create_delete_snapshot: fields.flag("SupportsCreateDeleteSnapshot")?,
        supports_list_snapshots: fields.flag("SupportsListSnapshots")?,
        supports_clone: fields.flag("SupportsClone")?,
        supports_read_only_attach: fields.flag("SupportsReadOnlyAttach")?,
        supports_expand: fields.flag("SupportsExpand")?,
        supports_list_volumes_attached_nodes: fields.flag("SupportsListVolumesAttachedNodes")?,
        supports_condition: fields.flag("SupportsCondition")?,
        supports_get: fields.flag("SupportsGet")?,
    })
}

// Nomad: nomad/structs/node.go, CSINodeInfo.
fn node_info(fields: &Fields<'_>) -> Result<NodeInfo, DecodeError> {
    let reachable = fields.object("AccessibleTopology", "CSITopology")?;
    Ok(NodeInfo {
        id: fields.text("ID")?,
        max_volumes: fields.int("MaxVolumes")?,
        accessible_topology: reachable.as_ref().map(topology).transpose()?,
        requires_node_stage_volume: fields.flag("RequiresNodeStageVolume")?,
        supports_stats: fields.flag("SupportsStats")?,
        supports_expand: fields.flag("SupportsExpand")?,
        supports_condition: fields.flag("SupportsCondition")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(7);

    #[test]
    fn fingerprints_are_decoded_by_plugin() {
        let body = br#"{
          "Name": "n1", "Attributes": {"Kernel": "Linux"},
          "CSIControllerPlugins": {"ebs": {"Healthy": true, "ControllerInfo": {"SupportsExpand": true}}},
          "CSINodePlugins": {"ebs": {"PluginID": "ebs", "NodeInfo": {
            "ID": "i-1", "MaxVolumes": 51, "AccessibleTopology": {"key": "val2"}}}, "gone": null}
        }"#;
        let node = node_body(body, ID).unwrap().node;
        assert_eq!(node.attributes.get("Kernel").map(AsRef::as_ref), Some("Linux"));
        let controller = &node.controller_plugins["ebs"];
        assert_eq!((&*controller.plugin_id, controller.healthy), ("ebs", true));
        assert!(controller.controller.unwrap().supports_expand);
        assert_eq!(node.node_plugins.len(), 1);
        let info = node.node_plugins["ebs"].node.as_ref().unwrap();
        assert_eq!((&*info.id, info.max_volumes), ("i-1", 51));
        let segments = &info.accessible_topology.as_ref().unwrap().segments;
        assert_eq!(segments.get("key").map(AsRef::as_ref), Some("val2"));
    }

    #[test]
    fn a_plugin_without_an_id_is_rejected() {
        let error = node_body(br#"{"CSINodePlugins": {"": {"PluginID": ""}}}"#, ID).unwrap_err();
        assert!(error.to_string().contains("a plugin must have an ID"), "{error}");
    }

    #[test]
    fn host_volumes_are_decoded_by_name() {
        let body = br#"{"GCVolumesOnNodeGC": true, "hostvolumes": {
          "static": {"Path": "/srv", "ReadOnly": true, "ID": ""},
          "made": {"Name": "made", "id": "00000000-0000-0000-0000-000000000001"}
        }}"#;
        let NodeReport { node, host_volumes } = node_body(body, ID).unwrap();
        assert!(node.gc_volumes_on_node_gc);
        let of = |name: &str| &host_volumes[name];
        assert_eq!((&*of("static").name, &*of("static").path), ("static", "/srv"));
        assert_eq!((of("static").read_only, of("static").id), (true, None));
        assert_eq!(of("made").id, Some(Uuid::from_u128(1)));
    }

    #[test]
    fn an_id_that_differs_from_the_path_is_rejected() {
        let error =
            node_body(br#"{"ID": "00000000-0000-0000-0000-000000000008"}"#, ID).unwrap_err();
        assert_eq!(
            error.to_string(),
            "ID: 00000000-0000-0000-0000-000000000008 differs from \
             00000000-0000-0000-0000-000000000007 in the path"
        );
        assert!(namespace_body(br#"{"Name": "prod"}"#, Some("dev")).is_err());
        assert_eq!(&*namespace_body(b"{}", Some("dev")).unwrap().name, "dev");
    }
}
