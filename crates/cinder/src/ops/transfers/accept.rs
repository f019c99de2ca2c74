//! Acceptance of an offer: the volume and its quota change the project.

use std::collections::BTreeMap;

use statehold_store::{ReadView, WriteTxn};
use subtle::ConstantTimeEq as _;

use super::{TransferKey, check_snapshots};
use crate::{
    caller::policy,
    context::Context,
    errors::{Error, Missing, VolumeRefusal},
    id::parse_id,
    ops::volumes::write_volume,
    quota,
    rows::{Snapshot, Transfer, Volume},
    status_machine::VolumeOperation,
    totals,
    work::snapshots_of,
};

/// Accepts the offer of another project: the caller's project takes the volume, its snapshots
/// unless they stay, and the quota for them. Returns the offer.
///
/// # Errors
/// [`Error`]: 404 for an unknown offer, 400 for a wrong key, 413 if the quota is exceeded.
// Cinder: cinder/transfer/api.py, API.accept.
pub fn accept_transfer(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<Transfer, Error> {
    cx.caller.check(policy::TRANSFER_ACCEPT)?;
    // The caller sees no transfer of another project, so the key alone decides.
    let row = parse_id(id).and_then(|id| txn.get::<Transfer>(id));
    let transfer = Transfer::clone(row.ok_or_else(|| Missing::Transfer(id.into()))?);
    let salt = transfer.salt;
    // Constant time, so that the response time reveals nothing about the key.
    if !bool::from(TransferKey { key, salt }.hash().ct_eq(&transfer.key_hash)) {
        return Err(Error::request(format!(
            "Invalid auth key: Attempt to transfer {} with invalid auth key.",
            transfer.id
        )));
    }
    let volume = txn.get::<Volume>(transfer.volume_id).map(|row| Volume::clone(row));
    let mut volume = volume.ok_or(VolumeRefusal::AcceptTransfer { transfer: transfer.id })?;
    let status = VolumeOperation::Accept.check_with(&volume, transfer.id)?;
    let mut snapshots: Vec<Snapshot> = Vec::new();
    if !transfer.no_snapshots {
        check_snapshots(txn, volume.id)?;
        snapshots.extend(snapshots_of(txn, volume.id).map(|row| Snapshot::clone(row)));
    }
    let taker = cx.caller.project.clone();
    quota::check_size(txn, cx.config, &taker, volume.size)?;
    // Each row is charged to its own project: an admin may have created a snapshot for another one.
    let of_volume = volume.consumes_quota.then(|| {
        let deltas = quota::of_volume(volume.volume_type_id, 1, volume.size);
        (&volume.project_id, deltas)
    });
    let counted = snapshots.iter().filter(|row| row.consumes_quota);
    let of_snapshots = counted.map(|row| {
        let deltas = quota::of_snapshot(cx.config, row.volume_type_id, 1, row.size);
        (&row.project_id, deltas)
    });
    let (mut taken, mut given) = (quota::Deltas::new(), BTreeMap::new());
    for (giver, deltas) in of_volume.into_iter().chain(of_snapshots) {
        // A row that the taking project owns already moves no quota.
        if *giver == taker {
            continue;
        }
        let given: &mut quota::Deltas = given.entry(giver.clone()).or_default();
        for (resource, delta) in deltas {
            *taken.entry(resource).or_default() += delta;
            *given.entry(resource).or_default() -= delta;
        }
    }
    quota::charge(txn, cx.config, &taker, &taken)?;
    for (giver, given) in given {
        quota::apply(txn, cx.config, &giver, &given)?;
    }
    for mut row in snapshots {
        row.project_id = taker.clone();
        row.user_id = cx.caller.user.clone();
        row.updated_at = Some(cx.now);
        totals::put_snapshot(txn, row)?;
    }
    volume.project_id = taker;
    volume.user_id = cx.caller.user.clone();
    volume.status = status;
    write_volume(txn, cx.now, volume)?;
    txn.delete::<Transfer>(transfer.id)?;
    Ok(transfer)
}
