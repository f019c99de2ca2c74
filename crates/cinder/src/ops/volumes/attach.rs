//! Attaching and detaching as machines' hosts do it without attachments of their own: by actions of
//! the volume.

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::write;
use crate::{
    access::actions::Rule,
    caller::policy,
    context::{Context, find_volume},
    error::Error,
    ops::{
        attachments::{check_release, check_room},
        refusal::{VolumeRefusal, check_settled},
    },
    rows::{AttachStatus, Attachment, Volume, VolumeStatus},
};

/// Sets what a volume is doing by what is left of its attachments.
///
/// While it moves, is uploaded or is on offer its status stays, because the work or the offer needs it.
pub(crate) fn recompute(view: &impl ReadView, row: &mut Volume) {
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
    // An offer ends when it is accepted or deleted, never by a detachment: it waits for that status.
    let busy = row.status.is_transitional()
        || matches!(row.status, VolumeStatus::Uploading | VolumeStatus::AwaitingTransfer);
    if row.is_settled() && !busy {
        row.status = status;
    }
}

/// Keeps a volume for somebody who is about to attach it.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Reserve`] when it isn't free.
pub fn reserve_volume(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_RESERVE, &row)?;
    let free = row.status == VolumeStatus::Available
        || (row.multiattach && row.status == VolumeStatus::InUse);
    if !free {
        return Err(VolumeRefusal::Reserve { status: row.status }.into());
    }
    // What is written while a volume moves would be left behind.
    check_settled(&row)?;
    row.status = VolumeStatus::Attaching;
    Ok(write(txn, cx.now, row)?)
}

/// Gives up keeping a volume; nothing happens to one that isn't kept.
///
/// # Errors
/// [`Error`] with the status 403 or 404.
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
    row.status = if used { VolumeStatus::InUse } else { VolumeStatus::Available };
    Ok(write(txn, cx.now, row)?)
}

/// Says that a volume is about to be detached.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::BeginDetaching`] unless it is attached. A volume that moves is passed
/// over, as whoever moves it detaches it.
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
    Ok(write(txn, cx.now, row)?)
}

/// Says that a volume is not detached after all; nothing happens to one that wasn't about to be.
///
/// # Errors
/// [`Error`] with the status 403 or 404.
pub fn roll_detaching(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_ROLL_DETACHING, &row)?;
    if row.status != VolumeStatus::Detaching {
        return Ok(());
    }
    row.status = VolumeStatus::InUse;
    Ok(write(txn, cx.now, row)?)
}

/// Who attaches a volume, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachRequest {
    /// The machine.
    pub instance: Option<Uuid>,
    /// The host.
    pub host: Option<Box<str>>,
    /// Where it is seen there.
    pub mountpoint: Box<str>,
    /// `rw` or `ro`; by default as the volume may be used.
    pub mode: Option<Box<str>>,
}

/// Attaches a volume; the attachment has the ID `attachment`, unless there is one already.
///
/// # Errors
/// [`Error`] with the status 400 when somebody else has it, or it may only be read.
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
    let there = txn.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending).any(same);
    if there {
        // Work that is under way keeps its status, by which others are kept off.
        if !row.status.is_transitional() {
            row.status = VolumeStatus::InUse;
        }
        return Ok(write(txn, cx.now, row)?);
    }
    match row.status {
        VolumeStatus::Available => {}
        VolumeStatus::InUse if row.multiattach => {}
        VolumeStatus::InUse => return Err(VolumeRefusal::AlreadyAttached.into()),
        VolumeStatus::Attaching => {
            let noted = row.admin_metadata.get("attached_mode");
            if noted.is_some_and(|noted| *noted != mode) {
                return Err(VolumeRefusal::OtherMode.into());
            }
        }
        status => return Err(VolumeRefusal::Attach { status }.into()),
    }
    check_settled(&row)?;
    let taken = txn
        .scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending)
        .any(|other| other.attach_status != AttachStatus::Detached);
    if taken && !row.multiattach {
        return Err(VolumeRefusal::AlreadyAttached.into());
    }
    check_room(txn, row.id)?;
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
    row.admin_metadata.entry("readonly".into()).or_insert_with(|| "False".into());
    Ok(write(txn, cx.now, row)?)
}

/// Detaches a volume from whoever has it, or takes one attachment off it. An attachment that is gone
/// already is passed over.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::WhichAttachment`] when several have it and none is named; [`Error::Conflict`]
/// for an attachment that an instance uses, unless [`Caller::service`](crate::Caller::service) is set.
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
    recompute(txn, &mut row);
    if row.attach_status != AttachStatus::Attached {
        row.admin_metadata.remove("attached_mode");
    }
    Ok(write(txn, cx.now, row)?)
}

/// Returns the volume whose back end is to be asked how to reach it.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Maintenance`] while it is being moved.
pub fn check_connection<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<&'v Entry<Volume>, Error> {
    check_host(view, cx, policy::VOLUME_INITIALIZE, id)
}

/// Returns the volume whose back end is to forget a host.
///
/// # Errors
/// As [`check_connection`]; [`Error::Conflict`] while an instance uses the volume, unless
/// [`Caller::service`](crate::Caller::service) is set.
pub fn check_termination<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<&'v Entry<Volume>, Error> {
    let row = check_host(view, cx, policy::VOLUME_TERMINATE, id)?;
    // A connector names a host, not an attachment: any of them may be the one that an instance uses.
    for attachment in
        view.scan_by(&Attachment::BY_VOLUME, &KeyRange::exact(row.id), Order::Ascending)
    {
        check_release(cx, attachment)?;
    }
    Ok(row)
}

fn check_host<'v>(
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
