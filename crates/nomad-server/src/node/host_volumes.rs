//! The host volumes of this machine: plugins asked, rows written, both kept in step.
//!
//! Requests for one volume come one after the other. Between a plan and its record a plugin works,
//! with an [`Intent`] on the disk that says so.
//!
//! Nodes that somebody feeds can't be asked from here: what is said of their volumes is believed,
//! and only their own plugins could make and remove any.

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

/// Host volumes that are made, taken over or removed at the same time; others wait. Plugins may be
/// slow, and each holds a thread meanwhile.
const WORKS_MAX: usize = 16;

/// Time for the work of the start to end when the server stops.
const STOP_MAX: Duration = Duration::from_secs(2);

/// Where host volumes and their plugins are.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The directory that plugins make volumes in.
    pub(crate) volumes: PathBuf,
    /// The directory with the programs that are plugins.
    pub(crate) plugins: PathBuf,
    /// The directory that intents are written to.
    pub(crate) intents: PathBuf,
}

/// The keeper of this machine's host volumes.
#[derive(Clone, Debug)]
pub struct HostVolumeKeeper(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    writes: WriteQueue,
    node: Uuid,
    places: Places,
    intents: Intents<Intent>,
    runtime: Handle,
    turns: KeyedMutex<Uuid>,
    /// A permit for each piece of work that may be under way at the same time.
    works: Arc<Semaphore>,
    /// The volumes that the start of the server has not looked at yet.
    restoring: Mutex<BTreeSet<Uuid>>,
    /// Whether the plugins of this machine have reported their versions.
    fingerprinted: watch::Sender<bool>,
    /// Whether the server stops: plugins are killed, and their failures say nothing about the volumes.
    stopped: watch::Sender<bool>,
    /// The work of the start.
    starting: Mutex<Vec<JoinHandle<()>>>,
    /// Where work of the start waits that could not be recorded.
    start_work: StartWork,
    /// Whether there is such work.
    unrecorded: AtomicBool,
    /// The volumes with an intent that could not be settled yet.
    unsettled: Unsettled,
}

/// Why a host volume couldn't be made, registered or removed.
#[derive(Debug)]
pub enum KeepError {
    /// It may not be so, or its node failed.
    Refused(HostVolumeError),
    /// The volume's node is gone from the store.
    Node(NodeError),
    /// Another request for the same volume takes too long.
    Busy,
    /// The volume's deletion was interrupted and is not finished: a change would be destroyed with it.
    Unsettled,
    /// The intent couldn't be written down, so that nothing was begun.
    Intent(io::Error),
    /// The store takes no writes.
    Store(String),
    /// The work broke off.
    Broken(String),
}

impl fmt::Display for KeepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Node(error) => error.fmt(f),
            Self::Busy => f.write_str("another request for the volume takes too long; try again"),
            Self::Unsettled => f.write_str(
                "the volume is being deleted: its deletion was interrupted, and the server tries again to finish it",
            ),
            Self::Intent(error) => write!(f, "can't write down what is to be done: {error}"),
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
pub(crate) struct Kept {
    pub(crate) view: Snapshot,
    pub(crate) namespace: Box<str>,
    pub(crate) id: Uuid,
}

