//! Settles work with host volumes that a stop or a failed write interrupted.
//!
//! A failed attempt is retried with a growing pause until it succeeds: if the next start settled the intent, it could
//! destroy a volume that clients use by then.
//!
//! Invariant: a volume with an unsettled deletion is not reported by its node, and no request changes it.

use std::collections::BTreeSet;
use std::time::Duration;

use parking_lot::Mutex;
use statehold_nomad::{HostVolume, HostVolumeError, HostVolumes, parse_id, plan_host_delete};
use statehold_store::ReadView as _;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::node::host_volumes::restore::Unrestored;
use crate::node::host_volumes::{
    HostVolumeKeeper, Intent, KeepError, PluginError, Shared, Work, request_for,
};

/// The first pause before a retry.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest pause: each attempt may run a program.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// The volumes with an intent that could not be settled yet.
#[derive(Debug, Default)]
pub(crate) struct Unsettled {
    volumes: Mutex<BTreeSet<Uuid>>,
    added: Notify,
    /// Whether the task that settles them was started.
    runs: Mutex<bool>,
}

/// The result of a successful attempt.
enum Settled {
    /// Row and data are consistent.
    Done,
    /// The deletion was cancelled for this reason: the volume was changed, or is in use.
    Kept(String),
}

impl HostVolumeKeeper {
    /// Starts the task that retries unsettled intents, unless it runs. It ends when the server stops.
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
            // Without volumes to retry, the next one starts with the shortest pause.
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
                // The plugin would run in vain: its result could not be recorded.
                continue;
            }
            pause = (pause * 2).min(RETRY_MAX);
            let ids = std::mem::take(&mut *self.0.unsettled.volumes.lock());
            let found = ids.into_iter().filter_map(|id| self.0.find_unsettled(id)).collect();
            // It adds the volumes that fail again.
            self.restore_plugin(found).await;
        }
    }
}

impl Shared {
    /// Schedules a retry of an intent. Until it is settled, the status reports its volume.
    pub(crate) fn leave_unsettled(&self, id: Uuid) {
        // An unreadable intent is retried, too: its disk may recover.
        if !matches!(self.intents.get(id), Ok(None)) {
            self.restoring.lock().insert(id);
            self.unsettled.volumes.lock().insert(id);
            self.unsettled.added.notify_one();
        }
    }

    /// Fails if the volume's deletion was interrupted and is not finished. The caller MUST hold the volume's lock,
    /// under which no other request's intent is on disk.
    pub(crate) fn check_settled(&self, id: &str) -> Result<(), KeepError> {
        let Ok(id) = parse_id(id) else { return Ok(()) };
        match self.intents.get(id) {
            Ok(Some(Intent { work: Work::Delete { .. }, .. })) => Err(KeepError::Unsettled),
            // An interrupted creation does not affect a volume with a row, and an unreadable intent is never
            // carried out.
            _ => Ok(()),
        }
    }

    /// Returns the volume to retry, or `None` if a request settled its intent or it can't be read.
    fn find_unsettled(&self, id: Uuid) -> Option<Unrestored> {
        match self.intents.get(id) {
            Ok(Some(intent)) => {
                let namespace = intent.request.namespace.clone();
                Some(Unrestored { namespace, id, intent: Some(intent) })
            }
            Ok(None) => {
                self.restoring.lock().remove(&id);
                None
            }
            // Without its intent there is no work to repeat; the file stays for an operator.
            Err(error) => {
                tracing::warn!(volume = %id, %error, "can't read the intent of a host volume any more");
                self.restoring.lock().remove(&id);
                None
            }
        }
    }

    /// Settles the intent of a volume, if it still has one, and logs the result. Returns whether none is left. The
    /// caller MUST hold the volume's lock.
    pub(crate) fn settle(&self, id: Uuid) -> bool {
        let intent = match self.intents.get(id) {
            Ok(Some(intent)) => intent,
            // A request that held the lock before has replaced and removed it.
            Ok(None) => return true,
            Err(error) => {
                tracing::warn!(volume = %id, %error, "can't read the intent of a host volume");
                return false;
            }
        };
        match self.try_settle(&intent) {
            Ok(Settled::Done) => self.forget_intent(id),
            Ok(Settled::Kept(reason)) => {
                tracing::warn!(volume = %id, reason, "cancelled the interrupted deletion of a host volume");
                self.forget_intent(id);
            }
            Err(error) => {
                self.note_unrecorded();
                if !self.is_stopped() {
                    tracing::warn!(
                        volume = %id, %error, "can't settle the intent of a host volume; the server retries"
                    );
                }
                return false;
            }
        }
        true
    }

    /// Settles interrupted work. Leaves a creation whose volume has a row to [`Shared::find`].
    fn try_settle(&self, intent: &Intent) -> Result<Settled, KeepError> {
        let request = &intent.request;
        let view = self.view();
        let row = view.get::<HostVolumes>((&request.namespace, request.id));
        let failed = |error: PluginError| KeepError::Broken(error.to_string());
        match (&intent.work, row) {
            (Work::Create, Some(_)) => {}
            (Work::Create, None) => {
                // The client got no reply, so the volume is deleted. Its path is not known: creation is idempotent
                // and returns it.
                let plugin = self.plugin(&intent.plugin).map_err(failed)?;
                let created = plugin.create(request).map_err(failed)?;
                plugin.delete(request, &created.path).map_err(failed)?;
                tracing::warn!(
                    volume = %request.id, path = created.path,
                    "deleted a host volume whose creation was interrupted"
                );
            }
            (Work::Delete { path }, None) => {
                let plugin = self.plugin(&intent.plugin).map_err(failed)?;
                plugin.delete(request, path).map_err(failed)?;
                tracing::warn!(
                    volume = %request.id, %path, "deleted the data of a host volume without a row"
                );
            }
            (Work::Delete { path }, Some(volume)) => {
                // The deletion was planned for a row that a request has replaced since.
                if !is_same(intent, path, volume) {
                    return Ok(Settled::Kept("the volume was changed since".to_owned()));
                }
                let (namespace, id) = (&volume.namespace, volume.id.to_string());
                // Without force: an allocation may have claimed the volume since.
                let plan = match plan_host_delete(&view, namespace, &id, false) {
                    Err(error @ HostVolumeError::InUse { .. }) => {
                        return Ok(Settled::Kept(error.to_string()));
                    }
                    planned => planned?,
                };
                // The intent is on disk already, and writing it again would fail on a full one.
                let plugin = self.plugin(&intent.plugin).map_err(failed)?;
                plugin.delete(&request_for(volume), path).map_err(failed)?;
                self.record_removed(&self.writes.own_writer(), &plan, Ok(()))?;
                tracing::warn!(
                    volume = %volume.id, %path, "finished the interrupted deletion of a host volume"
                );
            }
        }
        Ok(Settled::Done)
    }
}

/// Returns whether a row is still the one that was being deleted. The node pool is not compared, because it follows the
/// node and no data depends on it.
fn is_same(intent: &Intent, path: &str, volume: &HostVolume) -> bool {
    let mut now = request_for(volume);
    now.node_pool.clone_from(&intent.request.node_pool);
    now == intent.request && *volume.plugin_id == *intent.plugin && *volume.host_path == *path
}
