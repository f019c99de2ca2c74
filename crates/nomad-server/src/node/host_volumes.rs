//! The host volumes of this machine: runs their plugins and writes their rows, consistent across crashes.
//!
//! Requests for one volume run one at a time. The plugin runs between the plan and the record of a request, and an
//! [`Intent`] on disk survives a crash in between.
//!
//! Other nodes are fed by an orchestrator, and this server can't run their plugins: it registers their volumes
//! unverified, and rejects creating and deleting them.
// Nomad: client/hostvolumemanager/host_volumes.go, HostVolumeManager.

mod restore;
mod settle;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::Mutex;
use statehold_nomad::{
    CreatedHostVolume, HostDeletePlan, HostOperation, HostProviderError, HostVolume,
    HostVolumeError, HostVolumePlan, HostVolumeSpec, HostVolumes, NodeError, NodeHostVolume, Nodes,
    parse_id, plan_host_create, plan_host_delete, plan_host_register, record_host_delete,
    record_host_volume, report_host_volume, withdraw_host_volume,
};
use statehold_store::{ReadView, Snapshot};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::node::executable::Executable;
use crate::node::host::{HostVolumePlugin, HostVolumeRequest, PluginError, reason};
use crate::node::intents::{Intent, Intents, Work};
use crate::node::mkdir::{MKDIR, Mkdir};
use settle::Unsettled;
use statehold_server_core::clock::now;
use statehold_server_core::keyed_mutex::KeyedMutex;
use statehold_server_core::start_work::StartWork;
use statehold_server_core::write_queue::{WriteFault, WriteQueue, Writer};

/// Maximum number of host volumes that are created, registered or deleted at the same time; further requests wait.
/// Each holds a thread, and plugins may be slow.
const WORKS_MAX: usize = 16;

/// Maximum time that a shutdown waits for the work of startup.
const STOP_MAX: Duration = Duration::from_secs(2);

/// The directories of host volumes and their plugins.
#[derive(Clone, Debug)]
pub(crate) struct HostVolumeDirs {
    /// The directory in which plugins create volumes.
    pub(crate) volumes: PathBuf,
    /// The directory of plugin executables.
    pub(crate) plugins: PathBuf,
    /// The directory of intents.
    pub(crate) intents: PathBuf,
}

/// Manages this machine's host volumes. Clones share the state.
#[derive(Clone, Debug)]
pub struct HostVolumeKeeper(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    writes: WriteQueue,
    node: Uuid,
    dirs: HostVolumeDirs,
    intents: Intents<Intent>,
    runtime: Handle,
    locks: KeyedMutex<Uuid>,
    /// [`WORKS_MAX`] permits.
    works: Arc<Semaphore>,
    /// The volumes that startup has not restored yet.
    restoring: Mutex<BTreeSet<Uuid>>,
    /// Whether the plugins of this machine have reported their versions.
    fingerprinted: watch::Sender<bool>,
    /// Whether the server stops: plugins are then killed, and their failures say nothing about the volumes.
    stopped: watch::Sender<bool>,
    /// The tasks of startup.
    starting: Mutex<Vec<JoinHandle<()>>>,
    /// The queue of startup work that a full disk delays.
    start_work: StartWork,
    /// Whether a result of startup could not be recorded.
    unrecorded: AtomicBool,
    /// The volumes with an intent that could not be settled yet.
    unsettled: Unsettled,
}

/// The reason why a host volume could not be created, registered or deleted.
#[derive(Debug)]
pub enum KeepError {
    /// The domain rejected the request, or the volume's node failed.
    Refused(HostVolumeError),
    /// The store has no row of the volume's node.
    Node(NodeError),
    /// Another request for the same volume takes too long.
    Busy,
    /// The volume's deletion was interrupted and is not finished: it would destroy a change, too.
    Unsettled,
    /// The intent could not be written, so no work was begun.
    Intent(io::Error),
    /// The store takes no writes.
    Store(String),
    /// The work was aborted.
    Broken(String),
}

impl fmt::Display for KeepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Node(error) => error.fmt(f),
            Self::Busy => f.write_str("another request for the volume takes too long; try again"),
            Self::Unsettled => f.write_str(
                "the volume is being deleted: its deletion was interrupted, and the server retries it",
            ),
            Self::Intent(error) => write!(f, "can't write the intent of the work: {error}"),
            Self::Store(error) | Self::Broken(error) => f.write_str(error),
        }
    }
}

impl std::error::Error for KeepError {}

impl From<HostVolumeError> for KeepError {
    fn from(error: HostVolumeError) -> Self {
        Self::Refused(error)
    }
}

