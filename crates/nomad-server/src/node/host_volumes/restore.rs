//! Restores the host volumes of this machine at startup.
//!
//! The server listens meanwhile, so a slow plugin delays only its own volumes. Until a volume is restored, its row
//! stays as the last run left it, requests that change it wait, and [`HostVolumeKeeper::restoring`] reports it.
// Nomad: client/hostvolumemanager/host_volumes.go, HostVolumeManager.restoreFromState.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream;
use statehold_nomad::{
    HostVolume, HostVolumes, Labels, Node, NodeHostVolume, Nodes, ReportedHostVolumes,
    move_host_volume, report_host_volume, reported_host_volumes, upsert_node, withdraw_host_volume,
};
use statehold_store::{KeyRange, Order, ReadView, Table as _};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::node::host_volumes::{
    HostVolumeKeeper, HostVolumePlugin, Intent, KeepError, MKDIR, Mkdir, PluginError, Shared,
    path_exists, reported, request_for, store_error, verify,
};
use statehold_server_core::recovery;

/// Maximum number of volumes of one plugin that are restored at the same time. Each holds a thread and a process.
const RESTORES_MAX: usize = 16;

/// Maximum number of plugins that are fingerprinted at the same time.
const FINGERPRINTS_MAX: usize = 16;

/// The prefix of the node attributes that report its host-volume plugins.
// Nomad: client/fingerprint/dynamic_host_volumes.go, DynamicHostVolumePluginFingerprint.
const PLUGINS: &str = "plugins.host_volume.";

/// A volume to restore: the key of its row, and its intent if a crash left one.
#[derive(Debug)]
pub(crate) struct Unrestored {
    pub(crate) namespace: Box<str>,
    pub(crate) id: Uuid,
    pub(crate) intent: Option<Intent>,
}

impl HostVolumeKeeper {
    /// Returns the plugins and volumes that the node reported when the server last ran, with the built-in plugin's
    /// current version. The report holds until [`HostVolumeKeeper::restore`] corrects it: an empty one would mark
    /// every volume unavailable, and wake every reader, at each start.
    pub(crate) fn last_report(&self) -> (Labels, BTreeMap<Box<str>, NodeHostVolume>) {
        let shared = &*self.0;
        let view = shared.view();
        let known = view.get::<Nodes>(shared.node).map(|node| Node::clone(node));
        let known = known.unwrap_or_default();
        let mut attributes: Labels =
            known.attributes.into_iter().filter(|(name, _)| name.starts_with(PLUGINS)).collect();
        let built_in = Mkdir::new(&shared.dirs.volumes).fingerprint();
        attributes.extend(built_in.ok().map(|version| version_of(MKDIR, &version)));
        let own: BTreeMap<&str, Uuid> =
            shared.rows(&view).map(|volume| (&*volume.name, volume.id)).collect();
        // A report of a volume whose row was deleted or replaced is dropped.
        let volumes = reported_host_volumes(&view, shared.node)
            .map(|reported| &reported.volume)
            .filter(|reported| own.get(&*reported.name).copied() == reported.id)
            .map(|reported| (reported.name.clone(), reported.clone()))
            .collect();
        (attributes, volumes)
    }

