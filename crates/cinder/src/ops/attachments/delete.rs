//! Deleting attachments.

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};

use super::{find_attachment_for, refresh_volume_status};
use crate::{caller::policy, context::Context, errors::Error, rows::Attachment};

/// Rejects the release of an attachment whose instance may have the volume connected, unless the
/// request comes from a service, which disconnects the host first.
///
/// If only the attachment were released, the host would keep a device that may later lead to
/// another project's volume (CVE-2023-2088).
// Cinder: cinder/volume/api.py, API.attachment_deletion_allowed. It requests the instance's
// attachments from the compute service; there is none here, so every such attachment counts as in
// use. Like there, admins are rejected as well, because their mistake does the same harm. They can
// reset the volume's attach_status.
pub(in crate::ops) fn check_release(
    cx: &Context<'_>,
    attachment: &Attachment,
) -> Result<(), Error> {
    match attachment.connected_instance().filter(|_| !cx.caller.service) {
        None => Ok(()),
        Some(instance) => Err(used_by(&instance.to_string())),
    }
}

/// The refusal of a detachment that the compute service has to begin. `instance` is empty if the
/// attachment does not exist.
// Cinder: cinder/exception.py, ConflictNovaUsingAttachment.
pub(in crate::ops) fn used_by(instance: &str) -> Error {
    Error::Conflict(
        format!(
            "ConflictNovaUsingAttachment: Detach volume from instance {instance} using the Compute \
             API"
        )
        .into(),
    )
}

/// Deletes an attachment and returns the volume's other attachments.
///
/// The caller MUST disconnect a connected attachment from the back end first.
///
/// # Errors
/// [`Error`] with the status 403 or 404; [`Error::Conflict`] for an attachment that an instance uses, unless
/// [`Caller::service`](crate::Caller::service) is set.
// Cinder: cinder/volume/api.py, API.attachment_delete.
pub fn delete_attachment(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
) -> Result<Vec<Entry<Attachment>>, Error> {
    let row = Attachment::clone(find_attachment_for(txn, cx, policy::ATTACHMENT_DELETE, id)?);
    let (id, volume) = (row.id, row.volume_id);
    check_release(cx, &row)?;
    txn.delete::<Attachment>(id)?;
    refresh_volume_status(txn, cx.now, volume)?;
    let range = KeyRange::exact(volume);
    Ok(txn.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending).cloned().collect())
}
