//! The metadata of snapshots.

use statehold_store::{ReadView, WriteTxn};

use crate::{
    Pairs,
    caller::policy,
    context::{Context, find_snapshot},
    errors::{Error, Missing},
    ops::volumes::merge_pairs,
    rows::Snapshot,
    totals,
};

/// Returns the value of a key of a snapshot's metadata.
///
/// # Errors
/// [`crate::Missing::Snapshot`] or [`crate::Missing::SnapshotMetadata`].
pub fn snapshot_metadata_item<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<&'v str, Error> {
    let row = find_snapshot(view, cx.caller, id)?;
    cx.caller.check_on(policy::SNAPSHOT_METADATA_GET, &**row)?;
    let missing = || {
        let snapshot = row.id.to_string().into();
        Error::from(crate::Missing::SnapshotMetadata { snapshot, key: key.into() })
    };
    row.metadata.get(key).map(|value| &**value).ok_or_else(missing)
}

/// Adds to the metadata of a snapshot, or replaces all of it. Returns the result.
///
/// # Errors
/// [`Error`].
// Cinder: cinder/volume/api.py, API.update_snapshot_metadata.
pub fn set_snapshot_metadata(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    metadata: Pairs,
    replace: bool,
) -> Result<Pairs, Error> {
    let mut row = Snapshot::clone(find_snapshot(txn, cx.caller, id)?);
    cx.caller.check_on(policy::SNAPSHOT_METADATA_UPDATE, &row)?;
    let all = merge_pairs(&mut row.metadata, metadata, replace)?;
    row.updated_at = Some(cx.now);
    totals::put_snapshot(txn, row)?;
    Ok(all)
}

/// Deletes a key of a snapshot's metadata.
///
/// # Errors
/// [`Error`]; [`Missing::SnapshotMetadata`].
pub fn delete_snapshot_metadata(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<(), Error> {
    let mut row = Snapshot::clone(find_snapshot(txn, cx.caller, id)?);
    // Cinder: cinder/api/v3/snapshot_metadata.py, Controller.delete reads the metadata first.
    cx.caller.check_on(policy::SNAPSHOT_METADATA_GET, &row)?;
    if row.metadata.remove(key).is_none() {
        let snapshot = row.id.to_string().into();
        return Err(Missing::SnapshotMetadata { snapshot, key: key.into() }.into());
    }
    cx.caller.check_on(policy::SNAPSHOT_METADATA_DELETE, &row)?;
    row.updated_at = Some(cx.now);
    totals::put_snapshot(txn, row)?;
    Ok(())
}
