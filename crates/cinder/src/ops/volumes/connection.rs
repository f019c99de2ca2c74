//! The checks before a back end connects or disconnects a host.

use crate::{
    access::actions::Rule,
    caller::policy,
    context::{Context, find_volume},
    errors::Error,
    ops::attachments::check_release,
    rows::{Attachment, Volume},
    status_machine::VolumeOperation,
};
use statehold_store::{Entry, KeyRange, Order, ReadView};

/// Returns the volume to connect, for a request of a connection from its back end. `host` is the
/// host that the connector names.
///
/// # Errors
/// [`Error`]; [`crate::VolumeRefusal::Maintenance`] during a locked migration; the status 400 for a
/// connector without a host, because no later request could name the host to disconnect.
// Cinder: cinder/volume/manager.py, VolumeManager.initialize_connection; cinder/exception.py,
// InvalidConnectorException.
pub fn check_connection<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
    host: Option<&str>,
) -> Result<&'v Entry<Volume>, Error> {
    let row = find_connectable(view, cx, policy::VOLUME_INITIALIZE, id)?;
    match host {
        Some(_) => Ok(row),
        None => Err(Error::input("Connector doesn't have required information: host")),
    }
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
    VolumeOperation::Connect.check(row)?;
    Ok(row)
}
