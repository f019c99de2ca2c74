//! The actions `os-attach` and `os-detach`, and the status of a volume by its attachments.

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::{check_termination, write_volume};
use crate::{
    caller::policy,
    context::{Context, find_volume},
    errors::{Error, VolumeRefusal},
    id::parse_id,
    ops::attachments::{check_attachment_limit, check_release, used_by},
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

/// Detaches a volume from its only user, or deletes one attachment of it.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::WhichAttachment`] if it has several attachments and none is named;
/// the status 400 for an attachment of another volume; [`Error::Conflict`] for an attachment that
/// an instance uses or that does not exist, unless [`Caller::service`](crate::Caller::service) is
/// set. A service MAY repeat a detachment: an attachment that no longer exists is ignored then.
// Cinder: cinder/volume/api.py, API.detach; cinder/volume/manager.py, VolumeManager.detach_volume.
pub fn detach_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    attachment: Option<&str>,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_DETACH, &row)?;
    if let Some(gone) = find_detached(txn, cx, row.id, attachment)? {
        txn.delete::<Attachment>(gone)?;
    }
    recompute_status(txn, &mut row);
    // The mode of the last attachment must not bind the next one.
    if row.attach_status != AttachStatus::Attached {
        row.admin_metadata.remove("attached_mode");
    }
    Ok(write_volume(txn, cx.now, row)?)
}

/// Disconnects a volume from its host and detaches it. Admins only, by default.
///
/// # Errors
/// As [`detach_volume`]; [`Error::Conflict`] as well while an instance uses any attachment of the
/// volume, because the connection that is terminated may be the one of that instance.
// Cinder: cinder/api/contrib/admin_actions.py, AdminController._force_detach: it terminates the
// connection first, so it checks the action and the attachments of a termination too.
pub fn force_detach_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    attachment: Option<&str>,
) -> Result<(), Error> {
    let row = find_volume(txn, cx.caller, id)?;
    cx.caller.check_on(policy::VOLUME_FORCE_DETACH, &**row)?;
    check_termination(txn, cx, id)?;
    detach_volume(txn, cx, id, attachment)
}

/// Returns the attachment that a detachment of a volume deletes; none if the volume has none, or
/// if a service names one that no longer exists.
// Cinder: cinder/volume/api.py, API.attachment_deletion_allowed.
fn find_detached(
    view: &impl ReadView,
    cx: &Context<'_>,
    volume: Uuid,
    wanted: Option<&str>,
) -> Result<Option<Uuid>, Error> {
    let gone = if let Some(wanted) = wanted {
        let row = parse_id(wanted).and_then(|id| view.get::<Attachment>(id));
        // The attachments of other projects look like those that do not exist.
        let seen =
            |row: &&Entry<Attachment>| row.volume_id == volume || cx.caller.sees(&row.project_id);
        match row.filter(seen) {
            // Cinder lets a service delete the attachment of another volume.
            Some(row) if row.volume_id != volume => {
                return Err(Error::input("Mismatched volume and attachment"));
            }
            Some(row) => row,
            // A service repeats a detachment whose response it lost.
            None if cx.caller.service => return Ok(None),
            None => return Err(used_by("")),
        }
    } else {
        let range = KeyRange::exact(volume);
        let mut all = view.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending);
        match (all.next(), all.next()) {
            (None, _) => return Ok(None),
            (Some(only), None) => only,
            (Some(_), Some(_)) => return Err(VolumeRefusal::WhichAttachment.into()),
        }
    };
    check_release(cx, gone)?;
    Ok(Some(gone.id))
}
