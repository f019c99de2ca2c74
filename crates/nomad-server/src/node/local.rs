//! This machine as a node: its host volumes, its storage providers, and the row that reports them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use statehold_nomad::provider::{CsiProvider, ProviderError, ProviderInfo, Providers};
use statehold_nomad::{Labels, Node, NodeReport, Nodes, PluginInfo, node_status, report_node};
use statehold_store::{ReadView, Store};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::node::csi_dir::CsiDir;
use crate::node::host_volumes::{HostVolumeDirs, HostVolumeKeeper, KeepError};
use crate::node::identity;
use crate::node::provider_locks::ProviderLocks;
use statehold_server_core::clock::{now, now_seconds};
use statehold_server_core::start_work::StartWork;
use statehold_server_core::write_queue::WriteQueue;

/// The options of this machine's node.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Its name; the machine's host name when absent.
    pub name: Option<String>,
    /// The datacenter, for the constraints of volumes.
    pub datacenter: String,
    /// The node pool.
    pub pool: String,
    /// The node class; empty for none.
    pub class: String,
    /// Metadata, for the constraints of volumes.
    pub meta: Labels,
    /// The directory of host volumes; `host_volumes` in the data directory when absent.
    pub volumes: Option<PathBuf>,
    /// The directory of host-volume plugins; `host_volume_plugins` in the data directory when absent.
    pub plugins: Option<PathBuf>,
    /// The IDs of the storage providers that store volumes as files in the data directory.
    pub csi_dir_plugins: Vec<String>,
    /// The address of the HTTP API, for the node's attributes.
    pub address: Option<SocketAddr>,
}

/// The defaults of `statehold serve`: the node pool `default` of the datacenter `dc1`.
// Nomad: nomad/structs/structs.go, NodePoolDefault; client/config/config.go, DefaultConfig.
impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            name: None,
            datacenter: "dc1".to_owned(),
            pool: "default".to_owned(),
            class: String::new(),
            meta: Labels::new(),
            volumes: None,
            plugins: None,
            csi_dir_plugins: Vec::new(),
            address: None,
        }
    }
}

/// The reason why the node could not be started.
#[derive(Debug)]
pub enum NodeStartError {
    /// A directory or file of the node can't be used.
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The ID of a provider is no name of a directory.
    PluginId(String),
    /// The host volumes can't be restored.
    HostVolumes(KeepError),
    /// The node's row can't be written.
    Write(String),
}

impl fmt::Display for NodeStartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "can't use {}: {source}", path.display()),
            Self::PluginId(id) => write!(
                f,
                "--csi-dir-plugin {id:?}: an ID has letters, digits, '.', '_' and '-', and doesn't \
                 begin with '.'"
            ),
            Self::HostVolumes(error) => write!(f, "can't restore the host volumes: {error}"),
            Self::Write(error) => write!(f, "can't register this machine as a node: {error}"),
        }
    }
}

impl std::error::Error for NodeStartError {}

/// This machine as a node.
#[derive(Clone, Debug)]
pub struct LocalNode {
    id: Uuid,
    host_volumes: HostVolumeKeeper,
    providers: Arc<Providers>,
    csi_dirs: Arc<BTreeMap<Box<str>, Arc<CsiDir>>>,
    provider_locks: ProviderLocks,
}

impl LocalNode {
    /// Registers the node, and starts to settle interrupted work and to restore volumes.
    ///
    /// Never waits for a host-volume plugin, so that the server can listen at once.
    ///
    /// # Errors
    /// A directory can't be used, an ID is invalid, or a write failed although the store takes writes.
    pub fn start(
        writes: &WriteQueue,
        data_dir: &Path,
        options: NodeOptions,
        work: &StartWork,
        runtime: &Handle,
    ) -> Result<Self, NodeStartError> {
        let store = writes.store();
        let io_error = |path: &Path| {
            let path = path.to_owned();
            |source| NodeStartError::Io { path, source }
        };
        // Absolute, because plugins get these paths and rows store them.
        let data_dir = &std::path::absolute(data_dir).map_err(io_error(data_dir))?;
        let absolute = |given: Option<PathBuf>, name: &str| match given {
            Some(path) => std::path::absolute(&path).map_err(io_error(&path)),
            None => Ok(data_dir.join(name)),
        };
        let dirs = HostVolumeDirs {
            volumes: absolute(options.volumes, "host_volumes")?,
            plugins: absolute(options.plugins, "host_volume_plugins")?,
            intents: data_dir.join("intents"),
        };
        let id = identity::node_id(data_dir).map_err(io_error(data_dir))?;
        let intents = dirs.intents.clone();
        let keeper =
            HostVolumeKeeper::open(writes.clone(), id, dirs, work.clone(), runtime.clone())
                .map_err(io_error(&intents))?;
        let (mut providers, mut csi_dirs) = (Providers::default(), BTreeMap::new());
        let mut infos = BTreeMap::new();
        for plugin in options.csi_dir_plugins {
            let dir = data_dir.join("csi").join(plain_name(&plugin)?);
            let provider =
                CsiDir::open(dir.clone(), &id.to_string(), now_seconds).map_err(io_error(&dir))?;
            infos.insert(plugin.clone().into(), fingerprint(&plugin, provider.probe()));
            let provider = Arc::new(provider);
            // Before any request, which could otherwise read a row whose data was deleted.
            let (settled, to, id) = (Arc::clone(&provider), Arc::clone(store), plugin.clone());
            let settle = move || {
                settled.settle_all(&to, &id)?;
                // Work that could not be recorded keeps its intent, which the next run settles.
                to.failure().map_or(Ok(()), |failure| Err(io::Error::other(failure.to_string())))
            };
            work.run(store, "settle interrupted work", settle).map_err(io_error(&dir))?;
            csi_dirs.insert(plugin.as_str().into(), Arc::clone(&provider));
            providers.insert(plugin, provider);
        }
        // The plugins have not been asked yet, so the node repeats its last report.
        let (mut attributes, host_volumes) = keeper.last_report();
        attributes.append(&mut identity::attributes(options.address));
        let node = Node {
            id,
            name: options.name.unwrap_or_else(statehold_server_core::host::host_name).into(),
            datacenter: options.datacenter.into(),
            node_pool: options.pool.into(),
            node_class: options.class.into(),
            status: node_status::READY.into(),
            scheduling_eligibility: "eligible".into(),
            attributes,
            meta: options.meta,
            controller_plugins: part(&infos, |info| info.node = None),
            node_plugins: part(&infos, |info| info.controller = None),
            ..Node::default()
        };
        let (report, to) = (NodeReport { node, host_volumes }, Arc::clone(store));
        let step = move || write(&to, report.clone()).map_err(|error| error.to_string());
        work.run(store, "register this machine as a node", step).map_err(NodeStartError::Write)?;
        let restored = keeper.clone();
        work.run(store, "restore host volumes", move || restored.restore())
            .map_err(NodeStartError::HostVolumes)?;
        let provider_locks = ProviderLocks::new(providers.iter().map(|(plugin, _)| plugin));
        let (providers, csi_dirs) = (Arc::new(providers), Arc::new(csi_dirs));
        Ok(Self { id, host_volumes: keeper, providers, csi_dirs, provider_locks })
    }