impl From<WriteFault> for KeepError {
    fn from(fault: WriteFault) -> Self {
        Self::Store(fault.to_string())
    }
}

impl From<NodeError> for KeepError {
    fn from(error: NodeError) -> Self {
        Self::Node(error)
    }
}

/// A volume as of the commit that wrote it.
pub(crate) struct RecordedVolume {
    pub(crate) view: Snapshot,
    pub(crate) namespace: Box<str>,
    pub(crate) id: Uuid,
}

impl HostVolumeKeeper {
    pub(crate) fn open(
        writes: WriteQueue,
        node: Uuid,
        dirs: HostVolumeDirs,
        start_work: StartWork,
        runtime: Handle,
    ) -> io::Result<Self> {
        let intents = Intents::open(dirs.intents.clone())?;
        let (locks, works) = (KeyedMutex::default(), Arc::new(Semaphore::new(WORKS_MAX)));
        let (restoring, starting) = (Mutex::default(), Mutex::default());
        let (fingerprinted, stopped) = (watch::Sender::new(false), watch::Sender::new(false));
        Ok(Self(Arc::new(Shared {
            writes,
            node,
            dirs,
            intents,
            runtime,
            locks,
            works,
            restoring,
            fingerprinted,
            stopped,
            starting,
            start_work,
            unrecorded: AtomicBool::new(false),
            unsettled: Unsettled::default(),
        })))
    }

    /// Kills running plugins and ends the work of startup. Volumes that were not restored keep their rows.
    pub async fn stop(&self) {
        self.0.stopped.send_replace(true);
        // Taken out of the lock, which a task of startup may need to end.
        let starting = std::mem::take(&mut *self.0.starting.lock());
        let ended = tokio::time::timeout(STOP_MAX, futures_util::future::join_all(starting));
        if ended.await.is_err() {
            tracing::warn!("host volumes were still being restored after {} s", STOP_MAX.as_secs());
        }
    }

    /// Creates a volume, or updates an existing one. `namespace` is the default for a spec without one; `writer`
    /// writes the row.
    pub(crate) async fn create(
        &self,
        writer: Writer,
        namespace: String,
        spec: HostVolumeSpec,
    ) -> Result<RecordedVolume, KeepError> {
        self.wait_for_fingerprints().await?;
        let fresh = Uuid::new_v4();
        // A new volume has no ID yet: the lock and the plan use the fresh one. The plan rejects an invalid ID.
        self.with_lock(parse_id(&spec.id).unwrap_or(fresh), move |shared| {
            let view = shared.view();
            shared.check_settled(&spec.id)?;
            shared.execute_plan(&writer, plan_host_create(&view, now(), &namespace, spec, fresh)?)
        })
        .await
    }

    /// Registers an existing volume. `writer` writes the row.
    pub(crate) async fn register(
        &self,
        writer: Writer,
        namespace: String,
        spec: HostVolumeSpec,
    ) -> Result<RecordedVolume, KeepError> {
        let fresh = Uuid::new_v4();
        self.with_lock(parse_id(&spec.id).unwrap_or(fresh), move |shared| {
            let view = shared.view();
            shared.check_settled(&spec.id)?;
            shared.execute_plan(&writer, plan_host_register(&view, now(), &namespace, spec, fresh)?)
        })
        .await
    }

    /// Deletes a volume with its content, and its row with `writer`. Returns the commit index.
    pub(crate) async fn delete(
        &self,
        writer: Writer,
        namespace: String,
        id: String,
        force: bool,
    ) -> Result<u64, KeepError> {
        self.with_lock(parse_id(&id).unwrap_or_default(), move |shared| {
            let view = shared.view();
            shared.remove(&writer, &plan_host_delete(&view, &namespace, &id, force)?)
        })
        .await
    }

    /// Runs `work` once no other request holds the volume, on a thread that may block. It runs to its end even if the
    /// caller's future is dropped.
    async fn with_lock<R: Send + 'static>(
        &self,
        id: Uuid,
        work: impl FnOnce(&Shared) -> Result<R, KeepError> + Send + 'static,
    ) -> Result<R, KeepError> {
        let lock = self.0.locks.lock(id).await.ok_or(KeepError::Busy)?;
        let permit = Arc::clone(&self.0.works).acquire_owned().await;
        let permit = permit.map_err(|error| KeepError::Broken(error.to_string()))?;
        let shared = Arc::clone(&self.0);
        let work = move || {
            let done = work(&shared);
            drop((lock, permit));
            done
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| KeepError::Broken(error.to_string()))?
    }
}

