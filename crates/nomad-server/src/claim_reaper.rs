//! Releases the claims of allocations that ended.
//!
//! The domain has the rules; this module decides when to apply them, and calls the providers in between.
// Nomad: nomad/volumewatcher and nomad/core_sched.go, csiVolumeClaimGC. Nomad reaps when an allocation or a volume
// changes; this server polls the indexes of their tables.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use statehold_nomad::{
    Allocations, CsiVolumes, Nodes, PendingRelease, ReleaseBlocker, ReleaseOutcome, VolumeKey,
    detach_with_provider, is_recorded, mark_lost_allocations, overdue_allocations,
    overdue_releases, overdue_releases_of, record_release,
};
use statehold_server_core::clock::now;
use statehold_server_core::write_queue::{WriteQueue, Writer};
use statehold_store::{ReadView, Snapshot, Store, Tracked, WriteTxn};
use tokio::runtime::Handle;
use tokio::sync::watch;
use uuid::Uuid;

use crate::background::run_every;
use crate::node::local::LocalNode;
use crate::node::provider_locks::Subject;

/// The time between two searches for overdue claims.
const REAP_EVERY: Duration = Duration::from_millis(500);

/// The pause after a provider failed to detach a volume.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Starts a reaper for the volumes of each provider of the node, and one for all other volumes, until the server
/// stops. Allocations count as running on a lost node for `lost_after`.
///
/// A provider has a reaper of its own because a slow one MUST NOT delay the releases of the others.
pub fn start(
    writes: &WriteQueue,
    node: &LocalNode,
    lost_after: Duration,
    stopped: &watch::Receiver<bool>,
) {
    let provided = node.providers().iter().map(|(plugin, _)| Some(plugin.into()));
    for plugin in provided.chain([None]) {
        let reaper = Reaper {
            writer: writes.own_writer(),
            store: Arc::clone(writes.store()),
            node: node.clone(),
            plugin,
            seen: 0,
            retry: None,
            failed: BTreeMap::new(),
            lost_after,
        };
        tokio::spawn(run_every(REAP_EVERY, "claim reaper", reaper, Reaper::reap, stopped.clone()));
    }
}

/// A claim: its volume, its allocation, the time of the claim.
type ClaimKey = (VolumeKey, Uuid, i64);

struct Reaper {
    writer: Writer,
    store: Arc<Store>,
    node: LocalNode,
    /// The plugin of the volumes; `None` for those of all plugins without a provider here.
    plugin: Option<Box<str>>,
    /// The index of the last change that the search for overdue claims has seen.
    seen: u64,
    /// The time of the next search if no table changes before.
    retry: Option<Instant>,
    /// Claims that the provider failed to detach, with the time of the next attempt.
    failed: BTreeMap<ClaimKey, Instant>,
    /// The time for which allocations of a lost node count as running.
    lost_after: Duration,
}

/// Returns the index of the last change of the tables that decide whether a claim is overdue.
fn last_change(view: &Tracked) -> u64 {
    view.count::<CsiVolumes>();
    view.count::<Allocations>();
    view.count::<Nodes>();
    view.index()
}

fn key_of(release: &PendingRelease) -> ClaimKey {
    let claim = release.claim();
    (release.volume().clone(), claim.allocation_id, claim.since)
}

impl Reaper {
    /// Releases the claims that became overdue since the last run.
    fn reap(&mut self) {
        // First, so that the same run finds their claims overdue. By one reaper only: all would write the same.
        if self.plugin.is_none() {
            self.mark_lost_allocations();
        }
        // In this order: a change between the two reads causes another search.
        let changed = last_change(&self.store.tracked());
        let view = self.store.snapshot();
        if self.seen != changed || self.retry.is_some_and(|at| at <= Instant::now()) {
            self.release_overdue(&view);
            self.seen = changed;
        }
    }