    /// Starts to settle the work that the last stop interrupted, and to restore the volumes of this machine. Returns
    /// before they are restored. MUST be called after the node was reported; called again if the store took no
    /// writes when a result was to be recorded.
    ///
    /// # Errors
    /// The directory of intents can't be read.
    pub(crate) fn restore(&self) -> Result<(), KeepError> {
        let shared = &*self.0;
        let mut by_plugin: BTreeMap<Box<str>, Vec<Unrestored>> = BTreeMap::new();
        let mut intents: BTreeMap<Uuid, Intent> = BTreeMap::new();
        intents.extend(shared.intents.left().map_err(KeepError::Intent)?);
        let view = shared.view();
        for volume in shared.rows(&view) {
            let (namespace, id) = (volume.namespace.clone(), volume.id);
            let found = Unrestored { namespace, id, intent: intents.remove(&id) };
            by_plugin.entry(volume.plugin_id.clone()).or_default().push(found);
        }
        // The intents that remain have no row: a crash came before it was written or after it was deleted.
        for (id, intent) in intents {
            let (plugin, namespace) = (intent.plugin.clone(), intent.request.namespace.clone());
            let found = Unrestored { namespace, id, intent: Some(intent) };
            by_plugin.entry(plugin).or_default().push(found);
        }
        shared.restoring.lock().extend(by_plugin.values().flatten().map(|found| found.id));
        self.settle_in_background();
        let mut starting = shared.starting.lock();
        let keeper = self.clone();
        starting.push(shared.runtime.spawn(async move {
            keeper.fingerprint().await;
            keeper.restore_again();
        }));
        let keeper = self.clone();
        starting.push(shared.runtime.spawn(async move {
            keeper.restore_all(by_plugin).await;
            keeper.restore_again();
        }));
        Ok(())
    }

    /// Repeats the restore if a full disk prevented its results from being recorded.
    fn restore_again(&self) {
        let shared = &*self.0;
        if shared.unrecorded.swap(false, Ordering::Relaxed) && !shared.is_stopped() {
            let keeper = self.clone();
            let step = move || keeper.restore().map_err(|error| error.to_string());
            shared.start_work.defer(shared.writes.store(), "restore host volumes", step);
        }
    }

    /// Returns the number of volumes that startup has not restored yet, and the IDs of the first `max` of them.
    pub(crate) fn restoring(&self, max: usize) -> (usize, Vec<Uuid>) {
        let restoring = self.0.restoring.lock();
        (restoring.len(), restoring.iter().take(max).copied().collect())
    }

    /// Waits until the plugins of this machine have reported their versions: a volume can only be placed on a node
    /// with its plugin.
    ///
    /// # Errors
    /// The store takes no writes: startup waits for a disk with free space, too, so this would never return.
    pub(crate) async fn wait_for_fingerprints(&self) -> Result<(), KeepError> {
        let mut fingerprinted = self.0.fingerprinted.subscribe();
        tokio::select! {
            biased;
            // The sender lives as long as `self`.
            _ = fingerprinted.wait_for(|done| *done) => Ok(()),
            failure = recovery::wait_for_failure(self.0.writes.store()) => {
                Err(KeepError::Store(failure.to_string()))
            }
        }
    }

    /// Reports the versions of all plugins in the plugin directory. Logs and omits those that fail.
    // Nomad: client/fingerprint/dynamic_host_volumes.go, GetHostVolumePluginVersions.
    async fn fingerprint(&self) {
        let programs = std::fs::read_dir(&self.0.dirs.plugins).into_iter().flatten();
        let names = programs.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let names: Vec<String> = names.collect();
        let asked = stream::iter(names).map(|id| {
            let shared = Arc::clone(&self.0);
            spawn_blocking(move || match shared.plugin(&id).and_then(|it| it.fingerprint()) {
                Ok(version) => Some(version_of(&id, &version)),
                Err(error) => {
                    tracing::warn!(plugin = id, %error, "fingerprinting a host-volume plugin failed");
                    None
                }
            })
        });
        let mut found: Labels = asked
            .buffer_unordered(FINGERPRINTS_MAX)
            .filter_map(|answer| async { answer.ok().flatten() })
            .collect()
            .await;
        if self.0.is_stopped() {
            // The report would lack the plugins that the shutdown killed.
            return;
        }
        found.extend(self.last_report().0.remove_entry(&*version_of(MKDIR, "").0));
        let shared = Arc::clone(&self.0);
        let report = move || {
            shared.report(|node| {
                node.attributes.retain(|name, _| !name.starts_with(PLUGINS));
                node.attributes.append(&mut found);
            })
        };
        if let Ok(Err(error)) = spawn_blocking(report).await {
            self.0.note_unrecorded();
            tracing::error!(%error, "can't report the host-volume plugins of this machine");
        }
        self.0.fingerprinted.send_replace(true);
    }

