//! Transfers between volumes and images. There is no image service, so every request is rejected in
//! the end.

use statehold_store::{KeyRange, Order, ReadView};
use uuid::Uuid;

use crate::{
    caller::policy,
    context::{Context, find_volume},
    errors::{Error, Missing, VolumeRefusal},
    rows::{Attachment, VolumeStatus},
    status_machine::{VolumeOperation, check_settled},
};

/// First version that replaces a volume's data by an image.
const REIMAGE_SINCE: u16 = 68;

/// A request to create an image from a volume, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UploadRequest {
    /// Whether the image is public.
    pub public: bool,
}

/// A request to replace a volume's data by an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReimageRequest {
    /// The image.
    pub image: Uuid,
    /// Whether to allow a reserved volume.
    pub reserved: bool,
}

/// Rejects the creation of an image: for the volume's status, as the reference does, and finally
/// for lack of an image service.
///
/// # Errors
/// Always an [`Error`]; [`VolumeRefusal::Upload`] unless the volume is available.
// Cinder: cinder/volume/api.py, API.copy_volume_to_image.
pub fn upload_volume(
    view: &impl ReadView,
    cx: &Context<'_>,
    id: &str,
    request: UploadRequest,
) -> Result<(), Error> {
    let row = find_volume(view, cx.caller, id)?;
    cx.caller.check_on(policy::VOLUME_UPLOAD_IMAGE, &**row)?;
    if request.public {
        cx.caller.check_on(policy::VOLUME_UPLOAD_PUBLIC, &**row)?;
    }
    VolumeOperation::Upload.check(row)?;
    check_settled(row)?;
    Err(Error::request("Invalid image: there is no image service to take it."))
}

/// Rejects the replacement of a volume's data by an image, in the same way.
///
/// # Errors
/// Always an [`Error`]; [`VolumeRefusal::Reimage`] for the volume's status,
/// [`VolumeRefusal::ReimageShared`] with the status 409 if it has several attachments.
// Cinder: cinder/volume/api.py, API.reimage.
pub fn reimage_volume(
    view: &impl ReadView,
    cx: &Context<'_>,
    id: &str,
    request: ReimageRequest,
) -> Result<(), Error> {
    if !cx.version.at_least(REIMAGE_SINCE) {
        return Err(Missing::Operation.into());
    }
    let row = find_volume(view, cx.caller, id)?;
    cx.caller.check_on(policy::VOLUME_REIMAGE, &**row)?;
    let reserved = row.status == VolumeStatus::Reserved;
    if reserved && request.reserved {
        cx.caller.check_on(policy::VOLUME_REIMAGE_RESERVED, &**row)?;
    }
    let users = KeyRange::exact(row.id);
    if view.scan_by(&Attachment::BY_VOLUME, &users, Order::Ascending).nth(1).is_some() {
        return Err(VolumeRefusal::ReimageShared { volume: row.id }.into());
    }
    let action =
        if request.reserved { VolumeOperation::ReimageReserved } else { VolumeOperation::Reimage };
    action.check(row)?;
    check_settled(row)?;
    Err(Error::request(format!(
        "Invalid image: there is no image service to ask for {}.",
        request.image
    )))
}
