//! What a server does for volumes without being asked: it releases the claims of allocations that
//! are over, tells how its storage providers are, and forgets plugins that nobody runs.
//!
//! The rules are the domain's; here is when they are applied, and to what end providers are asked in
//! between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use statehold_nomad::{
    Allocations, CsiVolumes, Nodes, PendingRelease, ReleaseBlocker, ReleaseOutcome, VolumeKey,
    collect_plugins, detach_with_provider, is_recorded, mark_lost_allocations, overdue_allocations,
    overdue_releases, overdue_releases_of, record_release, upsert_node,
};
use statehold_store::{ReadView, Snapshot, Store, Tracked, WriteTxn};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::node::local::LocalNode;
use crate::node::turns::Subject;
use statehold_server_core::clock::now;
use statehold_server_core::write_queue::{WriteQueue, Writer};

/// How often it is looked whether a claim may be overdue.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a provider that couldn't let go of a volume is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// How often a storage provider is asked how it is.
const PROBE_EVERY: Duration = Duration::from_secs(2);

/// How often plugins that nobody runs are looked for.
const COLLECT_EVERY: Duration = Duration::from_secs(5 * 60);

/// Watches over volumes until the server is to stop.
///
/// The volumes of each plugin with a provider here have a loop of their own, and all others one: a
/// provider that takes its time keeps nobody else's claims from being released.
pub fn start(
    writes: &WriteQueue,
    node: &LocalNode,
    lost_after: Duration,
    stopped: &watch::Receiver<bool>,
) {
    let provided = node.providers().iter().map(|(plugin, _)| Some(plugin.into()));
    for plugin in provided.chain([None]) {
        let watcher = Watcher {
            writer: writes.own_writer(),
            store: Arc::clone(writes.store()),
            node: node.clone(),
            plugin,
            seen: 0,
            retry: None,
            failed: BTreeMap::new(),
            probe: Instant::now() + PROBE_EVERY,
            collect: Instant::now(),
            lost_after,
        };
        tokio::spawn(run(watcher, stopped.clone()));
    }
}

async fn run(mut watcher: Watcher, mut stopped: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        let look = move || {
            watcher.look();
            watcher
        };
        match tokio::task::spawn_blocking(look).await {
            Ok(same) => watcher = same,
            Err(error) => {
                tracing::error!(%error, "nobody watches over volumes any more");
                return;
            }
        }
    }
}

/// A claim: its volume, its allocation, and when it was taken.
type ClaimKey = (VolumeKey, Uuid, i64);

struct Watcher {
    writer: Writer,
    store: Arc<Store>,
    node: LocalNode,
    /// Whose volumes these are; those of all plugins without a provider here if none.
    plugin: Option<Box<str>>,
    /// The last change of what decides whether a claim is overdue, when that was last looked at.
    seen: u64,
    /// When claims that are held are looked at again.
    retry: Option<Instant>,
    /// Claims that the provider couldn't let go of, and when it is asked again.
    failed: BTreeMap<ClaimKey, Instant>,
    /// When the provider is asked how it is.
    probe: Instant,
    /// When plugins are looked for that nobody runs.
    collect: Instant,
    /// How long allocations of a lost node count as running.
    lost_after: Duration,
}

/// When what decides whether a claim is overdue last changed.
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

impl Watcher {
    fn look(&mut self) {
        // First, so that their claims are found to be overdue in the same look.
        if self.plugin.is_none() {
            self.mark_lost_allocations();
        }
        // In this order: what changes in between is looked at again.
        let changed = last_change(&self.store.tracked());
        let view = self.store.snapshot();
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= Instant::now());
        if self.seen != changed || due(self.retry) {
            self.release_overdue(&view);
            self.seen = changed;
        }
        if let Some(plugin) = &self.plugin
            && due(Some(self.probe))
        {
            self.probe = Instant::now() + PROBE_EVERY;
            if self.node.probe(&self.store.snapshot(), plugin).is_some() {
                self.write("tell how a provider is", |txn, now| {
                    let changed = self.node.probe(txn, plugin);
                    changed.map_or(Ok(()), |node| upsert_node(txn, now, node))
                });
            }
        }
        if self.plugin.is_none() && due(Some(self.collect)) {
            self.collect = Instant::now() + COLLECT_EVERY;
            if let Some(plugins) = self.write("forget plugins", collect_plugins)
                && !plugins.is_empty()
            {
                tracing::info!(?plugins, "forgot plugins that nobody runs");
            }
        }
    }

    /// Marks the allocations of nodes that have been lost for long.
    fn mark_lost_allocations(&self) {
        let after = self.lost_after;
        if overdue_allocations(&self.store.snapshot(), now(), after).is_empty() {
            return;
        }
        if let Some(lost) = self
            .write("mark allocations as lost", |txn, now| mark_lost_allocations(txn, now, after))
        {
            tracing::info!(allocations = ?lost, "marked allocations of lost nodes as lost");
        }
    }

    /// What is overdue of the volumes that this one watches over, but for what is left alone.
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
                self.release_in_turn(&release);
            } else {
                self.release(view, &release);
            }
        }
    }

    /// Releases a claim whose provider is here, when no request works with its volume.
    fn release_in_turn(&mut self, release: &PendingRelease) {
        let row = Subject::Row(release.volume().clone());
        let turn = self.node.turns().take([row], self.plugin.as_deref());
        let Some(turn) = Handle::current().block_on(turn) else {
            self.retry_at(Instant::now() + RETRY_AFTER);
            return;
        };
        // Once more: an overdue volume may have been claimed anew before the turn came.
        let view = self.store.snapshot();
        let overdue = overdue_releases_of(&view, release.volume());
        if let Some(still) = overdue.iter().find(|still| key_of(still) == key_of(release)) {
            self.release(&view, still);
        }
        drop(turn);
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
            if matches!(holdup, ReleaseBlocker::Failed { .. }) {
                self.failed.insert(key_of(release), again);
            }
            // Many may be held, for long.
            if is_recorded(view, release, &answer) {
                return;
            }
            tracing::debug!(%volume.id, %allocation, %holdup, "a claim is held");
        }
        let recorded =
            self.write("release a claim", |txn, now| record_release(txn, now, release, &answer));
        if recorded == Some(ReleaseOutcome::Released) {
            tracing::info!(%volume.id, %allocation, "released a claim whose allocation is over");
        }
    }

    /// Writes, unless nothing changes; nothing is lost by a failure but time.
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
            .inspect_err(|error: &String| tracing::error!(%error, "can't {doing}"))
            .ok()
    }
}
