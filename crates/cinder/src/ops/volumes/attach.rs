//! Attaching and detaching by actions of the volume, for clients that predate attachments.

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::write_volume;
use crate::{
    access::actions::Rule,
    caller::policy,
    context::{Context, find_volume},
    error::Error,
    ops::{
        attachments::{check_attachment_limit, check_release},
        refusal::{VolumeRefusal, check_settled},
    },
    rows::{AttachStatus, Attachment, Volume, VolumeStatus},
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
    let busy = row.status.is_transitional()
        || matches!(row.status, VolumeStatus::Uploading | VolumeStatus::AwaitingTransfer);
    if row.is_settled() && !busy {
        row.status = status;
    }
}

/// Reserves a volume for an attachment.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Reserve`] unless it is free.
// Cinder: cinder/volume/api.py, API.reserve_volume.
pub fn reserve_volume(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_RESERVE, &row)?;
    let free = row.status == VolumeStatus::Available
        || (row.multiattach && row.status == VolumeStatus::InUse);
    if !free {
        return Err(VolumeRefusal::Reserve { status: row.status }.into());
    }
    // Writes during a migration would be lost.
    check_settled(&row)?;
    row.status = VolumeStatus::Attaching;
    Ok(write_volume(txn, cx.now, row)?)
}

/// Cancels a reservation. Has no effect on a volume without one.
///
/// # Errors
/// [`Error`] with the status 403 or 404.
// Cinder: cinder/volume/api.py, API.unreserve_volume.
pub fn unreserve_volume(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_UNRESERVE, &row)?;
    if row.status != VolumeStatus::Attaching {
        return Ok(());
    }
    let range = KeyRange::exact(row.id);
    let used = txn
        .scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending)
        .any(|attachment| attachment.attach_status != AttachStatus::Detached);
    // Another attachment of a shared volume keeps it in use.
    row.status = if used { VolumeStatus::InUse } else { VolumeStatus::Available };
    Ok(write_volume(txn, cx.now, row)?)
}

/// Marks a volume as about to be detached.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::BeginDetaching`] unless it is attached. Ignores a migrating volume,
/// because the migration detaches it.
// Cinder: cinder/volume/api.py, API.begin_detaching.
pub fn begin_detaching(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_BEGIN_DETACHING, &row)?;
    if !row.is_settled() {
        return Ok(());
    }
    if row.status != VolumeStatus::InUse || row.attach_status != AttachStatus::Attached {
        return Err(VolumeRefusal::BeginDetaching.into());
    }
    row.status = VolumeStatus::Detaching;
    Ok(write_volume(txn, cx.now, row)?)
}

/// Reverts [`begin_detaching`]. Has no effect on a volume that is not about to be detached.
///
/// # Errors
/// [`Error`] with the status 403 or 404.
// Cinder: cinder/volume/api.py, API.roll_detaching.
pub fn roll_detaching(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_ROLL_DETACHING, &row)?;
    if row.status != VolumeStatus::Detaching {
        return Ok(());
    }
    row.status = VolumeStatus::InUse;
    Ok(write_volume(txn, cx.now, row)?)
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
    if row.status == VolumeStatus::Maintenance {
        return Err(VolumeRefusal::Maintenance.into());
    }
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
    match row.status {
        VolumeStatus::Available => {}
        VolumeStatus::InUse if row.multiattach => {}
        VolumeStatus::InUse => return Err(VolumeRefusal::AlreadyAttached.into()),
        VolumeStatus::Attaching => {
            // An earlier reservation may have fixed the mode.
            let noted = row.admin_metadata.get("attached_mode");
            if noted.is_some_and(|noted| *noted != mode) {
                return Err(VolumeRefusal::OtherMode.into());
            }
        }
        status => return Err(VolumeRefusal::Attach { status }.into()),
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
    row.status = VolumeStatus::InUse;
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

/// Returns the volume to connect, for a request of a connection from its back end.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Maintenance`] during a locked migration.
pub fn check_connection<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<&'v Entry<Volume>, Error> {
    find_connectable(view, cx, policy::VOLUME_INITIALIZE, id)
}

/// Returns the volume to disconnect from a host.
///
/// # Errors
/// As [`check_connection`]; [`Error::Conflict`] while an instance uses the volume, unless
/// [`Caller::service`](crate::Caller::service) is set.
pub fn check_termination<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<&'v Entry<Volume>, Error> {
    let row = find_connectable(view, cx, policy::VOLUME_TERMINATE, id)?;
    // A connector names a host, not an attachment, so any of them may be the one that an instance
    // uses.
    for attachment in
        view.scan_by(&Attachment::BY_VOLUME, &KeyRange::exact(row.id), Order::Ascending)
    {
        check_release(cx, attachment)?;
    }
    Ok(row)
}

fn find_connectable<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    rule: Rule,
    id: &str,
) -> Result<&'v Entry<Volume>, Error> {
    let row = find_volume(view, cx.caller, id)?;
    cx.caller.check_on(rule, &**row)?;
    if row.status == VolumeStatus::Maintenance {
        return Err(VolumeRefusal::Maintenance.into());
    }
    Ok(row)
}
