//! Volumes of this machine's own providers, created and deleted together with their rows.

use std::io;
use std::sync::Arc;

use statehold_nomad::{CsiVolume, CsiVolumes, VolumeSpec, deregister};
use statehold_store::ReadView;

use crate::node::csi_dir::CsiDir;
use crate::node::csi_dir::Pending;
use crate::node::local::LocalNode;
use statehold_server_core::state::ServerState;

/// Work that was written down, with the providers that do it. The caller MUST end it with
/// [`Begun::done`] or [`Begun::settle`].
#[must_use]
#[derive(Default)]
pub(crate) struct Begun(Vec<(Box<str>, Arc<CsiDir>, Pending)>);

impl Begun {
    /// Writes down that the new ones among `volumes` are being created. A name that its provider knows
    /// is left out: its data was there before, and MUST survive a crash.
    pub(crate) fn create(
        node: &LocalNode,
        view: &impl ReadView,
        namespace: &str,
        volumes: &[VolumeSpec],
    ) -> io::Result<Self> {
        let mut begun = Self::default();
        for spec in volumes {
            let namespace = if spec.namespace.is_empty() { namespace } else { &spec.namespace };
            let Some(provider) = node.csi_dir(&spec.plugin_id) else { continue };
            let is_known = view.get::<CsiVolumes>((namespace, &spec.id)).is_some();
            if !is_known && provider.find_volume(&spec.name).is_none() {
                begun.begin(
                    &spec.plugin_id,
                    provider,
                    Pending::Create { name: spec.name.clone() },
                )?;
            }
        }
        Ok(begun)
    }

    /// Writes down that a volume is being deleted.
    pub(crate) fn delete(node: &LocalNode, volume: &CsiVolume) -> io::Result<Self> {
        let mut begun = Self::default();
        if let Some(provider) = node.csi_dir(&volume.plugin_id) {
            let pending = Pending::Delete {
                namespace: volume.namespace.clone(),
                id: volume.id.clone(),
                external_id: volume.remote_id().into(),
            };
            begun.begin(&volume.plugin_id, provider, pending)?;
        }
        Ok(begun)
    }

    fn begin(&mut self, plugin: &str, provider: &Arc<CsiDir>, pending: Pending) -> io::Result<()> {
        match provider.begin(&pending) {
            Ok(true) => self.0.push((plugin.into(), Arc::clone(provider), pending)),
            Ok(false) => {}
            Err(error) => {
                std::mem::take(self).done();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Forgets the work: rows and data are in step.
    pub(crate) fn done(self) {
        for (_, provider, pending) in self.0 {
            provider.done(&pending);
        }
    }

    /// Brings rows and data in step after the work failed on the way, in turns of the caller. The next start
    /// takes up the rest.
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
                        "work with a volume is settled at the next start"
                    );
                }
            }
        }
    }
}
