//! The end of work with host volumes that a stop or a failed write interrupted.
//!
//! An intent that can't be settled is tried again, with a pause, until it is: left to the next start, it would
//! destroy a volume that clients use by then.
//!
//! Invariant: a volume whose deletion is not settled is not reported by its node, and no request changes it.

use std::collections::BTreeSet;
use std::time::Duration;

use parking_lot::Mutex;
use statehold_nomad::{HostVolume, HostVolumeError, HostVolumes, parse_id, plan_host_delete};
use statehold_store::ReadView as _;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::node::host_volumes::restore::Found;
use crate::node::host_volumes::{
    HostVolumeKeeper, Intent, KeepError, PluginError, Shared, Work, request_for,
};

/// The first pause before an intent is settled again.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest pause: each attempt may run a program.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// The volumes with an intent that could not be settled yet.
#[derive(Debug, Default)]
pub(crate) struct Unsettled {
    volumes: Mutex<BTreeSet<Uuid>>,
    added: Notify,
    /// Whether the task that settles them runs.
    runs: Mutex<bool>,
}

/// The result of one attempt that did not fail.
enum Settled {
    /// Rows and data are in step.
    Done,
    /// The deletion was given up: the volume is another one by now, or in use.
    Kept(String),
}

impl HostVolumeKeeper {
    /// Starts the task that settles intents again, once; it ends when the server stops.
    pub(crate) fn settle_in_background(&self) {
        let shared = &*self.0;
        let runs = std::mem::replace(&mut *shared.unsettled.runs.lock(), true);
        if !runs {
            let keeper = self.clone();
            let task = shared.runtime.spawn(async move { keeper.settle_again().await });
            shared.starting.lock().push(task);
        }
    }

    async fn settle_again(&self) {
        let mut stopped = self.0.stopped.subscribe();
        let mut pause = RETRY_FIRST;
        loop {
            if self.0.unsettled.volumes.lock().is_empty() {
                pause = RETRY_FIRST;
                tokio::select! {
                    _ = stopped.wait_for(|stopped| *stopped) => return,
                    () = self.0.unsettled.added.notified() => {}
                }
            }
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return,
                () = tokio::time::sleep(pause) => {}
            }
            if self.0.writes.store().failure().is_some() {
                // The plugin would be asked for nothing: its answer could not be recorded.
                continue;
            }
            pause = (pause * 2).min(RETRY_MAX);
            let ids = std::mem::take(&mut *self.0.unsettled.volumes.lock());
            let found = ids.into_iter().filter_map(|id| self.0.find_unsettled(id)).collect();
            // Volumes that fail again are added again.
            self.restore_plugin(found).await;
        }
    }
}

impl Shared {
    /// Has an intent settled again later. Until then the status names its volume.
    pub(crate) fn leave_unsettled(&self, id: Uuid) {
        if !matches!(self.intents.get(id), Ok(None)) {
            self.restoring.lock().insert(id);
            self.unsettled.volumes.lock().insert(id);
            self.unsettled.added.notify_one();
        }
    }

    /// Refuses to change a volume whose deletion is not finished. MUST be called in the volume's turn, in which no
    /// other request's intent is on the disk.
    pub(crate) fn check_settled(&self, id: &str) -> Result<(), KeepError> {
        let Ok(id) = parse_id(id) else { return Ok(()) };
        match self.intents.get(id) {
            Ok(Some(Intent { work: Work::Delete { .. }, .. })) => Err(KeepError::Unsettled),
            // An interrupted creation of a volume with a row harms no change, and one that can't be read is
            // never carried out.
            _ => Ok(()),
        }
    }

    /// Returns a volume to look at again. None if a request settled its intent.
    fn find_unsettled(&self, id: Uuid) -> Option<Found> {
        match self.intents.get(id) {
            Ok(Some(intent)) => {
                let namespace = intent.request.namespace.clone();
                Some(Found { namespace, id, intent: Some(intent) })
            }
            Ok(None) => {
                self.restoring.lock().remove(&id);
                None
            }
            Err(error) => {
                tracing::warn!(volume = %id, %error, "an intent can't be read any more");
                self.restoring.lock().remove(&id);
                None
            }
        }
    }

    /// Settles the intent of a volume, if one is left by now, and logs the result. Returns whether none is left.
    /// MUST be called in the volume's turn.
    pub(crate) fn settle(&self, id: Uuid) -> bool {
        let intent = match self.intents.get(id) {
            Ok(Some(intent)) => intent,
            // A request that had its turn before replaced and removed it.
            Ok(None) => return true,
            Err(error) => {
                tracing::warn!(volume = %id, %error, "can't read the intent of a host volume");
                return false;
            }
        };
        match self.try_settle(&intent) {
            Ok(Settled::Done) => self.forget_intent(id),
            Ok(Settled::Kept(reason)) => {
                tracing::warn!(volume = %id, reason, "kept a host volume whose deletion was interrupted");
                self.forget_intent(id);
            }
            Err(error) => {
                self.note_unrecorded();
                if !self.is_stopped() {
                    tracing::warn!(
                        volume = %id, %error, "can't settle a host volume; the server tries again"
                    );
                }
                return false;
            }
        }
        true
    }

    /// Settles interrupted work. A volume that has a row and was being created is left to [`Shared::find`].
    fn try_settle(&self, intent: &Intent) -> Result<Settled, KeepError> {
        let request = &intent.request;
        let view = self.view();
        let row = view.get::<HostVolumes>((&request.namespace, request.id));
        let failed = |error: PluginError| KeepError::Broken(error.to_string());
        match (&intent.work, row) {
            (Work::Create, Some(_)) => {}
            (Work::Create, None) => {
                // Creation is idempotent, and returns the path of the volume.
                let plugin = self.plugin(&intent.plugin).map_err(failed)?;
                let created = plugin.create(request).map_err(failed)?;
                plugin.delete(request, &created.path).map_err(failed)?;
                tracing::warn!(
                    volume = %request.id, path = created.path,
                    "removed a host volume whose creation was interrupted"
                );
            }
            (Work::Delete { path }, None) => {
                let plugin = self.plugin(&intent.plugin).map_err(failed)?;
                plugin.delete(request, path).map_err(failed)?;
                tracing::warn!(
                    volume = %request.id, %path, "removed the rest of a host volume without a row"
                );
            }
            (Work::Delete { path }, Some(volume)) => {
                if !is_same(intent, path, volume) {
                    return Ok(Settled::Kept("it was changed since".to_owned()));
                }
                let (namespace, id) = (&volume.namespace, volume.id.to_string());
                let plan = match plan_host_delete(&view, namespace, &id, false) {
                    Err(error @ HostVolumeError::InUse { .. }) => {
                        return Ok(Settled::Kept(error.to_string()));
                    }
                    planned => planned?,
                };
                // The intent is on the disk already. Written again, it would fail on a full one.
                let plugin = self.plugin(&intent.plugin).map_err(failed)?;
                plugin.delete(&request_for(volume), path).map_err(failed)?;
                self.record_removed(&self.writes.own_writer(), &plan, Ok(()))?;
                tracing::warn!(
                    volume = %volume.id, %path, "removed a host volume whose deletion was interrupted"
                );
            }
        }
        Ok(Settled::Done)
    }
}

/// Whether a row is still the one that was being deleted. Its pool follows its node, and no data depends on it.
fn is_same(intent: &Intent, path: &str, volume: &HostVolume) -> bool {
    let mut now = request_for(volume);
    now.node_pool.clone_from(&intent.request.node_pool);
    now == intent.request && *volume.plugin_id == *intent.plugin && *volume.host_path == *path
}