    /// Marks the allocations of nodes that have been lost for longer than `lost_after`.
    fn mark_lost_allocations(&self) {
        let after = self.lost_after;
        // Read first, because a write transaction for each run would delay other writers.
        if overdue_allocations(&self.store.snapshot(), now(), after).is_empty() {
            return;
        }
        if let Some(lost) = self
            .write("mark allocations as lost", |txn, now| mark_lost_allocations(txn, now, after))
        {
            tracing::info!(allocations = ?lost, "marked allocations of lost nodes as lost");
        }
    }

    /// Returns the overdue releases of this reaper's volumes, except those that wait for a retry.
    fn overdue(&self, view: &Snapshot) -> Vec<PendingRelease> {
        let mut overdue = overdue_releases(view);
        overdue.retain(|release| {
            let key = release.volume();
            let Some(volume) = view.get::<CsiVolumes>((&key.namespace, &key.id)) else {
                return false;
            };
            let mine = match &self.plugin {
                Some(plugin) => *plugin == volume.plugin_id,
                None => self.node.providers().get(&volume.plugin_id).is_none(),
            };
            mine && !self.failed.contains_key(&key_of(release))
        });
        overdue
    }

    fn release_overdue(&mut self, view: &Snapshot) {
        let now = Instant::now();
        self.failed.retain(|_, again| *again > now);
        self.retry = self.failed.values().min().copied();
        for release in self.overdue(view) {
            if self.plugin.is_some() {
                self.release_with_lock(&release);
            } else {
                self.release(view, &release);
            }
        }
    }

    /// Releases a claim with a provider of this node, once no request holds its volume.
    fn release_with_lock(&mut self, release: &PendingRelease) {
        let row = Subject::Row(release.volume().clone());
        let lock = self.node.provider_locks().lock([row], self.plugin.as_deref());
        let Some(lock) = Handle::current().block_on(lock) else {
            self.retry_at(Instant::now() + RETRY_AFTER);
            return;
        };
        // Once more: another client may have claimed the volume while the reaper waited.
        let view = self.store.snapshot();
        let overdue = overdue_releases_of(&view, release.volume());
        if let Some(still) = overdue.iter().find(|still| key_of(still) == key_of(release)) {
            self.release(&view, still);
        }
        drop(lock);
    }

    fn retry_at(&mut self, at: Instant) {
        self.retry = Some(self.retry.map_or(at, |retry| retry.min(at)));
    }

    fn release(&mut self, view: &Snapshot, release: &PendingRelease) {
        let answer = detach_with_provider(view, self.node.providers(), release);
        let (volume, allocation) = (release.volume(), release.claim().allocation_id);
        if let Err(holdup) = &answer {
            let again = Instant::now() + RETRY_AFTER;
            self.retry_at(again);
            // A provider that failed is not called again by each run; other blockers are cheap to check.
            if matches!(holdup, ReleaseBlocker::Failed { .. }) {
                self.failed.insert(key_of(release), again);
            }
            // No write if the row already has this result: many claims may stay blocked for long.
            if is_recorded(view, release, &answer) {
                return;
            }
            tracing::debug!(%volume.id, %allocation, %holdup, "a claim is not released yet");
        }
        let recorded =
            self.write("release a claim", |txn, now| record_release(txn, now, release, &answer));
        if recorded == Some(ReleaseOutcome::Released) {
            tracing::info!(%volume.id, %allocation, "released the claim of an ended allocation");
        }
    }

    /// Runs a write and returns its result. Logs a failure; a later run tries again.
    fn write<R, E: std::fmt::Display>(
        &self,
        doing: &str,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<R, E>,
    ) -> Option<R> {
        let write =
            |txn: &mut WriteTxn<'_>, now| write(txn, now).map_err(|error| error.to_string());
        let written = self.writer.write(write);
        written
            .map(|(_, written)| written)
            .inspect_err(|error: &String| tracing::error!(%error, doing, "a write of the claim reaper failed"))
            .ok()
    }
}
