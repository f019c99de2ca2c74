//! Offers of volumes to another project.

use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use super::{TransferKey, check_snapshots};
use crate::{
    caller::policy,
    context::{Context, find_volume_for},
    errors::{Error, VolumeRefusal},
    ops::volumes::write_volume,
    rows::{Transfer, Volume},
    status_machine::{VolumeOperation, check_settled},
};

/// First version that transfers encrypted volumes.
const ENCRYPTED_SINCE: u16 = 70;

/// A request for a transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransferSpec {
    /// The volume.
    pub volume_id: Box<str>,
    /// A name for the transfer.
    pub name: Option<Box<str>>,
    /// Whether the volume's snapshots stay with the old project.
    pub no_snapshots: bool,
}

/// Offers a volume to the holder of the key; the transfer has the ID `id`.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Transfer`] or [`SnapshotRefusal::Transfer`](crate::SnapshotRefusal::Transfer) if the
/// volume or a snapshot is not available.
// Cinder: cinder/transfer/api.py, API.create.
pub fn create_transfer(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: TransferSpec,
    key: TransferKey<'_>,
) -> Result<(), Error> {
    let rule = policy::TRANSFER_CREATE;
    let mut row = Volume::clone(find_volume_for(txn, cx.caller, rule, &spec.volume_id)?);
    let offered = txn.find(&Transfer::BY_VOLUME, row.id).map(|offer| offer.id);
    let status = VolumeOperation::Offer.check(&row)?;
    check_settled(&row)?;
    let volume = row.id;
    // A member shares its group's project.
    if let Some(group) = row.group_id {
        return Err(VolumeRefusal::InGroup { volume, group }.into());
    }
    if let Some(transfer) = offered {
        return Err(VolumeRefusal::Offered { volume, transfer }.into());
    }
    if row.encrypted && !cx.version.at_least(ENCRYPTED_SINCE) {
        return Err(VolumeRefusal::TransferEncrypted.into());
    }
    if !spec.no_snapshots {
        check_snapshots(txn, row.id)?;
    }
    txn.upsert::<Transfer>(Transfer {
        id,
        project_id: row.project_id.clone(),
        volume_id: row.id,
        name: spec.name,
        no_snapshots: spec.no_snapshots,
        salt: key.salt,
        key_hash: key.hash(),
        created_at: cx.now,
    })?;
    row.status = status;
    Ok(write_volume(txn, cx.now, row)?)
}
