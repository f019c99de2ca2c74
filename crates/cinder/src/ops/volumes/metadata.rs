//! What owners note about volumes and snapshots, and what is known of the image on a volume.

use statehold_store::{ReadView, WriteTxn};

use super::write;
use crate::{
    Pairs,
    access::actions::Rule,
    caller::policy,
    context::{Context, find_snapshot, find_volume},
    error::{Error, Missing},
    ops::refusal::VolumeRefusal,
    rows::{Snapshot, Volume, VolumeStatus},
    totals,
};

/// The most bytes that all pairs have together: as many as a request. Who adds again and again would
/// make a row that takes long to write.
const BYTES_MAX: usize = 114_688;

/// Adds pairs, or replaces all; the result.
fn put(pairs: &mut Pairs, more: Pairs, replace: bool) -> Result<Pairs, Error> {
    if replace {
        pairs.clear();
    }
    pairs.extend(more);
    if pairs.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > BYTES_MAX {
        return Err(Error::request(format!("Metadata can have {BYTES_MAX} bytes at most.")));
    }
    Ok(pairs.clone())
}

fn check(row: &Volume) -> Result<(), Error> {
    if matches!(row.status, VolumeStatus::Maintenance | VolumeStatus::Uploading) {
        let (volume, status) = (row.id, row.status);
        return Err(VolumeRefusal::Metadata { volume, status }.into());
    }
    Ok(())
}

/// Adds to the metadata of a volume, or replaces all of it; the result.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Metadata`] while it is moved or uploaded.
pub fn set_metadata(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    metadata: Pairs,
    replace: bool,
) -> Result<Pairs, Error> {
    put_metadata(txn, cx, policy::VOLUME_METADATA_UPDATE, (id, metadata), replace)
}

/// Adds to the metadata of a volume, for callers that may create metadata; the result.
///
/// # Errors
/// As [`set_metadata`].
pub fn add_metadata(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    metadata: Pairs,
) -> Result<Pairs, Error> {
    put_metadata(txn, cx, policy::VOLUME_METADATA_CREATE, (id, metadata), false)
}

fn put_metadata(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    rule: Rule,
    (id, metadata): (&str, Pairs),
    replace: bool,
) -> Result<Pairs, Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(rule, &row)?;
    check(&row)?;
    let all = put(&mut row.metadata, metadata, replace)?;
    write(txn, cx.now, row)?;
    Ok(all)
}

/// The value of a key of a volume's metadata.
///
/// # Errors
/// [`Missing::Volume`] or [`Missing::VolumeMetadata`].
pub fn volume_metadata_item<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<&'v str, Error> {
    let row = find_volume(view, cx.caller, id)?;
    cx.caller.check_on(policy::VOLUME_METADATA_GET, &**row)?;
    let missing = || {
        let volume = row.id.to_string().into();
        Error::from(Missing::VolumeMetadata { volume, key: key.into() })
    };
    row.metadata.get(key).map(|value| &**value).ok_or_else(missing)
}

/// Takes a key off the metadata of a volume.
///
/// # Errors
/// As [`set_metadata`], and [`Missing::VolumeMetadata`].
pub fn delete_metadata(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_METADATA_DELETE, &row)?;
    check(&row)?;
    if row.metadata.remove(key).is_none() {
        let volume = row.id.to_string().into();
        return Err(Missing::VolumeMetadata { volume, key: key.into() }.into());
    }
    Ok(write(txn, cx.now, row)?)
}

/// Adds to what is known of the image on a volume; all that is known.
///
/// # Errors
/// As [`set_metadata`].
pub fn set_image_metadata(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    metadata: Pairs,
) -> Result<Pairs, Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_IMAGE_METADATA_SET, &row)?;
    check(&row)?;
    let all = put(&mut row.image_metadata, metadata, false)?;
    write(txn, cx.now, row)?;
    Ok(all)
}

/// What is known of the image on a volume.
///
/// # Errors
/// [`Missing::Volume`], or [`Missing::ImageMetadata`] when nothing is known.
pub fn image_metadata<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<&'v Pairs, Error> {
    let row = find_volume(view, cx.caller, id)?;
    cx.caller.check_on(policy::VOLUME_IMAGE_METADATA_SHOW, &**row)?;
    Ok(&row.image_metadata)
}

/// Takes a key off what is known of the image on a volume.
///
/// # Errors
/// As [`set_metadata`], and [`Missing::ImageMetadata`].
pub fn unset_image_metadata(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_IMAGE_METADATA_REMOVE, &row)?;
    check(&row)?;
    if row.image_metadata.remove(key).is_none() {
        return Err(Missing::ImageMetadata { volume: row.id.to_string().into() }.into());
    }
    Ok(write(txn, cx.now, row)?)
}

/// Adds to the metadata of a snapshot, or replaces all of it; the result.
///
/// # Errors
/// [`Error`].
pub fn set_snapshot_metadata(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    metadata: Pairs,
    replace: bool,
) -> Result<Pairs, Error> {
    let mut row = Snapshot::clone(find_snapshot(txn, cx.caller, id)?);
    cx.caller.check_on(policy::SNAPSHOT_METADATA_UPDATE, &row)?;
    let all = put(&mut row.metadata, metadata, replace)?;
    row.updated_at = Some(cx.now);
    totals::put_snapshot(txn, row)?;
    Ok(all)
}

/// Takes a key off the metadata of a snapshot.
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
    cx.caller.check_on(policy::SNAPSHOT_METADATA_DELETE, &row)?;
    if row.metadata.remove(key).is_none() {
        let snapshot = row.id.to_string().into();
        return Err(Missing::SnapshotMetadata { snapshot, key: key.into() }.into());
    }
    row.updated_at = Some(cx.now);
    totals::put_snapshot(txn, row)?;
    Ok(())
}
