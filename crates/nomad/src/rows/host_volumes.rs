//! Dynamic host volumes, each on one node.

use std::fmt;

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{Index, IndexSet, Table};
use uuid::Uuid;

use super::Labels;
use crate::modes::Capability;

/// A volume on the disk of one node, created or registered by a request.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct HostVolume {
    /// The namespace, first half of the key.
    pub namespace: Box<str>,
    /// Its ID, second half of the key.
    #[filterable(rename = "ID")]
    pub id: Uuid,
    /// Its name, unique on its node.
    pub name: Box<str>,
    /// The plugin that created it; empty if it was registered.
    #[filterable(rename = "PluginID")]
    pub plugin_id: Box<str>,
    /// The pool of its node.
    pub node_pool: Box<str>,
    /// Its node.
    #[filterable(rename = "NodeID")]
    pub node_id: Uuid,
    /// The constraints that its node satisfied when it was placed.
    pub constraints: Vec<Constraint>,
    /// The requested minimum capacity, in bytes; 0 for none.
    #[filterable(rename = "RequestedCapacityMinBytes")]
    pub requested_capacity_min: i64,
    /// The requested maximum capacity, in bytes; 0 for none.
    #[filterable(rename = "RequestedCapacityMaxBytes")]
    pub requested_capacity_max: i64,
    /// Its capacity in bytes, 0 if unknown.
    #[filterable(rename = "CapacityBytes")]
    pub capacity: i64,
    /// The capabilities that it must offer.
    pub requested_capabilities: Vec<Capability>,
    /// Parameters for its plugin.
    pub parameters: Labels,
    /// Its path on its node.
    pub host_path: Box<str>,
    /// Whether its node reports it.
    pub state: HostVolumeState,
    /// Its creation time, in unix nanoseconds.
    pub create_time: i64,
    /// The last request that changed it, in unix nanoseconds. Reports of nodes change the state and
    /// not this time.
    pub modify_time: i64,
}

/// Prints the names of parameters only, because their values may be confidential.
impl fmt::Debug for HostVolume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostVolume")
            .field("namespace", &self.namespace)
            .field("id", &self.id)
            .field("name", &self.name)
            .field("plugin_id", &self.plugin_id)
            .field("node_pool", &self.node_pool)
            .field("node_id", &self.node_id)
            .field("parameters", &self.parameters.keys())
            .field("host_path", &self.host_path)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// A condition on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct Constraint {
    /// The left operand: `${attr.kernel.name}`, `${meta.rack}`, `${node.class}`, or a literal
    /// string.
    #[serde(rename = "LTarget")]
    #[filterable(rename = "LTarget")]
    pub left: Box<str>,
    /// The right operand, in the same form.
    #[serde(rename = "RTarget")]
    #[filterable(rename = "RTarget")]
    pub right: Box<str>,
    /// The operator: `=`, `!=`, `<`, `version`, `regexp`, `set_contains`, `is_set` and others.
    #[serde(rename = "Operand")]
    #[filterable(rename = "Operand")]
    pub operator: Box<str>,
}

/// The state of a host volume on its node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "kebab-case")]
pub enum HostVolumeState {
    /// Its node has not reported it yet.
    #[default]
    Pending,
    /// Its node reports it.
    Ready,
    /// Its node no longer reports it, or is down.
    Unavailable,
}

impl HostVolumeState {
    /// Returns the name that clients read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for HostVolumeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Table of the host volumes, by namespace and ID.
#[derive(Clone, Copy, Debug)]
pub struct HostVolumes;

impl HostVolumes {
    /// Volumes by their node.
    pub const BY_NODE: Index<Self, Uuid> =
        Self::INDEX.non_unique("node", |volume, keys| keys.add(volume.node_id)).serves("NodeID");

    /// Volumes by their node and name.
    pub const BY_NAME_ON_NODE: Index<Self, (Uuid, String)> =
        Self::INDEX.non_unique("name_on_node", |volume, keys| {
            keys.add((volume.node_id, &volume.name));
        });

    /// Volumes by the pool of their node.
    pub const BY_POOL: Index<Self, String> = Self::INDEX
        .non_unique("pool", |volume, keys| keys.add(&volume.node_pool))
        .serves("NodePool");

    /// Volumes by their ID, in any namespace.
    pub const BY_ID: Index<Self, Uuid> =
        Self::INDEX.non_unique("id", |volume, keys| keys.add(volume.id));

    /// Volumes by their namespace and name.
    pub const BY_NAME_IN_NAMESPACE: Index<Self, (String, String)> =
        Self::INDEX.non_unique("name_in_namespace", |volume, keys| {
            keys.add((&volume.namespace, &volume.name));
        });

    /// Volumes by name.
    pub const BY_NAME: Index<Self, String> =
        Self::INDEX.non_unique("name", |volume, keys| keys.add(&volume.name)).serves("Name");
}

impl Table for HostVolumes {
    const NAME: &'static str = "host_volumes";
    const VERSION: u16 = 1;
    type Key = (String, Uuid);
    type Row = HostVolume;

    fn key(row: &HostVolume) -> (&str, Uuid) {
        (&row.namespace, row.id)
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&Self::BY_NODE).add(&Self::BY_NAME_ON_NODE);
        set.add(&Self::BY_POOL).add(&Self::BY_NAME).add(&Self::BY_ID);
        set.add(&Self::BY_NAME_IN_NAMESPACE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_no_parameter_values() {
        let volume = HostVolume {
            parameters: [("token".into(), "xyzzy".into())].into(),
            ..HostVolume::default()
        };
        let shown = format!("{volume:?}");
        assert!(shown.contains("token") && !shown.contains("xyzzy"), "{shown}");
    }
}
