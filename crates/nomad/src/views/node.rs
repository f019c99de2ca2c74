//! The views of a node.
//!
//! Fields that Nomad stores separately are derived from the node's attributes, by the names that
//! Nomad's client uses: its address, its version, its drivers and its resources.

use std::collections::BTreeMap;

use serde::Serialize;
use statehold_store::{Entry, ReadView};
use uuid::Uuid;

use super::{PluginInfoView, allocation::Resources};
use crate::{
    health::reported_host_volumes,
    rows::{Labels, Node, NodeHostVolume, PluginInfo},
};

/// The attribute with the Nomad version.
const VERSION: &str = "nomad.version";

/// The attribute with the address of the node's HTTP API.
const HTTP_ADDRESS: &str = "nomad.advertise.address";

/// The attribute with the node's address.
const ADDRESS: &str = "unique.network.ip-address";

/// The prefix of the attributes of drivers.
const DRIVER: &str = "driver.";

/// Bytes of a MiB.
const MIB: u64 = 1 << 20;

fn attribute<'v>(node: &'v Node, name: &str) -> &'v str {
    node.attributes.get(name).map(AsRef::as_ref).unwrap_or_default()
}

/// Returns the number in an attribute, 0 if there is none.
fn number(node: &Node, name: &str) -> u64 {
    attribute(node, name).parse().unwrap_or_default()
}

/// Returns the node's address without a port: its own attribute, else that of its HTTP API.
fn address(node: &Node) -> &str {
    // Nomad: client/fingerprint/network.go sets this attribute.
    let own = attribute(node, ADDRESS);
    if !own.is_empty() {
        return own;
    }
    let http = attribute(node, HTTP_ADDRESS);
    // The host of an IPv6 address contains colons itself, so the port is behind the last one.
    let host = http.rsplit_once(':').map_or(http, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn eligibility(node: &Node) -> &str {
    let eligibility = &node.scheduling_eligibility;
    // Nomad: nomad/structs/structs.go, Node.Canonicalize.
    if eligibility.is_empty() { "eligible" } else { eligibility }
}

/// A task driver of a node.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DriverView<'v> {
    attributes: BTreeMap<&'v str, &'v str>,
    detected: bool,
    healthy: bool,
    health_description: &'static str,
    update_time: (),
}

/// Returns the drivers of a node. Nomad's client sets `driver.NAME` for a healthy driver, and
/// further attributes below that name.
fn drivers(node: &Node) -> BTreeMap<&str, DriverView<'_>> {
    let mut drivers = BTreeMap::new();
    for (attribute, value) in &node.attributes {
        let Some(of_driver) = attribute.strip_prefix(DRIVER) else { continue };
        // `driver.docker.version` belongs to the driver `docker`.
        let name = of_driver.split_once('.').map_or(of_driver, |(name, _)| name);
        let driver = drivers.entry(name).or_insert_with(|| DriverView {
            attributes: BTreeMap::new(),
            detected: true,
            healthy: false,
            health_description: "",
            update_time: (),
        });
        driver.attributes.insert(attribute, value);
        // Only the attribute of the driver itself carries its health, not those below it.
        if name.len() == of_driver.len() {
            driver.healthy = matches!(&**value, "1" | "true");
            driver.health_description = if driver.healthy { "Healthy" } else { "Unhealthy" };
        }
    }
    drivers
}

/// A host volume of a node.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/volumes.go, ClientHostVolumeConfig.
struct NodeHostVolumeView<'v> {
    name: &'v str,
    path: &'v str,
    read_only: bool,
    #[serde(rename = "ID")]
    id: String,
}

impl<'v> NodeHostVolumeView<'v> {
    fn new(volume: &'v NodeHostVolume) -> Self {
        Self {
            name: &volume.name,
            path: &volume.path,
            read_only: volume.read_only,
            id: volume.id.map(|id| id.to_string()).unwrap_or_default(),
        }
    }
}

