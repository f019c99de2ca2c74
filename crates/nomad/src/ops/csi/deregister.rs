//! Deregisters volumes. Their data stays at the provider, which is not called.
//!
//! Nomad: `nomad/csi_endpoint.go`, `CSIVolume.Deregister`; `nomad/state/state_store.go`,
//! `CSIVolumeDeregister`.

use std::fmt;

use statehold_store::{ReadView, WriteError, WriteTxn};

use crate::{
    health::claims_on,
    ops::claims::{delete_claims, move_claims},
    rows::{Allocations, CsiVolume, CsiVolumes},
};

/// Why volumes could not be deregistered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeregisterError {
    /// The request names no volumes.
    MissingIds,
    /// The volume does not exist.
    NotFound {
        /// Its ID.
        volume: Box<str>,
    },
    /// An allocation claims the volume; with force, one that has not ended.
    InUse {
        /// Its ID.
        volume: Box<str>,
    },
    /// The store failed.
    Store(WriteError),
}

impl fmt::Display for DeregisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingIds => f.write_str("missing volume IDs"),
            Self::NotFound { volume } => write!(f, "volume not found: {volume}"),
            Self::InUse { volume } => write!(f, "volume in use: {volume}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DeregisterError {}

impl From<WriteError> for DeregisterError {
    fn from(error: WriteError) -> Self {
        Self::Store(error)
    }
}

/// Deletes the rows of the volumes `ids` of `namespace`, all or none.
///
/// Fails if a volume is claimed, unless `force` is set and every claim is of an allocation that has
/// ended or was deleted. IDs are complete, never prefixes.
pub fn deregister(
    txn: &mut WriteTxn<'_>,
    namespace: &str,
    ids: &[&str],
    force: bool,
) -> Result<(), DeregisterError> {
    if ids.is_empty() {
        return Err(DeregisterError::MissingIds);
    }
    for id in ids {
        move_claims(txn, namespace, id)?;
        let Some(volume) = txn.get::<CsiVolumes>((namespace, id)) else {
            return Err(DeregisterError::NotFound { volume: (*id).into() });
        };
        let held = if force { is_held(txn, volume) } else { volume.is_in_use() };
        if held {
            return Err(DeregisterError::InUse { volume: (*id).into() });
        }
    }
    for id in ids {
        delete_claims(txn, namespace, id)?;
        txn.delete::<CsiVolumes>((namespace, id))?;
    }
    Ok(())
}

/// Returns whether an allocation that has not ended claims the volume.
fn is_held(view: &impl ReadView, volume: &CsiVolume) -> bool {
    // Nomad: nomad/state/state_store.go, volSafeToForce: a stopped allocation counts as ended.
    claims_on(view, volume).filter(|row| row.active.is_some()).any(|row| {
        let allocation = view.get::<Allocations>(row.allocation_id);
        allocation.is_some_and(|allocation| !allocation.is_terminal())
    })
}
