//! Storage plugins, put together from what nodes and jobs say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statehold_store::Table;
use uuid::Uuid;

use super::PluginInfo;

/// A storage plugin: the places where it runs.
///
/// Made by the first healthy fingerprint or the first job that runs it, gone when neither is left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsiPlugin {
    /// Its ID, the key.
    pub id: Box<str>,
    /// The name that it gives itself.
    pub provider: Box<str>,
    /// The version that it gives itself.
    pub version: Box<str>,
    /// Whether its volumes need a controller.
    pub controller_required: bool,
    /// Controllers, by node.
    pub controllers: BTreeMap<Uuid, PluginInfo>,
    /// Node plugins, by node.
    pub nodes: BTreeMap<Uuid, PluginInfo>,
    /// When it was first seen, in unix nanoseconds.
    pub create_time: i64,
    /// When it was last changed, in unix nanoseconds.
    pub modify_time: i64,
}

/// Table of the plugins, by ID.
#[derive(Clone, Copy, Debug)]
pub struct CsiPlugins;

impl Table for CsiPlugins {
    const NAME: &'static str = "csi_plugins";
    const VERSION: u16 = 1;
    type Key = String;
    type Row = CsiPlugin;

    fn key(row: &CsiPlugin) -> &str {
        &row.id
    }
}
