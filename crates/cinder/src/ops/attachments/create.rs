//! Creating attachments, which reserve their volume.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::{ATTACHMENTS_SINCE, check_attachment_limit, connect::Connector};
use crate::{
    caller::policy,
    context::{Context, find_volume_for},
    errors::{Error, Missing, VolumeRefusal},
    ops::volumes::write_volume,
    rows::{AttachStatus, Attachment, Volume},
    status_machine::{VolumeOperation, check_settled},
};

/// First version whose attachments have a mode.
const MODE_SINCE: u16 = 54;

/// A request for an attachment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachmentSpec {
    /// The volume.
    pub volume: Box<str>,
    /// The machine, if known.
    pub instance: Option<Uuid>,
    /// `rw` or `ro`, if known.
    pub mode: Option<Box<str>>,
    /// The host's connector; with it the volume is connected at once.
    pub connector: Option<Connector>,
}

/// Reserves a volume with the attachment `id`.
///
/// With a connector, the caller then requests a connection from the back end and passes it to
/// [`connect_attachment`](super::connect_attachment).
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::AttachmentReserve`] if the volume's status does not allow it,
/// [`VolumeRefusal::Held`] if another machine has an attachment, [`VolumeRefusal::Migrating`]
/// during a migration.
// Cinder: cinder/volume/api.py, API.attachment_create and API._attachment_reserve.
pub fn create_attachment(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: &AttachmentSpec,
) -> Result<(), Error> {
    if !cx.version.at_least(ATTACHMENTS_SINCE) {
        return Err(Missing::Operation.into());
    }
    let rule = policy::ATTACHMENT_CREATE;
    let mut row = Volume::clone(find_volume_for(txn, cx.caller, rule, &spec.volume)?);
    let (volume, status) = (row.id, row.status);
    let action = if row.multiattach {
        VolumeOperation::CreateAttachmentShared
    } else {
        VolumeOperation::CreateAttachment
    };
    let free = action.allows(status);
    // A machine may reserve its own volume again: a live migration attaches it to a second host.
    let range = KeyRange::exact(volume);
    let (mut own, mut others) = (false, false);
    for user in txn.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending) {
        let same = user.instance.is_some() && user.instance == spec.instance;
        own |= same;
        others |= !same;
    }
    let again = own && VolumeOperation::RepeatAttachment.allows(status);
    // A reset to `available` can leave attachments behind, so the status alone does not prove the
    // volume free.
    let held = others && !row.multiattach;
    if !again {
        action.check(&row)?;
    }
    check_settled(&row)?;
    if held {
        return Err(VolumeRefusal::Held { volume }.into());
    }
    check_attachment_limit(txn, volume)?;
    // Earlier versions ignore the member.
    let mode = spec.mode.clone().filter(|_| cx.version.at_least(MODE_SINCE));
    let attach_mode = if row.is_readonly() { Some("ro".into()) } else { mode };
    txn.upsert::<Attachment>(Attachment {
        id,
        project_id: row.project_id.clone(),
        volume_id: volume,
        instance: spec.instance,
        host: None,
        mountpoint: None,
        attach_status: AttachStatus::Reserved,
        attach_mode,
        attached_at: None,
        connector: None,
        connection_info: None,
        created_at: cx.now,
        updated_at: None,
    })?;
    // A repeated reservation keeps the status, because the first attachment still uses the volume.
    if free {
        row.status = action.next(status);
        if row.attach_status == AttachStatus::Detached {
            row.attach_status = AttachStatus::Reserved;
        }
        write_volume(txn, cx.now, row)?;
    }
    Ok(())
}
