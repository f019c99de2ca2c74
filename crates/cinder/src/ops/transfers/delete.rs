//! Withdrawal of an offer.

use statehold_store::{ReadView, WriteTxn};

use super::find_transfer_for;
use crate::{
    caller::policy,
    context::Context,
    errors::Error,
    ops::volumes::write_volume,
    rows::{Transfer, Volume},
    status_machine::VolumeOperation,
};

/// Withdraws an offer: the volume is available again.
///
/// # Errors
/// [`Missing::Transfer`](crate::Missing::Transfer).
// Cinder: cinder/transfer/api.py, API.delete.
pub fn delete_transfer(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let transfer = Transfer::clone(find_transfer_for(txn, cx, policy::TRANSFER_DELETE, id)?);
    txn.delete::<Transfer>(transfer.id)?;
    let volume = txn.get::<Volume>(transfer.volume_id).map(|row| Volume::clone(row));
    // An operator may have reset the status, which then stays.
    if let Some(mut row) = volume.filter(|row| VolumeOperation::Withdraw.allows(row.status)) {
        row.status = VolumeOperation::Withdraw.next(row.status);
        write_volume(txn, cx.now, row)?;
    }
    Ok(())
}
