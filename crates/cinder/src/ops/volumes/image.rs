//! What clouds with an image service do between volumes and images. There is none here, so what could
//! be done is refused last.

use statehold_store::{KeyRange, Order, ReadView};
use uuid::Uuid;

use crate::{
    caller::policy,
    context::{Context, find_volume},
    error::{Error, Missing},
    ops::refusal::{VolumeRefusal, check_settled},
    rows::{Attachment, VolumeStatus},
};

/// From this version on the data of a volume can be replaced by an image.
const REIMAGE_SINCE: u16 = 68;

/// An image that is to be made from a volume, as far as that matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UploadRequest {
    /// Whether all may see the image.
    pub public: bool,
}

/// What is to be put on a volume in place of what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReimageRequest {
    /// The image.
    pub image: Uuid,
    /// Whether a volume that is kept for somebody may lose its data.
    pub reserved: bool,
}

/// Refuses to make an image from a volume: as a cloud would as far as the volume is in the way, and
/// for the want of an image service.
///
/// # Errors
/// Always an [`Error`]; [`VolumeRefusal::Upload`] unless the volume is available.
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
    if row.status != VolumeStatus::Available {
        return Err(VolumeRefusal::Upload { volume: row.id }.into());
    }
    check_settled(row)?;
    Err(Error::request("Invalid image: there is no image service to take it."))
}

/// Refuses to put an image on a volume, in the same way.
///
/// # Errors
/// Always an [`Error`]; [`VolumeRefusal::Reimage`] for what the volume is doing,
/// [`VolumeRefusal::ReimageShared`] with the status 409 when several have it.
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
    let free = matches!(row.status, VolumeStatus::Available | VolumeStatus::Error);
    if !(free || (reserved && request.reserved)) {
        let (volume, status, reserved) = (row.id, row.status, request.reserved);
        return Err(VolumeRefusal::Reimage { volume, status, reserved }.into());
    }
    check_settled(row)?;
    Err(Error::request(format!(
        "Invalid image: there is no image service to ask for {}.",
        request.image
    )))
}
