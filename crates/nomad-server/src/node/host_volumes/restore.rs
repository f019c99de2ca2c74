//! The host volumes that a start of the server finds.
//!
//! The server listens meanwhile: a plugin that takes its time delays only its own volumes. Until a volume
//! was looked at, its row stays as the last run left it, requests that change it wait, and
//! [`HostVolumeKeeper::restoring`] names it.

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
    is_there, reported, request_for, store_error, verify,
};
use statehold_server_core::recovery;

/// Volumes of one plugin that are looked at at the same time. Each holds a thread, and a program.
const RESTORES_MAX: usize = 16;

/// Programs that are asked at the same time for their versions.
const FINGERPRINTS_MAX: usize = 16;

/// How the attributes of a node begin that name its host-volume plugins.
const PLUGINS: &str = "plugins.host_volume.";

/// A volume to look at: its row's key, and its intent if a crash left one.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) namespace: Box<str>,
    pub(crate) id: Uuid,
    pub(crate) intent: Option<Intent>,
}

impl HostVolumeKeeper {
    /// Returns what the node reported of plugins and volumes when the server last ran, and of the built-in
    /// plugin as it is. It holds until [`HostVolumeKeeper::restore`] finds otherwise: a node that reported
    /// nothing at first would make each of its volumes unavailable, and wake every reader, at each start.
    pub(crate) fn last_report(&self) -> (Labels, BTreeMap<Box<str>, NodeHostVolume>) {
        let shared = &*self.0;
        let view = shared.view();
        let known = view.get::<Nodes>(shared.node).map(|node| Node::clone(node));
        let known = known.unwrap_or_default();
        let mut attributes: Labels =
            known.attributes.into_iter().filter(|(name, _)| name.starts_with(PLUGINS)).collect();
        let built_in = Mkdir::new(&shared.places.volumes).fingerprint();
        attributes.extend(built_in.ok().map(|version| version_of(MKDIR, &version)));
        let own: BTreeMap<&str, Uuid> =
            shared.rows(&view).map(|volume| (&*volume.name, volume.id)).collect();
        let volumes = reported_host_volumes(&view, shared.node)
            .map(|reported| &reported.volume)
            .filter(|reported| own.get(&*reported.name).copied() == reported.id)
            .map(|reported| (reported.name.clone(), reported.clone()))
            .collect();
        (attributes, volumes)
    }

