//! Operations on attachments.

mod connect;
mod create;
mod delete;

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

pub(super) use self::delete::{check_release, used_by};
pub use self::{
    connect::{Connector, check_connector, complete_attachment, connect_attachment},
    create::{AttachmentSpec, create_attachment},
    delete::delete_attachment,
};
use crate::{
    access::actions::Rule,
    caller::policy,
    context::{Context, check_volume},
    errors::{Error, Missing},
    id::parse_id,
    ops::volumes::{recompute_status, write_volume},
    rows::{Attachment, Volume},
};

/// First version with attachments.
const ATTACHMENTS_SINCE: u16 = 27;

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
    find_attachment_for(view, cx, policy::VOLUME_GET, id)
}

/// Like [`find_attachment`], by the policy for `rule`: an operation checks its own action alone.
fn find_attachment_for<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    rule: Rule,
    id: &str,
) -> Result<&'v Entry<Attachment>, Error> {
    if !cx.version.at_least(ATTACHMENTS_SINCE) {
        return Err(Missing::Operation.into());
    }
    let row = parse_id(id).and_then(|id| view.get::<Attachment>(id));
    let row = row.filter(|row| cx.caller.sees(&row.project_id));
    // An attachment has no policy of its own: its volume's owner decides.
    check_volume(view, cx.caller, rule, row.map(|row| row.volume_id))?;
    Ok(row.ok_or_else(|| Missing::Attachment(id.into()))?)
}

/// Derives a volume's status from its attachments.
fn refresh_volume_status(txn: &mut WriteTxn<'_>, now: i64, volume: Uuid) -> Result<(), Error> {
    let Some(row) = txn.get::<Volume>(volume) else { return Ok(()) };
    let mut row = Volume::clone(row);
    recompute_status(txn, &mut row);
    Ok(write_volume(txn, now, row)?)
}
