//! Probes the storage providers of this machine, and deletes plugins that no node runs.

use std::sync::Arc;
use std::time::Duration;

use statehold_nomad::{collect_plugins, upsert_node};
use statehold_server_core::write_queue::{WriteQueue, Writer};
use statehold_store::{Store, WriteTxn};
use tokio::sync::watch;

use crate::background::run_every;
use crate::node::local::LocalNode;

/// The time between two probes of a storage provider.
const PROBE_EVERY: Duration = Duration::from_secs(2);

/// The time between two garbage collections of plugins.
// Nomad: nomad/config.go, DefaultConfig, CSIPluginGCInterval.
const COLLECT_EVERY: Duration = Duration::from_secs(5 * 60);

/// Starts a task for each provider of the node, and one that deletes unused plugins, until the server stops.
///
/// A provider has a task of its own because a slow one MUST NOT delay the probes of the others.
pub fn start(writes: &WriteQueue, node: &LocalNode, stopped: &watch::Receiver<bool>) {
    for (plugin, _) in node.providers().iter() {
        let prober = Prober {
            writer: writes.own_writer(),
            store: Arc::clone(writes.store()),
            node: node.clone(),
            plugin: plugin.into(),
        };
        tokio::spawn(run_every(
            PROBE_EVERY,
            "plugin prober",
            prober,
            Prober::probe,
            stopped.clone(),
        ));
    }
    let collect = |writer: &mut Writer| collect(writer);
    let writer = writes.own_writer();
    tokio::spawn(run_every(COLLECT_EVERY, "plugin collector", writer, collect, stopped.clone()));
}

struct Prober {
    writer: Writer,
    store: Arc<Store>,
    node: LocalNode,
    plugin: Box<str>,
}

impl Prober {
    /// Probes the provider and reports its health, if that changed.
    fn probe(&mut self) {
        if self.node.probe(&self.store.snapshot(), &self.plugin).is_none() {
            return;
        }
        let report = |txn: &mut WriteTxn<'_>, now| {
            // Once more in the transaction, because another report may have changed the node meanwhile.
            let changed = self.node.probe(txn, &self.plugin);
            changed
                .map_or(Ok(()), |node| upsert_node(txn, now, node))
                .map_err(|error| error.to_string())
        };
        let written: Result<_, String> = self.writer.write(report);
        if let Err(error) = written {
            tracing::error!(%error, plugin = &*self.plugin, "can't report the health of a provider");
        }
    }
}

/// Deletes the plugins that no node runs and no volume uses.
// Nomad: nomad/core_sched.go, csiPluginGC.
fn collect(writer: &Writer) {
    let collect =
        |txn: &mut WriteTxn<'_>, now| collect_plugins(txn, now).map_err(|error| error.to_string());
    let collected: Result<_, String> = writer.write(collect);
    match collected {
        Ok((_, plugins)) if plugins.is_empty() => {}
        Ok((_, plugins)) => tracing::info!(?plugins, "deleted plugins that no node runs"),
        Err(error) => tracing::error!(%error, "can't delete plugins that no node runs"),
    }
}
