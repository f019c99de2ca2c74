//! What a server does for volumes without being asked: it releases the claims of allocations that
//! are over, and forgets plugins that nobody runs.
//!
//! The rules are the domain's; here is when they are applied, and to what end providers are asked in
//! between.

use std::sync::Arc;
use std::time::{Duration, Instant};

use statehold_store::{ReadView, Snapshot, Store, Tracked, WriteTxn};
use statehold_volumes::{
    Allocations, CsiVolumes, Nodes, Recorded, Release, ask_release, collect_plugins,
    overdue_releases, record_release,
};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::clock::now;
use crate::providers::local::LocalNode;

/// How often it is looked whether a claim may be overdue.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a provider that couldn't let go of a volume is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// How often plugins that nobody runs are looked for.
const COLLECT_EVERY: Duration = Duration::from_secs(5 * 60);

/// Watches over volumes until the server is to stop.
pub(crate) async fn run(store: Arc<Store>, node: LocalNode, mut stopped: watch::Receiver<bool>) {
    let mut watcher = Watcher { store, node, seen: 0, retry: None, collect: Instant::now() };
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

struct Watcher {
    store: Arc<Store>,
    node: LocalNode,
    /// The last change of what decides whether a claim is overdue, when that was last looked at.
    seen: u64,
    /// When claims that are held are looked at again.
    retry: Option<Instant>,
    /// When plugins are looked for that nobody runs.
    collect: Instant,
}

/// When what decides whether a claim is overdue last changed.
fn last_change(view: &Tracked) -> u64 {
    view.count::<CsiVolumes>();
    view.count::<Allocations>();
    view.count::<Nodes>();
    view.index()
}

impl Watcher {
    fn look(&mut self) {
        // In this order: what changes in between is looked at again.
        let changed = last_change(&self.store.tracked());
        let view = self.store.snapshot();
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= Instant::now());
        if self.seen != changed || due(self.retry) {
            self.retry = None;
            self.release_overdue(&view);
            self.seen = changed;
        }
        if due(Some(self.collect)) {
            self.collect = Instant::now() + COLLECT_EVERY;
            if let Some(plugins) = self.write("forget plugins", collect_plugins)
                && !plugins.is_empty()
            {
                tracing::info!(?plugins, "forgot plugins that nobody runs");
            }
        }
    }

    fn release_overdue(&mut self, view: &Snapshot) {
        let overdue = overdue_releases(view);
        if overdue.is_empty() {
            return;
        }
        let plugin = |release: &Release| {
            let key = release.volume();
            let volume = view.get::<CsiVolumes>((&key.namespace, &key.id))?;
            Some(volume.plugin_id.clone())
        };
        let plugins: Vec<_> = overdue.iter().filter_map(plugin).collect();
        let plugins = plugins.iter().map(|plugin| &**plugin);
        let Some(turns) = Handle::current().block_on(self.node.turns(plugins)) else {
            self.retry = Some(Instant::now() + RETRY_AFTER);
            return;
        };
        // Once more: what was overdue may have been claimed anew before it was our turn.
        let view = self.store.snapshot();
        for release in overdue_releases(&view) {
            self.release(&view, &release);
        }
        drop(turns);
    }

    fn release(&mut self, view: &Snapshot, release: &Release) {
        let answer = ask_release(view, self.node.providers(), release);
        if let Err(holdup) = &answer {
            self.retry = Some(Instant::now() + RETRY_AFTER);
            let (volume, allocation) = (release.volume(), release.claim().allocation_id);
            tracing::debug!(%volume.id, %allocation, %holdup, "a claim is held");
        }
        let recorded =
            self.write("release a claim", |txn, now| record_release(txn, now, release, &answer));
        if recorded == Some(Recorded::Released) {
            let (volume, allocation) = (release.volume(), release.claim().allocation_id);
            tracing::info!(%volume.id, %allocation, "released a claim whose allocation is over");
        }
    }

    /// Writes, unless nothing changes; nothing is lost by a failure but time.
    fn write<R, E: std::fmt::Display>(
        &self,
        doing: &str,
        write: impl FnOnce(&mut WriteTxn<'_>, i64) -> Result<R, E>,
    ) -> Option<R> {
        let mut txn = match self.store.begin_write() {
            Ok(txn) => txn,
            Err(error) => {
                tracing::error!(%error, "can't {doing}");
                return None;
            }
        };
        let written = match write(&mut txn, now()) {
            Ok(written) => written,
            Err(error) => {
                tracing::error!(%error, "can't {doing}");
                return None;
            }
        };
        match txn.commit() {
            Ok(_) => Some(written),
            Err(error) => {
                tracing::error!(%error, "can't {doing}");
                None
            }
        }
    }
}
