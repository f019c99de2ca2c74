//! Metadata of volumes and snapshots, and image metadata of volumes.

use statehold_store::{ReadView, WriteTxn};

use super::write_volume;
use crate::{
    Pairs,
    access::actions::Rule,
    caller::policy,
    context::{Context, find_volume},
    errors::{Error, Missing},
    rows::Volume,
    status_machine::VolumeOperation,
};

/// Maximum size of all pairs together, in bytes: that of a request body. Otherwise repeated
/// additions would grow a row that takes long to write.
// oslo.middleware: oslo_middleware/sizelimit.py, `max_request_body_size`.
const BYTES_MAX: usize = 114_688;

/// Adds pairs, or replaces all, and returns the result.
pub(in crate::ops) fn merge_pairs(
    pairs: &mut Pairs,
    more: Pairs,
    replace: bool,
) -> Result<Pairs, Error> {
    if replace {
        pairs.clear();
    }
    pairs.extend(more);
    if pairs.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > BYTES_MAX {
        return Err(Error::request(format!("Metadata can have {BYTES_MAX} bytes at most.")));
    }
    Ok(pairs.clone())
}

/// Adds to the metadata of a volume, or replaces all of it. Returns the result.
///
/// # Errors
/// [`Error`]; [`crate::VolumeRefusal::Metadata`] during a locked migration and an upload.
// Cinder: cinder/volume/api.py, API.update_volume_metadata.
pub fn set_metadata(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    metadata: Pairs,
    replace: bool,
) -> Result<Pairs, Error> {
    put_metadata(txn, cx, policy::VOLUME_METADATA_UPDATE, (id, metadata), replace)
}

/// Adds to the metadata of a volume, for callers with the permission to create metadata. Returns
/// the result.
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
    VolumeOperation::UpdateMetadata.check(&row)?;
    let all = merge_pairs(&mut row.metadata, metadata, replace)?;
    write_volume(txn, cx.now, row)?;
    Ok(all)
}

/// Returns the value of a key of a volume's metadata.
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

/// Deletes a key of a volume's metadata.
///
/// # Errors
/// As [`set_metadata`], and [`Missing::VolumeMetadata`].
// Cinder: cinder/volume/api.py, API.delete_volume_metadata.
pub fn delete_metadata(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    // Cinder: cinder/api/v3/volume_metadata.py, Controller.delete reads the metadata first.
    cx.caller.check_on(policy::VOLUME_METADATA_GET, &row)?;
    if row.metadata.remove(key).is_none() {
        let volume = row.id.to_string().into();
        return Err(Missing::VolumeMetadata { volume, key: key.into() }.into());
    }
    cx.caller.check_on(policy::VOLUME_METADATA_DELETE, &row)?;
    VolumeOperation::UpdateMetadata.check(&row)?;
    Ok(write_volume(txn, cx.now, row)?)
}

/// Adds to the image metadata of a volume. Returns the result.
///
/// # Errors
/// As [`set_metadata`].
// Cinder: cinder/api/contrib/volume_image_metadata.py, VolumeImageMetadataController.create.
pub fn set_image_metadata(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    metadata: Pairs,
) -> Result<Pairs, Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_IMAGE_METADATA_SET, &row)?;
    VolumeOperation::UpdateMetadata.check(&row)?;
    let all = merge_pairs(&mut row.image_metadata, metadata, false)?;
    write_volume(txn, cx.now, row)?;
    Ok(all)
}

/// Returns the image metadata of a volume.
///
/// # Errors
/// [`Missing::Volume`].
pub fn image_metadata<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<&'v Pairs, Error> {
    let row = find_volume(view, cx.caller, id)?;
    // Cinder: cinder/volume/api.py, API.get_volume_image_metadata. The second action hides the
    // pairs in Cinder's views of volumes.
    cx.caller.check_on(policy::VOLUME_METADATA_GET, &**row)?;
    cx.caller.check_on(policy::VOLUME_IMAGE_METADATA_SHOW, &**row)?;
    Ok(&row.image_metadata)
}

/// Deletes a key of a volume's image metadata.
///
/// # Errors
/// As [`set_metadata`], and [`Missing::ImageMetadata`].
// Cinder: cinder/api/contrib/volume_image_metadata.py, VolumeImageMetadataController.delete.
pub fn unset_image_metadata(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_IMAGE_METADATA_REMOVE, &row)?;
    VolumeOperation::UpdateMetadata.check(&row)?;
    if row.image_metadata.remove(key).is_none() {
        return Err(Missing::ImageMetadata { volume: row.id.to_string().into() }.into());
    }
    Ok(write_volume(txn, cx.now, row)?)
}