    /// Returns the ID of the node.
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Returns the keeper of the node's host volumes.
    pub fn host_volumes(&self) -> &HostVolumeKeeper {
        &self.host_volumes
    }

    /// Returns the storage providers of the node.
    pub(crate) fn providers(&self) -> &Providers {
        &self.providers
    }

    /// Returns the provider of a plugin, if it is a built-in directory provider.
    pub(crate) fn csi_dir(&self, plugin: &str) -> Option<&Arc<CsiDir>> {
        self.csi_dirs.get(plugin)
    }

    /// Probes the provider of `plugin`. Returns the node to report if its health differs from the one in `view`.
    pub(crate) fn probe(&self, view: &impl ReadView, plugin: &str) -> Option<Node> {
        let found = fingerprint(plugin, self.providers.get(plugin)?.probe());
        let known = view.get::<Nodes>(self.id)?;
        let is_reported = |infos: &BTreeMap<Box<str>, PluginInfo>| {
            infos.get(plugin).is_some_and(|info| {
                (info.healthy, &info.health_description)
                    == (found.healthy, &found.health_description)
            })
        };
        // The update time is not compared: it differs in each probe, and each report wakes readers.
        if is_reported(&known.controller_plugins) && is_reported(&known.node_plugins) {
            return None;
        }
        let mut node = Node::clone(known);
        for infos in [&mut node.controller_plugins, &mut node.node_plugins] {
            if let Some(info) = infos.get_mut(plugin) {
                info.healthy = found.healthy;
                info.health_description = found.health_description.clone();
                info.update_time = found.update_time.clone();
            }
        }
        // An unhealthy provider describes no capabilities, so the last ones stay.
        if found.healthy {
            let infos = BTreeMap::from([(Box::from(plugin), found)]);
            node.controller_plugins.append(&mut part(&infos, |info| info.node = None));
            node.node_plugins.append(&mut part(&infos, |info| info.controller = None));
        }
        (node != **known).then_some(node)
    }

    /// Returns the locks and permits of requests to the providers.
    pub(crate) fn provider_locks(&self) -> &ProviderLocks {
        &self.provider_locks
    }
}

fn write(store: &Store, report: NodeReport) -> Result<(), Box<dyn std::error::Error>> {
    let mut txn = store.begin_write()?;
    report_node(&mut txn, now(), report)?;
    txn.commit()?;
    Ok(())
}

/// Returns the ID if it is safe as the name of a directory.
fn plain_name(id: &str) -> Result<&str, NodeStartError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if id.is_empty() || id.starts_with('.') || !id.bytes().all(plain) {
        return Err(NodeStartError::PluginId(id.to_owned()));
    }
    Ok(id)
}

/// Returns the node's report of a provider, from the result of its probe.
// Nomad: client/pluginmanager/csimanager/fingerprint.go, pluginFingerprinter.
fn fingerprint(plugin: &str, probed: Result<ProviderInfo, ProviderError>) -> PluginInfo {
    let mut info = PluginInfo {
        plugin_id: plugin.into(),
        requires_controller_plugin: true,
        update_time: jiff::Timestamp::now().to_string().into(),
        ..PluginInfo::default()
    };
    match probed {
        Ok(found) => {
            info.healthy = true;
            info.health_description = "healthy".into();
            info.provider = found.name;
            info.provider_version = found.version;
            info.controller = Some(found.controller);
            info.node = Some(found.node);
        }
        Err(error) => info.health_description = error.to_string().into(),
    }
    info
}

/// Returns the fingerprints with only the controller's or the node's half; `half` clears the other.
fn part(
    infos: &BTreeMap<Box<str>, PluginInfo>,
    half: impl Fn(&mut PluginInfo),
) -> BTreeMap<Box<str>, PluginInfo> {
    let mut part = infos.clone();
    part.values_mut().for_each(half);
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_ids_name_directories() {
        for id in ["dir", "org.example.disks-2", "A_b"] {
            assert_eq!(plain_name(id).unwrap(), id);
        }
        for id in ["", ".", "..", ".a", "a/b", "a b", "é"] {
            assert!(plain_name(id).unwrap_err().to_string().contains("--csi-dir-plugin"), "{id}");
        }
    }
}