    async fn restore_all(&self, by_plugin: BTreeMap<Box<str>, Vec<Unrestored>>) {
        let (begun, count) = (Instant::now(), self.restoring(0).0);
        if count == 0 {
            return;
        }
        tracing::info!(count, "restoring host volumes");
        // Each plugin on its own, so that one that hangs uses up only its own share of threads.
        let plugins = by_plugin.into_values().map(|volumes| self.restore_plugin(volumes));
        stream::iter(plugins).for_each_concurrent(None, |work| work).await;
        if self.0.is_stopped() {
            tracing::info!(count, "stopped while host volumes were being restored");
            return;
        }
        tracing::info!(count, seconds = begun.elapsed().as_secs_f64(), "restored host volumes");
    }

    /// Restores the volumes of one plugin.
    pub(crate) async fn restore_plugin(&self, volumes: Vec<Unrestored>) {
        // A plugin that hung once is not called for its other volumes: each call would take the full time limit.
        let hung = Arc::new(AtomicBool::new(false));
        let work = |found: Unrestored| {
            let hung = Arc::clone(&hung);
            async move {
                let id = found.id;
                let shared = Arc::clone(&self.0);
                if shared.is_stopped() {
                    return;
                }
                // After a panic or without a lock, only a volume without an intent counts as settled.
                let has_intent = found.intent.is_some();
                let settled = if let Some(lock) = self.0.locks.lock(id).await {
                    let restore = move || {
                        let settled = shared.restore(&found, &hung);
                        drop(lock);
                        settled
                    };
                    spawn_blocking(restore).await.unwrap_or_else(|error| {
                        tracing::error!(volume = %id, %error, "restoring a host volume panicked");
                        !has_intent
                    })
                } else {
                    tracing::warn!(volume = %id, "a request holds the lock of a host volume for too long");
                    !has_intent
                };
                if settled {
                    self.0.restoring.lock().remove(&id);
                } else if !self.0.is_stopped() {
                    self.0.leave_unsettled(id);
                }
            }
        };
        stream::iter(volumes).for_each_concurrent(RESTORES_MAX, work).await;
    }
}

/// Returns the node attribute that reports a plugin's version.
fn version_of(plugin: &str, version: &str) -> (Box<str>, Box<str>) {
    (format!("{PLUGINS}{plugin}.version").into(), version.into())
}

