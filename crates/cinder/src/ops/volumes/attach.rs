//! The actions `os-attach` and `os-detach`, and the status of a volume by its attachments.

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::write_volume;
use crate::{
    caller::policy,
    context::{Context, find_volume},
    errors::{Error, VolumeRefusal},
    ops::attachments::{check_attachment_limit, check_release},
    rows::{AttachStatus, Attachment, Volume, VolumeStatus},
    status_machine::{VolumeOperation, check_settled},
};

/// Derives a volume's status from its remaining attachments.
///
/// During a migration, an upload and a transfer the status stays, because the work or the transfer
/// needs it.
pub(crate) fn recompute_status(view: &impl ReadView, row: &mut Volume) {
    let range = KeyRange::exact(row.id);
    let has = |wanted: AttachStatus| {
        view.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending)
            .any(|attachment| attachment.attach_status == wanted)
    };
    let (status, attach_status) = if has(AttachStatus::Attached) {
        (VolumeStatus::InUse, AttachStatus::Attached)
    } else if has(AttachStatus::Attaching) {
        (VolumeStatus::Attaching, AttachStatus::Attaching)
    } else if has(AttachStatus::Reserved) {
        (VolumeStatus::Reserved, AttachStatus::Reserved)
    } else {
        (VolumeStatus::Available, AttachStatus::Detached)
    };
    row.attach_status = attach_status;
    // Only acceptance or deletion ends a transfer, never a detachment.
    if row.is_settled() && VolumeOperation::Detach.allows(row.status) {
        row.status = status;
    }
}

/// A request to attach a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachRequest {
    /// The machine.
    pub instance: Option<Uuid>,
    /// The host.
    pub host: Option<Box<str>>,
    /// The device on the machine.
    pub mountpoint: Box<str>,
    /// `rw` or `ro`; the default is `ro` for a read-only volume, otherwise `rw`.
    pub mode: Option<Box<str>>,
}

/// Attaches a volume; the attachment has the ID `attachment`, unless an equal one exists.
///
/// # Errors
/// [`Error`] with the status 400 if another machine uses it, or it is read-only.
// Cinder: cinder/volume/manager.py, VolumeManager.attach_volume.
pub fn attach_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    request: AttachRequest,
    attachment: Uuid,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_ATTACH, &row)?;
    VolumeOperation::Connect.check(&row)?;
    let readonly = row.is_readonly();
    let mode = request.mode.unwrap_or_else(|| if readonly { "ro" } else { "rw" }.into());
    if readonly && *mode != *"ro" {
        return Err(VolumeRefusal::ReadOnly { volume: row.id, mode }.into());
    }
    let range = KeyRange::exact(row.id);
    let same = |other: &Entry<Attachment>| {
        other.attach_status == AttachStatus::Attached
            && other.instance == request.instance
            && other.host == request.host
    };
    let exists = txn.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending).any(same);
    if exists {
        // A transitional status belongs to the work in progress, and excludes other operations.
        if !row.status.is_transitional() {
            row.status = VolumeStatus::InUse;
        }
        return Ok(write_volume(txn, cx.now, row)?);
    }
    let action =
        if row.multiattach { VolumeOperation::AttachShared } else { VolumeOperation::Attach };
    let status = action.check(&row)?;
    if row.status == VolumeStatus::Attaching {
        // An earlier reservation may have fixed the mode.
        let noted = row.admin_metadata.get("attached_mode");
        if noted.is_some_and(|noted| *noted != mode) {
            return Err(VolumeRefusal::OtherMode.into());
        }
    }
    check_settled(&row)?;
    // A reset to `available` can leave attachments behind, so the status alone does not prove the
    // volume free.
    let taken = txn
        .scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending)
        .any(|other| other.attach_status != AttachStatus::Detached);
    if taken && !row.multiattach {
        return Err(VolumeRefusal::AlreadyAttached.into());
    }
    check_attachment_limit(txn, row.id)?;
    txn.upsert::<Attachment>(Attachment {
        id: attachment,
        project_id: row.project_id.clone(),
        volume_id: row.id,
        instance: request.instance,
        host: request.host,
        mountpoint: Some(request.mountpoint),
        attach_status: AttachStatus::Attached,
        attach_mode: Some(mode.clone()),
        attached_at: Some(cx.now),
        connector: None,
        connection_info: None,
        created_at: cx.now,
        updated_at: Some(cx.now),
    })?;
    row.status = status;
    row.attach_status = AttachStatus::Attached;
    row.admin_metadata.insert("attached_mode".into(), mode);
    // The reference sets the flag at the first attachment; clients read it from the metadata.
    row.admin_metadata.entry("readonly".into()).or_insert_with(|| "False".into());
    Ok(write_volume(txn, cx.now, row)?)
}

/// Detaches a volume from its only user, or deletes one attachment of it. Ignores an attachment
/// that no longer exists.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::WhichAttachment`] if it has several attachments and none is named;
/// [`Error::Conflict`] for an attachment that an instance uses, unless
/// [`Caller::service`](crate::Caller::service) is set.
// Cinder: cinder/volume/manager.py, VolumeManager.detach_volume.
pub fn detach_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    attachment: Option<Uuid>,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_DETACH, &row)?;
    let range = KeyRange::exact(row.id);
    let all: Vec<Entry<Attachment>> =
        txn.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending).cloned().collect();
    let gone = match (attachment, &all[..]) {
        (Some(id), all) => all.iter().find(|attachment| attachment.id == id),
        (None, [only]) => Some(only),
        (None, [_, _, ..]) => return Err(VolumeRefusal::WhichAttachment.into()),
        (None, []) => None,
    };
    if let Some(gone) = gone {
        check_release(cx, gone)?;
        txn.delete::<Attachment>(gone.id)?;
    }
    recompute_status(txn, &mut row);
    // The mode of the last attachment must not bind the next one.
    if row.attach_status != AttachStatus::Attached {
        row.admin_metadata.remove("attached_mode");
    }
    Ok(write_volume(txn, cx.now, row)?)
}
