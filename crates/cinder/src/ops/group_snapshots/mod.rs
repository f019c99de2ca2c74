//! Snapshots of all volumes of a group.

mod create;
mod delete;
mod reset;

use statehold_store::{Entry, ReadView};

use crate::{
    caller::policy,
    context::Context,
    errors::{Error, Missing},
    id::parse_id,
    ops::groups::GroupApi,
    rows::GroupSnapshot,
};

pub(crate) use self::reset::check_group_snapshot_status;
pub use self::{
    create::{GroupSnapshotSpec, create_group_snapshot},
    delete::delete_group_snapshot,
    reset::reset_group_snapshot_status,
};

/// Returns the group snapshot with the ID `id`, if the caller sees it and it belongs to the API.
///
/// # Errors
/// [`Missing::GroupSnapshot`]; [`GroupRefusal::Reserved`](crate::GroupRefusal::Reserved) for one of a consistency
/// group.
pub fn find_group_snapshot<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    api: GroupApi,
    id: &str,
) -> Result<&'v Entry<GroupSnapshot>, Error> {
    let row = parse_id(id).and_then(|id| view.get::<GroupSnapshot>(id));
    let row = row.filter(|row| cx.caller.sees(&row.project_id));
    cx.caller.check_found(policy::GROUP_SNAPSHOT_GET, row.map(|row| &**row))?;
    let row = row.ok_or_else(|| Missing::GroupSnapshot(id.into()))?;
    api.check(view, row.group_type_id, || Missing::GroupSnapshot(id.into()))?;
    Ok(row)
}