impl Shared {
    fn view(&self) -> Snapshot {
        self.writes.store().snapshot()
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Fails if the server stops, which leaves the work and its intent to the next start: the plugin was killed, so
    /// its failure says nothing about the volume.
    fn check_running(&self) -> Result<(), KeepError> {
        if self.is_stopped() {
            return Err(KeepError::Broken(
                "the server stops; the next start settles it".to_owned(),
            ));
        }
        Ok(())
    }

    fn plugin(&self, id: &str) -> Result<Box<dyn HostVolumePlugin>, PluginError> {
        let HostVolumeDirs { volumes, plugins, .. } = &self.dirs;
        if id == MKDIR {
            return Ok(Box::new(Mkdir::new(volumes)));
        }
        Ok(Box::new(Executable::find(
            id,
            plugins,
            volumes,
            &self.runtime,
            self.stopped.subscribe(),
        )?))
    }

    /// Carries out the node's part of a plan, and records the result.
    fn execute_plan(
        &self,
        writer: &Writer,
        plan: HostVolumePlan,
    ) -> Result<RecordedVolume, KeepError> {
        let volume = plan.volume().clone();
        let is_new = plan.is_new();
        let answer = match plan.operation() {
            HostOperation::Create => self.create_with_plugin(&volume)?,
            _ => self.verify_registered(&volume),
        };
        if answer.is_err() {
            self.check_running()?;
        }
        let made =
            answer.as_ref().ok().filter(|_| plan.operation() == HostOperation::Create).cloned();
        let recorded = self.record(writer, plan, answer);
        match (&recorded, made) {
            // Only a new volume: an update that failed MUST NOT delete the data of the existing one.
            (Err(_), Some(made)) if is_new => self.undo_create(&volume, &made),
            _ => self.forget_intent(volume.id),
        }
        recorded
    }

    /// Creates the volume with its plugin. The inner error is the plugin's, which the plan's record evaluates.
    fn create_with_plugin(
        &self,
        volume: &HostVolume,
    ) -> Result<Result<CreatedHostVolume, HostProviderError>, KeepError> {
        if volume.node_id != self.node {
            return Ok(Err(HostProviderError::Unreachable));
        }
        let plugin = match self.plugin(&volume.plugin_id) {
            Ok(plugin) => plugin,
            Err(error) => return Ok(Err(failed(&error))),
        };
        let request = request_for(volume);
        self.begin(Work::Create, volume)?;
        let made = plugin.create(&request).map(|created| CreatedHostVolume {
            host_path: created.path.into(),
            capacity: created.bytes,
        });
        Ok(made.map_err(|error| failed(&error)))
    }

    /// Verifies that a registered volume of this node exists at its path.
    fn verify_registered(
        &self,
        volume: &HostVolume,
    ) -> Result<CreatedHostVolume, HostProviderError> {
        if volume.node_id == self.node {
            verify(&volume.host_path).map_err(|error| failed(&error))?;
        }
        Ok(CreatedHostVolume::default())
    }

    fn record(
        &self,
        writer: &Writer,
        plan: HostVolumePlan,
        answer: Result<CreatedHostVolume, HostProviderError>,
    ) -> Result<RecordedVolume, KeepError> {
        let (namespace, id) = (plan.volume().namespace.clone(), plan.volume().id);
        let (view, ()) = writer.write(|txn, now| {
            let before = txn.get::<HostVolumes>((&namespace, id)).map(|volume| volume.name.clone());
            record_host_volume(txn, plan, answer)?;
            // The report of the node is in the same transaction: readers never see one without the other.
            let written =
                txn.get::<HostVolumes>((&namespace, id)).map(|row| HostVolume::clone(row));
            if let Some(volume) = written.filter(|volume| volume.node_id == self.node) {
                // Reports are keyed by name, so a renamed volume would keep its old one.
                if let Some(name) = before.filter(|name| *name != volume.name) {
                    withdraw_host_volume(txn, now, self.node, &name)?;
                }
                report_host_volume(txn, now, self.node, reported(&volume))?;
            }
            Ok::<_, KeepError>(())
        })?;
        Ok(RecordedVolume { view, namespace, id })
    }

    /// Deletes a created volume that could not be recorded. If that fails, the keeper retries.
    fn undo_create(&self, volume: &HostVolume, made: &CreatedHostVolume) {
        let removed = self
            .plugin(&volume.plugin_id)
            .and_then(|plugin| plugin.delete(&request_for(volume), &made.host_path));
        match removed {
            Ok(()) => self.forget_intent(volume.id),
            Err(error) => {
                tracing::warn!(volume = %volume.id, %error, "can't remove a volume without a row");
                self.leave_unsettled(volume.id);
            }
        }
    }

    fn remove(&self, writer: &Writer, plan: &HostDeletePlan) -> Result<u64, KeepError> {
        let volume = plan.volume();
        let answer = self.delete_with_plugin(volume)?;
        if answer.is_err() {
            self.check_running()?;
        }
        let removed = self.record_removed(writer, plan, answer);
        // A rejected deletion keeps the row and the data. If the store failed, the data is deleted already, so the
        // deletion MUST be finished before the volume is used again.
        match &removed {
            Ok(_) | Err(KeepError::Refused(_)) => self.forget_intent(volume.id),
            Err(_) => self.leave_unsettled(volume.id),
        }
        removed
    }

    /// Deletes the row of a volume whose data its plugin deleted. Returns the commit index.
    fn record_removed(
        &self,
        writer: &Writer,
        plan: &HostDeletePlan,
        answer: Result<(), HostProviderError>,
    ) -> Result<u64, KeepError> {
        let volume = plan.volume();
        let removed = writer.write(|txn, now| {
            record_host_delete(txn, plan, answer)?;
            if volume.node_id == self.node && txn.get::<Nodes>(self.node).is_some() {
                withdraw_host_volume(txn, now, self.node, &volume.name)?;
            }
            Ok::<_, KeepError>(())
        });
        removed.map(|(view, ())| view.index())
    }

    /// Deletes the volume with its plugin, if a plugin created it.
    fn delete_with_plugin(
        &self,
        volume: &HostVolume,
    ) -> Result<Result<(), HostProviderError>, KeepError> {
        // A registered volume has no plugin: its data is not the server's to delete.
        if volume.plugin_id.is_empty() {
            return Ok(Ok(()));
        }
        if volume.node_id != self.node {
            let known = self.view().get::<Nodes>(volume.node_id).is_some();
            let error =
                if known { HostProviderError::Unreachable } else { HostProviderError::UnknownNode };
            return Ok(Err(error));
        }
        let plugin = match self.plugin(&volume.plugin_id) {
            Ok(plugin) => plugin,
            Err(error) => return Ok(Err(failed(&error))),
        };
        self.begin(Work::Delete { path: volume.host_path.clone() }, volume)?;
        let removed = plugin.delete(&request_for(volume), &volume.host_path);
        Ok(removed.map_err(|error| failed(&error)))
    }

    fn begin(&self, work: Work, volume: &HostVolume) -> Result<(), KeepError> {
        let plugin = volume.plugin_id.clone();
        let intent = Intent { work, plugin, request: request_for(volume) };
        self.intents.begin(volume.id, &intent).map_err(KeepError::Intent)
    }

    /// Removes an intent. One that stays is harmless: the next start settles it.
    fn forget_intent(&self, id: Uuid) {
        if let Err(error) = self.intents.done(id) {
            tracing::warn!(volume = %id, %error, "can't remove an intent");
        }
    }
}

/// Verifies that the path of a volume exists.
// Nomad: client/hostvolumemanager/host_volumes.go, HostVolumeManager.Register.
fn verify(path: &str) -> Result<(), PluginError> {
    std::fs::metadata(path).map(drop).map_err(|error| {
        let text = format!("could not verify host path for {path:?}: {}", reason(&error));
        match error.kind() {
            // The caller named a path that does not exist, which is no failure of the node.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => PluginError::Invalid(text),
            _ => PluginError::Failed(text),
        }
    })
}

fn path_exists(path: &str) -> bool {
    Path::new(path).exists()
}

fn failed(error: &PluginError) -> HostProviderError {
    let text = error.to_string().into();
    match error {
        PluginError::Invalid(_) | PluginError::Missing { .. } => HostProviderError::Invalid(text),
        PluginError::Exhausted(_) => HostProviderError::Exhausted(text),
        _ => HostProviderError::Failed(text),
    }
}

fn store_error(error: impl fmt::Display) -> KeepError {
    KeepError::Store(error.to_string())
}

fn request_for(volume: &HostVolume) -> HostVolumeRequest {
    HostVolumeRequest {
        id: volume.id,
        name: volume.name.clone(),
        namespace: volume.namespace.clone(),
        node_id: volume.node_id,
        node_pool: volume.node_pool.clone(),
        capacity_min: volume.requested_capacity_min,
        capacity_max: volume.requested_capacity_max,
        parameters: volume.parameters.clone(),
    }
}

/// Returns the node's report of a volume.
fn reported(volume: &HostVolume) -> NodeHostVolume {
    NodeHostVolume {
        name: volume.name.clone(),
        path: volume.host_path.clone(),
        read_only: false,
        id: Some(volume.id),
    }
}
