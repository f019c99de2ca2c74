//! Creates and deletes volumes of this machine's directory providers consistently with their rows.

use std::io;
use std::sync::Arc;

use statehold_nomad::{CsiVolume, CsiVolumes, VolumeSpec, deregister};
use statehold_store::ReadView;

use crate::node::csi_dir::CsiDir;
use crate::node::csi_dir::Pending;
use crate::node::local::LocalNode;
use statehold_server_core::state::ServerState;

/// The intents of a request, with their providers. The caller MUST end them with [`PendingWork::done`] or
/// [`PendingWork::settle`].
#[must_use]
#[derive(Default)]
pub(crate) struct PendingWork(Vec<(Box<str>, Arc<CsiDir>, Pending)>);

impl PendingWork {
    /// Writes the intents to create the new ones among `volumes`. Skips a name that its provider knows, because data
    /// that existed before the request MUST survive a crash.
    ///
    /// # Errors
    /// An intent can't be written; none of the work MUST begin.
    pub(crate) fn create(
        node: &LocalNode,
        view: &impl ReadView,
        namespace: &str,
        volumes: &[VolumeSpec],
    ) -> io::Result<Self> {
        let mut work = Self::default();
        for spec in volumes {
            let namespace = if spec.namespace.is_empty() { namespace } else { &spec.namespace };
            let Some(provider) = node.csi_dir(&spec.plugin_id) else { continue };
            let is_known = view.get::<CsiVolumes>((namespace, &spec.id)).is_some();
            if !is_known && provider.find_volume(&spec.name).is_none() {
                work.begin(&spec.plugin_id, provider, Pending::Create { name: spec.name.clone() })?;
            }
        }
        Ok(work)
    }

    /// Writes the intent to delete a volume.
    pub(crate) fn delete(node: &LocalNode, volume: &CsiVolume) -> io::Result<Self> {
        let mut work = Self::default();
        if let Some(provider) = node.csi_dir(&volume.plugin_id) {
            let pending = Pending::Delete {
                namespace: volume.namespace.clone(),
                id: volume.id.clone(),
                external_id: volume.remote_id().into(),
            };
            work.begin(&volume.plugin_id, provider, pending)?;
        }
        Ok(work)
    }

    fn begin(&mut self, plugin: &str, provider: &Arc<CsiDir>, pending: Pending) -> io::Result<()> {
        match provider.begin(&pending) {
            Ok(true) => self.0.push((plugin.into(), Arc::clone(provider), pending)),
            // The other request's intent covers the work.
            Ok(false) => {}
            // The caller begins none of the work, so the intents written so far are removed.
            Err(error) => {
                std::mem::take(self).done();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Removes the intents, because rows and data are consistent.
    pub(crate) fn done(self) {
        for (_, provider, pending) in self.0 {
            provider.done(&pending);
        }
    }

    /// Makes rows and data consistent after the work failed, with writes of the caller. Logs work that can't be
    /// settled, and leaves its intent to the next start.
    pub(crate) fn settle(self, base: &ServerState) {
        let forget = |namespace: &str, id: &str| {
            let forget = base.writer().write(|txn, _| {
                let forgotten = deregister(txn, namespace, &[id], false);
                forgotten.map_err(Box::<dyn std::error::Error>::from)
            });
            forget.map(drop)
        };
        for (plugin, provider, pending) in self.0 {
            let view = base.store().snapshot();
            match provider.settle(&view, &plugin, &pending, forget) {
                Ok(()) => provider.done(&pending),
                Err(error) => {
                    provider.leave(&pending);
                    tracing::warn!(
                        plugin = %plugin, ?pending, %error,
                        "can't settle work with a volume; the next start settles it"
                    );
                }
            }
        }
    }
}
