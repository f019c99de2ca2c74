//! Attachments: reserving a volume, connecting a host, and releasing the volume.

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::volumes::{recompute_status, write_volume};
use crate::{
    caller::policy,
    context::{Context, check_volume, find_volume},
    error::{Error, Missing},
    id::parse_id,
    ops::refusal::{VolumeRefusal, check_settled},
    rows::{AttachStatus, Attachment, Volume, VolumeStatus},
};

/// First version with attachments.
const ATTACHMENTS_SINCE: u16 = 27;

/// First version whose attachments have a mode.
const MODE_SINCE: u16 = 54;

/// First version whose clients complete an attachment.
const COMPLETE_SINCE: u16 = 44;

/// Maximum number of attachments of a volume, because every change of one reads them all.
const ATTACHMENTS_MAX: usize = 1000;

/// Checks that a volume can have one more attachment.
pub(super) fn check_attachment_limit(view: &impl ReadView, volume: Uuid) -> Result<(), Error> {
    let range = KeyRange::exact(volume);
    if view.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending).count() < ATTACHMENTS_MAX {
        return Ok(());
    }
    Err(Error::request(format!("Volume {volume} has {ATTACHMENTS_MAX} attachments already.")))
}

/// Returns the attachment with the ID `id`, if the caller sees it.
///
/// # Errors
/// [`Missing::Attachment`]; [`Missing::Operation`] before 3.27.
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
    // An attachment has no policy of its own: its volume's owner decides.
    check_volume(view, cx.caller, policy::VOLUME_GET, row.map(|row| row.volume_id))?;
    Ok(row.ok_or_else(|| Missing::Attachment(id.into()))?)
}

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

/// A host's means of connecting volumes.
#[derive(Clone, PartialEq, Eq)]
pub struct Connector {
    /// The host's name, which a connection requires.
    pub host: Option<Box<str>>,
    /// The device of the volume on the host.
    pub mountpoint: Option<Box<str>>,
    /// `rw` or `ro`.
    pub mode: Option<Box<str>>,
    /// The whole connector as JSON, for the back end.
    pub json: Box<str>,
}

/// Shows only the host, because connectors hold credentials.
impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("host", &self.host).finish_non_exhaustive()
    }
}

/// Reserves a volume with the attachment `id`.
///
/// With a connector, the caller then requests a connection from the back end and passes it to
/// [`connect_attachment`].
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
    let mut row = Volume::clone(find_volume(txn, cx.caller, &spec.volume)?);
    cx.caller.check_on(policy::ATTACHMENT_CREATE, &row)?;
    let (volume, status) = (row.id, row.status);
    // The reference compares by substring, so that all error statuses count.
    if status.as_str().contains("error") {
        return Err(VolumeRefusal::AttachmentOnError { volume, status }.into());
    }
    let free = matches!(status, VolumeStatus::Available | VolumeStatus::Downloading)
        || (row.multiattach && status == VolumeStatus::InUse);
    // A machine may reserve its own volume again: a live migration attaches it to a second host.
    let range = KeyRange::exact(volume);
    let (mut own, mut others) = (false, false);
    for user in txn.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending) {
        let same = user.instance.is_some() && user.instance == spec.instance;
        own |= same;
        others |= !same;
    }
    let again = own && matches!(status, VolumeStatus::InUse | VolumeStatus::Reserved);
    // A reset to `available` can leave attachments behind, so the status alone does not prove the
    // volume free.
    let held = others && !row.multiattach;
    if !(free || again) {
        return Err(VolumeRefusal::AttachmentReserve { volume, status }.into());
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
        row.status = VolumeStatus::Reserved;
        if row.attach_status == AttachStatus::Detached {
            row.attach_status = AttachStatus::Reserved;
        }
        write_volume(txn, cx.now, row)?;
    }
    Ok(())
}

/// Checks that a host may be connected by an attachment. Returns the volume to connect.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::DuplicateConnectors`] if another host is connected.
// Cinder: cinder/volume/api.py, API.attachment_update.
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
    // The same machine may be on two hosts during a live migration.
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

/// Records the connection of an attachment, as the back end returned it: JSON. Repeats the checks
/// of [`check_connector`], because the volume may have changed since.
///
/// # Errors
/// As [`check_connector`].
// Cinder: cinder/volume/manager.py, VolumeManager.attachment_update.
pub fn connect_attachment(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    connector: Connector,
    connection_info: Box<str>,
) -> Result<(), Error> {
    let volume = check_connector(txn, cx, id, &connector)?;
    let mut row = Attachment::clone(find_attachment(txn, cx, id)?);
    // A completed attachment stays complete if its host requests the connection again.
    if row.attach_status != AttachStatus::Attached {
        row.attach_status = AttachStatus::Attaching;
    }
    row.attach_mode = connector.mode.or(row.attach_mode).or_else(|| Some("rw".into()));
    // "na" is the reference's placeholder for an unknown device.
    row.mountpoint = connector.mountpoint.or_else(|| Some("na".into()));
    row.host = connector.host;
    row.connector = Some(connector.json);
    row.connection_info = Some(connection_info);
    row.attached_at = Some(cx.now);
    row.updated_at = Some(cx.now);
    txn.upsert::<Attachment>(row)?;
    refresh_volume_status(txn, cx.now, volume)
}

/// Completes an attachment: its host uses the volume.
///
/// # Errors
/// [`Error`] with the status 403 or 404.
// Cinder: cinder/api/v3/attachments.py, AttachmentsController.complete.
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
    refresh_volume_status(txn, cx.now, volume)
}

/// Rejects the release of an attachment whose instance may have the volume connected, unless the
/// request comes from a service, which disconnects the host first.
///
/// If only the attachment were released, the host would keep a device that may later lead to
/// another project's volume (CVE-2023-2088).
// Cinder: cinder/volume/api.py, API.attachment_deletion_allowed. It requests the instance's
// attachments from the compute service; there is none here, so every such attachment counts as in
// use. Like there, admins are rejected as well, because their mistake does the same harm. They can
// reset the volume's attach_status.
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

/// Deletes an attachment and returns the volume's other attachments.
///
/// The caller MUST disconnect a connected attachment from the back end first.
///
/// # Errors
/// [`Error`] with the status 403 or 404; [`Error::Conflict`] for an attachment that an instance
/// uses, unless [`Caller::service`](crate::Caller::service) is set.
// Cinder: cinder/volume/api.py, API.attachment_delete.
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
    refresh_volume_status(txn, cx.now, volume)?;
    let range = KeyRange::exact(volume);
    Ok(txn.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending).cloned().collect())
}

/// Derives a volume's status from its attachments.
fn refresh_volume_status(txn: &mut WriteTxn<'_>, now: i64, volume: Uuid) -> Result<(), Error> {
    let Some(row) = txn.get::<Volume>(volume) else { return Ok(()) };
    let mut row = Volume::clone(row);
    recompute_status(txn, &mut row);
    Ok(write_volume(txn, now, row)?)
}
