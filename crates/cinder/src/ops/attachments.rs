//! Attachments: keeping a volume for somebody, telling them how to reach it, and letting go of it.

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::volumes::{recompute, write};
use crate::{
    caller::policy,
    context::{Context, check_volume, find_volume},
    error::{Error, Missing},
    id::parse_id,
    ops::refusal::{VolumeRefusal, check_settled},
    rows::{AttachStatus, Attachment, Volume, VolumeStatus},
};

/// The version in which attachments came.
const ATTACHMENTS_SINCE: u16 = 27;

/// The version from which an attachment says how it uses the volume.
const MODE_SINCE: u16 = 54;

/// The version from which whoever attaches says when it is done.
const COMPLETE_SINCE: u16 = 44;

/// The most attachments of a volume: all of them are looked at whenever one changes.
const ATTACHMENTS_MAX: usize = 1000;

/// Refuses another attachment of a volume that has too many.
pub(super) fn check_room(view: &impl ReadView, volume: Uuid) -> Result<(), Error> {
    let range = KeyRange::exact(volume);
    if view.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending).count() < ATTACHMENTS_MAX {
        return Ok(());
    }
    Err(Error::request(format!("Volume {volume} has {ATTACHMENTS_MAX} attachments already.")))
}

/// The attachment that a client calls `id`, if the caller sees it.
///
/// # Errors
/// [`Missing::Attachment`]; [`Missing::Operation`] before there were attachments.
pub fn find_attachment<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<&'v Entry<Attachment>, Error> {
    if !cx.version.at_least(ATTACHMENTS_SINCE) {
        return Err(Missing::Operation.into());
    }
    let row = parse_id(id).and_then(|id| view.get::<Attachment>(id));
    let row = row.filter(|row| cx.caller.sees(&row.project_id));
    check_volume(view, cx.caller, policy::VOLUME_GET, row.map(|row| row.volume_id))?;
    Ok(row.ok_or_else(|| Missing::Attachment(id.into()))?)
}

/// For whom a volume is to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachmentSpec {
    /// The volume.
    pub volume: Box<str>,
    /// The machine, if one is known.
    pub instance: Option<Uuid>,
    /// `rw` or `ro`, if it is known.
    pub mode: Option<Box<str>>,
    /// How the host reaches volumes; with it the volume is connected at once.
    pub connector: Option<Connector>,
}

/// How a host reaches volumes.
#[derive(Clone, PartialEq, Eq)]
pub struct Connector {
    /// The host's name; a volume can't be connected without one.
    pub host: Option<Box<str>>,
    /// Where the volume is seen there.
    pub mountpoint: Option<Box<str>>,
    /// How the host uses it.
    pub mode: Option<Box<str>>,
    /// All of it as JSON, for the back end.
    pub json: Box<str>,
}

/// Connectors carry credentials.
impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("host", &self.host).finish_non_exhaustive()
    }
}

/// Keeps a volume for somebody; the attachment has the ID `id`.
///
/// With a connector, the back end is asked next, and [`connect_attachment`] records what it answers.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::AttachmentReserve`], [`VolumeRefusal::Held`] when another server has it,
/// [`VolumeRefusal::Migrating`] while it moves.
pub fn create_attachment(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: &AttachmentSpec,
) -> Result<(), Error> {
    if !cx.version.at_least(ATTACHMENTS_SINCE) {
        return Err(Missing::Operation.into());
    }
    let mut row = Volume::clone(find_volume(txn, cx.caller, &spec.volume)?);
    cx.caller.check_on(policy::ATTACHMENT_CREATE, &row)?;
    let (volume, status) = (row.id, row.status);
    if status.as_str().contains("error") {
        return Err(VolumeRefusal::AttachmentOnError { volume, status }.into());
    }
    let free = matches!(status, VolumeStatus::Available | VolumeStatus::Downloading)
        || (row.multiattach && status == VolumeStatus::InUse);
    // What a machine has it may have again, as when it moves from host to host.
    let range = KeyRange::exact(volume);
    let (mut own, mut others) = (false, false);
    for user in txn.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending) {
        let same = user.instance.is_some() && user.instance == spec.instance;
        own |= same;
        others |= !same;
    }
    let again = own && matches!(status, VolumeStatus::InUse | VolumeStatus::Reserved);
    // Only an operator makes a volume free that somebody has.
    let held = others && !row.multiattach;
    if !(free || again) {
        return Err(VolumeRefusal::AttachmentReserve { volume, status }.into());
    }
    check_settled(&row)?;
    if held {
        return Err(VolumeRefusal::Held { volume }.into());
    }
    check_room(txn, volume)?;
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
    if free {
        row.status = VolumeStatus::Reserved;
        if row.attach_status == AttachStatus::Detached {
            row.attach_status = AttachStatus::Reserved;
        }
        write(txn, cx.now, row)?;
    }
    Ok(())
}