/// The resources of a node, as far as its attributes report them.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/structs.go, NodeResources.
struct NodeResources {
    cpu: Cpu,
    memory: Memory,
    disk: Disk,
    networks: (),
    devices: (),
    min_dynamic_port: u16,
    max_dynamic_port: u16,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Cpu {
    #[serde(rename = "CpuShares")]
    shares: u64,
    total_cpu_cores: u64,
    // Reserved cores are not among the attributes.
    reservable_cpu_cores: (),
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Memory {
    #[serde(rename = "MemoryMB")]
    memory_mb: u64,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Disk {
    #[serde(rename = "DiskMB")]
    disk_mb: u64,
}

/// The resources that a node reserves for itself: not reported, so 0.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/structs.go, NodeReservedResources.
struct ReservedResources {
    cpu: Cpu,
    memory: Memory,
    disk: Disk,
    networks: ReservedNetworks,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ReservedNetworks {
    reserved_host_ports: &'static str,
}

impl NodeResources {
    fn of(node: &Node) -> Self {
        Self {
            cpu: Cpu {
                // Nomad: client/fingerprint/cpu.go and memory.go set these attributes.
                shares: number(node, "cpu.totalcompute"),
                total_cpu_cores: number(node, "cpu.numcores"),
                reservable_cpu_cores: (),
            },
            memory: Memory { memory_mb: number(node, "memory.totalbytes") / MIB },
            disk: Disk { disk_mb: number(node, "unique.storage.bytestotal") / MIB },
            networks: (),
            devices: (),
            min_dynamic_port: 0,
            max_dynamic_port: 0,
        }
    }

    /// Returns the resources in Nomad's older format.
    // Nomad: nomad/structs/structs.go, Node.Resources, deprecated but read by clients.
    fn total(self) -> Resources {
        Resources {
            cpu: self.cpu.shares,
            memory_mb: self.memory.memory_mb,
            disk_mb: self.disk.disk_mb,
            ..Resources::default()
        }
    }
}

/// The optional fields of a list of nodes that its client requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeStubFields {
    /// `Attributes`, with the operating system's name.
    pub os: bool,
    /// `NodeResources` and `ReservedResources`.
    pub resources: bool,
}

/// A node in a list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/structs.go, NodeListStub.
pub struct NodeStub<'v> {
    #[serde(rename = "ID")]
    id: Uuid,
    name: &'v str,
    address: &'v str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<BTreeMap<&'static str, &'v str>>,
    datacenter: &'v str,
    node_class: &'v str,
    node_pool: &'v str,
    version: &'v str,
    drain: bool,
    scheduling_eligibility: &'v str,
    status: &'v str,
    status_description: &'static str,
    drivers: BTreeMap<&'v str, DriverView<'v>>,
    host_volumes: BTreeMap<&'v str, NodeHostVolumeView<'v>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_resources: Option<NodeResources>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved_resources: Option<ReservedResources>,
    last_drain: (),
    create_index: u64,
    modify_index: u64,
}

impl<'v> NodeStub<'v> {
    /// Creates the view of `entry`, which reports `host_volumes`, with the requested optional
    /// fields.
    pub fn with(
        entry: &'v Entry<Node>,
        host_volumes: &'v BTreeMap<Box<str>, NodeHostVolume>,
        fields: NodeStubFields,
    ) -> Self {
        let host_volumes = host_volumes.iter();
        // Nomad: nomad/structs/structs.go, Node.Stub sets only this attribute for `os=true`.
        const OS: &str = "os.name";
        let os = || BTreeMap::from([(OS, attribute(entry, OS))]);
        Self {
            id: entry.id,
            name: &entry.name,
            address: address(entry),
            attributes: fields.os.then(os),
            datacenter: &entry.datacenter,
            node_class: &entry.node_class,
            node_pool: &entry.node_pool,
            version: attribute(entry, VERSION),
            drain: false,
            scheduling_eligibility: eligibility(entry),
            status: &entry.status,
            status_description: "",
            drivers: drivers(entry),
            host_volumes: host_volumes
                .map(|(name, volume)| (&**name, NodeHostVolumeView::new(volume)))
                .collect(),
            node_resources: fields.resources.then(|| NodeResources::of(entry)),
            reserved_resources: fields.resources.then(ReservedResources::default),
            last_drain: (),
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
        }
    }
}

/// A node with all its fields.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
// Nomad: nomad/structs/structs.go, Node. Fields that no client here fills are Go's zero values.
pub struct NodeView<'v> {
    #[serde(rename = "ID")]
    id: Uuid,
    #[serde(rename = "SecretID")]
    secret_id: &'static str,
    name: &'v str,
    datacenter: &'v str,
    #[serde(rename = "HTTPAddr")]
    http_addr: &'v str,
    #[serde(rename = "TLSEnabled")]
    tls_enabled: bool,
    attributes: &'v Labels,
    resources: Resources,
    reserved: Resources,
    node_resources: NodeResources,
    reserved_resources: ReservedResources,
    links: Labels,
    meta: &'v Labels,
    node_class: &'v str,
    node_pool: &'v str,
    cgroup_parent: &'static str,
    drain: bool,
    drain_strategy: (),
    scheduling_eligibility: &'v str,
    status: &'v str,
    status_description: &'static str,
    /// In unix seconds.
    status_updated_at: i64,
    events: [(); 0],
    drivers: BTreeMap<&'v str, DriverView<'v>>,
    host_volumes: BTreeMap<&'v str, NodeHostVolumeView<'v>>,
    #[serde(rename = "GCVolumesOnNodeGC")]
    gc_volumes_on_node_gc: bool,
    host_networks: Labels,
    #[serde(rename = "CSIControllerPlugins")]
    controller_plugins: BTreeMap<&'v str, PluginInfoView<'v>>,
    #[serde(rename = "CSINodePlugins")]
    node_plugins: BTreeMap<&'v str, PluginInfoView<'v>>,
    last_drain: (),
    create_index: u64,
    modify_index: u64,
    node_max_allocs: u32,
}

impl<'v> NodeView<'v> {
    /// Creates the view of `entry`, with the host volumes that it reports. Cost: reads each of
    /// them.
    pub fn new<V: ReadView>(view: &'v V, entry: &'v Entry<Node>) -> Self {
        let reported = reported_host_volumes(view, entry.id)
            .map(|row| (&*row.volume.name, NodeHostVolumeView::new(&row.volume)));
        let plugins = |infos: &'v BTreeMap<Box<str>, PluginInfo>| {
            infos.iter().map(|(id, info)| (&**id, PluginInfoView::new(info))).collect()
        };
        let resources = NodeResources::of(entry);
        Self {
            id: entry.id,
            // Nomad: nomad/structs/structs.go, Node.Sanitize removes the secret, too.
            secret_id: "",
            name: &entry.name,
            datacenter: &entry.datacenter,
            http_addr: attribute(entry, HTTP_ADDRESS),
            tls_enabled: false,
            attributes: &entry.attributes,
            resources: resources.total(),
            reserved: Resources::default(),
            node_resources: resources,
            reserved_resources: ReservedResources::default(),
            links: Labels::new(),
            meta: &entry.meta,
            node_class: &entry.node_class,
            node_pool: &entry.node_pool,
            cgroup_parent: "",
            drain: false,
            drain_strategy: (),
            scheduling_eligibility: eligibility(entry),
            status: &entry.status,
            status_description: "",
            // Any write of a node counts, because the status alone has no time.
            status_updated_at: entry.modify_time / 1_000_000_000,
            events: [],
            drivers: drivers(entry),
            host_volumes: reported.collect(),
            gc_volumes_on_node_gc: entry.gc_volumes_on_node_gc,
            host_networks: Labels::new(),
            controller_plugins: plugins(&entry.controller_plugins),
            node_plugins: plugins(&entry.node_plugins),
            last_drain: (),
            create_index: entry.create_index(),
            modify_index: entry.modify_index(),
            node_max_allocs: 0,
        }
    }
}
