//! Transfers of volumes to another project, which proves itself with a key.

mod accept;
mod create;
mod delete;

use sha2::{Digest as _, Sha256};
use statehold_store::{Entry, ReadView};
use uuid::Uuid;

use crate::{
    access::actions::Rule,
    caller::policy,
    context::{Context, check_volume},
    errors::{Error, Missing, SnapshotRefusal},
    id::parse_id,
    rows::Transfer,
    status_machine::SnapshotOperation,
    work::snapshots_of,
};

pub use self::{
    accept::accept_transfer,
    create::{TransferSpec, create_transfer},
    delete::delete_transfer,
};

/// Returns the transfer with the ID `id`, if the caller's project offers it.
///
/// # Errors
/// [`Missing::Transfer`].
pub fn find_transfer<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<&'v Entry<Transfer>, Error> {
    find_transfer_for(view, cx, policy::TRANSFER_GET, id)
}

/// Returns the transfer with the ID `id`, if the caller sees it and has the permission `rule` on its volume.
fn find_transfer_for<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    rule: Rule,
    id: &str,
) -> Result<&'v Entry<Transfer>, Error> {
    let row = parse_id(id).and_then(|id| view.get::<Transfer>(id));
    let row = row.filter(|row| cx.caller.sees(&row.project_id));
    // A transfer has no policy of its own: its volume's owner decides.
    check_volume(view, cx.caller, rule, row.map(|row| row.volume_id))?;
    Ok(row.ok_or_else(|| Missing::Transfer(id.into()))?)
}

/// The key that the new owner must present, and its salt. Both MUST be random.
#[derive(Clone, Copy)]
pub struct TransferKey<'k> {
    /// The key, 16 hexadecimal digits.
    pub key: &'k str,
    /// The salt of its hash.
    pub salt: [u8; 8],
}

/// Shows nothing, because logs MUST NOT hold credentials.
impl std::fmt::Debug for TransferKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransferKey").finish_non_exhaustive()
    }
}

impl TransferKey<'_> {
    fn hash(&self) -> [u8; 32] {
        // Not Cinder's HMAC-SHA1: no other service reads the hash.
        Sha256::new().chain_update(self.salt).chain_update(self.key).finalize().into()
    }
}

fn check_snapshots(view: &impl ReadView, volume: Uuid) -> Result<(), Error> {
    for row in snapshots_of(view, volume) {
        let snapshot = row.id;
        SnapshotOperation::Offer.check(row)?;
        if let Some(group_snapshot) = row.group_snapshot_id {
            return Err(SnapshotRefusal::InGroupSnapshot { snapshot, group_snapshot }.into());
        }
    }
    Ok(())
}
