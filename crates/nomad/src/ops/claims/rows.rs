//! Reading and writing the rows of claims, always together with that of their volume.

use std::mem;

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use crate::{
    health::claims_on,
    release::is_allocation_over,
    rows::{CsiClaim, CsiClaims, CsiVolume, CsiVolumes},
};

/// Starts the release of the claims on a volume whose allocations are over, but for `except`; the rows to
/// write.
///
/// Cost: reads those claims alone, each of which is found once in its life.
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
        volume.start_release(row);
    }
    rows
}

/// Adds to `rows` the other claims on a volume that were taken without modes and get them now.
///
/// Cost: reads each claim on the volume, once between two times at which no allocation claims it.
pub(super) fn complete_modes(view: &impl ReadView, volume: &CsiVolume, rows: &mut Vec<CsiClaim>) {
    for row in claims_on(view, volume) {
        let mut completed = CsiClaim::clone(row);
        volume.complete_modes(&mut completed);
        let is_new = rows.iter().all(|known| known.allocation_id != row.allocation_id);
        if is_new && completed != **row {
            rows.push(completed);
        }
    }
}

/// Writes a volume and the rows of its claims that changed; those of free claims go.
pub(super) fn write_claims(
    txn: &mut WriteTxn<'_>,
    volume: CsiVolume,
    rows: Vec<CsiClaim>,
) -> Result<(), WriteError> {
    for row in rows {
        if row.is_free() {
            txn.delete::<CsiClaims>((&row.namespace, &row.volume_id, row.allocation_id))?;
        } else {
            txn.upsert::<CsiClaims>(row)?;
        }
    }
    txn.upsert::<CsiVolumes>(volume)?;
    Ok(())
}

/// Deletes the claims on a volume that goes.
pub(in crate::ops) fn forget_claims(
    txn: &mut WriteTxn<'_>,
    namespace: &str,
    id: &str,
) -> Result<(), WriteError> {
    let range = KeyRange::<(String, String, Uuid)>::starting_with((namespace, id));
    let rows = txn.scan::<CsiClaims>(&range, Order::Ascending);
    for allocation in rows.map(|row| row.allocation_id).collect::<Vec<_>>() {
        txn.delete::<CsiClaims>((namespace, id, allocation))?;
    }
    Ok(())
}

/// Notes in the claims of an allocation whether it is over. Cost: reads those claims, writes those for
/// which that is news.
pub(in crate::ops) fn follow_allocation(
    txn: &mut WriteTxn<'_>,
    allocation: Uuid,
) -> Result<(), WriteError> {
    let over = is_allocation_over(txn, allocation);
    let range = KeyRange::<Uuid>::exact(allocation);
    let rows = txn.scan_by(&CsiClaims::BY_ALLOCATION, &range, Order::Ascending);
    let rows = rows.filter(|row| row.allocation_over != over);
    for row in rows.map(|row| CsiClaim::clone(row)).collect::<Vec<_>>() {
        txn.upsert::<CsiClaims>(CsiClaim { allocation_over: over, ..row })?;
    }
    Ok(())
}

/// Moves the claims that an earlier version kept in a volume's row, and counted there, to rows of their
/// own.
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
    for row in mem::take(&mut volume.unmoved_claims) {
        let allocation_over = is_allocation_over(txn, row.allocation_id);
        txn.upsert::<CsiClaims>(CsiClaim { allocation_over, ..row })?;
    }
    txn.upsert::<CsiVolumes>(volume)?;
    Ok(())
}
