//! Work that is done when both a volume and its row are as they should be.
//!
//! A crash between the two would leave a row whose data is gone, or data that no row names. What is begun is
//! therefore written down first, and settled at the next start.
//!
//! Invariant: an intent is on the disk before the data changes, and removed after the row is durable.

use std::io;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use statehold_nomad::provider::CsiProvider as _;
use statehold_nomad::{CsiVolumes, Secrets, deregister};
use statehold_store::{KeyRange, Order, ReadView, Snapshot, Store};
use uuid::Uuid;

use crate::node::csi_dir::CsiDir;

/// The work that is begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Pending {
    /// The volume of this name is being created: it had no data before.
    Create { name: Box<str> },
    /// The data of a volume is being deleted, and its row after it.
    Delete { namespace: Box<str>, id: Box<str>, external_id: Box<str> },
}

impl Pending {
    /// The same for the same work, so that a second attempt takes the place of the first one's intent.
    fn key(&self) -> Uuid {
        let (kind, text) = match self {
            Self::Create { name } => ("create", name),
            Self::Delete { external_id, .. } => ("delete", external_id),
        };
        let digest = Sha256::digest(format!("{kind}\0{text}"));
        let mut key = [0; 16];
        key.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Uuid::from_bytes(key)
    }
}

impl CsiDir {
    /// Writes down that work begins. False if another request is doing the same work: what it has created
    /// and not recorded yet would look like what a crash left.
    pub(crate) fn begin(&self, pending: &Pending) -> io::Result<bool> {
        if !self.in_flight.lock().insert(pending.key()) {
            return Ok(false);
        }
        let written = self.pending.begin(pending.key(), pending);
        written.map(|()| true).inspect_err(|_| self.leave(pending))
    }

    /// Ends work in this process, and leaves its intent to the next start.
    pub(crate) fn leave(&self, pending: &Pending) {
        self.in_flight.lock().remove(&pending.key());
    }

    /// Forgets work that is done, or of which nothing came.
    pub(crate) fn done(&self, pending: &Pending) {
        self.forget(pending);
        self.leave(pending);
    }

    fn forget(&self, pending: &Pending) {
        if let Err(error) = self.pending.done(pending.key()) {
            tracing::error!(?pending, %error, "can't remove an intent: the next start settles it");
        }
    }

    /// Settles work that a crash interrupted, before any request is served. Work that can't be settled
    /// stays for the next start.
    pub(crate) fn settle_all(&self, store: &Store, plugin: &str) -> io::Result<()> {
        let forget = |namespace: &str, id: &str| {
            let mut txn = store.begin_write()?;
            deregister(&mut txn, namespace, &[id], false)?;
            txn.commit()?;
            Ok(())
        };
        for (_, pending) in self.pending.left()? {
            match self.settle(&store.snapshot(), plugin, &pending, forget) {
                Ok(()) => self.done(&pending),
                Err(error) => tracing::warn!(
                    plugin, ?pending, %error, "can't settle the work that a stop interrupted"
                ),
            }
        }
        Ok(())
    }

    /// Brings a volume and its row of `view` in step. `forget` deletes the row with a namespace and an ID.
    pub(crate) fn settle(
        &self,
        view: &Snapshot,
        plugin: &str,
        pending: &Pending,
        forget: impl FnOnce(&str, &str) -> Result<(), Box<dyn std::error::Error>>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let has_row = |external_id: &str| {
            let of_plugin = KeyRange::<String>::exact(plugin);
            let mut rows = view.scan_by(&CsiVolumes::BY_PLUGIN, &of_plugin, Order::Ascending);
            rows.any(|row| row.remote_id() == external_id)
        };
        match pending {
            Pending::Create { name } => {
                // The answer never reached the client, which asks again and gets a new one.
                if let Some(external_id) = self.find_volume(name)
                    && !has_row(&external_id)
                {
                    self.delete_volume(&external_id, &Secrets::default())?;
                    tracing::info!(plugin, volume = external_id, "deleted a volume without a row");
                }
            }
            Pending::Delete { namespace, id, external_id } => {
                if self.has_volume(external_id) {
                    // Nothing was deleted yet: the client asks again.
                    return Ok(());
                }
                let row = view.get::<CsiVolumes>((namespace, id));
                if row.is_some_and(|row| {
                    *row.plugin_id == *plugin && row.remote_id() == &**external_id
                }) {
                    forget(namespace, id)?;
                    tracing::info!(plugin, volume = %id, "deleted the row of a volume without data");
                }
            }
        }
        Ok(())
    }
}
