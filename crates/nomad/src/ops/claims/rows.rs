//! Reads and writes the rows of claims, always together with that of their volume.

use std::mem;

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use crate::{
    health::claims_on,
    release::is_allocation_over,
    rows::{CsiClaim, CsiClaims, CsiVolume, CsiVolumes},
};

/// Starts the release of the claims on a volume whose allocations have ended, except that of
/// `except`. Returns the rows to write.
///
/// Cost: reads only those claims; each is returned once in its lifetime.
pub(super) fn start_overdue_releases(
    view: &impl ReadView,
    volume: &mut CsiVolume,
    except: Option<Uuid>,
) -> Vec<CsiClaim> {
    let range = KeyRange::<(String, String)>::exact((&volume.namespace, &volume.id));
    let rows = view.scan_by(&CsiClaims::OVERDUE, &range, Order::Ascending);
    let rows = rows.filter(|row| Some(row.allocation_id) != except);
    let mut rows: Vec<CsiClaim> = rows.map(|row| CsiClaim::clone(row)).collect();
    for row in &mut rows {
        // The rows are returned instead of written, because the caller may change one of them
        // further.
        volume.start_release(row);
    }
    rows
}

/// Appends to `rows` the other claims on a volume that were taken without modes and receive them
/// now.
///
/// Cost: reads each claim on the volume, at most once from its first claim to its last release.
pub(super) fn complete_modes(view: &impl ReadView, volume: &CsiVolume, rows: &mut Vec<CsiClaim>) {
    for row in claims_on(view, volume) {
        let mut completed = CsiClaim::clone(row);
        volume.complete_modes(&mut completed);
        // A row in `rows` is newer than the stored one.
        let is_new = rows.iter().all(|known| known.allocation_id != row.allocation_id);
        if is_new && completed != **row {
            rows.push(completed);
        }
    }
}

/// Writes a volume and its changed claim rows. Deletes the rows of free claims.
pub(super) fn write_claims(
    txn: &mut WriteTxn<'_>,
    volume: CsiVolume,
    rows: Vec<CsiClaim>,
) -> Result<(), WriteError> {
    for row in rows {
        // A row without a claim would be scanned and never used again.
        if row.is_free() {
            txn.delete::<CsiClaims>((&row.namespace, &row.volume_id, row.allocation_id))?;
        } else {
            txn.upsert::<CsiClaims>(row)?;
        }
    }
    txn.upsert::<CsiVolumes>(volume)?;
    Ok(())
}

/// Deletes the claims on a volume that is being deleted.
pub(in crate::ops) fn delete_claims(
    txn: &mut WriteTxn<'_>,
    namespace: &str,
    id: &str,
) -> Result<(), WriteError> {
    let range = KeyRange::<(String, String, Uuid)>::starting_with((namespace, id));
    let rows = txn.scan::<CsiClaims>(&range, Order::Ascending);
    // Collected first: the table cannot change while it is scanned.
    for allocation in rows.map(|row| row.allocation_id).collect::<Vec<_>>() {
        txn.delete::<CsiClaims>((namespace, id, allocation))?;
    }
    Ok(())
}

/// Stores in the claims of an allocation whether it has ended. Cost: reads those claims, and writes
/// those whose value changes.
pub(in crate::ops) fn update_allocation_claims(
    txn: &mut WriteTxn<'_>,
    allocation: Uuid,
) -> Result<(), WriteError> {
    let over = is_allocation_over(txn, allocation);
    let range = KeyRange::<Uuid>::exact(allocation);
    let rows = txn.scan_by(&CsiClaims::BY_ALLOCATION, &range, Order::Ascending);
    // Only changed rows are written, so that most updates of an allocation touch no claim.
    let rows = rows.filter(|row| row.allocation_over != over);
    for row in rows.map(|row| CsiClaim::clone(row)).collect::<Vec<_>>() {
        txn.upsert::<CsiClaims>(CsiClaim { allocation_over: over, ..row })?;
    }
    Ok(())
}

/// Moves the claims that an earlier version stored in a volume's row to rows of their own. The
/// counts in the volume's row stay.
pub(in crate::ops) fn move_claims(
    txn: &mut WriteTxn<'_>,
    namespace: &str,
    id: &str,
) -> Result<(), WriteError> {
    let volume = txn.get::<CsiVolumes>((namespace, id));
    let Some(volume) = volume.filter(|volume| !volume.unmoved_claims.is_empty()) else {
        return Ok(());
    };
    let mut volume = CsiVolume::clone(volume);
    // Old rows did not store whether the allocation had ended.
    for row in mem::take(&mut volume.unmoved_claims) {
        let allocation_over = is_allocation_over(txn, row.allocation_id);
        txn.upsert::<CsiClaims>(CsiClaim { allocation_over, ..row })?;
    }
    txn.upsert::<CsiVolumes>(volume)?;
    Ok(())
}
