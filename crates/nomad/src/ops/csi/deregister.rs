//! Forgetting volumes. Nothing is asked of the provider, who keeps them.

use std::fmt;

use statehold_store::{ReadView, WriteError, WriteTxn};

use crate::{
    health::claims_on,
    ops::claims::{forget_claims, move_claims},
    rows::{Allocations, CsiVolume, CsiVolumes},
};

/// Why volumes couldn't be deregistered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeregisterError {
    /// The request names no volumes.
    MissingIds,
    /// There is no such volume.
    NotFound {
        /// Its ID.
        volume: Box<str>,
    },
    /// Somebody claims the volume; with force, somebody who may still be using it.
    InUse {
        /// Its ID.
        volume: Box<str>,
    },
    /// The store refused.
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

/// Forgets the volumes `ids` of `namespace`, all or none.
///
/// A volume that somebody claims stays, unless `force` is set and every claim is of an allocation
/// that has ended or is gone. IDs are complete, never prefixes.
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
        forget_claims(txn, namespace, id)?;
        txn.delete::<CsiVolumes>((namespace, id))?;
    }
    Ok(())
}

/// Whether an allocation that hasn't ended claims the volume.
fn is_held(view: &impl ReadView, volume: &CsiVolume) -> bool {
    claims_on(view, volume).filter(|row| row.active.is_some()).any(|row| {
        let allocation = view.get::<Allocations>(row.allocation_id);
        allocation.is_some_and(|allocation| !allocation.is_terminal())
    })
}
