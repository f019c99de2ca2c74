//! Connecting the host of an attachment, and completing it.

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::{find_attachment_for, refresh_volume_status};
use crate::{
    caller::policy,
    context::Context,
    errors::{Error, Missing, VolumeRefusal},
    rows::{AttachStatus, Attachment, Volume},
    status_machine::VolumeOperation,
};

/// First version whose clients complete an attachment.
const COMPLETE_SINCE: u16 = 44;

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
    let row = find_attachment_for(view, cx, policy::ATTACHMENT_UPDATE, id)?;
    let volume = view
        .get::<Volume>(row.volume_id)
        .ok_or_else(|| Missing::Volume(row.volume_id.to_string().into()))?;
    let Some(host) = &connector.host else {
        return Err(Error::request(format!(
            "Unable to update attachment {id}: the connector has no host."
        )));
    };
    VolumeOperation::ConnectAttachment.check(volume)?;
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
    let rule = policy::ATTACHMENT_UPDATE;
    let mut row = Attachment::clone(find_attachment_for(txn, cx, rule, id)?);
    // The host that completed the attachment may have another connection now, so it completes it again.
    // Cinder: cinder/db/sqlalchemy/api.py, volume_attached.
    row.attach_status = AttachStatus::Attaching;
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
    let rule = policy::ATTACHMENT_COMPLETE;
    let mut row = Attachment::clone(find_attachment_for(txn, cx, rule, id)?);
    row.attach_status = AttachStatus::Attached;
    row.attached_at = row.attached_at.or(Some(cx.now));
    row.updated_at = Some(cx.now);
    let volume = row.volume_id;
    txn.upsert::<Attachment>(row)?;
    refresh_volume_status(txn, cx.now, volume)
}