impl HostVolumeKeeper {
    pub(crate) fn open(
        writes: WriteQueue,
        node: Uuid,
        places: Places,
        start_work: StartWork,
        runtime: Handle,
    ) -> io::Result<Self> {
        let intents = Intents::open(places.intents.clone())?;
        let (turns, works) = (KeyedMutex::default(), Arc::new(Semaphore::new(WORKS_MAX)));
        let (restoring, starting) = (Mutex::default(), Mutex::default());
        let (fingerprinted, stopped) = (watch::Sender::new(false), watch::Sender::new(false));
        Ok(Self(Arc::new(Shared {
            writes,
            node,
            places,
            intents,
            runtime,
            turns,
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

    /// Ends the plugins that run and the work of the start; rows that it did not come to stay as they are.
    pub async fn stop(&self) {
        self.0.stopped.send_replace(true);
        let starting = std::mem::take(&mut *self.0.starting.lock());
        let ended = tokio::time::timeout(STOP_MAX, futures_util::future::join_all(starting));
        if ended.await.is_err() {
            tracing::warn!("host volumes were still being restored after {} s", STOP_MAX.as_secs());
        }
    }

    /// Creates a volume, or changes a known one; `namespace` is for one that names none. Its row is
    /// written in a turn of `writer`.
    pub(crate) async fn create(
        &self,
        writer: Writer,
        namespace: String,
        spec: HostVolumeSpec,
    ) -> Result<Kept, KeepError> {
        self.wait_for_fingerprints().await?;
        let fresh = Uuid::new_v4();
        self.in_turn(parse_id(&spec.id).unwrap_or(fresh), move |shared| {
            let view = shared.view();
            shared.check_settled(&spec.id)?;
            shared.carry_out(&writer, plan_host_create(&view, now(), &namespace, spec, fresh)?)
        })
        .await
    }

    /// Registers a volume that is there already, in a turn of `writer`.
    pub(crate) async fn register(
        &self,
        writer: Writer,
        namespace: String,
        spec: HostVolumeSpec,
    ) -> Result<Kept, KeepError> {
        let fresh = Uuid::new_v4();
        self.in_turn(parse_id(&spec.id).unwrap_or(fresh), move |shared| {
            let view = shared.view();
            shared.check_settled(&spec.id)?;
            shared.carry_out(&writer, plan_host_register(&view, now(), &namespace, spec, fresh)?)
        })
        .await
    }

    /// Removes a volume with everything in it, and its row in a turn of `writer`; the index of the commit.
    pub(crate) async fn delete(
        &self,
        writer: Writer,
        namespace: String,
        id: String,
        force: bool,
    ) -> Result<u64, KeepError> {
        self.in_turn(parse_id(&id).unwrap_or_default(), move |shared| {
            let view = shared.view();
            shared.remove(&writer, &plan_host_delete(&view, &namespace, &id, force)?)
        })
        .await
    }

    /// Runs `work` when nobody else works on the volume, on a thread that may block. It runs to its
    /// end even if nobody waits for it any more.
    async fn in_turn<R: Send + 'static>(
        &self,
        id: Uuid,
        work: impl FnOnce(&Shared) -> Result<R, KeepError> + Send + 'static,
    ) -> Result<R, KeepError> {
        let turn = self.0.turns.lock(id).await.ok_or(KeepError::Busy)?;
        let permit = Arc::clone(&self.0.works).acquire_owned().await;
        let permit = permit.map_err(|error| KeepError::Broken(error.to_string()))?;
        let shared = Arc::clone(&self.0);
        let work = move || {
            let done = work(&shared);
            drop((turn, permit));
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

    /// Leaves work to the next start, with its intent, when the server stops: its plugin was killed in the
    /// middle, so that its failure says nothing.
    fn check_running(&self) -> Result<(), KeepError> {
        if self.is_stopped() {
            return Err(KeepError::Broken(
                "the server stops; the next start settles it".to_owned(),
            ));
        }
        Ok(())
    }

    fn plugin(&self, id: &str) -> Result<Box<dyn HostVolumePlugin>, PluginError> {
        let Places { volumes, plugins, .. } = &self.places;
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

    /// Has the plan's part of the node done, and records it.
    fn carry_out(&self, writer: &Writer, plan: HostVolumePlan) -> Result<Kept, KeepError> {
        let volume = plan.volume().clone();
        let is_new = plan.is_new();
        let answer = match plan.operation() {
            HostOperation::Create => self.make(&volume)?,
            _ => self.take_over(&volume),
        };
        if answer.is_err() {
            self.check_running()?;
        }
        let made =
            answer.as_ref().ok().filter(|_| plan.operation() == HostOperation::Create).cloned();
        let recorded = self.record(writer, plan, answer);
        match (&recorded, made) {
            (Err(_), Some(made)) if is_new => self.unmake(&volume, &made),
            _ => self.forget_intent(volume.id),
        }
        recorded
    }

    /// Asks the volume's plugin to make it.
    fn make(
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

    /// Sees whether a volume is where it is said to be.
    fn take_over(&self, volume: &HostVolume) -> Result<CreatedHostVolume, HostProviderError> {
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
    ) -> Result<Kept, KeepError> {
        let (namespace, id) = (plan.volume().namespace.clone(), plan.volume().id);
        let (view, ()) = writer.write(|txn, now| {
            let before = txn.get::<HostVolumes>((&namespace, id)).map(|volume| volume.name.clone());
            record_host_volume(txn, plan, answer)?;
            let written =
                txn.get::<HostVolumes>((&namespace, id)).map(|row| HostVolume::clone(row));
            if let Some(volume) = written.filter(|volume| volume.node_id == self.node) {
                if let Some(name) = before.filter(|name| *name != volume.name) {
                    withdraw_host_volume(txn, now, self.node, &name)?;
                }
                report_host_volume(txn, now, self.node, reported(&volume))?;
            }
            Ok::<_, KeepError>(())
        })?;
        Ok(Kept { view, namespace, id })
    }

    /// Removes what was made for nothing. The keeper tries again to remove what can't be removed now.
    fn unmake(&self, volume: &HostVolume, made: &CreatedHostVolume) {
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
        let answer = self.unmake_on_request(volume)?;
        if answer.is_err() {
            self.check_running()?;
        }
        let removed = self.record_removed(writer, plan, answer);
        // Of a refused deletion the row stays, and with it the rest of the volume. Where the store failed, the
        // data is gone: the deletion MUST be finished before the volume is used again.
        match &removed {
            Ok(_) | Err(KeepError::Refused(_)) => self.forget_intent(volume.id),
            Err(_) => self.leave_unsettled(volume.id),
        }
        removed
    }

    /// Deletes the row of a volume that its plugin removed; the index of the commit.
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

    /// Asks the volume's plugin to remove it, if one made it.
    fn unmake_on_request(
        &self,
        volume: &HostVolume,
    ) -> Result<Result<(), HostProviderError>, KeepError> {
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

    /// An intent that stays does no harm: it is looked at again when the server starts.
    fn forget_intent(&self, id: Uuid) {
        if let Err(error) = self.intents.done(id) {
            tracing::warn!(volume = %id, %error, "can't remove an intent");
        }
    }
}

/// Sees whether something is at the path of a volume.
fn verify(path: &str) -> Result<(), PluginError> {
    std::fs::metadata(path).map(drop).map_err(|error| {
        let text = format!("could not verify host path for {path:?}: {}", reason(&error));
        match error.kind() {
            // The caller named a path that is not there; the node did its part.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => PluginError::Invalid(text),
            _ => PluginError::Failed(text),
        }
    })
}

fn is_there(path: &str) -> bool {
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

/// What the node reports of a volume.
fn reported(volume: &HostVolume) -> NodeHostVolume {
    NodeHostVolume {
        name: volume.name.clone(),
        path: volume.host_path.clone(),
        read_only: false,
        id: Some(volume.id),
    }
}
