//! Pending work that changes both a volume's data and its row.
//!
//! A crash between the two would leave a row without data, or data without a row. Each piece of work is therefore
//! recorded as an intent first, and an interrupted one is settled at the next start.
//!
//! Invariant: an intent is on disk before the data changes, and is removed after the row is durable.

use std::io;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use statehold_nomad::provider::CsiProvider as _;
use statehold_nomad::{CsiVolumes, Secrets, deregister};
use statehold_store::{KeyRange, Order, ReadView, Snapshot, Store};
use uuid::Uuid;

use crate::node::csi_dir::CsiDir;

/// The work in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Pending {
    /// The volume of this name, which had no data before, is being created.
    Create { name: Box<str> },
    /// The data of a volume is being deleted, and its row after it.
    Delete { namespace: Box<str>, id: Box<str>, external_id: Box<str> },
}

impl Pending {
    /// Returns the ID of the intent. It is equal for equal work, so that a second attempt replaces the intent of the
    /// first one.
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
    /// Writes the intent of work. Returns `false` if another request is doing the same work: its data without a row
    /// would look like that of a crash.
    ///
    /// # Errors
    /// The intent can't be written; the work MUST NOT begin.
    pub(crate) fn begin(&self, pending: &Pending) -> io::Result<bool> {
        if !self.in_flight.lock().insert(pending.key()) {
            return Ok(false);
        }
        let written = self.pending.begin(pending.key(), pending);
        written.map(|()| true).inspect_err(|_| self.leave(pending))
    }

    /// Ends the request's work but keeps its intent for the next start.
    pub(crate) fn leave(&self, pending: &Pending) {
        self.in_flight.lock().remove(&pending.key());
    }

    /// Removes the intent of work that is done or undone.
    pub(crate) fn done(&self, pending: &Pending) {
        self.forget(pending);
        self.leave(pending);
    }

    fn forget(&self, pending: &Pending) {
        if let Err(error) = self.pending.done(pending.key()) {
            tracing::error!(?pending, %error, "can't remove an intent: the next start settles it");
        }
    }

    /// Settles the work that a crash interrupted. MUST be called before any request is served. Logs work that can't be
    /// settled, which keeps its intent for the next start.
    ///
    /// # Errors
    /// The directory of intents can't be read.
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

    /// Makes a volume's data and its row in `view` consistent. `forget` deletes the row of a namespace and an ID.
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
                // The client got no reply: its retry creates a new volume.
                if let Some(external_id) = self.find_volume(name)
                    && !has_row(&external_id)
                {
                    self.delete_volume(&external_id, &Secrets::default())?;
                    tracing::info!(plugin, volume = external_id, "deleted a volume without a row");
                }
            }
            Pending::Delete { namespace, id, external_id } => {
                if self.has_volume(external_id) {
                    // The data still exists: the client got no reply and retries the deletion.
                    return Ok(());
                }
                let row = view.get::<CsiVolumes>((namespace, id));
                // Only the row of the deleted data: the ID may have been registered again since.
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