/// Checks that a host may be connected by an attachment; the volume whose back end is to be asked.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::DuplicateConnectors`] when another host has the volume.
pub fn check_connector(
    view: &impl ReadView,
    cx: &Context<'_>,
    id: &str,
    connector: &Connector,
) -> Result<Uuid, Error> {
    let row = find_attachment(view, cx, id)?;
    check_volume(view, cx.caller, policy::ATTACHMENT_UPDATE, Some(row.volume_id))?;
    let volume = view
        .get::<Volume>(row.volume_id)
        .ok_or_else(|| Missing::Volume(row.volume_id.to_string().into()))?;
    let Some(host) = &connector.host else {
        return Err(Error::request(format!(
            "Unable to update attachment {id}: the connector has no host."
        )));
    };
    if volume.status.as_str().contains("error") {
        let (volume, status) = (volume.id, volume.status);
        return Err(VolumeRefusal::AttachmentOnError { volume, status }.into());
    }
    let other = |other: &Entry<Attachment>| {
        other.id != row.id
            && other.host.as_ref().is_some_and(|other| other != host)
            && (row.instance.is_none() || other.instance != row.instance)
    };
    let range = KeyRange::exact(volume.id);
    let duplicate = view.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending).any(other);
    if !volume.multiattach && duplicate {
        return Err(VolumeRefusal::DuplicateConnectors { volume: volume.id }.into());
    }
    Ok(volume.id)
}

/// Records how a volume is reached by an attachment, as its back end answered: JSON. What
/// [`check_connector`] checked is checked again.
///
/// # Errors
/// As [`check_connector`].
pub fn connect_attachment(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    connector: Connector,
    connection_info: Box<str>,
) -> Result<(), Error> {
    let volume = check_connector(txn, cx, id, &connector)?;
    let mut row = Attachment::clone(find_attachment(txn, cx, id)?);
    // An attachment that is complete stays so when its host asks again.
    if row.attach_status != AttachStatus::Attached {
        row.attach_status = AttachStatus::Attaching;
    }
    row.attach_mode = connector.mode.or(row.attach_mode).or_else(|| Some("rw".into()));
    row.mountpoint = connector.mountpoint.or_else(|| Some("na".into()));
    row.host = connector.host;
    row.connector = Some(connector.json);
    row.connection_info = Some(connection_info);
    row.attached_at = Some(cx.now);
    row.updated_at = Some(cx.now);
    txn.upsert::<Attachment>(row)?;
    refresh(txn, cx.now, volume)
}

/// Says that whoever attaches a volume is done.
///
/// # Errors
/// [`Error`] with the status 403 or 404.
pub fn complete_attachment(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
) -> Result<(), Error> {
    if !cx.version.at_least(COMPLETE_SINCE) {
        return Err(Missing::Operation.into());
    }
    let mut row = Attachment::clone(find_attachment(txn, cx, id)?);
    check_volume(txn, cx.caller, policy::ATTACHMENT_COMPLETE, Some(row.volume_id))?;
    row.attach_status = AttachStatus::Attached;
    row.attached_at = row.attached_at.or(Some(cx.now));
    row.updated_at = Some(cx.now);
    let volume = row.volume_id;
    txn.upsert::<Attachment>(row)?;
    refresh(txn, cx.now, volume)
}

/// Refuses to release an attachment of an instance whose host may have the volume connected, unless the request
/// comes from a service, which disconnects the host first.
///
/// Released here alone, the host keeps a device that can lead to another project's volume later (CVE-2023-2088).
// Cinder: cinder/volume/api.py, API.attachment_deletion_allowed. It asks the compute service whether the instance
// still has the volume; there is none to ask here, so that every such attachment counts as in use. Admins are
// refused as well, as there: their mistake does the same harm. They can reset the volume's attach_status.
pub(super) fn check_release(cx: &Context<'_>, attachment: &Attachment) -> Result<(), Error> {
    match attachment.connected_instance().filter(|_| !cx.caller.service) {
        None => Ok(()),
        Some(instance) => Err(Error::Conflict(
            format!(
                "ConflictNovaUsingAttachment: Detach volume from instance {instance} using the Compute API"
            )
            .into(),
        )),
    }
}

/// Releases a volume, and returns the attachments that it still has.
///
/// The back end is told before, if the attachment was connected.
///
/// # Errors
/// [`Error`] with the status 403 or 404; [`Error::Conflict`] for an attachment that an instance uses, unless
/// [`Caller::service`](crate::Caller::service) is set.
pub fn delete_attachment(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
) -> Result<Vec<Entry<Attachment>>, Error> {
    let row = Attachment::clone(find_attachment(txn, cx, id)?);
    let (id, volume) = (row.id, row.volume_id);
    check_volume(txn, cx.caller, policy::ATTACHMENT_DELETE, Some(volume))?;
    check_release(cx, &row)?;
    txn.delete::<Attachment>(id)?;
    refresh(txn, cx.now, volume)?;
    let range = KeyRange::exact(volume);
    Ok(txn.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending).cloned().collect())
}

/// Sets what a volume is doing by its attachments.
fn refresh(txn: &mut WriteTxn<'_>, now: i64, volume: Uuid) -> Result<(), Error> {
    let Some(row) = txn.get::<Volume>(volume) else { return Ok(()) };
    let mut row = Volume::clone(row);
    recompute(txn, &mut row);
    Ok(write(txn, now, row)?)
}