impl Shared {
    /// Returns the rows of this machine's volumes.
    fn rows<'v, V: ReadView>(
        &self,
        view: &'v V,
    ) -> impl Iterator<Item = &'v HostVolume> + use<'v, V> {
        let here = KeyRange::<Uuid>::exact(self.node);
        let rows = view.scan_by(&HostVolumes::BY_NODE, &here, Order::Ascending);
        rows.map(|volume| &**volume)
    }

    /// Settles the intent of a volume, verifies that the volume exists, and reports or withdraws it.
    ///
    /// Returns whether no intent of it is left. A volume with an unfinished deletion is withdrawn: if it were ready, a
    /// client would write to it, and the deletion would destroy the data.
    fn restore(&self, found: &Unrestored, hung: &AtomicBool) -> bool {
        let id = found.id;
        let settled = found.intent.is_none() || self.settle(id);
        if !settled && self.is_stopped() {
            return false;
        }
        let view = self.view();
        let volume = view.get::<HostVolumes>((&found.namespace, id));
        // A request may have deleted it, or moved it to another node, before this held the lock.
        let Some(volume) = volume.filter(|volume| volume.node_id == self.node) else {
            return settled;
        };
        let at = if !settled {
            Err(PluginError::Failed("its interrupted deletion is not finished".to_owned()))
        } else if hung.load(Ordering::Relaxed) {
            Err(PluginError::Hung("its plugin hung for another volume".to_owned()))
        } else {
            self.find(volume)
        };
        let recorded = match at {
            Ok(path) => self.confirm(volume, &path),
            // The shutdown killed the plugin, so its failure says nothing about the volume.
            Err(_) if self.is_stopped() => return settled,
            Err(error) => {
                tracing::warn!(volume = %id, %error, "a host volume is unavailable");
                if matches!(error, PluginError::Hung(_)) {
                    hung.store(true, Ordering::Relaxed);
                }
                self.withdraw(volume)
            }
        };
        if let Err(error) = recorded {
            self.note_unrecorded();
            tracing::error!(volume = %id, %error, "can't record the state of a host volume");
        }
        settled
    }

    /// Marks the restore for repetition, if the store takes no writes.
    pub(crate) fn note_unrecorded(&self) {
        if self.writes.store().failure().is_some() {
            self.unrecorded.store(true, Ordering::Relaxed);
        }
    }

    /// Changes this machine's node row. Writes nothing if `change` leaves it equal, because a write wakes readers.
    fn report(&self, change: impl FnOnce(&mut Node)) -> Result<(), KeepError> {
        let report = self.writes.own_writer().write(|txn, now| {
            let Some(known) = txn.get::<Nodes>(self.node).map(|node| Node::clone(node)) else {
                // An operator deleted the node: the next start reports it again.
                return Ok(());
            };
            let mut node = known.clone();
            change(&mut node);
            if node != known {
                upsert_node(txn, now, node)?;
            }
            Ok::<_, KeepError>(())
        });
        report.map(drop)
    }

    /// Records that a volume exists at `path`, unless its row and its node's report have that path.
    fn confirm(&self, volume: &HostVolume, path: &str) -> Result<(), KeepError> {
        let mut report = reported(volume);
        report.path = path.into();
        let view = self.view();
        // A node that an operator deleted is reported by the next start.
        let is_reported = !Nodes::BY_KEY.contains(&view, self.node)
            || view
                .get::<ReportedHostVolumes>((self.node, &*volume.name))
                .is_some_and(|reported| reported.volume == report);
        let moved = *path != *volume.host_path;
        if is_reported && !moved {
            return Ok(());
        }
        self.writes.own_writer().write(|txn, now| {
            if moved {
                move_host_volume(txn, now, &volume.namespace, volume.id, path)
                    .map_err(store_error)?;
            }
            if !is_reported {
                report_host_volume(txn, now, self.node, report)?;
            }
            Ok::<_, KeepError>(())
        })?;
        if moved {
            tracing::info!(volume = %volume.id, path, "recorded the new path of a moved host volume");
        }
        Ok(())
    }

    /// Records that a volume is unavailable.
    fn withdraw(&self, volume: &HostVolume) -> Result<(), KeepError> {
        let view = self.view();
        // Read first, because a write for each missing volume would wake readers at each start.
        if !ReportedHostVolumes::BY_KEY.contains(&view, (self.node, &*volume.name)) {
            return Ok(());
        }
        let withdraw = self.writes.own_writer().write(|txn, now| {
            withdraw_host_volume(txn, now, self.node, &volume.name).map_err(KeepError::from)
        });
        withdraw.map(drop)
    }

    /// Ensures that the volume of a row exists, and returns its path.
    ///
    /// Calls the plugin's idempotent create. A directory that the plugin returns at another path is the volume only if
    /// it was moved there with its parent directory; data at the old path stays the volume's.
    fn find(&self, volume: &HostVolume) -> Result<Box<str>, PluginError> {
        let path = &volume.host_path;
        let name = Path::new(&**path).file_name();
        let has_maker = match &*volume.plugin_id {
            "" => false,
            // `mkdir` creates directories named by the ID. Any other path was registered or moved by an operator, and
            // an existing one needs no plugin.
            MKDIR => name.is_some_and(|name| *name == *volume.id.to_string()) && !path_exists(path),
            _ => true,
        };
        if !has_maker {
            return verify(path).map(|()| path.clone());
        }
        let made = self.plugin(&volume.plugin_id)?.create(&request_for(volume))?.path;
        // An existing directory at the row's path has the data, wherever the plugin would create a new one.
        if *made == **path || path_exists(path) {
            return Ok(path.clone());
        }
        if Path::new(&made).file_name() != name {
            return Err(PluginError::Failed(format!(
                "it is not at {path:?} any more, and its plugin returned {made:?}"
            )));
        }
        Ok(made.into())
    }
}
