//! Transfers of volumes to another project, which proves itself with a key.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use statehold_store::{Entry, ReadView, WriteTxn};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::volumes::write_volume;
use crate::{
    access::actions::Rule,
    caller::policy,
    context::{Context, check_volume, find_volume_for},
    errors::{Error, Missing, SnapshotRefusal, VolumeRefusal},
    id::parse_id,
    quota,
    rows::{Snapshot, Transfer, Volume},
    status_machine::{SnapshotOperation, VolumeOperation, check_settled},
    totals,
    work::snapshots_of,
};

/// First version that transfers encrypted volumes.
const ENCRYPTED_SINCE: u16 = 70;

/// Returns the transfer with the ID `id`, if the caller's project offers it.
///
/// # Errors
/// [`Missing::Transfer`].
pub fn find_transfer<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<&'v Entry<Transfer>, Error> {
    seen(view, cx, policy::TRANSFER_GET, id)
}

/// The transfer that a client calls `id`, if the caller sees it and may do `rule` with its volume.
fn seen<'v>(
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

/// Offers a volume to the holder of the key; the transfer has the ID `id`.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Transfer`] or [`SnapshotRefusal::Transfer`] if the volume or a
/// snapshot is not available.
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

/// Withdraws an offer: the volume is available again.
///
/// # Errors
/// [`Missing::Transfer`].
// Cinder: cinder/transfer/api.py, API.delete.
pub fn delete_transfer(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let transfer = Transfer::clone(seen(txn, cx, policy::TRANSFER_DELETE, id)?);
    txn.delete::<Transfer>(transfer.id)?;
    let volume = txn.get::<Volume>(transfer.volume_id).map(|row| Volume::clone(row));
    // An operator may have reset the status, which then stays.
    if let Some(mut row) = volume.filter(|row| VolumeOperation::Withdraw.allows(row.status)) {
        row.status = VolumeOperation::Withdraw.next(row.status);
        write_volume(txn, cx.now, row)?;
    }
    Ok(())
}

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
