//! Messages to users about failed work.

use statehold_store::{Entry, ReadView, WriteTxn};

use crate::{
    caller::policy,
    context::Context,
    errors::{Error, Missing},
    id::parse_id,
    rows::Message,
};

/// First version with messages.
const SINCE: u16 = 3;

/// Returns the message with the ID `id`, if it is addressed to the caller's project.
///
/// # Errors
/// [`Missing::Message`]; [`Missing::Operation`] before 3.3.
pub fn find_message<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<&'v Entry<Message>, Error> {
    if !cx.version.at_least(SINCE) {
        return Err(Missing::Operation.into());
    }
    let row = parse_id(id).and_then(|id| view.get::<Message>(id));
    let row = row.filter(|row| cx.caller.sees(&row.project_id));
    cx.caller.check_found(policy::MESSAGE_GET, row.map(|row| &**row))?;
    Ok(row.ok_or_else(|| Missing::Message(id.into()))?)
}

/// Deletes a message.
///
/// # Errors
/// As [`find_message`].
pub fn delete_message(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    let row = find_message(txn, cx, id)?;
    cx.caller.check_on(policy::MESSAGE_DELETE, &**row)?;
    let id = row.id;
    txn.delete::<Message>(id)?;
    Ok(())
}