    /// Starts to finish the work that was under way when the server last stopped, and to look for the volumes of
    /// this machine. Called after the node was reported, and again when the store takes writes again after it could
    /// not record what was found.
    pub(crate) fn restore(&self) -> Result<(), KeepError> {
        let shared = &*self.0;
        let mut by_plugin: BTreeMap<Box<str>, Vec<Found>> = BTreeMap::new();
        let mut intents: BTreeMap<Uuid, Intent> = BTreeMap::new();
        intents.extend(shared.intents.left().map_err(KeepError::Intent)?);
        let view = shared.view();
        for volume in shared.rows(&view) {
            let (namespace, id) = (volume.namespace.clone(), volume.id);
            let found = Found { namespace, id, intent: intents.remove(&id) };
            by_plugin.entry(volume.plugin_id.clone()).or_default().push(found);
        }
        for (id, intent) in intents {
            let (plugin, namespace) = (intent.plugin.clone(), intent.request.namespace.clone());
            let found = Found { namespace, id, intent: Some(intent) };
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

    /// Has the work of the start done again if a full disk kept what it found from being recorded.
    fn restore_again(&self) {
        let shared = &*self.0;
        if shared.unrecorded.swap(false, Ordering::Relaxed) && !shared.is_stopped() {
            let keeper = self.clone();
            let step = move || keeper.restore().map_err(|error| error.to_string());
            shared.start_work.defer(shared.writes.store(), "restore host volumes", step);
        }
    }

    /// Returns how many volumes the start of the server has not looked at yet, and the IDs of the first
    /// `max` of them.
    pub(crate) fn restoring(&self, max: usize) -> (usize, Vec<Uuid>) {
        let restoring = self.0.restoring.lock();
        (restoring.len(), restoring.iter().take(max).copied().collect())
    }

    /// Waits until the plugins of this machine have reported their versions: a volume can only be placed on a
    /// node that has its plugin.
    ///
    /// # Errors
    /// The store takes no writes: on a full disk the start waits, too.
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

    /// Asks every program in the plugin directory for its version, and reports those that answer.
    async fn fingerprint(&self) {
        let programs = std::fs::read_dir(&self.0.places.plugins).into_iter().flatten();
        let names = programs.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let names: Vec<String> = names.collect();
        let asked = stream::iter(names).map(|id| {
            let shared = Arc::clone(&self.0);
            spawn_blocking(move || match shared.plugin(&id).and_then(|it| it.fingerprint()) {
                Ok(version) => Some(version_of(&id, &version)),
                Err(error) => {
                    tracing::warn!(plugin = id, %error, "a host-volume plugin is not well");
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
            // Plugins that were killed would be missing from the report.
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

    async fn restore_all(&self, by_plugin: BTreeMap<Box<str>, Vec<Found>>) {
        let (begun, count) = (Instant::now(), self.restoring(0).0);
        if count == 0 {
            return;
        }
        tracing::info!(count, "restoring host volumes");
        // Each plugin on its own: one that hangs uses up its own share of threads and no other's.
        let plugins = by_plugin.into_values().map(|volumes| self.restore_plugin(volumes));
        stream::iter(plugins).for_each_concurrent(None, |work| work).await;
        if self.0.is_stopped() {
            tracing::info!(count, "stopped while host volumes were being restored");
            return;
        }
        tracing::info!(count, seconds = begun.elapsed().as_secs_f64(), "restored host volumes");
    }

    /// Looks at the volumes of one plugin.
    pub(crate) async fn restore_plugin(&self, volumes: Vec<Found>) {
        // A plugin that hangs once is not waited for again for each of its volumes.
        let hung = Arc::new(AtomicBool::new(false));
        let work = |found: Found| {
            let hung = Arc::clone(&hung);
            async move {
                let id = found.id;
                let shared = Arc::clone(&self.0);
                if shared.is_stopped() {
                    return;
                }
                let has_intent = found.intent.is_some();
                let settled = if let Some(turn) = self.0.turns.lock(id).await {
                    let restore = move || {
                        let settled = shared.restore(&found, &hung);
                        drop(turn);
                        settled
                    };
                    spawn_blocking(restore).await.unwrap_or_else(|error| {
                        tracing::error!(volume = %id, %error, "restoring a host volume panicked");
                        !has_intent
                    })
                } else {
                    tracing::warn!(volume = %id, "a request holds a host volume for too long");
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

/// The attribute of a node that has a plugin.
fn version_of(plugin: &str, version: &str) -> (Box<str>, Box<str>) {
    (format!("{PLUGINS}{plugin}.version").into(), version.into())
}

impl Shared {
    /// The rows of the volumes of this machine.
    fn rows<'v, V: ReadView>(
        &self,
        view: &'v V,
    ) -> impl Iterator<Item = &'v HostVolume> + use<'v, V> {
        let here = KeyRange::<Uuid>::exact(self.node);
        let rows = view.scan_by(&HostVolumes::BY_NODE, &here, Order::Ascending);
        rows.map(|volume| &**volume)
    }

    /// Settles the intent of a volume, looks whether the volume is there, and reports it or not.
    ///
    /// Returns whether no intent of it is left. A volume whose deletion is not finished is not reported: it would be
    /// ready, a client would write to it, and the end of the deletion would destroy that.
    fn restore(&self, found: &Found, hung: &AtomicBool) -> bool {
        let id = found.id;
        let settled = found.intent.is_none() || self.settle(id);
        if !settled && self.is_stopped() {
            return false;
        }
        let view = self.view();
        let volume = view.get::<HostVolumes>((&found.namespace, id));
        // A request may have deleted it, or moved it to another node, before its turn came.
        let Some(volume) = volume.filter(|volume| volume.node_id == self.node) else {
            return settled;
        };
        let at = if !settled {
            Err(PluginError::Failed("its interrupted deletion is not finished".to_owned()))
        } else if hung.load(Ordering::Relaxed) {
            Err(PluginError::Hung("its plugin hangs".to_owned()))
        } else {
            self.find(volume)
        };
        let recorded = match at {
            Ok(path) => self.confirm(volume, &path),
            // It says nothing about the volume: the next start looks again.
            Err(_) if self.is_stopped() => return settled,
            Err(error) => {
                tracing::warn!(volume = %id, %error, "a host volume is not there");
                if matches!(error, PluginError::Hung(_)) {
                    hung.store(true, Ordering::Relaxed);
                }
                self.withdraw(volume)
            }
        };
        if let Err(error) = recorded {
            self.note_unrecorded();
            tracing::error!(volume = %id, %error, "can't record what became of a host volume");
        }
        settled
    }

    /// Notes that work of the start was not recorded, if the store takes no writes.
    pub(crate) fn note_unrecorded(&self) {
        if self.writes.store().failure().is_some() {
            self.unrecorded.store(true, Ordering::Relaxed);
        }
    }

    /// Changes this machine's report as a node, unless nothing changes.
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

    /// Records that a volume is at `path`, unless its row and its node have that path.
    fn confirm(&self, volume: &HostVolume, path: &str) -> Result<(), KeepError> {
        let mut report = reported(volume);
        report.path = path.into();
        let view = self.view();
        // A node that an operator deleted is reported by the next start.
        let told = !Nodes::BY_KEY.contains(&view, self.node)
            || view
                .get::<ReportedHostVolumes>((self.node, &*volume.name))
                .is_some_and(|reported| reported.volume == report);
        let moved = *path != *volume.host_path;
        if told && !moved {
            return Ok(());
        }
        self.writes.own_writer().write(|txn, now| {
            if moved {
                move_host_volume(txn, now, &volume.namespace, volume.id, path)
                    .map_err(store_error)?;
            }
            if !told {
                report_host_volume(txn, now, self.node, report)?;
            }
            Ok::<_, KeepError>(())
        })?;
        if moved {
            tracing::info!(volume = %volume.id, path, "a host volume was moved");
        }
        Ok(())
    }

    /// Records that a volume is not there.
    fn withdraw(&self, volume: &HostVolume) -> Result<(), KeepError> {
        let view = self.view();
        if !ReportedHostVolumes::BY_KEY.contains(&view, (self.node, &*volume.name)) {
            return Ok(());
        }
        let withdraw = self.writes.own_writer().write(|txn, now| {
            withdraw_host_volume(txn, now, self.node, &volume.name).map_err(KeepError::from)
        });
        withdraw.map(drop)
    }

    /// Sees to it that a volume of a row is there; where it is.
    ///
    /// A plugin is asked to make it once more. A directory that it creates elsewhere is the volume only if it was
    /// moved there with the directory around it: data that is where it was stays the volume's.
    fn find(&self, volume: &HostVolume) -> Result<Box<str>, PluginError> {
        let path = &volume.host_path;
        let name = Path::new(&**path).file_name();
        let has_maker = match &*volume.plugin_id {
            "" => false,
            // It makes directories that are named by the ID, and nothing where one is.
            MKDIR => name.is_some_and(|name| *name == *volume.id.to_string()) && !is_there(path),
            _ => true,
        };
        if !has_maker {
            return verify(path).map(|()| path.clone());
        }
        let made = self.plugin(&volume.plugin_id)?.create(&request_for(volume))?.path;
        if *made == **path || is_there(path) {
            return Ok(path.clone());
        }
        if Path::new(&made).file_name() != name {
            return Err(PluginError::Failed(format!(
                "it is not at {path:?} any more, and its plugin says {made:?}"
            )));
        }
        Ok(made.into())
    }
}
