//! Host volumes that were made on request, each on one node.

use std::fmt;

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{Index, IndexSet, Table};
use uuid::Uuid;

use super::Labels;
use crate::modes::Capability;

/// A volume that lies on one node, made there or found there on request.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct HostVolume {
    /// The namespace, first half of the key.
    pub namespace: Box<str>,
    /// Its ID, second half of the key.
    #[filterable(rename = "ID")]
    pub id: Uuid,
    /// Its name; no two volumes of one node have the same.
    pub name: Box<str>,
    /// The plugin of the node that made it; empty when it was there already.
    #[filterable(rename = "PluginID")]
    pub plugin_id: Box<str>,
    /// The pool of its node.
    pub node_pool: Box<str>,
    /// The node it is on.
    #[filterable(rename = "NodeID")]
    pub node_id: Uuid,
    /// What its node had to be like when it was placed.
    pub constraints: Vec<Constraint>,
    /// The least size that was asked for, in bytes; 0 is no wish.
    #[filterable(rename = "RequestedCapacityMinBytes")]
    pub requested_capacity_min: i64,
    /// The largest size that was asked for, in bytes; 0 is no wish.
    #[filterable(rename = "RequestedCapacityMaxBytes")]
    pub requested_capacity_max: i64,
    /// Its size in bytes, 0 when unknown.
    #[filterable(rename = "CapacityBytes")]
    pub capacity: i64,
    /// How it must be usable.
    pub requested_capabilities: Vec<Capability>,
    /// For the plugin that makes it.
    pub parameters: Labels,
    /// Where it is on its node.
    pub host_path: Box<str>,
    /// Whether its node has it.
    pub state: HostVolumeState,
    /// When it was made, in unix nanoseconds.
    pub create_time: i64,
    /// When somebody last asked for a change, in unix nanoseconds. What nodes report changes the
    /// state and not this.
    pub modify_time: i64,
}

/// Parameters can carry what should stay between an operator and a plugin: names only.
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

/// Something that a node has to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "PascalCase")]
pub struct Constraint {
    /// What is looked at: `${attr.kernel.name}`, `${meta.rack}`, `${node.class}`, or a plain text.
    #[serde(rename = "LTarget")]
    #[filterable(rename = "LTarget")]
    pub left: Box<str>,
    /// What it is compared with, in the same form.
    #[serde(rename = "RTarget")]
    #[filterable(rename = "RTarget")]
    pub right: Box<str>,
    /// How: `=`, `!=`, `<`, `version`, `regexp`, `set_contains`, `is_set` and others.
    #[serde(rename = "Operand")]
    #[filterable(rename = "Operand")]
    pub operator: Box<str>,
}

/// Whether the node of a host volume has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Filterable)]
#[filterable(rename_all = "kebab-case")]
pub enum HostVolumeState {
    /// Its node hasn't reported it yet.
    #[default]
    Pending,
    /// Its node reports it.
    Ready,
    /// Its node reported it and no longer does, or is down.
    Unavailable,
}

impl HostVolumeState {
    /// What clients read.
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
    /// Volumes by the node they are on.
    pub const BY_NODE: Index<Self, Uuid> =
        Self::INDEX.non_unique("node", |volume, keys| keys.add(volume.node_id)).serves("NodeID");

    /// Volumes by the node they are on and their name.
    pub const BY_NAME_ON_NODE: Index<Self, (Uuid, String)> =
        Self::INDEX.non_unique("name_on_node", |volume, keys| {
            keys.add((volume.node_id, &volume.name));
        });

    /// Volumes by the pool of their node.
    pub const BY_POOL: Index<Self, String> = Self::INDEX
        .non_unique("pool", |volume, keys| keys.add(&volume.node_pool))
        .serves("NodePool");

    /// Volumes by their ID, in whatever namespace.
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
    fn debug_shows_no_values_of_parameters() {
        let volume = HostVolume {
            parameters: [("token".into(), "xyzzy".into())].into(),
            ..HostVolume::default()
        };
        let shown = format!("{volume:?}");
        assert!(shown.contains("token") && !shown.contains("xyzzy"), "{shown}");
    }
}
