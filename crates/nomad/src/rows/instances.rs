//! The instances of storage plugins, each in its own row, because a plugin may run on any number of
//! nodes.

use serde::{Deserialize, Serialize};
use statehold_store::{KeyPart, Table};
use uuid::Uuid;

use super::PluginInfo;

/// The role of a plugin's instance. A monolith plugin has both roles on its node, and two rows.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    KeyPart,
)]
pub enum PluginRole {
    /// Creates, deletes, attaches and detaches volumes.
    #[default]
    Controller = 0,
    /// Mounts volumes on its node.
    Node = 1,
}

impl PluginRole {
    /// All roles.
    pub const ALL: [Self; 2] = [Self::Controller, Self::Node];
}

/// An instance of a plugin on a node, in one role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsiPluginInstance {
    /// Its role, second part of the key.
    pub role: PluginRole,
    /// Its node, last part of the key.
    pub node_id: Uuid,
    /// The node's report of it. The plugin's ID in it is the first part of the key.
    pub info: PluginInfo,
}

/// Table of the instances of plugins, by plugin, role and node.
#[derive(Clone, Copy, Debug)]
pub struct CsiPluginInstances;

impl Table for CsiPluginInstances {
    const NAME: &'static str = "csi_plugin_instances";
    const VERSION: u16 = 1;
    type Key = (String, PluginRole, Uuid);
    type Row = CsiPluginInstance;

    fn key(row: &CsiPluginInstance) -> (&str, PluginRole, Uuid) {
        (&row.info.plugin_id, row.role, row.node_id)
    }
}
